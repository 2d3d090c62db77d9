import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Table = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def load_table() -> Callable[[str], Table]:
    """Reads one of the real benchmark tables, which are not part of the repository."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("VITRUVIUS_DATA", beside))

    def load(name: str) -> Table:
        path = folder / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"{path.name} is not there; set VITRUVIUS_DATA to the folder that holds it")
        with np.load(path) as file:
            return {column: file[column] for column in file.files}

    return load
