"""Every example in a docstring and every Python or YAML block of the documents runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import vitruvius

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Left out: what only runs as a script, and tests of the checkout itself.
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(vitruvius.__path__, "vitruvius.")
    if not re.match(r"vitruvius\.(tests|benchmarks|docs|generators\.pretrained)\b", info.name)
)
# What searches, trains or adapts for many seconds.
SLOW = {
    "vitruvius.bo.methods.warm_start",
    "vitruvius.predictors.source_tasks",
    "vitruvius.verbs.transfer",
    "vitruvius.bo.optuna_sampler",
    "data.md",
    "gans.md",
    "notebooks.md",
    "sample.md",
    "searching.md",
    "spaces.md",
    "start-benchmarks.md",
    "transfer.md",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in ["vitruvius", *MODULES]
    ],
)
def test_examples_of_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name, marks=pytest.mark.slow if path.name in SLOW else ())
        for path in DOCUMENTS
    ],
)
def test_blocks_of_documents_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YAML and Python blocks that open with a comment naming a file are saved under that name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    shared: dict[str, object] = {"__name__": path.stem}
    for language, text in re.findall(
        r"^```(python|yaml)\n(.*?)^```", path.read_text(), re.M | re.S
    ):
        if file := re.match(r"# (\w+\.(?:py|yaml))\n", text):
            Path(file[1]).write_text(text)
        if language == "python":
            exec(compile(text, str(path), "exec"), shared)
