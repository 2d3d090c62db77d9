import math

import pytest
import torch

from vitruvius.bo.acquisition.inputs import AcquisitionInputs, Bound

INF = math.inf


def seen(
    *scores: list[float], feasible: list[bool] | None = None, **kwargs: object
) -> AcquisitionInputs:
    met = torch.ones(len(scores)).bool() if feasible is None else torch.tensor(feasible)
    return AcquisitionInputs(torch.tensor(scores, dtype=torch.float64), met, **kwargs)  # type: ignore[arg-type]


def test_infeasible_scores_are_no_best_and_no_front() -> None:
    now = seen([3.0], [1.0], [2.0], feasible=[False, True, True])
    assert now.best == 2.0
    both = seen([3.0, 3.0], [1.0, 2.0], [2.0, 1.0], [0.0, 0.0], feasible=[False, True, True, True])
    assert both.front.tolist() == [[1.0, 2.0], [2.0, 1.0]]


def test_reference_lies_a_tenth_of_the_range_below_the_front() -> None:
    now = seen([1.0, 20.0], [2.0, 10.0], [0.0, 0.0])
    assert now.reference.tolist() == pytest.approx([0.8, 8.0])
    assert seen([1.0, 2.0], [0.0, 0.0]).reference.tolist() == pytest.approx([-0.1, -0.2])
    assert seen([1.0, 2.0]).reference.tolist() == pytest.approx([0.9999, 1.9999])


def test_constraints_are_negative_where_feasible() -> None:
    now = seen([0.0], bounds=(Bound(1, -1.0, INF), Bound(2, 0.0, 3.0)))
    z = torch.tensor([0.0, -0.5, 4.0])
    made = now.constraints()
    assert made is not None
    assert [constraint(z).item() for constraint in made] == [-0.5, -4.0, 1.0]
    assert seen([0.0]).constraints() is None
