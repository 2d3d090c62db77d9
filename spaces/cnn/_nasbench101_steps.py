"""Steps of NAS-Bench-101's cells that add a node or remove one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ._nasbench101_layout import FIRST_ENDS, INNER, LAST, SECOND_ENDS, SLOTS, adjacency

__all__ = ["resized"]

# Labels of nodes that are there.
LABELS = (1, 2, 3)


def resized(x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, "S V"], Int[Tensor, " S"]]:
    """Removes every node, and inserts every possible one.

    Args:
        x: Cells whose absent nodes come last.

    Returns:
        Rows, valid or not, and the number of the cell that each comes from.
    """
    blocks, owners = [x[:0]], [torch.zeros(0, dtype=torch.long)]
    counts = (x[:, :INNER] != 0).sum(1)
    for count in counts.unique().tolist():
        number = (counts == count).nonzero()[:, 0]
        slots = [*range(count + 1), LAST]
        matrix = adjacency(x[number, INNER:] == 1)[:, slots][:, :, slots].long()
        labels = x[number, :count]
        for rows in (*_shrunk(labels, matrix), *_grown(labels, matrix)):
            blocks.append(rows)
            owners.append(number)
    return torch.cat(blocks), torch.cat(owners)


def _shrunk(
    labels: Int[Tensor, "B n"], matrix: Int[Tensor, "B m m"]
) -> Iterator[Int[Tensor, "B V"]]:
    """Rows with one node removed, with its edges or joining its neighbours."""
    count = labels.shape[1]
    for node in range(1, count + 1):
        joined = matrix | (matrix[:, :, node, None] & matrix[:, node, None, :])
        keep = [i for i in range(count + 2) if i != node]
        left = labels[:, [i for i in range(count) if i != node - 1]]
        for links in (matrix, joined):
            yield _encoded(left, links[:, keep][:, :, keep])


def _grown(
    labels: Int[Tensor, "B n"], matrix: Int[Tensor, "B m m"]
) -> Iterator[Int[Tensor, "B V"]]:
    """Rows with one node more, between any two nodes, beside or instead of their edge."""
    count = labels.shape[1]
    if count == INNER:
        return
    for i, j in itertools.combinations(range(count + 2), 2):
        order = [*range(i + 1), count + 2, *range(i + 1, count + 2)]
        beside = nn.functional.pad(matrix, (0, 1, 0, 1))
        beside[:, i, -1] = beside[:, -1, j] = 1
        instead = beside.clone()
        instead[:, i, j] = 0
        for label in LABELS:
            new = torch.full((len(labels), 1), label)
            more = torch.cat([labels[:, :i], new, labels[:, i:]], 1)
            for links in (beside, instead):
                yield _encoded(more, links[:, order][:, :, order])


def _encoded(labels: Int[Tensor, "B n"], matrix: Int[Tensor, "B m m"]) -> Int[Tensor, "B V"]:
    """Rows of the labels and the matrices of the nodes that are there."""
    count = labels.shape[1]
    slots = torch.tensor([*range(count + 1), LAST])
    full = torch.zeros(len(labels), SLOTS, SLOTS, dtype=torch.long)
    full[:, slots[:, None], slots] = matrix
    absent = torch.zeros(len(labels), INNER - count, dtype=torch.long)
    return torch.cat([labels, absent, full[:, FIRST_ENDS, SECOND_ENDS]], 1)
