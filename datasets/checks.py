"""What is wrong with a data set, said before anything is trained on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import UsageError
from .labelled import Labelled, Splits
from .raw_images import RawImages
from .raw_series import RawSeries

__all__ = ["check"]

# How many times as many examples the largest class may have as the smallest before it is said.
UNBALANCED = 5
# Names of classes that a sentence shows.
SHOWN = 5


def check(raw: Labelled, splits: Splits) -> list[str]:
    """Checks that a data set can be trained on.

    Args:
        raw: The data set.
        splits: Its parts, as `split` makes them.

    Returns:
        What the user should know, in sentences: notes of the reader, classes that are unbalanced,
        have one example or none to learn from, examples that are in two parts.

    Raises:
        UsageError: For what makes training impossible: an empty part, numbers of examples that are
            not there, examples without a label, one class or target alone, classes that are not
            numbered 0, 1, …, fewer examples than classes.

    Example:
        >>> from vitruvius.datasets import RawImages, split
        >>> pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 3, 4, 4)
        >>> raw = RawImages(pixels, torch.tensor([0] * 9 + [1]))
        >>> for note in check(raw, split(raw)):
        ...     print(note)
        Classes are unbalanced: in train, 7 examples are of class 0 and 1 of class 1.
        Class 1 has one example, which is in train: nothing judges how well it is told.
    """
    _check_parts(raw, splits)
    told = [*raw.notes]
    unknown = int((~raw.known).sum())
    if unknown:
        told.append(f"{unknown} of {len(raw)} nodes have no label; they are in no part.")
    told += _targets(raw, splits) if raw.regression else _classes(raw, splits)
    told += _shared(raw, splits)
    return told


def _check_parts(raw: Labelled, splits: Splits) -> None:
    for name, part in splits.parts().items():
        if not len(part):
            if name == "test":
                continue
            raise UsageError(
                f"The {name} part is empty; there are {len(raw)} examples.",
                "Give more examples, or let `split` draw the parts.",
            )
        if int(part.min()) < 0 or int(part.max()) >= len(raw):
            raise UsageError(
                f"The {name} part names the examples {int(part.min())} to {int(part.max())} of "
                f"{len(raw)}.",
                "Number the examples from 0.",
            )
        bare = int((~raw.known[part]).sum())
        if bare:
            raise UsageError(
                f"{bare} of the {len(part)} examples in the {name} part have no label.",
                "Leave them out, as `split` does.",
            )


def _targets(raw: Labelled, splits: Splits) -> Iterator[str]:
    targets = raw.labels.reshape(len(raw), -1)
    constant = (targets[splits.train] == targets[splits.train][:1]).all(0).nonzero()[:, 0].tolist()
    if constant:
        value = float(targets[splits.train][0, constant[0]])
        where = f" in column {constant[0]}" if targets.shape[1] > 1 else ""
        raise UsageError(
            f"Every example in train has the target {value:g}{where}.",
            "There is nothing to learn from it; leave it out.",
        )
    known = targets[raw.known]
    if bool((known == known.round()).all()) and len(known.unique()) < len(known):
        yield (
            f"Targets are the {len(known.unique())} whole numbers from {int(known.min())} to "
            f"{int(known.max())}, and are learned as numbers; classes have to be integers."
        )


def _classes(raw: Labelled, splits: Splits) -> Iterator[str]:
    known = raw.labels[raw.known]
    numbers = known.unique().tolist()
    if len(numbers) == 1:
        raise UsageError(
            f"All {len(known)} examples are of one class, {_name(raw, numbers[0])}.",
            "Give examples of at least two.",
        )
    missing = sorted(set(range(numbers[-1] + 1)) - set(numbers))
    if missing:
        raise UsageError(
            f"Classes are numbered up to {numbers[-1]}, but no example is of class "
            f"{_listed(map(str, missing))}.",
            "Number them without gaps: labels = np.unique(labels, return_inverse=True)[1].",
        )
    count = len(splits.train)
    if count < len(numbers):
        raise UsageError(
            f"There are {count} examples to train on and {len(numbers)} classes.",
            "Give more examples. Are the labels classes, and not numbers of the examples?",
        )
    total = torch.bincount(known, minlength=len(numbers))
    sizes = torch.bincount(raw.labels[splits.train], minlength=len(numbers))
    least, most = int(sizes.argmin()), int(sizes.argmax())
    if sizes[most] >= UNBALANCED * sizes[least] > 0:
        yield (
            f"Classes are unbalanced: in train, {sizes[most]:,} examples are of class "
            f"{_name(raw, most)} and {sizes[least]:,} of class {_name(raw, least)}."
        )
    yield from _rare(raw, total, sizes)


def _rare(raw: Labelled, total: Int[Tensor, " _"], train: Int[Tensor, " _"]) -> Iterator[str]:
    single = ((total == 1) & (train == 1)).nonzero()[:, 0].tolist()
    unseen = (train == 0).nonzero()[:, 0].tolist()
    if len(single) == 1:
        yield (
            f"Class {_name(raw, single[0])} has one example, which is in train: nothing judges how "
            "well it is told."
        )
    elif single:
        yield (
            f"{len(single)} classes have one example each, which is in train: nothing judges how "
            f"well they are told: {_listed(_name(raw, each) for each in single)}."
        )
    if unseen:
        yield (
            f"No example in train is of class {_listed(_name(raw, each) for each in unseen)}: it "
            "cannot be learned."
        )


def _shared(raw: Labelled, splits: Splits) -> Iterator[str]:
    """Examples that are in two parts, by number or by what they are."""
    values = raw.images if isinstance(raw, RawImages) else None
    values = raw.series if isinstance(raw, RawSeries) else values
    what = "image" if isinstance(raw, RawImages) else "example"
    parts = {name: part for name, part in splits.parts().items() if len(part)}
    keys = {
        name: set(part.tolist()) if values is None else {_key(values[place]) for place in part}
        for name, part in parts.items()
    }
    names = list(keys)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if shared := len(keys[one] & keys[other]):
                said = (
                    f"1 {what} of {other} is"
                    if shared == 1
                    else f"{shared:,} {what}s of {other} are"
                )
                yield f"{said} in {one} too: what is measured on {other} is too good."


def _key(values: Tensor) -> bytes:
    return hashlib.blake2b(values.contiguous().numpy().data, digest_size=16).digest()


def _name(raw: Labelled, number: int) -> str:
    return raw.class_names[number] if number < len(raw.class_names) else str(number)


def _listed(names: Iterable[str]) -> str:
    said = list(names)
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return ", ".join(said[:SHOWN]) + more
