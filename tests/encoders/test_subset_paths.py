"""Features of sets of operations, by hand."""

import pytest
import torch

from vitruvius.encoders import encoder
from vitruvius.encoders.subset_paths import SubsetPaths
from vitruvius.spaces import space

# 0 -> 1 -> 3 by two convolutions of 3x3, 0 -> 3 by a skip, and one of 1x1 from 0 to 2 that ends.
CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"


def test_by_hand() -> None:
    cells = space("nasbench201")
    made = SubsetPaths(cells).fit(cells.enumerate()[:500])
    words = cells.variables[0].choices
    told = made.transform(cells.rows([CELL])).reshape(-1, 6)
    sets = [tuple(some.nonzero()[:, 0].tolist()) for some in made._sets]
    assert len(sets) == 2**4 - 1
    alone = {some[0]: row.tolist() for some, row in zip(sets, told, strict=True) if len(some) == 1}
    # Words are numbered as choices are: number, fewest, longest, into, out of, mean.
    by_name = dict(
        zip((w for w in words if w != "none"), [alone[k] for k in sorted(alone)], strict=True)
    )
    assert by_name["skip_connect"] == [1, 1, 1, 1, 1, 1]
    assert by_name["nor_conv_3x3"] == [2, 2, 2, 1, 1, 1]
    far = len(cells.nodes) + len(cells.variables)
    assert by_name["avg_pool_3x3"] == [0, far, -1, 0, 0, 0]
    whole = told[-1].tolist()
    # What leads nowhere is pruned before.
    assert whole[:5] == [3, 1, 2, 2, 2]


@pytest.mark.parametrize("name", ["nasbench101", "nas-bench-graph", "transnas101-micro", "darts"])
def test_of_isomorphic_architectures(name: str) -> None:
    found = space(name)
    x = found.sample(60, 0)
    made = SubsetPaths(found).fit(x)
    told = made.transform(x)
    assert told.isfinite().all()
    assert torch.equal(made.transform(found.shuffle(x, 1)), told)
    assert len(told.unique(dim=0)) > 0.8 * len(found.hashes(x).unique())
    # Each as it is alone, however many are looked at together.
    assert torch.equal(torch.cat([made.transform(row[None]) for row in x[:10]]), told[:10])


def test_chains_have_none() -> None:
    assert encoder("subset paths", space("mobilenetv3")) is None
