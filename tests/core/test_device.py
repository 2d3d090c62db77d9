import pytest
import torch

from vitruvius.core.device import resolve_device
from vitruvius.core.errors import UsageError


def test_names_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device().type == ("cuda" if there else "cpu")


@pytest.mark.parametrize("name", ["abacus", "", "cpu:x"])
def test_what_is_no_device_here(name: str) -> None:
    with pytest.raises(UsageError, match="There is no device"):
        resolve_device(name)
