"""A package with one member of each family is installed, and each serves as one that ships."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "plugin"
PROJECT = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
FAMILIES = {group: next(iter(points)) for group, points in PROJECT["entry-points"].items()}

Run = Callable[[str], list[object]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installer makes of the package: its module, and what it says of itself."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "vitruvius_plugin.py").write_text((PLUGIN / "vitruvius_plugin.py").read_text())
    info = folder / "vitruvius_plugin-1.0.dist-info"
    info.mkdir()
    said = f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"
    (info / "METADATA").write_text(said)
    lines = []
    for group, points in PROJECT["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {home}" for name, home in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(site: Path) -> Run:
    """Runs code where the package is installed, and returns the list ``told``."""

    def run(code: str) -> list[object]:
        head = f"import json, sys; sys.path.insert(0, {str(site)!r})\n"
        whole = head + code + "\nprint(json.dumps(told))"
        command = [sys.executable, "-W", "ignore", "-c", whole]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout.splitlines()[-1]))

    return run


def test_the_package_has_a_member_of_every_family() -> None:
    families = [
        "spaces",
        "evaluators",
        "datasets",
        "encoders",
        "predictors",
        "generators",
        "methods",
        "executors",
    ]
    assert list(FAMILIES) == [f"vitruvius.{family}" for family in families]


@pytest.mark.slow
def test_space_evaluator_method_and_executor(run: Run) -> None:
    told = run(
        "import vitruvius\n"
        "found = vitruvius.search('plug-space', evaluator='plug-labels:factor=2.0', maximize='sum',"
        " budget=8, initial=1, method='plug-method:reverse=true', executor='plug-executor')\n"
        "told = [vitruvius.space('plug-space').architecture_count, len(found.trials),"
        " sorted({trial.proposal.source for trial in found.trials}), found.best[0].metrics['sum']]"
    )
    assert told == [27, 8, ["initial", "plug-method"], 12.0]


@pytest.mark.slow
def test_data_set_and_encoder(run: Run) -> None:
    told = run(
        "import vitruvius\n"
        "from vitruvius.datasets import is_raw, load_raw\n"
        "from vitruvius.datasets.task import read_task\n"
        "from vitruvius.encoders import encoder\n"
        "cells = vitruvius.space('nas-bench-graph')\n"
        "made = encoder('plug-encoder', cells)\n"
        "told = [is_raw('plug-data'), load_raw('plug-data').task.classes,"
        " read_task('plug-data', cells.task).features,"
        " made.fit(cells.sample(9, 0)).transform(cells.sample(2, 0)).shape[1]]"
    )
    assert told == [True, 2, 3, 7]


@pytest.mark.slow
def test_generator_by_name_and_by_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plugged").touch()
    told = run(
        "import vitruvius\n"
        "told = [vitruvius.sample('plug-space', n=3, generator=name).summary['generator']"
        f" for name in ('plug-generator', {str(tmp_path)!r})]"
    )
    assert told == ["plug-generator", "plug-generator"]


@pytest.mark.slow
def test_predictor(run: Run) -> None:
    from vitruvius.predictors import resolver

    if not hasattr(resolver, "PREDICTORS"):
        pytest.skip("predictors have no registry yet")
    told = run(
        "import vitruvius\n"
        "from vitruvius.predictors import fit_predictor\n"
        "cells = vitruvius.space('nasbench201')\n"
        "x = cells.sample(30, 0)\n"
        "made = fit_predictor('plug-predictor:members=3', cells, x,"
        " cells.statistics(x)['params'])\n"
        "told = [made.name, made.members, len(made.predict(x[:2])[0])]"
    )
    assert told == ["plug-predictor", 3, 2]


@pytest.mark.slow
def test_the_command_line_lists_them(run: Run) -> None:
    told = run(
        "from typer.testing import CliRunner\n"
        "from vitruvius.cli import app\n"
        "ask = lambda *words: CliRunner().invoke(app, words, env={'COLUMNS': '300'}).output\n"
        "told = [json.loads(ask('spaces', 'plug-space', '--format', 'json'))['data'],"
        " [name in ask(*words, '--help') for words, name in ("
        "  (['search'], 'plug-space'), (['search'], 'plug-method'), (['search'], 'plug-executor'),"
        "  (['sample'], 'plug-generator'), (['transfer'], 'plug-data'))],"
        " 'plug-method' in ask('search', 'plug-space', '--method', 'nonesuch', '--help')]"
    )
    assert told == [["plug-labels"], [True] * 5, True]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["methods", "executors", "generators", "encoders", "datasets"])
def test_errors_list_them(run: Run, family: str) -> None:
    ask = {
        "methods": "from vitruvius.bo.methods import method as ask; args = ('nonesuch',)",
        "executors": "from vitruvius.bo.executors import executor as ask; args = ('nonesuch', 0)",
        "generators": "from vitruvius.generators import load as ask; args = ('nonesuch',)",
        "encoders": "from vitruvius.encoders import encoder as ask; args = ('nonesuch', 0)",
        "datasets": "from vitruvius.datasets import load_raw as ask; args = ('nonesuch',)",
    }[family]
    told = run(f"{ask}\ntry: ask(*args)\nexcept Exception as error: told = [error.hint]")
    assert FAMILIES[f"vitruvius.{family}"] in str(told[0])
