"""A command imports what it uses: counted, as times differ from machine to machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
COUNT = """
import json, sys
from typer.testing import CliRunner
from vitruvius.cli import app

done = CliRunner().invoke(app, sys.argv[1:])
assert done.exit_code == 0, done.output
print(json.dumps(sorted(sys.modules)))
"""
TORCH = {"torch"}
# What takes long to import, or pulls half of the others in.
HEAVY = {
    "botorch",
    "diffusers",
    "gpytorch",
    "lightgbm",
    "matplotlib",
    "networkx",
    "optuna",
    "pandas",
    "PIL",
    "ray",
    "scipy",
    "sklearn",
    "torch",
    "torch._dynamo",
    "torch_geometric",
}


def imported(*command: str) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-c", COUNT, *command], capture_output=True, text=True, check=True
    )
    return set(json.loads(told.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (("--help",), set()),
        (("spaces",), TORCH),
        pytest.param(("spaces", "nasbench201"), TORCH, marks=pytest.mark.slow),
        (("evaluate", "nasbench201", CELL), TORCH),
        pytest.param(("draw", "nasbench201", CELL), TORCH, marks=pytest.mark.slow),
        (("runs", "."), {"optuna"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_small_commands_import_little(
    command: tuple[str, ...], needed: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    modules = imported(*command)
    assert modules & HEAVY == needed
    # torch brings a thousand of its own.
    assert len({name for name in modules if not name.startswith("torch")}) < 1000


@pytest.mark.slow
def test_sampling_without_predictors_imports_none() -> None:
    modules = imported("sample", "nasbench201", "-n", "1")
    # scipy comes with one of the schedulers of diffusers.
    assert modules & HEAVY <= {"torch", "torch._dynamo", "diffusers", "PIL", "scipy"}
    assert "vitruvius.generators.nao.generator" not in modules
    assert not any(name.startswith("vitruvius.bo.") for name in modules)
