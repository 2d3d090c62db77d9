"""Once-for-All's accuracies (columns d0…, ks00…, e00… as OFA writes them) as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces.cnn.mobilenetv3 import DEPTHS, EXPANSIONS, KERNELS, RESOLUTIONS, MobileNetV3

ACCURACY = Metric("top1", "%", "higher", (0.0, 100.0))


def read(path: Path, nets: MobileNetV3) -> Table:
    """The measurements of a file."""
    with np.load(path) as file:
        columns = [np.searchsorted(RESOLUTIONS, file["resolution"])]
        for unit in range(5):
            columns.append(np.searchsorted(DEPTHS, file[f"d{unit}"]))
            for slot in range(4 * unit, 4 * unit + 4):
                columns.append(np.searchsorted(KERNELS, file[f"ks{slot:02d}"]))
                columns.append(np.searchsorted(EXPANSIONS, file[f"e{slot:02d}"]))
        top1 = torch.from_numpy(file["top1"].astype(np.float64))
    x = torch.from_numpy(np.stack(columns, 1))
    return Table(nets, x, {"top1": top1}, {"top1": ACCURACY})
