import numpy as np
import pytest

from vitruvius.core.errors import UsageError
from vitruvius.datasets.given_parts import given_parts

MASKS = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=bool)


def test_numbers_and_masks() -> None:
    splits, notes = given_parts({"train_idx": np.array([2, 0]), "val_mask": np.array([0, 1, 0])}, 3)
    assert splits is not None
    assert (splits.train.tolist(), splits.val.tolist(), len(splits.test)) == ([2, 0], [1], 0)
    assert notes == ()
    assert given_parts({}, 3) == (None, ())


def test_one_of_several_splits() -> None:
    columns = {"train_mask": MASKS, "val_mask": ~MASKS, "test_mask": np.array([0, 0, 1])}
    first, notes = given_parts({**columns, "val_mask": MASKS[:, 1:2]}, 3)
    assert first is not None
    assert first.train.tolist() == [0, 2]
    assert notes == (
        "The masks hold 3 splits, of which the first is used; split=1 to split=2 takes another.",
    )
    second, notes = given_parts({**columns, "val_mask": MASKS[:, ::-1]}, 3, split=2)
    assert second is not None
    assert (second.train.tolist(), second.val.tolist(), second.test.tolist()) == ([2], [0, 2], [2])
    assert notes == ()


@pytest.mark.parametrize(
    ("columns", "split", "said"),
    [
        (
            {"train_mask": np.zeros(3, bool)},
            None,
            "train part is empty: nothing is in `train_mask`",
        ),
        ({"val_idx": np.zeros(0, int)}, None, "val part is empty: nothing is in `val_idx`"),
        ({"train_mask": MASKS}, 3, "`train_mask` holds 3 splits, got split=3"),
        ({"train_mask": MASKS}, -1, "got split=-1"),
        ({"train_mask": MASKS[:, 0]}, 1, "There is one split, got split=1"),
        ({}, 1, "There is one split"),
        ({"train_mask": np.ones(2)}, None, r"shape \(2,\) and the type float64 for 3 nodes"),
        ({"train_mask": MASKS[:2]}, None, r"shape \(2, 3\)"),
        ({"train_idx": np.ones(2)}, None, "`train_idx` is of type float64"),
    ],
)
def test_parts_that_cannot_be_taken(
    columns: dict[str, np.ndarray], split: int | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        given_parts(columns, 3, split)
