"""The one loop that trains networks, whatever they learn."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ...core.checkpoint import Checkpoint, under
from ...core.errors import CheckpointError
from ...core.seeding import derive_seed, make_generator
from ...spaces import Task
from ..context import Context
from ..metric import Metric
from .examples import Examples
from .recipe import Pace

__all__ = ["Callback", "Learner", "Trained", "Training", "TrainingError", "precision", "run"]

# Seconds between two checkpoints within an epoch, and the least between two at the ends of short
# ones, whose writing would take longer than they do.
WITHIN, BETWEEN = 60.0, 1.0
# Seeds of torch's generators are below.
SEEDS = 1 << 62


class TrainingError(Exception):
    """A training that came to nothing; says why."""


class Callback:
    """What may be added to a training; every method may be left out.

    Example:
        >>> class Shown(Callback):
        ...     def epoch_ended(self, training):
        ...         print(training.epoch, training.curve[-1]["accuracy"])
    """

    def started(self, training: Training) -> None:
        """Is called before the first step, also where a training goes on."""

    def step_ended(self, training: Training) -> None:
        """Is called after every step of the optimiser."""

    def epoch_ended(self, training: Training) -> None:
        """Is called when an epoch has been measured."""


@dataclass(eq=False)
class Training:
    """A training as it runs, as callbacks see it.

    Args:
        network: What is trained.
        optimizer: Of its parameters.
        examples: What it learns from.
        recipe: How it is trained.
        seed: Of everything random in it.
        epoch: Epochs that are done.
        step: Steps of the present epoch that are done.
        curve: What was measured after every epoch.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    examples: Examples
    recipe: Pace
    seed: int
    epoch: int
    step: int
    curve: list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a training.

    Args:
        network: The network that was measured, in evaluation mode.
        metrics: Its scores on the validation part.
        curve: Scores after every epoch, with ``train_loss``.
        epoch: The epoch it is of.
        task: What the network was built for, at the resolution it learnt at.
    """

    network: nn.Module
    metrics: dict[str, float]
    curve: list[dict[str, float]]
    epoch: int
    task: Task


@runtime_checkable
class Learner(Protocol):
    """What a loop trains: networks, their optimiser, a step, and what is measured of them.

    Attributes:
        network: All that is trained.
        judged: The part of it that is measured, whose weights may be averaged.
        optimizer: Of the parameters; the loop scales its learning rates.
        examples: What is learnt from.
        recipe: How.
        device: Where.
        scores: Names of what is measured.
        leading: The score by which epochs are compared.
    """

    network: nn.Module
    judged: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    scores: tuple[str, ...]
    leading: Metric

    @property
    def examples(self) -> Examples: ...

    @property
    def recipe(self) -> Pace: ...

    def order(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Parts the examples of an epoch into steps, in random order.

        Args:
            generator: On the CPU.
        """

    def step(self, number: int, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Makes a step of the optimiser, and returns the loss.

        Args:
            number: Of the step, from 0 over all epochs.
            chosen: One of `order`.
            generator: On the device; torch's own is seeded too.
        """

    def measure(self, network: nn.Module) -> dict[str, float]:
        """Measures `judged`, or an average of it.

        Args:
            network: The network.

        Raises:
            TrainingError: Where it has come to nothing.
        """


def run(
    learner: Learner,
    seed: int,
    context: Context,
    callbacks: Sequence[Callback] = (),
    identity: str = "",
) -> Trained:
    """Trains what a learner holds.

    Everything random in a step follows from the seed, the epoch and the step, so that a training
    that goes on from a checkpoint ends as if it had never stopped. On the CPU the result is the
    same bit by bit for the same number of threads.

    Args:
        learner: What is trained.
        seed: Of the order and all that a step draws.
        context: Takes scores after every epoch and tells whether to go on; its folder keeps
            checkpoints while the training runs.
        callbacks: Further things to do.
        identity: What else a checkpoint must be of to go on from, such as the architecture.

    Raises:
        TrainingError: Where the loss is no number any more, or a limit of time is reached.
    """
    loop = _Loop(learner, seed, context)
    with _own_draws(learner.device):
        return loop.run(callbacks, identity)


class _Loop:
    """The state of one training."""

    def __init__(self, learner: Learner, seed: int, context: Context) -> None:
        self.learner, self.recipe, self.seed = learner, learner.recipe, seed
        self.device, self.context = learner.device, context
        averaged = get_ema_multi_avg_fn(self.recipe.ema)
        self.ema = (
            AveragedModel(learner.judged, multi_avg_fn=averaged, use_buffers=True)
            if self.recipe.ema
            else None
        )
        self.state = Training(
            learner.network, learner.optimizer, learner.examples, self.recipe, seed, 0, 0, []
        )
        self._rates = [group["lr"] for group in learner.optimizer.param_groups]
        self.steps = len(learner.order(make_generator(0)))
        self._loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self._saved = self._began = time.monotonic()
        self._best: dict[str, Tensor] = {}

    # -- running --------------------------------------------------------------------------------

    def run(self, callbacks: Sequence[Callback], identity: str) -> Trained:
        state, recipe = self.state, self.recipe
        folder = self.context.folder
        checkpoint = None
        if folder is not None:
            kept: dict[str, int | float | str] = {
                "seed": self.seed,
                "recipe": recipe.model_dump_json(),
                "of": identity,
            }
            checkpoint = Checkpoint(folder / "checkpoint", kept)
            self._restore(checkpoint)
        for each in callbacks:
            each.started(state)
        while state.epoch < recipe.epochs and not self._over():
            self._epoch(callbacks, checkpoint)
            state.curve.append(self._measured())
            state.epoch, state.step = state.epoch + 1, 0
            self._loss = torch.zeros_like(self._loss)
            if recipe.keep == "best" and self._best_epoch() == state.epoch - 1:
                self._best = _copy(self._judged.state_dict())
            for each in callbacks:
                each.epoch_ended(state)
            if checkpoint is not None and state.epoch < recipe.epochs:
                self._save(checkpoint, BETWEEN)
            if not self.context.report(state.epoch, state.curve[-1]):
                break
        if checkpoint is not None and checkpoint.folder.exists():
            Checkpoint.remove(checkpoint.folder)
        return self._result()

    def _over(self) -> bool:
        patience, curve = self.recipe.patience, self.state.curve
        return 0 < patience < len(curve) - self._best_epoch() if curve else False

    def _epoch(self, callbacks: Sequence[Callback], checkpoint: Checkpoint | None) -> None:
        state = self.state
        state.network.train()
        order = self.learner.order(make_generator(derive_seed(self.seed, "order", state.epoch)))
        for chosen in order[state.step :]:
            self._loss += self._step(chosen)
            state.step += 1
            for each in callbacks:
                each.step_ended(state)
            self._check_time()
            if checkpoint is not None and time.monotonic() - self._saved > WITHIN:
                self._save(checkpoint, WITHIN)
        if not bool(self._loss.isfinite()):
            raise TrainingError(f"the loss was {float(self._loss)} in epoch {state.epoch + 1}")

    def _step(self, chosen: Tensor) -> Tensor:
        state = self.state
        done = state.epoch * self.steps + state.step
        drawn = derive_seed(self.seed, "step", done) % SEEDS
        torch.manual_seed(drawn)
        generator = torch.Generator(self.device).manual_seed(drawn)
        total = self.steps * self.recipe.epochs
        rate = _rate(self.recipe, done, total)
        for group, highest in zip(state.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * highest
        loss = self.learner.step(done, chosen, generator)
        if self.ema is not None:
            self.ema.update_parameters(self.learner.judged)
        return loss

    def _check_time(self) -> None:
        limit = self.recipe.seconds
        if limit and time.monotonic() - self._began > limit:
            raise TrainingError(f"it took longer than {limit:g} s, in epoch {self.state.epoch + 1}")

    # -- measuring ------------------------------------------------------------------------------

    @property
    def _judged(self) -> nn.Module:
        return self.learner.judged if self.ema is None else self.ema.module

    def _measured(self) -> dict[str, float]:
        torch.manual_seed(derive_seed(self.seed, "measure", self.state.epoch) % SEEDS)
        told = self.learner.measure(self._judged)
        return {"train_loss": float(self._loss) / self.steps, **told}

    def _best_epoch(self) -> int:
        metric = self.learner.leading
        sign = 1.0 if metric.better == "higher" else -1.0
        values = [sign * entry[metric.name] for entry in self.state.curve]
        return max(range(len(values)), key=values.__getitem__)

    def _result(self) -> Trained:
        network, curve = self._judged, self.state.curve
        epoch = len(curve) - 1
        if self.recipe.keep == "best" and self._best:
            epoch = self._best_epoch()
            network.load_state_dict(self._best)
        metrics = {k: v for k, v in curve[epoch].items() if k != "train_loss"}
        return Trained(network.eval(), metrics, curve, epoch, self.learner.examples.task)

    # -- checkpoints ----------------------------------------------------------------------------

    def _save(self, checkpoint: Checkpoint, least: float) -> None:
        if time.monotonic() - self._saved < least:
            return
        state = self.state
        more = {
            "place": torch.tensor([state.epoch, state.step]),
            "loss": self._loss,
        }
        if self.ema is not None:
            more |= {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        more |= {f"best.{name}": value for name, value in self._best.items()}
        if state.curve:
            rows = [list(entry.values()) for entry in state.curve]
            more["curve"] = torch.tensor(rows, dtype=torch.float64)
        checkpoint.save(state.network, state.optimizer, [0.0] * state.epoch, more)
        self._saved = time.monotonic()

    def _restore(self, checkpoint: Checkpoint) -> None:
        try:
            _, more = checkpoint.restore(self.state.network, self.state.optimizer)
        except CheckpointError:
            # Of another recipe, or damaged: it starts anew.
            Checkpoint.remove(checkpoint.folder)
            return
        if not more:
            return
        state = self.state
        state.epoch, state.step = more["place"].tolist()
        self._loss = more["loss"].to(self.device)
        if self.ema is not None:
            self.ema.load_state_dict(under("ema.", more))
        self._best = under("best.", more)
        if "curve" in more:
            names = ("train_loss", *self.learner.scores)
            state.curve = [dict(zip(names, row, strict=True)) for row in more["curve"].tolist()]


def _rate(recipe: Pace, done: int, total: int) -> float:
    """The share of its highest value that the learning rate has at a step."""
    rising = round(recipe.warmup * total)
    if done < rising:
        return (done + 1) / rising
    if recipe.schedule == "constant":
        return 1.0
    if recipe.schedule == "linear":
        return 1 - (done - rising) / (total - rising)
    return 0.5 * (1 + math.cos(math.pi * (done - rising) / (total - rising)))


def precision(name: str, device: torch.device) -> AbstractContextManager[None]:
    """Returns the context in which a recipe's precision holds.

    Args:
        name: ``mixed`` or ``full``.
        device: Where networks compute.
    """
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able and name == "mixed")


def _own_draws(device: torch.device) -> AbstractContextManager[None]:
    """Keeps the caller's random state from what is drawn within."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _copy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}
