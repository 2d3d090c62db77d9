"""Adversarial training: a generator and a discriminator learn against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ...core.seeding import Seed, make_generator
from ...datasets import Splits
from ...spaces import ImageTask
from ...spaces.gan.adversarial import GeneratorSpace
from .augmentation import augmented
from .examples import TensorExamples
from .extractor import LEVELS, Extractor
from .gan_recipe import GANRecipe
from .generation_scores import GENERATION, generation_scores, spread
from .loop import TrainingError, precision

__all__ = ["MEASURED", "AdversarialLearner", "GANExamples", "generated"]

# Images that are generated at a time to measure a generator.
BATCH = 250
# Generated images whose features vary less than this share of the real ones' look alike.
COLLAPSED = 1e-4
# Seed of the noise that generators are measured by.
MEASURED = 1


class GANExamples(TensorExamples):
    """Images from -1 to 1, as generators make them.

    Args:
        images: Levels of 0 to 255.
        labels: Class of every image.
        splits: The parts.
        task: What generators make.
        device: Where networks compute.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "N C H W"],
        labels: Int[Tensor, " N"],
        splits: Splits,
        task: ImageTask,
        *,
        device: torch.device,
    ) -> None:
        super().__init__(images, labels, splits, task, regression=False, device=device)
        self._mean = self._scale = torch.full_like(self._mean, LEVELS)

    def batches(self, generator: torch.Generator, images: int, batch: int) -> Sequence[Tensor]:
        """Parts as many training images as are asked for into steps, pass after pass.

        Args:
            generator: On the CPU.
            images: How many, at least a batch.
            batch: Images a step.
        """
        train = self._parts["train"]
        steps = max(1, round(images / batch))
        passes = -(-steps * batch // len(train))
        order = [torch.randperm(len(train), generator=generator) for _ in range(passes)]
        return train[torch.cat(order)[: steps * batch]].split(batch)


class AdversarialLearner:
    """A generator and a discriminator, of which the generator is judged.

    A step shows the discriminator a batch of real and one of generated images, with the labels of
    the real ones where it is conditional; every few steps the generator learns to deceive it.

    Args:
        generator: Makes images of noise, see `vitruvius.spaces.gan.adversarial`.
        discriminator: Tells them from real ones.
        space: The generator's space.
        task: What the generator makes.
        examples: The images, on the device.
        recipe: How they are trained.
        extractor: In whose features generated images are compared with real ones.
        device: Where to compute.
    """

    scores = tuple(GENERATION)
    leading = GENERATION["fid"]

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        space: GeneratorSpace,
        task: ImageTask,
        examples: GANExamples,
        recipe: GANRecipe,
        extractor: Extractor,
        device: torch.device,
    ) -> None:
        for module in (*generator.modules(), *discriminator.modules()):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                # As in AutoGAN and EAGAN; by torch's own, noise hardly changes a narrow image.
                nn.init.xavier_uniform_(module.weight)
        if recipe.spectral_norm:
            for module in list(discriminator.modules()):
                if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                    spectral_norm(module)
        self.space = space
        self.examples, self.recipe, self.device, self.task = examples, recipe, device, task
        self.extractor = extractor
        self.generator, self.discriminator = generator, discriminator
        self.network: nn.Module = nn.ModuleDict(
            {"generator": generator, "discriminator": discriminator}
        )
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.judged: nn.Module = generator
        self._steps, self._done = recipe.rounds * len(self.order(make_generator(0))), 0
        # Adam passes over parameters without gradients, so that one serves both in turn.
        self.optimizer: torch.optim.Optimizer = torch.optim.Adam(
            [
                {"params": list(generator.parameters()), "lr": recipe.lr},
                {"params": list(discriminator.parameters()), "lr": recipe.discriminator_lr},
            ],
            betas=(recipe.beta1, recipe.beta2),
        )

    def order(self, generator: torch.Generator) -> Sequence[Tensor]:
        recipe = self.recipe
        images = max(recipe.batch, recipe.images // recipe.rounds)
        batch = min(recipe.batch, self.examples.sizes["train"])
        return self.examples.batches(generator, images, batch)

    def step(self, number: int, chosen: Tensor, generator: torch.Generator) -> Tensor:
        self._done = number + 1
        batch = self.examples.take(chosen, (), generator)
        images = batch.inputs[0].contiguous(memory_format=torch.channels_last)
        labels = (batch.targets,) if self.space.conditional else ()
        loss = self._discriminate(images, labels, generator)
        if number % self.recipe.critic == 0:
            loss = loss + self._deceive(labels, generator, len(images))
        return loss

    def measure(self, network: nn.Module) -> dict[str, float]:
        """Scores generated images in the extractor's features.

        Raises:
            TrainingError: Where they all look alike.
        """
        drawn = generated(
            network, self.space, self.task, self.recipe.samples, MEASURED, self.device
        )
        features, logits = self.extractor.all(drawn)
        told, real = spread(features), spread(self.extractor.reference)
        if not features.isfinite().all():
            raise TrainingError("the generator makes images that are no numbers")
        # An untrained generator makes the same of any noise.
        if told < COLLAPSED * real and self._done == self._steps:
            raise TrainingError(
                f"mode collapse: features of generated images have {100 * told / real:.1g} % of "
                "the variance of real ones'"
            )
        return generation_scores(self.extractor.reference, features, logits)

    def _discriminate(
        self, images: Tensor, labels: tuple[Tensor, ...], generator: torch.Generator
    ) -> Tensor:
        with torch.no_grad(), precision(self.recipe.precision, self.device):
            made = self._generated(len(images), labels, generator)
        self.optimizer.zero_grad(set_to_none=True)
        penalised = images.requires_grad_(self.recipe.r1 > 0)
        with precision(self.recipe.precision, self.device):
            real = self._judge(penalised, labels, generator)
            fake = self._judge(made, labels, generator)
            loss = self._criterion(real, 1) + self._criterion(fake, -1)
        if self.recipe.r1:
            [slope] = torch.autograd.grad(real.sum(), penalised, create_graph=True)
            loss = loss + self.recipe.r1 / 2 * slope.square().sum((1, 2, 3)).mean()
        self._update(loss, self.discriminator)
        return loss.detach()

    def _deceive(
        self, labels: tuple[Tensor, ...], generator: torch.Generator, count: int
    ) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        critic = self.discriminator.requires_grad_(False)
        with precision(self.recipe.precision, self.device):
            score = self._judge(self._generated(count, labels, generator), labels, generator)
            hinge = self.recipe.loss == "hinge"
            loss = -score.mean() if hinge else F.softplus(-score).mean()
        self._update(loss, self.generator)
        critic.requires_grad_(True)
        return loss.detach()

    def _criterion(self, score: Tensor, sign: int) -> Tensor:
        """Loss of the discriminator on images that are real (1) or generated (-1)."""
        if self.recipe.loss == "hinge":
            return F.relu(1 - sign * score).mean()
        return F.softplus(-sign * score).mean()

    def _generated(
        self, count: int, labels: tuple[Tensor, ...], generator: torch.Generator
    ) -> Tensor:
        z = torch.randn(count, self.space.latent, generator=generator, device=self.device)
        made: Tensor = self.generator(z, *labels)
        return made

    def _judge(
        self, images: Tensor, labels: tuple[Tensor, ...], generator: torch.Generator
    ) -> Tensor:
        shown = augmented(images, self.recipe.augment, generator)
        score: Tensor = self.discriminator(shown, *labels)
        return score.float()

    def _update(self, loss: Tensor, network: nn.Module) -> None:
        loss.backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(network.parameters(), self.recipe.clip)
        self.optimizer.step()


@torch.no_grad()
def generated(
    network: nn.Module,
    space: GeneratorSpace,
    task: ImageTask,
    count: int,
    seed: Seed,
    device: torch.device,
) -> Iterator[Float[Tensor, "B C H W"]]:
    """Generates images in batches; where labels are given, they are drawn uniformly.

    Args:
        network: A generator, on the device; it is left in evaluation mode.
        space: Its space.
        task: What it was built for.
        count: Images in all.
        seed: Of the noise and labels.
        device: Where the network is.
    """
    chance, network = make_generator(seed), network.eval()
    for start in range(0, count, BATCH):
        inputs = space.example_inputs(task, min(BATCH, count - start), chance)
        yield network(*(each.to(device) for each in inputs))
