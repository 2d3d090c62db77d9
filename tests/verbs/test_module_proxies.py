"""Proxies of modules of one's own, in Python and from the command line."""

import json
from pathlib import Path

import pytest
from torch import nn
from typer.testing import CliRunner

from vitruvius.cli import app
from vitruvius.core.errors import UnknownNameError, UsageError, VitruviusError
from vitruvius.verbs.module_proxies import module_proxies

FILE = """
from torch import nn


def net():
    parts = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    return nn.Sequential(*parts)


answer = 42
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_net.py"
    path.write_text(FILE)
    return path


def test_of_a_file(file: Path) -> None:
    told = module_proxies(f"{file}:net", "3x8x8", names="snip+naswot", batch=4, seed=1)
    assert list(told) == ["snip", "naswot"]
    assert list(told["snip"].nodes) == ["0", "4"]
    again = module_proxies(f"{file}:net", (3, 8, 8), names="snip+naswot", batch=4, seed=1)
    assert again == told
    assert module_proxies(f"{file}:net", "3x8x8", names="snip", batch=4)["snip"] != told["snip"]


def test_from_the_command_line(file: Path) -> None:
    command = ["evaluate", f"{file}:net", "--evaluator", "proxy:zen,batch=4", "--input", "3x8x8"]
    told = CliRunner().invoke(app, [*command, "--format", "json"])
    assert told.exit_code == 0, told.output
    assert list(json.loads(told.stdout)["zen"]) == ["value", "nodes"]
    assert "zen" in CliRunner().invoke(app, command).stdout
    with pytest.raises(UsageError, match="--input is of a module of your own"):
        CliRunner().invoke(app, [*command, "--where", "area_um2<=1M"], catch_exceptions=False)


def test_what_makes_no_sense(file: Path) -> None:
    network = nn.Linear(3, 2)
    for shape, options, message in (
        ("3by3", {}, "'3by3' is no shape"),
        ("4", {}, "does not take"),
        ("3", {"batch": 1}, "`batch` must be at least 2"),
    ):
        with pytest.raises(UsageError, match=message):
            module_proxies(network, shape, names="snip", **options)
    with pytest.raises(UnknownNameError, match="proxy 'snipp'"):
        module_proxies(network, "3", names="snipp")
    with pytest.raises(UsageError, match="is a int, not a module"):
        module_proxies(f"{file}:answer", "3x8x8")
    with pytest.raises(UnknownNameError, match="'nte'"):
        module_proxies(f"{file}:nte", "3x8x8")


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        ("latency", "'latency' tells nothing of a module"),
        ("proxy:snip,bath=3", "option of proxy 'bath'"),
        ("proxy:snip,batch=many", "`batch` of proxy is a whole number, got 'many'"),
    ],
)
def test_mistakes_on_the_command_line(file: Path, evaluator: str, message: str) -> None:
    command = ["evaluate", f"{file}:net", "--evaluator", evaluator, "--input", "3x8x8"]
    with pytest.raises(VitruviusError, match=message):
        CliRunner().invoke(app, command, catch_exceptions=False)
