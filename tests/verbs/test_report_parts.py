import math

import pytest
import torch

from vitruvius.bo.store import RunConfig
from vitruvius.core.evaluator_config import EvaluatorConfig
from vitruvius.spaces import space
from vitruvius.verbs.report_parts import command, plane, shares, written


def test_command_can_be_copied() -> None:
    config = RunConfig(
        space="nasbench201:width=8",
        evaluators=(EvaluatorConfig(source="my photos", options={"epochs": 3}),),
        maximize="accuracy",
        where="params<=1M",
        seed=3,
        budget=20,
    )
    assert command(config, "runs/one") == (
        "vitruvius search nasbench201:width=8 --evaluator 'my photos:epochs=3' "
        "--maximize accuracy --where 'params<=1M' --budget 20 --seed 3 --run runs/one"
    )


def test_shares_tell_the_largest_differences_first() -> None:
    cells = space("nasbench201")
    some = torch.full((4, 6), 3)
    others = torch.cat([torch.full((2, 6), 3), torch.full((2, 6), 1)])
    others[:, 0] = torch.tensor([0, 1, 2, 4])
    names, here, there = shares(cells, some, others, 2)
    assert names[0].startswith(cells.variables[0].name)
    assert (here[0], there[0]) == (100.0, 0.0)
    assert len(names) == len(here) == len(there) == 2


def test_alike_architectures_lie_together() -> None:
    cells = space("nasbench201")
    x = torch.cat([torch.full((3, 6), 0), torch.full((3, 6), 3)])
    x[0, 0] = x[3, 0] = 1
    points = plane(cells, x)
    distance = torch.cdist(points, points)
    assert float(distance[:3, :3].max()) < float(distance[:3, 3:].min())


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (1e6, "1,000,000"), (0.123456, "0.12346"), (math.nan, "nan"), (-2.0, "-2")],
)
def test_values(value: float, said: str) -> None:
    assert written(value) == said
