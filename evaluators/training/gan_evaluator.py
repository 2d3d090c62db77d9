"""Training of generators and discriminators as an evaluator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from ...core.device import torch_threads
from ...core.errors import UsageError
from ...core.seeding import Seed, derive_seed
from ...core.torch_state import own_torch_state
from ...datasets import RawData, RawImages, split
from ...reports import image_sheet
from ...spaces import (
    Architecture,
    ArchitectureLike,
    ImageTask,
    Space,
    Task,
)
from ...spaces.gan.adversarial import SCALE, GeneratorSpace, generation_task
from ..context import Context
from .adversarial import MEASURED, AdversarialLearner, GANExamples, generated
from .extractor import Extractor, extractor
from .gan_recipe import GANRecipe
from .gan_sides import Side, adversaries, partner_of, sides
from .generation_scores import GENERATION, generation_scores
from .inception import InceptionExtractor
from .loop import SEEDS, Callback, Trained, TrainingError, run
from .memory import free_memory, training_memory
from .on_data import CURVE, WEIGHTS, OnData, keep
from .recipe import Recipe
from .shared_weights import SharedWeights

__all__ = ["SAMPLES", "GANEvaluator"]

# Images that statistics of features need: the reference set, and what there is to learn from.
FEWEST = 100
SAMPLES = "samples.png"
OWNERS = ("own", "shared")
SHEET = 64


class GANEvaluator(OnData):
    """Trains generators and discriminators on images, and scores what the generators make.

    Metrics are ``fid``, ``kid``, ``inception_score``, ``precision`` and ``recall``, see
    `vitruvius.evaluators.training.generation_scores`: of ``samples`` generated images against the
    training part, in the features of a classifier that is trained on the data themselves. Such
    figures hold for these data, this count and this extractor, which `protocol` names.

    A generator alone is trained against the discriminator of AutoGAN, a discriminator alone with
    EAGAN's generator; in a product of both, ``"autogan x eagan-discriminator"``, each with the
    other.

    With shared weights, candidates take turns of ``images`` each: one begins with what those before
    it have learnt of its layers. While all meet the same discriminator, that holds for generators
    too (many-to-one); with another discriminator, a generator begins with the weights of the best
    pair so far (one-to-one, and reset), as in EAGAN's two stages (arXiv 2111.15097). Scores then
    depend on the candidates before, so that there is but one worker; trained anew, with its own
    weights, a candidate is worth something else.

    In the folder of its trial a candidate leaves ``curve.json``, the generator's
    ``weights.safetensors``, and a sheet of images, ``samples.png``.

    Args:
        space: The space, or a product of both sides.
        data: As for `TrainingEvaluator`; images with classes.
        fidelities: Numbers of images below the recipe's, ascending.
        resolution: Side of the images, a multiple of 8; 0 for the next above that of the data.
        partner: The space of the other side, with its options; by default as above, half or twice
            as wide.
        partner_architecture: The other side; by default the first that its space publishes.
        weights: ``own``, or ``shared`` by the candidates of a run.
        inception: File of Inception's weights, in whose features distances then are instead (needs
            torch-fidelity).
        threads: As for `TrainingEvaluator`.
        val: The same; the extractor is validated on it.
        test: The same.
        split_seed: The same.
        callbacks: The same.
        data_options: The same.
        **recipe: Fields of `GANRecipe`.

    Raises:
        UsageError: For data that no generator can learn from, or spaces that do not fit.
        TableError: For data that cannot be read.
        UnknownNameError: For an unknown option.

    Example:
        >>> import torch
        >>> from vitruvius.datasets import RawImages
        >>> from vitruvius.spaces import space
        >>> images = torch.randint(256, (200, 1, 8, 8), dtype=torch.uint8)
        >>> raw = RawImages(images, torch.arange(200) % 3)
        >>> generators = space("autogan:width=4,latent=4")
        >>> evaluator = GANEvaluator(generators, raw, images=200, rounds=1, samples=100)
        >>> sorted(evaluator.metrics)
        ['fid', 'inception_score', 'kid', 'precision', 'recall']
    """

    recipes = GANRecipe
    least_batch = 2
    measured_on = ""

    def __init__(
        self,
        space: Space,
        data: RawData | str | Path,
        *,
        fidelities: Sequence[int] = (),
        resolution: int = 0,
        partner: str = "",
        partner_architecture: str = "",
        weights: str = "own",
        inception: str | Path = "",
        threads: int = 1,
        val: float = 0.2,
        test: float = 0.0,
        split_seed: int = 0,
        callbacks: Sequence[Callback] = (),
        data_options: Mapping[str, Any] | None = None,
        **recipe: Any,
    ) -> None:
        super().__init__(
            data,
            threads=threads,
            val=val,
            test=test,
            split_seed=split_seed,
            callbacks=callbacks,
            data_options=data_options,
        )
        raw, splits = self.data
        if not isinstance(raw, RawImages):
            raise UsageError("Generators make images.", "Give images, e.g. a folder of them.")
        if len(splits.train) < FEWEST:
            raise UsageError(
                f"Generators are compared by statistics of {FEWEST} images or more, the training "
                f"part has {len(splits.train)}.",
                "Give more images.",
            )
        side = resolution or -(-max(raw.images.shape[2:]) // SCALE) * SCALE
        task = generation_task(replace(raw.task, resolution=side))
        self._bind(space, dict(GENERATION), task)
        self.recipe = GANRecipe.of(recipe, task)
        self.fidelities = self._checked(fidelities)
        self._partner = partner_of(self.space, partner, partner_architecture, task)
        if weights not in OWNERS:
            raise UsageError(f"`weights` is {weights!r}.", f"Use one of {', '.join(OWNERS)}.")
        self.sequential = weights == "shared"
        self._inception = Path(inception) if inception else None
        self._extractor: Extractor | None = None
        self._examples: tuple[torch.device, GANExamples] | None = None

    @property
    def protocol(self) -> dict[str, Any]:
        """What every figure holds for: the extractor, its accuracy, and the counts of images."""
        return {**self.extractor().protocol, "samples": self.recipe.samples}

    @own_torch_state()
    def train(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
        *,
        batch: int | None = None,
    ) -> Trained:
        architecture, context = self.space.architecture(architecture), context or Context()
        device = torch.device(context.device)
        recipe = self._at(fidelity)
        if batch is not None:
            recipe = recipe.model_copy(update={"batch": batch})
        both = sides(self.space, architecture, self._partner)
        self._check_memory(both, recipe, device)
        home = None if context.folder is None else context.folder.parent / "extractors"
        shared = None
        if self.sequential:
            shared = _Shared(context.folder)
            if shared.done:
                return shared.read(self, both[0])
        with torch_threads(self.threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights") % SEEDS)
            learner = self._learner(both, recipe, device, home)
            identity = ", ".join(map(str, both))
            if shared is not None:
                shared.lend(learner, both[1])
            told = run(
                learner, seed, context, self.callbacks, f"{identity} {fidelity} {self.threads}"
            )
            if context.folder is not None:
                keep(context.folder, told, protocol=self.protocol)
                images = torch.cat(list(self.generated(told.network, SHEET, device=device)))
                (context.folder / SAMPLES).write_bytes(image_sheet(images))
            if shared is not None:
                shared.keep(learner, both[1], told.metrics["fid"])
        return told

    def test(self, told: Trained, device: torch.device | str = "cpu") -> dict[str, float]:
        device = torch.device(device)
        examples = self.examples(device)
        if not examples.sizes["test"]:
            raise UsageError("The data have no test part.", "Give one, e.g. a folder test/.")
        found = self.extractor()
        with torch_threads(self.threads), torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            parts = examples.part("test", self.recipe.batch)
            real = torch.cat([found(each.inputs[0])[0] for each in parts])
            drawn = self.generated(told.network, self.recipe.samples, device=device)
            return generation_scores(real, *found.all(drawn))

    def report(self, told: Trained, device: torch.device | str = "cpu") -> dict[str, float]:
        # All are of generated images, none of the examples that were learnt.
        return {**told.metrics, **super().report(told, device)}

    def generated(
        self,
        network: nn.Module,
        count: int,
        seed: Seed = MEASURED,
        device: torch.device | str = "cpu",
    ) -> Iterator[Float[Tensor, "B C H W"]]:
        """Generates images from -1 to 1, in batches.

        Args:
            network: The network of what `train` returned.
            count: How many in all.
            seed: Of the noise; by default as `train` measures.
            device: Where the network is.
        """
        space = self._generator_space
        return generated(network, space, self._made, count, seed, torch.device(device))

    def examples(self, device: torch.device) -> GANExamples:
        """Returns the images that are learnt from.

        Args:
            device: Where they shall be.
        """
        if self._examples is None or self._examples[0] != device:
            raw, splits = self.data
            assert isinstance(raw, RawImages)
            made = GANExamples(raw.images, raw.labels, splits, self._made, device=device)
            self._examples = device, made
        return self._examples[1]

    def extractor(self, home: Path | None = None) -> Extractor:
        """Returns the network in whose features images are compared, trained where it is not yet.

        Args:
            home: Folder where it is kept beside the cache.
        """
        if self._extractor is None:
            raw, _ = self.data
            assert isinstance(raw, RawImages)
            # The same also where the training goes on with the validation part.
            splits = split(raw, self._split_seed, *self._shares)
            self._extractor = (
                InceptionExtractor(self._inception, raw, splits, self._made)
                if self._inception
                else extractor(raw, splits, self._made, home)
            )
        return self._extractor

    def retraining(self, **recipe: Any) -> GANEvaluator:
        made = copy(self)
        made.recipe = GANRecipe.of(self.recipe.model_dump() | recipe, self.task)
        made._whole, made._examples, made.sequential = True, None, False
        return made

    def network(self, architecture: ArchitectureLike) -> tuple[Space, Architecture]:
        generator, _ = sides(self.space, self.space.architecture(architecture), self._partner)
        return generator.space, generator.architecture

    def preparation(self, task: Task) -> tuple[dict[str, Any], dict[str, Any]]:
        raw, _ = self.data
        names = raw.class_names or map(str, range(raw.classes))
        return {}, {"class_names": list(names), "protocol": self.protocol}

    def test_part(self) -> dict[str, Tensor]:
        return {}

    def recipe_of(self, architecture: Architecture) -> GANRecipe:
        return self.recipe

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_examples": None, "_extractor": None}

    @property
    def _made(self) -> ImageTask:
        assert isinstance(self.task, ImageTask)
        return self.task

    @property
    def _generator_space(self) -> GeneratorSpace:
        own = list(adversaries(self.space).values())
        given = [] if self._partner is None else [self._partner.space]
        return next(each for each in (*own, *given) if isinstance(each, GeneratorSpace))

    def _learner(
        self, both: tuple[Side, Side], recipe: GANRecipe, device: torch.device, home: Path | None
    ) -> AdversarialLearner:
        generator, discriminator = (each.space.build(each.architecture, self.task) for each in both)
        return AdversarialLearner(
            generator,
            discriminator,
            space=self._generator_space,
            task=self._made,
            examples=self.examples(device),
            recipe=recipe,
            extractor=self.extractor(home),
            device=device,
        )

    def _checked(self, fidelities: Sequence[int]) -> tuple[int, ...]:
        listed, full = tuple(fidelities), self.recipe.images
        if listed != tuple(sorted(set(listed))) or any(not 1 <= each < full for each in listed):
            raise UsageError(
                f"`fidelities` are {list(listed)} images.",
                f"List whole numbers from 1 to {full - 1}, ascending.",
            )
        return listed

    def _at(self, fidelity: int | None) -> GANRecipe:
        if fidelity is None:
            return self.recipe
        if fidelity not in self.fidelities:
            raise UsageError(
                f"There is no fidelity {fidelity}.", f"Those of this evaluator: {self.fidelities}."
            )
        rounds = max(1, round(self.recipe.rounds * fidelity / self.recipe.images))
        return self.recipe.model_copy(update={"images": fidelity, "rounds": rounds})

    def _check_memory(
        self, both: tuple[Side, Side], recipe: GANRecipe, device: torch.device
    ) -> None:
        # The discriminator sees real images and generated ones.
        as_one = Recipe.of({"batch": 2 * recipe.batch, "optimizer": "adam", "ema": recipe.ema})
        needed = sum(
            training_memory(each.space.layers(each.architecture, self.task), self.task, as_one)
            for each in both
        )
        limit = recipe.memory * 1e9 or free_memory(device)
        if needed > limit:
            raise TrainingError(
                f"it would need about {needed / 1e9:.2g} GB of memory at a batch of "
                f"{recipe.batch}, the limit is {limit / 1e9:.2g} GB"
            )


class _Shared:
    """What the candidates of a run share, as one of them borrows it and gives it back."""

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise UsageError(
                "Weights are shared by the candidates of a run, this one is of none.",
                "Search with `run`, or use weights=own.",
            )
        self._folder = folder
        self._weights = SharedWeights(folder.parent / "shared")
        # It ended between giving back and the record of its result.
        self.done = self._weights.state.get("last") == folder.name

    def read(self, evaluator: GANEvaluator, side: Side) -> Trained:
        """What came of a training whose process ended before it could say so."""
        kept = json.loads((self._folder / CURVE).read_text(encoding="utf-8"))
        network = side.space.build(side.architecture, evaluator.task)
        network.load_state_dict(load_file(self._folder / WEIGHTS))
        curve, epoch = kept["curve"], kept["epoch"] - 1
        metrics = {name: curve[epoch][name] for name in GENERATION}
        return Trained(network.eval(), metrics, curve, epoch, evaluator.task)

    def lend(self, learner: AdversarialLearner, discriminator: Side) -> None:
        self._weights.lend(learner.generator, "generator")
        self._weights.lend(learner.discriminator, "discriminator")
        if self._resets(discriminator):
            self._weights.lend(learner.generator, "best")

    def keep(self, learner: AdversarialLearner, discriminator: Side, fid: float) -> None:
        state = {"discriminator": str(discriminator), **self._weights.state}
        state["last"] = self._folder.name
        networks = {"discriminator": learner.discriminator}
        if not self._resets(discriminator):
            networks["generator"] = learner.generator
        elif fid <= state.get("fid", fid):
            networks["best"], state["fid"] = learner.generator, fid
        self._weights.keep(networks, state)

    def _resets(self, discriminator: Side) -> bool:
        """Whether discriminators differ by now, so that a generator is one's own."""
        return self._weights.state.get("discriminator", str(discriminator)) != str(discriminator)
