from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruvius.datasets.task import read_task
from vitruvius.spaces import GraphTask, ImageTask, SeriesTask


def test_raw_data_says_all_and_text_some(tmp_path: Path) -> None:
    file = tmp_path / "graph.npz"
    np.savez(file, x=np.eye(4, 9), edges=[[0, 1, 2], [1, 2, 3]], y=[0, 1, 2, 0])
    assert read_task(str(file), GraphTask()) == GraphTask(classes=3, features=9, nodes=4, edges=3)
    assert read_task("features=9", GraphTask(classes=3)) == GraphTask(classes=3, features=9)


def test_names_and_options_are_raw_data(tmp_path: Path) -> None:
    assert read_task("digits", GraphTask()) == ImageTask(classes=10, channels=1, resolution=8)
    file = tmp_path / "series.npz"
    np.savez(file, x=np.ones((4, 2, 30)), y=[0, 1, 1, 0])
    assert read_task(str(file), ImageTask()) == SeriesTask(classes=2, channels=2, length=30)
    numbers = read_task(f"{file}:regression=true", ImageTask())
    assert numbers == SeriesTask(classes=1, channels=2, length=30)
