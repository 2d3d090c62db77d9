"""Sides of a GAN: which part of a space generates, and what the other side is."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.errors import UsageError
from ...spaces import Architecture, ImageTask, ProductSpace, Space, space as named
from ...spaces.gan.adversarial import DiscriminatorSpace, GeneratorSpace

__all__ = ["Adversary", "Side", "adversaries", "is_adversarial", "partner_of", "sides"]

Adversary = GeneratorSpace | DiscriminatorSpace


@dataclass(frozen=True)
class Side:
    """A generator or a discriminator.

    Args:
        space: Its space.
        architecture: What it is.
    """

    space: Adversary
    architecture: Architecture

    def __str__(self) -> str:
        return f"{self.space.text} {self.architecture}"


def is_adversarial(space: Space) -> bool:
    """Tells whether a space, or a part of it, is of generators or discriminators.

    Args:
        space: The space.
    """
    return bool(adversaries(space))


def sides(
    space: Space, architecture: Architecture, partner: Side | None = None
) -> tuple[Side, Side]:
    """Returns the generator and the discriminator of an architecture.

    Args:
        space: The space, or a product of both.
        architecture: Of the space.
        partner: The side that the space has not.
    """
    rows = {space.name: architecture.indices}
    if isinstance(space, ProductSpace):
        rows = space.parted(architecture.indices)
    own = adversaries(space)
    found = [Side(part, part.architecture(rows[name])) for name, part in own.items()]
    found += [] if partner is None else [partner]
    generator, discriminator = sorted(
        found, key=lambda each: isinstance(each.space, DiscriminatorSpace)
    )
    return generator, discriminator


def adversaries(space: Space) -> dict[str, Adversary]:
    """Returns the generators and discriminators among the parts of a space.

    Args:
        space: The space, or a product.
    """
    parts = space.parts if isinstance(space, ProductSpace) else {space.name: space}
    return {name: part for name, part in parts.items() if isinstance(part, Adversary)}


def partner_of(space: Space, text: str, architecture: str, task: ImageTask) -> Side | None:
    """Returns the side that a space has not; None where it has both.

    Args:
        space: The space, or a product.
        text: The space of the other side; blank for that of the papers, half or twice as wide.
        architecture: The other side; blank for the first that its space publishes.
        task: What both are built for.

    Raises:
        UsageError: Where two sides do not make a GAN.
    """
    own = list(adversaries(space).values())
    if isinstance(space, ProductSpace) and len(space.parts) > 1:
        if text or len(space.parts) > 2 or len({*map(_makes, own)}) < 2:
            raise UsageError(
                f"{space.name} is no generator with a discriminator, or has a partner besides.",
                "Give one of each, e.g. 'autogan x eagan-discriminator', without a partner.",
            )
        _check_alike(*own)
        return None
    mine = own[0]
    if not text:
        name, width = (
            ("eagan-discriminator", max(1, mine.width // 2))
            if _makes(mine)
            else ("eagan-generator", 2 * mine.width)
        )
        text = f"{name}:width={width},conditional={str(mine.conditional).lower()}"
    other = named(text).for_task(task)
    if not isinstance(other, Adversary) or _makes(other) == _makes(mine):
        raise UsageError(
            f"{other.name} is no partner for {mine.name}.",
            "A generator needs a discriminator, and the other way round.",
        )
    _check_alike(mine, other)
    return Side(other, other.architecture(architecture or next(iter(other.published.values()))))


def _makes(space: Adversary) -> bool:
    return isinstance(space, GeneratorSpace)


def _check_alike(one: Adversary, other: Adversary) -> None:
    if one.conditional != other.conditional:
        raise UsageError(
            f"Only one of {one.text} and {other.text} is conditional.",
            "Give both conditional=true, or neither.",
        )
