from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruvius.datasets.task import read_task
from vitruvius.spaces import GraphTask


def test_raw_data_says_all_and_text_some(tmp_path: Path) -> None:
    file = tmp_path / "graph.npz"
    np.savez(file, x=np.eye(4, 9), edges=[[0, 1, 2], [1, 2, 3]], y=[0, 1, 2, 0])
    assert read_task(str(file), GraphTask()) == GraphTask(classes=3, features=9, nodes=4, edges=3)
    assert read_task("features=9", GraphTask(classes=3)) == GraphTask(classes=3, features=9)
