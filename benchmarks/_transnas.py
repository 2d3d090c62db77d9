"""TransNAS-Bench-101's cells (Duan et al., CVPR 2021), as cells of NAS-Bench-201.

Its edges and operations are those of NAS-Bench-201 without pooling.
"""

from __future__ import annotations

from pathlib import Path

import torch

from vitruvius import space
from vitruvius.core.npz import read_npz
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table

# Edges in the order of NAS-Bench-201's variables, and its choices for none, skip, 1x1, 3x3.
EDGES = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")
CHOICES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def transnas(folder: Path, task: str) -> Table:
    """The table of a task; cells that compute the same are one, with the mean of their scores."""
    cells = space("nasbench201")
    columns = read_npz(folder / "transnas101_micro.npz")
    choices = cells.variables[0].choices
    code = torch.tensor([choices.index(name) for name in CHOICES])
    x = torch.stack([code[torch.as_tensor(columns[f"op_{e}"]).long()] for e in EDGES], 1)
    score = torch.as_tensor(columns[task]).double()
    return Table(cells, x, {"score": score}, {"score": Metric("score", "", "higher")})
