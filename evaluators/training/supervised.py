"""Supervised training: a network learns the targets of its examples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.seeding import make_generator
from ...spaces.drop_path import DropPath
from ..context import Context
from .augmentation import mixed
from .examples import Batch, Examples
from .loop import Callback, Trained, precision, run
from .recipe import Recipe
from .scores import leading, score_metrics, scores

__all__ = ["measure", "train"]


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
    learner = _Supervised(network, examples, recipe, torch.device(device))
    return run(learner, seed, context or Context(), callbacks, identity)


class _Supervised:
    """One network that learns the targets of its examples."""

    def __init__(
        self, network: nn.Module, examples: Examples, recipe: Recipe, device: torch.device
    ) -> None:
        self.examples, self.recipe, self.device = examples, recipe, device
        self.network = network.to(device)
        if recipe.dropout is not None:
            for module in network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = recipe.dropout
        self.optimizer = _optimizer(network, recipe)
        self.judged = self.network
        metrics = score_metrics(regression=examples.regression)
        self.scores, self.leading = tuple(metrics), leading(regression=examples.regression)
        self._paths = [m for m in network.modules() if isinstance(m, DropPath)]
        self._steps = recipe.epochs * len(self.order(make_generator(0)))
        # Tensor cores want it on CUDA. On the CPU networks took .4 to .8 of the time with it, and
        # those of NAS-Bench-201 alone 1.06 to 1.09 (`benchmarks/training_speed.py`).
        self._channels_last = any(isinstance(m, nn.Conv2d) for m in network.modules())
        if self._channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def order(self, generator: torch.Generator) -> Sequence[Tensor]:
        return self.examples.order(generator, self.recipe.batch)

    def step(self, number: int, chosen: Tensor, generator: torch.Generator) -> Tensor:
        recipe = self.recipe
        for path in self._paths:
            path.p = recipe.drop_path * number / self._steps
        batch = self.examples.take(chosen, recipe.augment, generator)
        order, share = None, 1.0
        if recipe.mixup and batch.rows is None and batch.graph is None:
            inputs, order, share = mixed(batch.inputs[0], recipe.mixup, generator)
            batch = Batch((inputs,), batch.targets)
        self.optimizer.zero_grad(set_to_none=True)
        with precision(recipe.precision, self.device):
            outputs, auxiliary = self._laid_out(batch).outputs(self.network)
            loss = self._criterion(outputs, batch.targets, order, share)
            if auxiliary is not None:
                further = self._criterion(auxiliary, batch.targets, order, share)
                loss = loss + recipe.auxiliary * further
        loss.backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        return loss.detach()

    def measure(self, network: nn.Module) -> dict[str, float]:
        return measure(network, self.examples, "val", self.recipe, self.device)

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

    def _laid_out(self, batch: Batch) -> Batch:
        if not self._channels_last:
            return batch
        inputs = batch.inputs[0].contiguous(memory_format=torch.channels_last)
        return Batch((inputs,), batch.targets)


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
    with precision(recipe.precision, device):
        for batch in examples.part(part, max(recipe.batch, 256)):
            told.append(batch.outputs(network)[0].float())
            true.append(batch.targets)
    outputs, targets = torch.cat(told), torch.cat(true)
    if examples.regression:
        outputs, targets = examples.unscaled(outputs), examples.unscaled(targets)
    return scores(outputs, targets, regression=examples.regression)


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
