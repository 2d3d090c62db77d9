import itertools

import pytest
import torch

from vitruvius.spaces.gan._cells import Group, GroupedCells

# Two genes not both 0; two 0 both or neither, which change places with the first of the others.
CELLS = GroupedCells(
    (
        Group.of((3,)),
        Group.of((2, 3), "not both", lambda *c: any(c)),
        Group.of((3, 3), "both or neither", lambda *c: all(c) or not any(c)),
    ),
    swap=(0, 1, 2, 4, 3),
    swappable=lambda cells: cells[:, 0] == 0,
)
EVERY = torch.tensor(list(itertools.product(range(3), range(2), range(3), range(3), range(3))))
VALID = EVERY[~CELLS.broken(EVERY).any(1)]


def test_what_is_valid() -> None:
    kept = [row for row in EVERY.tolist() if any(row[1:3]) and (all(row[3:]) or not any(row[3:]))]
    assert VALID.tolist() == kept
    assert CELLS.encoding_count == len(kept) == 3 * 5 * 5
    outside = torch.tensor([[3, 1, 0, 0, 0], [0, -1, 0, 0, 0], [0, 1, 0, 1, 9]])
    assert CELLS.broken(outside).any(1).all()


def test_classes() -> None:
    # Of the cells that begin with 0, those with two ways down that differ are two of one class.
    assert len(CELLS.classes) == 75 - 5 * 1
    assert torch.equal(CELLS.canonical(CELLS.swapped(VALID)), CELLS.canonical(VALID))
    drawn = CELLS.sample(4000, torch.Generator().manual_seed(0))
    rows, counts = drawn.unique(dim=0, return_counts=True)
    assert torch.equal(rows, CELLS.canonical(VALID).unique(dim=0))
    assert float(((counts - 4000 / 70) ** 2 / (4000 / 70)).sum()) < 120


def test_allowed_is_what_some_valid_cell_has() -> None:
    generator = torch.Generator().manual_seed(0)
    x = VALID[torch.randint(len(VALID), (40,), generator=generator)]
    known = torch.rand(x.shape, generator=generator) < 0.5
    for row, decided, mask in zip(x, known, CELLS.allowed(x, known), strict=True):
        agreeing = VALID[(row == VALID)[:, decided].all(1)]
        for gene in range(5):
            assert mask[gene].nonzero()[:, 0].tolist() == agreeing[:, gene].unique().tolist()


@pytest.mark.parametrize(
    ("cell", "near"),
    [
        # One step of the first, second and third gene; from none, every pair of the last two.
        ([1, 1, 1, 0, 0], 2 + 1 + 2 + 4),
        # One step of either, or none of both.
        ([1, 1, 1, 1, 2], 2 + 1 + 2 + 3),
        # The second gene cannot become 0 alone.
        ([1, 1, 0, 0, 0], 2 + 0 + 2 + 4),
    ],
)
def test_neighbours(cell: list[int], near: int) -> None:
    found = CELLS.neighbours(torch.tensor(cell))
    assert len(found.unique(dim=0)) == len(found) == near
    assert not CELLS.broken(found).any()
    for other in found:
        assert (CELLS.neighbours(other) == torch.tensor(cell)).all(1).any()
