import numpy as np
import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.datasets.arrays import classes_or_targets


@pytest.mark.parametrize(
    ("column", "regression", "labels"),
    [
        (np.array([0, 3, 1], np.uint8), None, torch.tensor([0, 3, 1])),
        (np.array([[0], [3]]), None, torch.tensor([0, 3])),
        (np.array([True, False]), None, torch.tensor([1, 0])),
        (np.array([0.0, 1, 1, 0]), False, torch.tensor([0, 1, 1, 0])),
        (np.array([0.0, np.nan, 1, 0]), False, torch.tensor([0, -1, 1, 0])),
        (np.array([0.0, 1, 1, 0]), True, torch.tensor([0.0, 1, 1, 0])),
        (np.array([0, 1, 1, 0]), True, torch.tensor([0.0, 1, 1, 0])),
        (np.array([0.5, 1, 1, 0]), None, torch.tensor([0.5, 1, 1, 0])),
        (np.array([20.0, 45, 20, 45]), None, torch.tensor([20.0, 45, 20, 45])),
        (np.array([0.0, 1, 2, 3]), None, torch.tensor([0.0, 1, 2, 3])),  # all different
        (np.array([[0.0, 1], [1, 0]]), None, torch.tensor([[0.0, 1], [1, 0]])),
        (np.array([[1, 2], [3, 4]]), True, torch.tensor([[1.0, 2], [3, 4]])),
    ],
)
def test_classes_and_targets(
    column: np.ndarray, regression: bool | None, labels: torch.Tensor
) -> None:
    found = classes_or_targets(column, regression).labels
    assert found.dtype == labels.dtype
    assert torch.equal(found, labels)


def test_text_is_classes_in_the_order_of_the_alphabet() -> None:
    targets = classes_or_targets(np.array(["dog", "cat", "dog"]))
    assert (targets.labels.tolist(), targets.class_names) == ([1, 0, 1], ("cat", "dog"))


@pytest.mark.parametrize(
    ("column", "regression", "said"),
    [
        (np.array([0.0, 1, 1, 0]), None, "floats that look like classes: 0, 1.*regression=true"),
        (np.array([1.0, 2, 2, 1, np.nan]), None, "look like classes: 1, 2"),
        (np.array([-1.0, 0, 0, 1, 1]), None, "look like classes"),
        (np.array([0.5, 1.0]), False, "no classes: 0.5, 1"),
        (np.array([[0, 1], [1, 0]]), None, r"Labels have the shape \(2, 2\)"),
        (np.zeros((2, 2, 2)), None, r"Targets have the shape \(2, 2, 2\)"),
        (np.array([0j]), None, "complex"),
    ],
)
def test_what_are_no_labels(column: np.ndarray, regression: bool | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        classes_or_targets(column, regression)
