from dataclasses import replace

import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.datasets import RawGraph, RawImages, RawSeries, Splits, check, split


def images(labels: list[int] | torch.Tensor) -> RawImages:
    """Distinct images."""
    labels = torch.as_tensor(labels)
    pixels = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2)
    return RawImages(pixels, labels)


def parts(train: list[int], val: list[int], test: list[int] | None = None) -> Splits:
    return Splits(*(torch.tensor(part).long() for part in (train, val, test or [])))


def test_what_is_well_gives_no_notes() -> None:
    raw = images([0, 1] * 10)
    assert check(raw, split(raw, test=0.2)) == []
    numbers = images(torch.linspace(0, 1, 20))
    assert check(numbers, split(numbers)) == []


@pytest.mark.parametrize(
    ("labels", "splits", "said"),
    [
        ([0, 0, 0, 0], None, "All 4 examples are of one class, 0"),
        ([0, 2, 0, 2], None, "numbered up to 2, but no example is of class 1"),
        ([1, 2, 1, 2], None, "no example is of class 0"),
        ([0, 1, 2, 3], parts([0, 1, 2], [3]), "3 examples to train on and 4 classes"),
        ([0, 1, 0, 1], parts([], [1]), "The train part is empty; there are 4 examples"),
        ([0, 1, 0, 1], parts([0, 1, 2, 3], []), "The val part is empty"),
        ([0, 1, 0, 1], parts([0, 1, 2], [4]), "val part names the examples 4 to 4 of 4"),
        (torch.full((4,), 2.5), None, "Every example in train has the target 2.5"),
        (torch.tensor([[0.0, 1], [1, 1], [2, 1], [3, 1]]), None, r"the target 1 in column 1"),
    ],
)
def test_what_makes_training_impossible(
    labels: list[int] | torch.Tensor, splits: Splits | None, said: str
) -> None:
    raw = images(labels)
    with pytest.raises(UsageError, match=said):
        check(raw, splits or split(raw))


def test_classes_are_named_as_the_user_names_them() -> None:
    raw = replace(images([0] * 30 + [1] * 3 + [2]), class_names=("cat", "dog", "fox"))
    assert check(raw, split(raw, val=0.1)) == [
        "Classes are unbalanced: in train, 27 examples are of class cat and 1 of class fox.",
        "Class fox has one example, which is in train: nothing judges how well it is told.",
    ]
    alone = parts(list(range(33)), [33])
    assert check(raw, alone)[-1] == "No example in train is of class fox: it cannot be learned."
    pairs = replace(raw, labels=torch.tensor([0] * 32 + [1, 2]))
    assert "2 classes have one example each, which is in train" in check(pairs, split(pairs))[-1]


def test_the_same_image_in_two_parts_is_counted() -> None:
    raw = images([0, 1] * 6)
    pixels = raw.images.clone()
    pixels[8:10] = pixels[:2]
    pixels[10] = pixels[0]
    pixels[3] = pixels[2]  # twice in one part is no leak
    twice = replace(raw, images=pixels)
    assert check(twice, parts([*range(8)], [8, 9], [10, 11])) == [
        "2 images of val are in train too: what is measured on val is too good.",
        "1 image of test is in train too: what is measured on test is too good.",
        "1 image of test is in val too: what is measured on test is too good.",
    ]
    series = RawSeries(
        torch.tensor([[[0.0]], [[1.0]], [[2.0]], [[0.0]]]), torch.tensor([0, 1, 0, 1])
    )
    assert "1 example of val is in train" in check(series, parts([0, 1, 2], [3]))[0]


def test_nodes_of_graphs() -> None:
    graph = RawGraph.of_arrays(
        torch.tensor([[0, 1], [1, 2]]), torch.ones(5, 1), torch.tensor([0, 1, 0, 1, -1])
    )
    assert check(graph, split(graph)) == ["1 of 5 nodes have no label; they are in no part."]
    with pytest.raises(UsageError, match="1 of the 2 examples in the val part have no label"):
        check(graph, parts([0, 1, 2], [3, 4]))
    shared = check(replace(graph, notes=("Said before.",)), parts([0, 1, 2], [2, 3]))
    assert shared[0] == "Said before."
    assert "1 example of val is in train" in shared[-1]


def test_targets_that_look_like_classes_are_said() -> None:
    raw = images(torch.tensor([0.0, 1, 2, 0, 1, 2]))
    assert check(raw, split(raw)) == [
        "Targets are the 3 whole numbers from 0 to 2, and are learned as numbers; classes have to "
        "be integers."
    ]
