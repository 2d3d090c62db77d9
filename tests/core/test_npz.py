from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitruvius.core.errors import TableError
from vitruvius.core.npz import read_npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    path = tmp_path / "a.npz"
    save(path, a=np.arange(100) % 7)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_npz(path)
        except TableError:
            refused += 1
    assert refused > len(whole) / 10


def test_objects_are_refused_before_they_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{"some": "object"}], dtype=object), allow_pickle=True)
    with pytest.raises(TableError, match="could run code"):
        read_npz(path)
