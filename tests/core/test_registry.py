from __future__ import annotations

from types import SimpleNamespace

import pytest

from vitruvius.core.errors import UnknownNameError
from vitruvius.core.registry import Registry


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry("error", "vitruvius.nothing", {"usage": "core.errors:UsageError"})
    points = {
        name: SimpleNamespace(load=lambda name=name: f"plugged {name}") for name in ("b", "usage")
    }
    monkeypatch.setattr(made, "_plugged", points)
    return made


def test_what_ships_comes_first_and_no_package_takes_its_place(registry: Registry) -> None:
    assert registry.names() == ["usage", "b"]
    assert registry.get("usage").__name__ == "UsageError"
    assert registry.get("b") == "plugged b"
    assert ("b" in registry, "c" in registry) == (True, False)


def test_an_unknown_name_lists_what_there_is(registry: Registry) -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown error 'usge'. Did you mean 'usage'"):
        registry.get("usge")
