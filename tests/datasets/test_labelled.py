import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.datasets import RawGraph, RawImages, Splits

PIXELS = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)


def test_classes_and_targets() -> None:
    classes = RawImages(PIXELS, torch.tensor([0, 1, 1]))
    assert (classes.regression, classes.classes, len(classes)) == (False, 2, 3)
    one = RawImages(PIXELS, torch.tensor([0.5, 1.0, 2.0]))
    two = RawImages(PIXELS, torch.zeros(3, 2))
    assert (one.regression, one.task.classes, two.task.classes) == (True, 1, 2)
    assert two.known.tolist() == [True] * 3


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (torch.tensor([0, 1]), "3 images and 2 labels"),
        (torch.tensor([0, 1, -1]), "The image 2 has the label -1"),
        (torch.tensor([0, torch.nan, torch.inf]), "2 of 3 targets are NaN or infinite.* image 1"),
        (torch.zeros(3, 2, 2), r"Targets have the shape \(3, 2, 2\)"),
        (torch.zeros(3, 0), r"Targets have the shape \(3, 0\)"),
    ],
)
def test_labels_that_do_not_fit(labels: torch.Tensor, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        RawImages(PIXELS, labels)


def test_parts_of_names() -> None:
    parts = Splits.of_names(["test", "train", "train", "val"])
    assert {name: part.tolist() for name, part in parts.parts().items()} == {
        "train": [1, 2],
        "val": [3],
        "test": [0],
    }
    assert Splits.of_names(["test", "test"]).train.tolist() == [0, 1]


def test_the_training_part_of_a_graph_is_that_of_its_parts() -> None:
    edges, features, labels = torch.zeros(2, 0).long(), torch.eye(3), torch.tensor([0, 1, -1])
    old = RawGraph.of_arrays(edges, features, labels, torch.tensor([1, 0]))
    assert old.splits is not None
    assert old.splits.train.tolist() == [0, 1]
    new = RawGraph.of_arrays(edges, features, labels, splits=Splits(torch.tensor([1])))
    assert new.train is not None
    assert new.train.tolist() == [1]
    bare = RawGraph(edges, old.features, labels)
    assert (bare.train, bare.splits) == (None, None)
    direct = RawGraph(edges, old.features, labels, torch.tensor([0]))
    assert direct.splits is not None
    assert direct.splits.train.tolist() == [0]
    only_val = RawGraph(
        edges, old.features, labels, splits=Splits(torch.empty(0).long(), torch.tensor([0]))
    )
    assert only_val.train is None


def test_what_is_written_to_the_images_of_a_part_is_in_the_whole() -> None:
    raw = RawImages(
        PIXELS.clone(),
        torch.tensor([0, 1, 1]),
        splits=Splits(torch.tensor([0, 1]), torch.tensor([2])),
    )
    assert raw.training.images.data_ptr() == raw.images.data_ptr()  # no copy
    apart = RawImages(PIXELS, raw.labels, splits=Splits(torch.tensor([0, 2])))
    assert apart.training.labels.tolist() == [0, 1]
