import itertools

import pytest
import torch
from torch import Tensor

from vitruvius.core.seeding import make_generator
from vitruvius.spaces.cnn._paired_cells import PairedCells


def every_row(cells: PairedCells) -> Tensor:
    """All valid cells, with blocks and halves in every order."""
    halves = [
        list(itertools.product(range(2 + block), range(cells.operations)))
        for block in range(cells.blocks)
    ]
    blocks = (itertools.product(each, repeat=2) for each in halves)
    rows = torch.tensor(list(itertools.product(*blocks)))
    return rows[cells.is_valid(rows)]


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize(("blocks", "operations"), [(1, 3), (2, 2), (3, 1), (4, 1)])
def test_classes_are_counted(blocks: int, operations: int, repeats: bool) -> None:
    cells = PairedCells(blocks, operations, repeats)
    assert len(cells.canonical(every_row(cells)).flatten(1).unique(dim=0)) == cells.count


def test_the_canonical_form_is_the_first_of_all_numberings() -> None:
    cells = PairedCells(3, 1, False)
    rows = every_row(cells)
    canonical = cells.canonical(rows)
    assert torch.equal(cells.canonical(canonical), canonical)
    # By definition: every renumbering that keeps the order, every order of halves.
    for row, found in zip(rows.tolist()[::97], canonical.tolist()[::97], strict=True):
        numberings = []
        for places in itertools.permutations(range(3)):
            moved: list[list[list[int]]] = [[]] * 3
            for block, place in enumerate(places):
                moved[place] = sorted(
                    [s if s < 2 else 2 + places[s - 2], op] for s, op in row[block]
                )
            if all(s < 2 + at for at, block in enumerate(moved) for s, _ in block):
                numberings.append(moved)
        assert found == min(numberings)


@pytest.mark.parametrize("repeats", [False, True])
def test_draws_are_uniform_over_classes(repeats: bool) -> None:
    cells = PairedCells(2, 2, repeats)
    drawn = cells.sample(50 * cells.count, make_generator(0)).flatten(1)
    classes, seen = drawn.unique(dim=0, return_counts=True)
    assert len(classes) == cells.count
    # Chi-square: its mean is the degrees of freedom, its deviation the root of twice those.
    freedom = cells.count - 1
    assert abs(float(((seen - 50.0) ** 2 / 50).sum()) - freedom) < 4 * (2 * freedom) ** 0.5


def test_shuffling_reaches_every_numbering() -> None:
    cells = PairedCells(3, 1, False)
    rows = every_row(cells)
    # Blocks 2 and 3 on the inputs, block 4 on one: three numberings of eight orders of halves.
    row = torch.tensor([[[[0, 0], [1, 0]], [[0, 0], [1, 0]], [[2, 0], [0, 0]]]])
    row = cells.canonical(row)
    own = rows[(cells.canonical(rows) == row).flatten(1).all(1)]
    drawn = cells.shuffle(row.expand(500, -1, -1, -1), make_generator(0))
    assert torch.equal(drawn.flatten(1).unique(dim=0), own.flatten(1).unique(dim=0))
    assert len(own) == 24


def test_published_sizes() -> None:
    darts = PairedCells(4, 7, False)
    assert len(darts._structures) == 180
    assert darts.count == 382_128_166
