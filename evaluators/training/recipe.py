"""Recipe: how a candidate is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, Self, get_args, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ...core.errors import UnknownNameError, UsageError
from ...spaces import GraphTask, ImageTask, Task

__all__ = ["AUGMENTATIONS", "Augmentations", "BaseRecipe", "Pace", "Recipe", "Schedule"]

Augmentation = Literal["crop", "flip", "colour", "cutout"]
AUGMENTATIONS: tuple[str, ...] = get_args(Augmentation)
Schedule = Literal["cosine", "linear", "constant"]


def _listed(value: Any) -> Any:
    """One may stand alone, several are joined by ``+``, and ``none`` is none."""
    if not isinstance(value, str):
        return value
    return tuple(part for part in value.split("+") if part != "none")


Augmentations = Annotated[tuple[Augmentation, ...], BeforeValidator(_listed)]


@runtime_checkable
class Pace(Protocol):
    """What a loop asks of a recipe; see `Recipe` for what each is."""

    @property
    def epochs(self) -> int: ...

    @property
    def schedule(self) -> Schedule: ...

    @property
    def warmup(self) -> float: ...

    @property
    def ema(self) -> float: ...

    @property
    def keep(self) -> Literal["last", "best"]: ...

    @property
    def patience(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    def model_dump_json(self) -> str: ...


class BaseRecipe(BaseModel):
    """A recipe made of options, each of which is checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, options: dict[str, Any], task: Task | None = None) -> Self:
        """Makes a recipe; what is not said is as usual for the kind of task.

        Args:
            options: Fields of the recipe.
            task: What is trained for.

        Raises:
            UnknownNameError: For a field that there is not.
            UsageError: For a value that is out of range.
        """
        for name in options:
            if name not in cls.model_fields:
                raise UnknownNameError.of("option of a recipe", name, cls.model_fields)
        try:
            return cls(**{**cls.usual(task), **options})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"`{where}` of a recipe is {first['input']!r}: {first['msg']}.",
                f"See `vitruvius.evaluators.training.{cls.__name__}`.",
            ) from None

    @classmethod
    def usual(cls, task: Task | None) -> dict[str, Any]:
        """Returns what differs from the fields' defaults for a kind of task.

        Args:
            task: What is trained for.
        """
        return {}


class Recipe(BaseRecipe):
    """How a candidate is trained; the defaults are those for images.

    Args:
        epochs: Passes over the training examples.
        batch: Examples a step; the nodes of one graph are always taken together.
        optimizer: ``sgd`` (with Nesterov momentum), ``adam`` or ``adamw``.
        lr: Highest learning rate.
        momentum: Of ``sgd``.
        weight_decay: L2 penalty on all weights, decoupled for ``adamw``.
        schedule: ``cosine`` (to zero, arXiv 1608.03983), ``linear`` (to zero) or ``constant``.
        warmup: Share of all steps in which the learning rate rises from zero.
        clip: Largest norm of all gradients; 0 for any.
        label_smoothing: As of `torch.nn.functional.cross_entropy`.
        dropout: Probability that all `torch.nn.Dropout` of the network are set to; None leaves
            them as the network has them.
        drop_path: Probability of dropping a path at the end of the training, rising linearly
            (ScheduledDropPath, arXiv 1707.07012).
        auxiliary: Weight of the loss of an auxiliary head, where the network has one.
        ema: Decay of an exponential moving average of the weights, which is then what is
            measured; 0 for none.
        augment: Of ``crop``, ``flip``, ``colour`` and ``cutout``, on batches of images.
        mixup: Parameter of mixup's Beta distribution (arXiv 1710.09412); 0 for none.
        keep: ``last`` measures the network after the last epoch; ``best`` that of the epoch with
            the best validation score, as the protocols of node classification do.
        precision: ``mixed`` computes in bfloat16 where a GPU has it; ``full`` in float32.
        patience: Epochs without a better validation score after which it ends; 0 for none.
        seconds: Limit of the training's time; 0 for none.
        memory: Limit of its memory in GB; 0 for what the device has.

    Example:
        >>> Recipe.of({"epochs": 5, "lr": 0.05}).epochs
        5
    """

    epochs: int = Field(20, ge=1)
    batch: int = Field(64, ge=1)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(0.05, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    schedule: Schedule = "cosine"
    warmup: float = Field(0.05, ge=0, lt=1)
    clip: float = Field(5.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float | None = Field(None, ge=0, lt=1)
    drop_path: float = Field(0.0, ge=0, lt=1)
    auxiliary: float = Field(0.4, ge=0)
    ema: float = Field(0.0, ge=0, lt=1)
    augment: Augmentations = ("crop", "flip")
    mixup: float = Field(0.0, ge=0)
    keep: Literal["last", "best"] = "last"
    precision: Literal["mixed", "full"] = "mixed"
    patience: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    memory: float = Field(0.0, ge=0)

    @classmethod
    def usual(cls, task: Task | None) -> dict[str, Any]:
        if isinstance(task, GraphTask):
            # Kipf & Welling's, with the dropout of Velickovic et al.
            return {
                "epochs": 200,
                "optimizer": "adam",
                "lr": 0.01,
                "dropout": 0.6,
                "schedule": "constant",
                "warmup": 0.0,
                "clip": 0.0,
                "augment": (),
                "keep": "best",
            }
        if isinstance(task, ImageTask):
            # Digits and letters are others when mirrored.
            return {"augment": ("crop",)} if task.channels == 1 else {}
        return {"optimizer": "adamw", "lr": 0.002, "weight_decay": 0.01, "augment": ()}
