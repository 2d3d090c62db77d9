"""Continuous diffusion of architectures relaxed to one-hot vectors, by diffusers' schedulers."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, ScoreSdeVeScheduler
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.errors import UnknownNameError

__all__ = ["CONTINUOUS", "ContinuousRun", "ContinuousScheduler", "continuous_scheduler", "relax"]

ContinuousScheduler: TypeAlias = DDPMScheduler | DPMSolverMultistepScheduler | ScoreSdeVeScheduler

CONTINUOUS = ("ddpm", "dpm-solver++", "ve-sde")
# With a deviation of 10 a choice is told from another no better than by chance; with 0.1 always.
SIGMA_MIN, SIGMA_MAX = 0.1, 10.0


def relax(x: Int[Tensor, "B V"], choices: Bool[Tensor, "V C"]) -> Float[Tensor, "B V C"]:
    """Returns one-hot vectors, of mean 0 over the choices of every variable.

    Args:
        x: Choice indices.
        choices: Which columns are choices of each variable; the others are 0.

    Example:
        >>> relax(torch.tensor([[1]]), torch.tensor([[True, True]])).tolist()
        [[[-0.5, 0.5]]]
    """
    return centre(F.one_hot(x, choices.shape[1]).float(), choices)


def centre(p: Float[Tensor, "B V C"], choices: Bool[Tensor, "V C"]) -> Float[Tensor, "B V C"]:
    """Subtracts the uniform distribution from distributions over choices."""
    return (p - 1 / choices.sum(1, keepdim=True)) * choices


def continuous_scheduler(name: str) -> ContinuousScheduler:
    """Makes one of diffusers' schedulers with the settings that suit one-hot vectors.

    - ``ddpm`` (arXiv 2006.11239): ancestral sampling, cosine schedule.
    - ``dpm-solver++`` (arXiv 2211.01095): its second-order multistep form on the same schedule.
      It is deterministic, so that copies which importance resampling makes stay copies; there use
      another one, or ``algorithm_type="sde-dpmsolver++"``.
    - ``ve-sde`` (arXiv 2011.13456): reverse-diffusion predictor, one Langevin corrector step each.

    Args:
        name: One of `CONTINUOUS`.

    Raises:
        UnknownNameError: For another name.

    Example:
        >>> continuous_scheduler("dpm-solver++").config.algorithm_type
        'dpmsolver++'
    """
    if name == "ddpm":
        return DDPMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            timestep_spacing="trailing",
            clip_sample=False,
        )
    if name == "dpm-solver++":
        return DPMSolverMultistepScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            timestep_spacing="trailing",
        )
    if name == "ve-sde":
        return ScoreSdeVeScheduler(
            num_train_timesteps=1000,
            sigma_min=SIGMA_MIN,
            sigma_max=SIGMA_MAX,
            # Its steps are numbered by rounding down, which a smaller last time would get wrong.
            sampling_eps=1e-3,
        )
    raise UnknownNameError.of("continuous scheduler", name, CONTINUOUS)


class ContinuousRun:
    """One run down the noise levels of a scheduler, whichever it is.

    A state is ``x_0 + sigma * noise`` over the choices alone, flat. The variance-preserving state
    of DDPM and DPM-Solver++ is that divided by ``sqrt(1 + sigma^2)``, so that one network serves
    them all.

    Args:
        scheduler: The scheduler; a run changes its state.
        steps: Reverse steps, at most as many as the scheduler was made for.
        choices: Which columns are choices of each variable, where the states are.

    Attributes:
        sigmas: Deviation of the noise before each step, falling.

    Example:
        >>> run = ContinuousRun(continuous_scheduler("ve-sde"), 3, torch.ones(2, 4).bool())
        >>> [round(sigma, 2) for sigma in run.sigmas]
        [10.0, 1.0, 0.1]
    """

    def __init__(
        self, scheduler: ContinuousScheduler, steps: int, choices: Bool[Tensor, "V C"]
    ) -> None:
        self.scheduler, self.choices = scheduler, choices
        steps = min(steps, scheduler.config.num_train_timesteps)
        scheduler.set_timesteps(steps)
        self.corrections = 0
        if isinstance(scheduler, ScoreSdeVeScheduler):
            scheduler.set_sigmas(steps)
            self.corrections = scheduler.config.correct_steps
            self.sigmas = scheduler.discrete_sigmas.flip(0).tolist()
        else:
            signal = scheduler.alphas_cumprod[scheduler.timesteps].double()
            self.sigmas = ((1 - signal) / signal).sqrt().tolist()

    def noised(
        self, clean: Float[Tensor, "B V C"], i: int, generator: torch.Generator
    ) -> Float[Tensor, "B F"]:
        """Returns the state before step ``i`` of given architectures.

        Args:
            clean: Relaxed architectures (see `relax`); zeros for none in particular.
            i: Number of the step.
            generator: Source of randomness.
        """
        flat = clean[:, self.choices]
        return flat + self.sigmas[i] * torch.randn(
            flat.shape, generator=generator, device=flat.device
        )

    def unflatten(self, state: Float[Tensor, "B F"]) -> Float[Tensor, "B V C"]:
        """Returns a state by variable and choice, 0 where there is none.

        Args:
            state: The state.
        """
        full = state.new_zeros(len(state), *self.choices.shape)
        full[:, self.choices] = state
        return full

    def correct(
        self,
        i: int,
        state: Float[Tensor, "B F"],
        logits: Float[Tensor, "B V C"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B F"]:
        """Takes a corrector step of Langevin dynamics at the noise level of step ``i``.

        Args:
            i: Number of the step.
            state: The state before it.
            logits: Of the clean choices given that state.
            generator: Source of randomness, on the CPU, where diffusers draws for a correction.
        """
        score = (self._mean(logits) - state) / self.sigmas[i] ** 2
        found: Tensor = self.scheduler.step_correct(score, state, generator).prev_sample
        return found

    def step(
        self,
        i: int,
        state: Float[Tensor, "B F"],
        logits: Float[Tensor, "B V C"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B F"]:
        """Takes step ``i``, any but the last.

        Args:
            i: Number of the step.
            state: The state before it.
            logits: Of the clean choices given that state.
            generator: Source of randomness.
        """
        mean, sigma, time = self._mean(logits), self.sigmas[i], self.scheduler.timesteps[i]
        found: Tensor
        if isinstance(self.scheduler, ScoreSdeVeScheduler):
            score = (mean - state) / sigma**2
            found = self.scheduler.step_pred(score, time, state, generator).prev_sample
            return found
        preserving = state / math.sqrt(1 + sigma**2)
        found = self.scheduler.step(mean, time, preserving, generator=generator).prev_sample
        return found * math.sqrt(1 + self.sigmas[i + 1] ** 2)

    def keep(self, rows: Int[Tensor, " B"]) -> None:
        """Makes what a multistep scheduler remembers follow the surviving particles.

        Args:
            rows: Their numbers.
        """
        if isinstance(self.scheduler, DPMSolverMultistepScheduler):
            memory = self.scheduler.model_outputs
            self.scheduler.model_outputs = [m if m is None else m[rows] for m in memory]

    def _mean(self, logits: Float[Tensor, "B V C"]) -> Float[Tensor, "B F"]:
        """The expected clean state, E[x_0 | x_t]."""
        return centre(logits.softmax(-1), self.choices)[:, self.choices]
