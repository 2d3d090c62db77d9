import builtins
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_package
from hypothesis import settings
from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]

# No test depends on how fast a machine is. `HYPOTHESIS_PROFILE=thorough` looks further.
settings.register_profile("default", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class RootIsAFolder:
    """Keeps pytest from importing the root's `__init__.py` a second time, as a package "main"."""

    def pytest_collect_directory(
        self, path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def _needing_jaxtyping() -> list[str]:
    """Modules with shapes, with names that beartype alone cannot resolve, or with dataclasses
    that check their own fields, whose errors come first there.

    The rest is left to beartype, whose own check costs a fraction.
    """
    return [
        ".".join(("vitruvius", *path.relative_to(ROOT).with_suffix("").parts))
        for path in ROOT.glob("[a-z]*/**/*.py")
        if re.search(
            r"\b(jaxtyping|TYPE_CHECKING|__post_init__)\b", path.read_text(encoding="utf-8")
        )
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shapes",
        action="store_true",
        help="check every jaxtyping annotation of vitruvius with beartype",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RootIsAFolder())
    if config.getoption("--shapes"):
        beartype_package("vitruvius", conf=BeartypeConf(claw_is_pep526=False))
        install_import_hook(_needing_jaxtyping(), "beartype.beartype")


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """Finds one of the real data files, which are not part of the repository."""
    folder = Path(os.environ.get("VITRUVIUS_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"{name} is not there; set VITRUVIUS_DATA to the folder that holds it")
        return path

    return find


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of decoded images that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("VITRUVIUS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def quick_extractor() -> Iterator[None]:
    """Images of tests are told apart in a few epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vitruvius.evaluators.training.extractor.EPOCHS", (1, 8))
        yield


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A notebook, as rich knows it and IPython displays in it: what its cell was made to show."""

    class ZMQInteractiveShell:
        """Called as the shell of Jupyter's kernels."""

    class Handle:
        def update(self, what: Any) -> None:
            shown.append(what)

    def display(what: Any, *, display_id: bool) -> Handle:
        shown.append(what)
        return Handle()

    shown: list[Any] = []
    library = ModuleType("IPython.display")
    library.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", library)
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    return shown
