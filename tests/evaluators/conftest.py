import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """Finds one of the real benchmark tables, which are not part of the repository."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("VITRUVIUS_DATA", beside))

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"{name} is not there; set VITRUVIUS_DATA to the folder that holds it")
        return path

    return find
