"""The one loop that trains a network, of whatever kind its examples are."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ...core.checkpoint import Checkpoint, under
from ...core.errors import CheckpointError
from ...core.seeding import derive_seed, make_generator
from ...spaces import Task
from ...spaces.drop_path import DropPath
from ..context import Context
from .augmentation import mixed
from .examples import Batch, Examples
from .recipe import Recipe
from .scores import leading, score_metrics, scores

__all__ = ["Callback", "Trained", "TrainingError", "measure", "train"]

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
    recipe: Recipe
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


def train(
    network: nn.Module,
    examples: Examples,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    context: Context | None = None,
    callbacks: Sequence[Callback] = (),
    identity: str = "",
) -> Trained:
    """Trains a network.

    Everything random in a step follows from the seed, the epoch and the step, so that a training
    that goes on from a checkpoint ends as if it had never stopped. On the CPU the result is the
    same bit by bit for the same number of threads.

    Args:
        network: What is trained; it is moved to the device.
        examples: On the device.
        recipe: How.
        seed: Of the order, dropout and augmentation; initial weights are the caller's.
        device: Where to compute.
        context: Takes scores after every epoch and tells whether to go on; its folder keeps
            checkpoints while the training runs.
        callbacks: Further things to do.
        identity: What else a checkpoint must be of to go on from, such as the architecture.

    Raises:
        TrainingError: Where the loss is no number any more, or a limit of time is reached.

    Example:
        >>> from vitruvius.datasets import RawImages, split
        >>> from vitruvius.evaluators.training.examples import examples_of
        >>> from vitruvius.spaces import space
        >>> images = torch.randint(256, (40, 1, 8, 8), generator=make_generator(0)).byte()
        >>> raw = RawImages(images, torch.arange(40) % 2)
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> examples = examples_of(raw, split(raw), raw.task, torch.device("cpu"))
        >>> told = train(cells.build(cells.example, raw.task), examples, Recipe(epochs=2))
        >>> len(told.curve), sorted(told.metrics)[:2]
        (2, ['accuracy', 'auroc'])
    """
    loop = _Loop(network, examples, recipe, seed, torch.device(device), context or Context())
    with _own_draws(loop.device):
        return loop.run(callbacks, identity)


class _Loop:
    """The state of one training."""

    def __init__(
        self,
        network: nn.Module,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        context: Context,
    ) -> None:
        self.examples, self.recipe, self.seed = examples, recipe, seed
        self.device, self.context = device, context
        # Tensor cores want it on CUDA. On the CPU networks took .4 to .8 of the time with it, and
        # those of NAS-Bench-201 alone 1.06 to 1.09 (`benchmarks/training_speed.py`).
        self._channels_last = any(isinstance(m, nn.Conv2d) for m in network.modules())
        network = network.to(device)
        if self._channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.dropout is not None:
            for module in network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = recipe.dropout
        self._paths = [m for m in network.modules() if isinstance(m, DropPath)]
        averaged = get_ema_multi_avg_fn(recipe.ema)
        self.ema = (
            AveragedModel(network, multi_avg_fn=averaged, use_buffers=True) if recipe.ema else None
        )
        self.state = Training(
            network, _optimizer(network, recipe), examples, recipe, seed, 0, 0, []
        )
        self.steps = len(examples.order(make_generator(0), recipe.batch))
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
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
        state, recipe = self.state, self.recipe
        state.network.train()
        order = self.examples.order(
            make_generator(derive_seed(self.seed, "order", state.epoch)), recipe.batch
        )
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
        state, recipe = self.state, self.recipe
        done = state.epoch * self.steps + state.step
        drawn = derive_seed(self.seed, "step", done) % SEEDS
        torch.manual_seed(drawn)
        generator = torch.Generator(self.device).manual_seed(drawn)
        total = self.steps * recipe.epochs
        for group in state.optimizer.param_groups:
            group["lr"] = _rate(recipe, done, total)
        for path in self._paths:
            path.p = recipe.drop_path * done / total
        batch = self.examples.take(chosen, recipe.augment, generator)
        order, share = None, 1.0
        if recipe.mixup and batch.rows is None and batch.graph is None:
            inputs, order, share = mixed(batch.inputs[0], recipe.mixup, generator)
            batch = Batch((inputs,), batch.targets)
        state.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            outputs, auxiliary = self._laid_out(batch).outputs(state.network)
            loss = self._criterion(outputs, batch.targets, order, share)
            if auxiliary is not None:
                further = self._criterion(auxiliary, batch.targets, order, share)
                loss = loss + recipe.auxiliary * further
        loss.backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip)
        state.optimizer.step()
        if self.ema is not None:
            self.ema.update_parameters(state.network)
        return loss.detach()

    def _criterion(
        self, outputs: Tensor, targets: Tensor, order: Tensor | None, share: float
    ) -> Tensor:
        def of(targets: Tensor) -> Tensor:
            if self.examples.regression:
                return F.mse_loss(outputs.float(), targets)
            return F.cross_entropy(
                outputs.float(), targets, label_smoothing=self.recipe.label_smoothing
            )

        if order is None:
            return of(targets)
        return share * of(targets) + (1 - share) * of(targets[order])

    def _check_time(self) -> None:
        limit = self.recipe.seconds
        if limit and time.monotonic() - self._began > limit:
            raise TrainingError(f"it took longer than {limit:g} s, in epoch {self.state.epoch + 1}")

    # -- measuring ------------------------------------------------------------------------------

    @property
    def _judged(self) -> nn.Module:
        return self.state.network if self.ema is None else self.ema.module

    def _measured(self) -> dict[str, float]:
        network = self._judged
        told = measure(network, self.examples, "val", self.recipe, self.device)
        return {"train_loss": float(self._loss) / self.steps, **told}

    def _best_epoch(self) -> int:
        metric = leading(regression=self.examples.regression)
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
        return Trained(network.eval(), metrics, curve, epoch, self.examples.task)

    # -- the device -----------------------------------------------------------------------------

    def _precision(self) -> AbstractContextManager[None]:
        return _precision(self.recipe, self.device)

    def _laid_out(self, batch: Batch) -> Batch:
        if not self._channels_last:
            return batch
        inputs = batch.inputs[0].contiguous(memory_format=torch.channels_last)
        return Batch((inputs,), batch.targets)

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
            names = ("train_loss", *score_metrics(regression=self.examples.regression))
            state.curve = [dict(zip(names, row, strict=True)) for row in more["curve"].tolist()]


@torch.no_grad()
def measure(
    network: nn.Module,
    examples: Examples,
    part: str,
    recipe: Recipe,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Scores a network on a part of the examples.

    Args:
        network: The network, on the device; it is left in evaluation mode.
        examples: The examples.
        part: ``train``, ``val`` or ``test``.
        recipe: Of its training, for batch and precision.
        device: Where to compute.
    """
    network.eval()
    device = torch.device(device)
    told, true = [], []
    with _precision(recipe, device):
        for batch in examples.part(part, max(recipe.batch, 256)):
            told.append(batch.outputs(network)[0].float())
            true.append(batch.targets)
    outputs, targets = torch.cat(told), torch.cat(true)
    if examples.regression:
        outputs, targets = examples.unscaled(outputs), examples.unscaled(targets)
    return scores(outputs, targets, regression=examples.regression)


def _rate(recipe: Recipe, done: int, total: int) -> float:
    """The learning rate of a step."""
    rising = round(recipe.warmup * total)
    if done < rising:
        return recipe.lr * (done + 1) / rising
    if recipe.schedule == "constant":
        return recipe.lr
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (done - rising) / (total - rising)))


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(
                parameters,
                recipe.lr,
                momentum=recipe.momentum,
                weight_decay=recipe.weight_decay,
                nesterov=recipe.momentum > 0,
            )
        case "adam":
            return torch.optim.Adam(parameters, recipe.lr, weight_decay=recipe.weight_decay)
        case "adamw":
            return torch.optim.AdamW(parameters, recipe.lr, weight_decay=recipe.weight_decay)


def _precision(recipe: Recipe, device: torch.device) -> AbstractContextManager[None]:
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able and recipe.precision == "mixed")


def _own_draws(device: torch.device) -> AbstractContextManager[None]:
    """Keeps the caller's random state from what is drawn within."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _copy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}
