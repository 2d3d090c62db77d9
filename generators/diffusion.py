"""Graph diffusion over all variables of a DAG, as one diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from diffusers import (
    DDPMScheduler,
    DiscreteDDIMScheduler,
    DPMSolverMultistepScheduler,
    ScoreSdeVeScheduler,
)
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.errors import CheckpointError, UsageError
from ..core.seeding import Seed, generators_for
from ..core.torch_state import own_torch_state
from ..spaces import Space
from .continuous import ContinuousRun, ContinuousScheduler, continuous_scheduler, relax
from .denoiser import GraphDenoiser, fingerprints, schema_of
from .generator import Proposals, batch_for, check_counts
from .guidance import Guidance
from .saved_pipeline import SavedPipeline
from .schedulers import MASK, AbsorbingScheduler, clamp_known

__all__ = ["GraphDiffusion"]

# Rows that the network reads at once on the CPU: what it computes of more is handed back to the
# system and fetched anew, page by page, which took half as long again.
CHUNK = 128

Scheduler: TypeAlias = AbsorbingScheduler | DiscreteDDIMScheduler | ContinuousScheduler


@dataclass(frozen=True)
class _Draws:
    """Sources of randomness.

    Args:
        host: On the CPU, for what spaces and conditions draw.
        there: On the device, for what is drawn there; the same one where that is the CPU.
        device: Where states are.
    """

    host: torch.Generator
    there: torch.Generator
    device: torch.device


@dataclass(frozen=True)
class _Start:
    """Where the reverse process starts, if not from noise.

    Args:
        x: Architectures that are partly corrupted.
        share: Of the process that they go through again.
    """

    x: Int[Tensor, "B V"]
    share: float


class GraphDiffusion(SavedPipeline):
    """Generates architectures by graph diffusion over operations, edges, sizes and graph variables.

    - Absorbing-state diffusion with per-variable choice sets, the default. What the space knows of
      its constraints narrows the choices while decoding, so that hardly anything invalid comes out.
    - Uniform D3PM through diffusers' `DiscreteDDIMScheduler`.
    - Continuous diffusion of one-hot vectors (as DiffusionNAG, arXiv 2305.16943, but of all
      variables): every variable ends as its likeliest choice, and nothing is repaired. One network
      serves diffusers' `DDPMScheduler`, `DPMSolverMultistepScheduler` and `ScoreSdeVeScheduler`;
      assign another to ``scheduler`` to change over (see `continuous_scheduler`).

    Args:
        denoiser: The trained network.
        scheduler: A reverse of the process it was trained for.

    Example:
        >>> import vitruvius
        >>> generator = vitruvius.generators.load("nasbench201")
        >>> generator.propose(vitruvius.space("nasbench201"), 4, seed=0).x.shape
        torch.Size([4, 6])
    """

    model_cpu_offload_seq = "denoiser"
    _schedulers: ClassVar[dict[str, tuple[Any, ...]]] = {
        "absorbing": (AbsorbingScheduler,),
        "uniform": (DiscreteDDIMScheduler,),
        "continuous": (DDPMScheduler, DPMSolverMultistepScheduler, ScoreSdeVeScheduler),
    }

    def __init__(self, denoiser: GraphDenoiser, scheduler: Scheduler) -> None:
        super().__init__()
        self.name = f"{'+'.join(denoiser.space_names)} {denoiser.config.process} diffusion"
        self.register_modules(denoiser=denoiser, scheduler=scheduler)
        self.denoiser.eval()

    @classmethod
    def of(cls, denoiser: GraphDenoiser) -> GraphDiffusion:
        """Pairs a denoiser with the reverse of the process it was trained for.

        Args:
            denoiser: The trained network.
        """
        process = denoiser.config.process
        if process == "continuous":
            return cls(denoiser, continuous_scheduler("ddpm"))
        return cls(
            denoiser, DiscreteDDIMScheduler() if process == "uniform" else AbsorbingScheduler()
        )

    @property
    def guidable(self) -> bool:
        """It takes every form of guidance."""
        return True

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the properties it can be conditioned on."""
        return tuple(self.denoiser.condition_names)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks it was trained across."""
        return tuple(self.denoiser.tasks)

    def seen(self, space: Space, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"] | None:
        """Tells which architectures were in the training set; None where that is not recorded.

        Args:
            space: The space, one of those it was trained on.
            x: Valid choice indices.
        """
        hashes = self.denoiser.get_buffer("seen").cpu()
        number = self.denoiser.space_index(space.name)
        return torch.isin(fingerprints(space, x, number), hashes) if len(hashes) else None

    @own_torch_state()
    @torch.no_grad()
    def propose(
        self,
        space: Space,
        n: int,
        *,
        guidance: Guidance | None = None,
        steps: int = 16,
        batch_size: int | None = None,
        seed: Seed = None,
    ) -> Proposals:
        """Runs the reverse process ``n`` times and returns what comes out, repeats included.

        Args:
            space: The space, one of those it was trained on.
            n: Number of proposals.
            guidance: What steers them.
            steps: Reverse steps.
            batch_size: Proposals computed together, and the population of importance resampling; by
                default as suits the denoiser's device.
            seed: A generator, an integer seed, or None for a fresh one.

        Raises:
            UsageError: For ``n``, ``steps`` or ``batch_size`` below 1, or a scheduler of another
                process than the denoiser's.
            UnknownNameError: For a space it was not trained on.
            CheckpointError: Where the space has changed since training.
        """
        check_counts(n=n, steps=steps, batch_size=batch_size)
        guidance = guidance or Guidance()
        number = self._check(space)
        device = self.denoiser.device
        draws = _Draws(*generators_for(seed, device), device)
        batch = batch_size or batch_for(device, len(space.variables))
        rounds = guidance.resampling.rounds if guidance.resampling else 1
        archive: list[Tensor] = []
        values: list[Tensor] = []
        for turn in range(rounds):
            # Rounded up, so that the first round is never empty.
            share = -(-n * (turn + 1) // rounds) - -(-n * turn // rounds)
            for done in range(0, share, batch):
                size = min(batch, share - done)
                start = None
                if turn and guidance.resampling is not None:
                    survivors = guidance.resampling.survivors(
                        space, torch.cat(archive), torch.cat(values), size, draws.host
                    )
                    if survivors is not None:
                        start = _Start(survivors, guidance.resampling.renoise)
                x = self._reverse(space, number, size, start, guidance, steps, draws)
                archive.append(x.cpu())
                if guidance.resampling is not None:
                    values.append(guidance.resampling.value(archive[-1]))
        x = torch.cat(archive)
        return Proposals(x, space.is_valid(x))

    @own_torch_state()
    @torch.no_grad()
    def renoise(
        self,
        space: Space,
        x: Int[Tensor, "B V"],
        *,
        share: float = 0.3,
        steps: int = 16,
        seed: Seed = None,
    ) -> Proposals:
        """Corrupts a part of architectures and generates it anew: what a mutation is, but learnt.

        As SDEdit (Meng et al., ICLR 2022, arXiv 2108.01073) edits images. Rows become random
        encodings of their architectures first, so that no part is always with the same variables.

        Args:
            space: A space it was trained on.
            x: Valid choice indices.
            share: Of the reverse process that they go through again; of the absorbing process, the
                share of variables that are masked.
            steps: Reverse steps of the whole process.
            seed: As for `propose`.

        Returns:
            As many proposals, each beside the row it comes from.

        Raises:
            UsageError: For a share that is not in (0, 1], or as for `propose`.

        Example:
            >>> import vitruvius
            >>> cells = vitruvius.space("nasbench201")
            >>> generator = vitruvius.generators.load("nasbench201")
            >>> generator.renoise(cells, cells.sample(3, 0), share=0.5, seed=0).x.shape
            torch.Size([3, 6])
        """
        check_counts(steps=steps)
        if not 0 < share <= 1:
            raise UsageError(f"`share` must be above 0 and at most 1, got {share}.", "Try 0.3.")
        number, device = self._check(space), self.denoiser.device
        draws = _Draws(*generators_for(seed, device), device)
        x = space.shuffle(x, draws.host)
        parts = [
            self._reverse(
                space, number, len(rows), _Start(rows, share), Guidance(), steps, draws
            ).cpu()
            for rows in x.split(batch_for(device, x.shape[1]))
        ]
        made = torch.cat([x[:0], *parts])
        return Proposals(made, space.is_valid(made))

    @own_torch_state()
    @torch.no_grad()
    def trajectory(
        self, space: Space, *, steps: int = 16, seed: Seed = None
    ) -> list[Int[Tensor, " V"]]:
        """Follows one architecture through the reverse process, from all masked to the end.

        Args:
            space: A space it was trained on.
            steps: Reverse steps.
            seed: As for `propose`.

        Returns:
            Its choice indices before the first step and after each, -1 where masked.

        Raises:
            UsageError: For fewer than one step, or a process that masks nothing.
        """
        check_counts(steps=steps)
        if self.denoiser.config.process != "absorbing":
            raise UsageError(
                f"The {self.denoiser.config.process} process masks nothing: there are no parts to "
                "follow.",
                "Use a generator of the absorbing process, such as those that ship.",
            )
        number, device = self._check(space), self.denoiser.device
        states = [torch.full((len(space.variables),), MASK)]
        draws = _Draws(*generators_for(seed, device), device)

        def watch(state: Int[Tensor, "B V"]) -> None:
            states.append(state[0].cpu().clone())

        self._reverse_absorbing(space, number, 1, None, Guidance(), steps, draws, watch)
        return states

    @property
    def _reverse(self) -> Callable[..., Int[Tensor, "B V"]]:
        return {
            "absorbing": self._reverse_absorbing,
            "uniform": self._reverse_uniform,
            "continuous": self._reverse_continuous,
        }[self.denoiser.config.process]

    def _reverse_absorbing(
        self,
        space: Space,
        number: int,
        size: int,
        start: _Start | None,
        guidance: Guidance,
        steps: int,
        draws: _Draws,
        watch: Callable[[Int[Tensor, "B V"]], None] | None = None,
    ) -> Int[Tensor, "B V"]:
        state = self._masked(space, size, start, draws)
        scores = self._scores(number, size, guidance, draws)
        total = state.shape[1]
        masked = int((state == MASK).sum(1).max())
        self.scheduler.set_timesteps(max(1, round(steps * masked / total)), masked)
        value: Tensor | None = None
        # Values are of whole architectures: they need the logits of all variables.
        valued = guidance.gradient is not None or guidance.resampling is not None
        allowed = space.allowed if space.constrained else None
        for i, left in enumerate(self.scheduler.timesteps.tolist()):
            time = torch.full((1,), left / total, device=draws.device)
            # Before anything is revealed or asked for, all rows are alike.
            alike = i == 0 and start is None and scores is None
            rows = state[:1] if alike else state
            chosen = None
            if not (alike or valued):
                chosen = self.scheduler.choose(i, state, generator=draws.there)
            logits = self._logits(number, rows, time, guidance, scores, chosen)
            logits = logits.expand(size, -1, -1)
            last = i + 1 == len(self.scheduler.timesteps)
            state = self.scheduler.step(
                logits, i, state, chosen=chosen, generator=draws.there, allowed=allowed
            ).prev_sample
            if watch is not None:
                watch(state)
            if guidance.resampling is not None and not last:
                keep, value = guidance.resampling.resample(
                    clamp_known(logits, state), value, draws.there
                )
                keep = keep.to(draws.device)
                state, scores = state[keep], None if scores is None else scores[keep]
        return state

    def _reverse_uniform(
        self,
        space: Space,
        number: int,
        size: int,
        start: _Start | None,
        guidance: Guidance,
        steps: int,
        draws: _Draws,
    ) -> Int[Tensor, "B V"]:
        """Uniform D3PM; variables with equally many choices form one block of the scheduler."""
        state = self._masked(space, size, start, draws)
        scores = self._scores(number, size, guidance, draws)
        sizes = space.choice_mask.sum(1).to(draws.device)
        first = round(steps * float((state != MASK).sum(1).min()) / state.shape[1])
        noise = torch.rand(state.shape, generator=draws.there, device=draws.device)
        state = torch.where(state == MASK, (noise * sizes).long(), state)
        self.scheduler.set_timesteps(steps)
        for step in self.scheduler.timesteps.tolist()[min(first, steps - 1) :]:
            time = torch.full((1,), 1 - step / steps, device=draws.device)
            logits = self._logits(number, state, time, guidance, scores)
            for width in sizes.unique().tolist():
                block = (sizes == width).nonzero()[:, 0]
                state[:, block] = self.scheduler.step(
                    logits[:, block, :width],
                    step,
                    state[:, block],
                    temperature=1.0,
                    generator=draws.there,
                ).prev_sample
        return state

    def _reverse_continuous(
        self,
        space: Space,
        number: int,
        size: int,
        start: _Start | None,
        guidance: Guidance,
        steps: int,
        draws: _Draws,
    ) -> Int[Tensor, "B V"]:
        choices, resampling = space.choice_mask.to(draws.device), guidance.resampling
        run = ContinuousRun(self.scheduler, steps, choices)
        first, last = 0, len(run.sigmas) - 1
        clean = torch.zeros(size, *choices.shape, device=draws.device)
        if start is not None:
            first = min(round((1 - start.share) * len(run.sigmas)), last)
            clean = relax(start.x.to(draws.device), choices)
        state = run.noised(clean, first, draws.there)
        scores = self._scores(number, size, guidance, draws)
        value: Tensor | None = None
        for i in range(first, last + 1):
            time = torch.full((1,), run.sigmas[i], device=draws.device)
            logits = self._logits(number, run.unflatten(state), time, guidance, scores)
            for _ in range(run.corrections):
                state = run.correct(i, state, logits, draws.host)
                logits = self._logits(number, run.unflatten(state), time, guidance, scores)
            # Not at the start, where the state says nothing, nor at the end, where all is decided.
            if resampling is not None and first < i < last:
                keep, value = resampling.resample(logits, value, draws.there)
                keep = keep.to(draws.device)
                state, logits = state[keep], logits[keep]
                scores = None if scores is None else scores[keep]
                run.keep(keep)
            if i < last:
                state = run.step(i, state, logits, draws.there)
        return logits.argmax(-1)

    def _masked(
        self, space: Space, size: int, start: _Start | None, draws: _Draws
    ) -> Int[Tensor, "B V"]:
        """Where a discrete process starts: all masked, or a share of every row."""
        if start is None:
            return torch.full((size, len(space.variables)), MASK, device=draws.device)
        share = torch.full((size,), start.share, device=draws.device)
        return AbsorbingScheduler().add_noise(start.x.to(draws.device), share, draws.there)

    def _scores(
        self, number: int, size: int, guidance: Guidance, draws: _Draws
    ) -> Float[Tensor, "B K"] | None:
        if guidance.classifier_free is None:
            return None
        return self.denoiser.scores(number, guidance.classifier_free.conditions(size, draws.host))

    def _logits(
        self,
        number: int,
        state: Int[Tensor, "B V"] | Float[Tensor, "B V C"],
        time: Float[Tensor, "1"],
        guidance: Guidance,
        scores: Float[Tensor, "B K"] | None,
        wanted: Int[Tensor, "B W"] | None = None,
    ) -> Float[Tensor, "B _ C"]:
        logits = self._denoised(number, state, time, scores, wanted)
        if guidance.classifier_free is not None and guidance.classifier_free.scale != 1.0:
            free = self._denoised(number, state, time, None, wanted)
            scale = guidance.classifier_free.scale
            logits = torch.where(free.isinf(), free, free + scale * (logits - free))
        if guidance.gradient is not None:
            absorbing = self.denoiser.config.process == "absorbing"
            seen = clamp_known(logits, state) if absorbing else logits
            logits = logits + guidance.gradient.shift(seen)
        return logits

    def _denoised(
        self,
        number: int,
        state: Int[Tensor, "B V"] | Float[Tensor, "B V C"],
        time: Float[Tensor, "1"],
        scores: Float[Tensor, "B K"] | None,
        wanted: Int[Tensor, "B W"] | None,
    ) -> Float[Tensor, "B _ C"]:
        most = len(state) if state.device.type != "cpu" else CHUNK
        parts = [
            self.denoiser(
                state[rows],
                time,
                None if scores is None else scores[rows],
                number,
                None if wanted is None else wanted[rows],
            )
            for rows in (slice(start, start + most) for start in range(0, len(state), most))
        ]
        return torch.cat(parts)

    def _check(self, space: Space) -> int:
        number = int(self.denoiser.space_index(space.name))
        if self.denoiser.config.schemas[number] != schema_of(space):
            raise CheckpointError(
                f"This generator was trained on another version of {space.name}.",
                f"Train one anew: vitruvius train {space.name}",
            )
        process = self.denoiser.config.process
        known = self._schedulers[process]
        mean = self.scheduler.config.get("prediction_type", "sample") == "sample"
        if not isinstance(self.scheduler, known) or (process == "continuous" and not mean):
            raise UsageError(
                f"A denoiser of the {process} process takes {_listed(known)}"
                f"{' that predicts samples' if process == 'continuous' else ''}, "
                f"got {type(self.scheduler).__name__}.",
                "Assign one of these to `scheduler`.",
            )
        return number


def _listed(kinds: tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)
