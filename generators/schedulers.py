"""Absorbing-state diffusion over variables with their own choice sets, a diffusers scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["MASK", "AbsorbingScheduler", "AbsorbingSchedulerOutput", "clamp_known", "draw"]

MASK = -1

Allowed = Callable[[Tensor, Tensor], Tensor]


@dataclass
class AbsorbingSchedulerOutput(BaseOutput):
    """Result of one reverse step.

    Args:
        prev_sample: The less masked architectures, ``[B, V]``, -1 where masked.
    """

    prev_sample: Int[Tensor, "B V"]


class AbsorbingScheduler(SchedulerMixin, ConfigMixin):
    """Masked discrete diffusion (D3PM, arXiv 2107.03006, with an absorbing state).

    The forward process masks each variable independently with probability ``t``. Its exact
    reverse reveals the variables in a uniformly random order, each from the denoiser's
    distribution given what is revealed (arXiv 2110.02037, 2406.04329). ``T`` steps reveal
    ``V / T`` variables each; as many steps as variables is exact ancestral sampling, and more
    steps than that would change nothing, so they are not taken.

    For spaces of unordered choices with constraints; a denoiser trained for the uniform process
    takes diffusers' `DiscreteDDIMScheduler` instead.

    Args:
        num_train_timesteps: Kept for diffusers' interface; time itself is continuous.

    Example:
        >>> scheduler = AbsorbingScheduler()
        >>> scheduler.set_timesteps(2, variables=3)
        >>> scheduler.timesteps.tolist()
        [3, 2]
        >>> state = scheduler.step(torch.zeros(1, 3, 2), 0, torch.full((1, 3), MASK)).prev_sample
        >>> int((state == MASK).sum())
        2
    """

    order = 1

    @register_to_config
    def __init__(self, num_train_timesteps: int = 1000) -> None:
        self.timesteps: Int[Tensor, " T"] = torch.arange(0)
        self.num_inference_steps = 0

    def set_timesteps(
        self, num_inference_steps: int, variables: int, device: str | torch.device | None = None
    ) -> None:
        """Plans how many variables are masked before each step.

        Args:
            num_inference_steps: Steps wanted.
            variables: Number of variables to reveal.
            device: Where `timesteps` is kept.

        Raises:
            ValueError: For less than one step.
        """
        if num_inference_steps < 1:
            raise ValueError(f"`num_inference_steps` must be at least 1, got {num_inference_steps}")
        steps = min(num_inference_steps, variables)
        self.num_inference_steps = steps
        masked = torch.linspace(variables, 0, steps + 1).round().long()
        self.timesteps, self._after = masked[:-1].to(device), masked[1:].tolist()

    def add_noise(
        self, x: Int[Tensor, "B V"], time: Float[Tensor, " B"], generator: torch.Generator | None
    ) -> Int[Tensor, "B V"]:
        """Masks a random subset of ``ceil(time * V)`` variables of every row.

        Args:
            x: Choice indices.
            time: Share to mask, in [0, 1].
            generator: Source of randomness.
        """
        rank = torch.rand(x.shape, generator=generator, device=x.device).argsort(1).argsort(1)
        # In single precision 7 / 13 * 13 exceeds 7, which must not count as 8.
        return x.masked_fill(rank < (time[:, None] * x.shape[1] - 1e-4).ceil(), MASK)

    def choose(
        self,
        timestep: int,
        sample: Int[Tensor, "B V"],
        *,
        generator: torch.Generator | None = None,
    ) -> Int[Tensor, "B W"]:
        """Chooses at random which variables of every row a step reveals, in order.

        Args:
            timestep: Number of the step, from 0.
            sample: Current state, -1 where masked.
            generator: Source of randomness.
        """
        masked = sample == MASK
        count = int(masked.sum(1).max()) - self._after[timestep]
        order = torch.rand(sample.shape, generator=generator, device=sample.device)
        return order.masked_fill(~masked, -1.0).topk(max(count, 1), 1).indices

    def step(
        self,
        model_output: Float[Tensor, "B _ C"],
        timestep: int,
        sample: Int[Tensor, "B V"],
        *,
        chosen: Int[Tensor, "B W"] | None = None,
        generator: torch.Generator | None = None,
        allowed: Allowed | None = None,
        return_dict: bool = True,
    ) -> AbsorbingSchedulerOutput | tuple[Tensor]:
        """Reveals the next variables, in random order.

        Args:
            model_output: Logits of the clean choices of all variables, or of those chosen.
            timestep: Number of the step, from 0.
            sample: Current state, -1 where masked.
            chosen: Which variables to reveal, where `choose` said so before; the logits are then
                of these alone.
            generator: Source of randomness.
            allowed: For constraint-aware decoding: maps a state and which entries are known to
                the choices that can still end in a valid architecture, ``[B, V, C]``. Variables
                revealed in one step are then decided one after the other.
            return_dict: Whether to return a dataclass rather than a tuple.
        """
        if chosen is None:
            chosen = self.choose(timestep, sample, generator=generator)
            width = model_output.shape[-1]
            model_output = model_output.gather(1, chosen[..., None].expand(-1, -1, width))
        result = sample.clone()
        if allowed is None:
            result.scatter_(1, chosen, draw(model_output, generator))
        else:
            rows = torch.arange(len(sample), device=sample.device)
            for column, logits in zip(chosen.unbind(1), model_output.unbind(1), strict=True):
                open_choices = allowed(result, result != MASK)[rows, column]
                closed = ~open_choices & open_choices.any(1, keepdim=True)
                result[rows, column] = draw(logits.masked_fill(closed, -torch.inf), generator)
        result = torch.where(sample == MASK, result, sample)
        return AbsorbingSchedulerOutput(prev_sample=result) if return_dict else (result,)


def draw(logits: Float[Tensor, "... C"], generator: torch.Generator | None) -> Int[Tensor, "..."]:
    """Draws one choice per row of logits (by the Gumbel-max trick)."""
    noise = torch.empty_like(logits).exponential_(generator=generator)
    return (logits - noise.clamp_(min=1e-20).log()).argmax(-1)


def clamp_known(logits: Float[Tensor, "B V C"], x: Int[Tensor, "B V"]) -> Float[Tensor, "B V C"]:
    """Makes the logits of what is known certain: 0 for its choice and -inf for all others.

    Args:
        logits: Of the clean choices.
        x: Choice indices, -1 where not known.
    """
    certain = F.one_hot(x.clamp(min=0), logits.shape[-1]).log().to(logits.dtype)
    return torch.where((x == MASK)[..., None], logits, certain)
