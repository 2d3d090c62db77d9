"""Training of graph-diffusion denoisers: any process, one space or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.training_utils import EMAModel
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.checkpoint import Checkpoint
from ..core.errors import UsageError
from ..core.progress import progress_bar
from ..core.seeding import Seed, derive_seed, make_generator
from ..core.torch_state import own_torch_state
from ..encoders.layout import family
from ..spaces import Space
from .continuous import relax
from .denoiser import GraphDenoiser, fingerprints, schema_of
from .schedulers import MASK, AbsorbingScheduler, draw

__all__ = ["STATISTICS", "Source", "Trainer", "new_denoiser", "tail_sample"]

STATISTICS = ("params", "macs", "depth")
# Classifier-free dropout: all conditions at once, and each by itself, so that any subset works.
DROP_ALL, DROP_EACH = 0.4, 0.3
KNOTS = 65
# Noise levels of continuous diffusion, as shares of a right angle; beyond them nothing changes.
LEVELS = (1e-3, 1 - 1e-4)


@dataclass(frozen=True)
class Source:
    """What to learn the distribution of.

    Args:
        space: The space.
        rows: Architectures to learn from, ``[A, V]``.
        properties: Further properties to condition on, ``[A]`` each, aligned with ``rows``; NaN
            where a row has none.
        tails: Architectures that reach the tails of the properties (see `tail_sample`), ``[T, V]``.
            Half of every batch comes from them, always with a condition, so that they widen what
            can be asked for and leave the unconditional distribution alone.
        tasks: Names of the tasks that further properties come from.

    Raises:
        UsageError: For both further properties and tails.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x, values, _ = Source(cells, cells.enumerate()).draw(4, torch.Generator())
        >>> x.shape, sorted(values)
        (torch.Size([4, 6]), ['depth', 'macs', 'params'])
    """

    space: Space
    rows: Int[Tensor, "A V"]
    properties: Mapping[str, Float[Tensor, " A"]] = field(default_factory=dict)
    tails: Int[Tensor, "T V"] | None = None
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.properties and self.tails is not None:
            raise UsageError(
                "`tails` have no values of the further properties.", "Leave one of them out."
            )

    def draw(
        self, n: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, "B V"], dict[str, Float[Tensor, " B"]], Bool[Tensor, " B"]]:
        """Draws a batch, each row in a random isomorphic encoding.

        Args:
            n: Rows.
            generator: Source of randomness.

        Returns:
            Choice indices, property values, and which rows must keep a condition.
        """
        tails = 0 if self.tails is None else n // 2
        pick = torch.randint(len(self.rows), (n - tails,), generator=generator)
        x = self.rows[pick]
        if self.tails is not None:
            pick_tails = torch.randint(len(self.tails), (tails,), generator=generator)
            x = torch.cat([x, self.tails[pick_tails]])
        x = self.space.shuffle(x, generator)
        values = {name: column[pick] for name, column in self.properties.items()}
        return x, {**self.space.statistics(x), **values}, torch.arange(n) >= n - tails


def tail_sample(space: Space, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
    """Draws architectures from the whole range of the properties rather than from its middle.

    Uniform draws of a large space concentrate: sums over many variables hardly vary. Here every
    architecture draws its own preference for each choice of each family of variables first.

    Args:
        space: A space without constraints beyond its choice sets.
        n: How many.
        seed: A generator, an integer seed, or None for a fresh one.

    Example:
        >>> from vitruvius.spaces import space
        >>> tail_sample(space("mobilenetv3"), 4, seed=0).shape
        torch.Size([4, 46])
    """
    generator = make_generator(seed)
    families = [family(variable) for variable in space.variables]
    index = torch.tensor([families.index(name) for name in families])
    taste = 1.5 * torch.randn(n, len(families), space.choice_mask.shape[1], generator=generator)
    x = draw(taste[:, index].masked_fill(~space.choice_mask, -torch.inf), generator)
    return space.canonical(x[space.is_valid(x)])


@own_torch_state()
def new_denoiser(
    sources: Sequence[Source],
    *,
    width: int = 64,
    layers: int = 3,
    heads: int = 4,
    process: str = "absorbing",
    seed: int = 0,
) -> GraphDenoiser:
    """Makes an untrained denoiser for the spaces and properties of the sources.

    Args:
        sources: One per space.
        width: Channels of a token.
        layers: Transformer layers.
        heads: Attention heads.
        process: ``"absorbing"``, ``"uniform"`` or ``"continuous"``.
        seed: Seed of the initial weights.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> new_denoiser([Source(cells, cells.enumerate())], width=16).condition_names
        ['params', 'macs', 'depth']
    """
    knots: dict[str, dict[str, list[float]]] = {}
    for source in sources:
        _, values, _ = source.draw(8192, make_generator(derive_seed(seed, "knots")))
        level = torch.linspace(0, 1, KNOTS, dtype=torch.float64)
        knots[source.space.name] = {
            name: column.double().nanquantile(level).tolist()
            for name, column in values.items()
            if name in STATISTICS or name in source.properties
        }
    conditions = list(dict.fromkeys(name for entry in knots.values() for name in entry))
    seen = torch.cat(
        [
            fingerprints(source.space, part, number)
            for number, source in enumerate(sources)
            for part in (source.rows, source.tails)
            if part is not None
        ]
    ).unique()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        denoiser = GraphDenoiser(
            schemas=[schema_of(source.space) for source in sources],
            conditions=conditions,
            knots=knots,
            width=width,
            layers=layers,
            heads=heads,
            process=process,
            seen_count=len(seen),
            tasks=list(dict.fromkeys(task for source in sources for task in source.tasks)),
        )
    denoiser.get_buffer("seen").copy_(seen)
    return denoiser


class Trainer:
    """Trains a denoiser; can be interrupted and resumed, and ends as if it never had been.

    Absorbing: for ``k ~ U{1..V}`` masked variables, the mean cross-entropy over them, which is the
    exact likelihood bound of any-order autoregressive diffusion (arXiv 2110.02037, eq. 7).
    Uniform (D3PM, arXiv 2107.03006): each variable is replaced by a uniformly random choice with
    probability ``t ~ U(0, 1)``; cross-entropy over all.
    Continuous: Gaussian noise of deviation ``tan(pi t / 2)``, ``t ~ U(0, 1)``, which is the cosine
    schedule, on one-hot vectors; cross-entropy over all.

    Args:
        denoiser: The network; its weights are replaced by their moving average at the end.
        sources: Of spaces of the denoiser; visited in turn.
        steps: Optimiser steps.
        batch: Architectures per step.
        learning_rate: Peak of the warm-up and cosine schedule.
        ema: Decay of the moving average.
        seed: Seed of every random draw.
        checkpoint: Folder to keep the state in; training goes on from there if it holds one.
        every: Steps between two checkpoints.
        show: Whether to show a progress bar.

    Raises:
        UsageError: For less than one step or architecture per step.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> source = Source(cells, cells.enumerate())
        >>> model = new_denoiser([source], width=16, layers=1)
        >>> trainer = Trainer(model, [source], steps=2, batch=8, show=False)
        >>> len(trainer.run())
        2
    """

    def __init__(
        self,
        denoiser: GraphDenoiser,
        sources: Sequence[Source],
        *,
        steps: int = 4000,
        batch: int = 256,
        learning_rate: float = 2e-3,
        ema: float = 0.998,
        seed: int = 0,
        checkpoint: Path | None = None,
        every: int = 100,
        show: bool = True,
    ) -> None:
        if steps < 1 or batch < 1:
            raise UsageError(
                f"`steps` and `batch` must be at least 1, got {steps} and {batch}.",
                "Ask for one or more.",
            )
        self.denoiser, self.sources = denoiser, list(sources)
        self.steps, self.batch, self.seed = steps, batch, seed
        self.learning_rate, self.every, self.show = learning_rate, every, show
        settings = {"seed": seed, "steps": steps, "batch": batch}
        self._checkpoint = None if checkpoint is None else Checkpoint(checkpoint, settings)
        self.optimizer = torch.optim.AdamW(
            denoiser.parameters(), lr=learning_rate, weight_decay=1e-2
        )
        self.ema = EMAModel(denoiser.parameters(), decay=ema, use_ema_warmup=True, power=0.75)
        self.losses: list[float] = []

    def run(self) -> list[float]:
        """Trains to the end and returns the loss of every step.

        Raises:
            CheckpointError: Where the checkpoint is of another training or cannot be read.
        """
        if self._checkpoint is not None:
            self.losses, averages = self._checkpoint.restore(self.denoiser, self.optimizer)
            for i, average in averages.items():
                shadow = self.ema.shadow_params[int(i)]
                self.ema.shadow_params[int(i)] = average.to(shadow.device)
            self.ema.optimization_step = len(self.losses)
        self.denoiser.train()
        with progress_bar(show=self.show) as bar:
            task = bar.add_task("train", total=self.steps, completed=len(self.losses))
            while len(self.losses) < self.steps:
                self.losses.append(self._step(len(self.losses)))
                bar.update(task, advance=1, description=f"train {self.losses[-1]:.3f}")
                # Between two steps only: an interruption may strike in the middle of one.
                if self._checkpoint is not None and len(self.losses) % self.every == 0:
                    averages = {str(i): value for i, value in enumerate(self.ema.shadow_params)}
                    self._checkpoint.save(self.denoiser, self.optimizer, self.losses, averages)
        self.ema.copy_to(self.denoiser.parameters())
        self.denoiser.eval()
        return self.losses

    def _step(self, step: int) -> float:
        generator = make_generator(derive_seed(self.seed, "step", step))
        warmup = min(1.0, (step + 1) / min(200, self.steps))
        rate = self.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        source = self.sources[step % len(self.sources)]
        number = self.denoiser.space_index(source.space.name)
        x, values, keep = source.draw(self.batch, generator)
        conditions = self._conditions(number, values, keep, generator)
        loss = denoising_loss(self.denoiser, x, conditions, generator, space=number)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimizer.step()
        self.ema.step(self.denoiser.parameters())
        return float(loss.detach())

    def _conditions(
        self,
        space: int,
        values: Mapping[str, Tensor],
        keep: Bool[Tensor, " B"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B K"] | None:
        if not self.denoiser.condition_names or not values:
            return None
        scores = self.denoiser.scores(space, values)
        each = torch.rand(scores.shape, generator=generator) < DROP_EACH
        everything = (torch.rand((len(scores), 1), generator=generator) < DROP_ALL) & ~keep[:, None]
        dropped = each & ~(keep & each.all(1))[:, None] | everything
        return scores.masked_fill(dropped.to(scores.device), math.nan)


def denoising_loss(
    denoiser: GraphDenoiser,
    x: Int[Tensor, "B V"],
    conditions: Float[Tensor, "B K"] | None,
    generator: torch.Generator,
    space: int = 0,
) -> Float[Tensor, ""]:
    """Corrupts clean rows and returns the cross-entropy of recovering them, in nats a variable.

    Args:
        denoiser: The network.
        x: Clean choice indices.
        conditions: Normal scores, NaN where absent; None for no condition at all.
        generator: Source of randomness.
        space: Number of the space.
    """
    size, variables = x.shape
    if denoiser.config.process == "uniform":
        time = torch.rand(size, generator=generator)
        noise = torch.rand(x.shape, generator=generator)
        sizes = denoiser.get_buffer(f"choices_{space}").sum(1).cpu()
        flip = torch.rand(x.shape, generator=generator) < time[:, None]
        state = torch.where(flip, (noise * sizes).long(), x)
        weight = torch.ones(x.shape)
    elif denoiser.config.process == "continuous":
        # One level in every stretch of the range: the loss of a batch varies less.
        share = (torch.arange(size) + torch.rand(size, generator=generator)) / size
        time = (share.clamp(*LEVELS) * math.pi / 2).tan()
        clean = relax(x, denoiser.get_buffer(f"choices_{space}").cpu())
        state = clean + time[:, None, None] * torch.randn(clean.shape, generator=generator)
        weight = torch.ones(x.shape)
    else:
        count = torch.randint(1, variables + 1, (size,), generator=generator)
        time = count / variables
        state = AbsorbingScheduler().add_noise(x, time, generator)
        weight = (state == MASK) / count[:, None]
    device = denoiser.device
    logits = denoiser(state.to(device), time.to(device), conditions, space)
    loss = F.cross_entropy(logits.transpose(1, 2), x.to(device), reduction="none")
    return (loss * weight.to(device)).sum() / weight.sum()
