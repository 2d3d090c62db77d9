"""Images that a searched generator makes, on one sheet."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.errors import UsageError
from ..core.seeding import make_generator
from ..core.torch_state import own_torch_state
from ..exports.model import Model
from ..reports import image_sheet
from ..spaces.gan.adversarial import GeneratorSpace
from .checks import check_at_least
from .export import trained_model

__all__ = ["samples"]

# Images at a time.
BATCH = 64


@own_torch_state()
def samples(
    what: str,
    *,
    count: int = 64,
    columns: int = 8,
    interpolate: bool = False,
    seed: int = 0,
    storage: str | None = None,
) -> bytes:
    """Makes images with a generator that a search trained, and lays them out as a PNG file.

    Args:
        what: ``RUN:best`` or ``RUN:12`` of a run's folder.
        count: Images; of an interpolation, half as many rows.
        columns: Images in a row.
        interpolate: Whether a row leads from one image to another, in equal steps of the noise.
        seed: Of the noise, and of the labels where the generator takes them.
        storage: As for `search`.

    Raises:
        UsageError: Where there is no such trial, its search kept no weights, or it makes no images.
    """
    check_at_least(count=(count, 2 if interpolate else 1), columns=(columns, 2))
    model = trained_model(what, storage)
    if not isinstance(model.space, GeneratorSpace):
        raise UsageError(
            f"{what} is of {model.space.name}, whose networks make no images.",
            "Samples are of generators, such as those of autogan.",
        )
    given = model.space.example_inputs(model.task, count, make_generator(seed))
    if interpolate:
        given = _between(given, columns)
    return image_sheet(_images(model, given), columns)


def _between(given: tuple[Tensor, ...], columns: int) -> tuple[Tensor, ...]:
    """Leads from every other row of noise to the next; each row has the labels of its first."""
    z, *labels = given
    share = torch.linspace(0, 1, columns)[:, None]
    rows = len(z) // 2
    led = [torch.lerp(z[2 * row], z[2 * row + 1], share) for row in range(rows)]
    return torch.cat(led), *(each[: 2 * rows : 2].repeat_interleave(columns) for each in labels)


@torch.no_grad()
def _images(model: Model, given: tuple[Tensor, ...]) -> Float[Tensor, "N C H W"]:
    network: nn.Module = model.network.eval()
    parts = zip(*(each.split(BATCH) for each in given), strict=True)
    return torch.cat([network(*part) for part in parts])
