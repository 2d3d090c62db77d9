"""What every benchmark writes: JSON with its provenance, and a Markdown table made from it."""

from __future__ import annotations

import json
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import stdev
from typing import Any

PACKAGES = ("torch", "diffusers", "gpytorch", "lightgbm", "numpy", "nas-bench-graph")


def provenance() -> dict[str, Any]:
    """Command, versions, revision and machine of this run."""
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    # Where things lie on this machine is nobody's business.
    given = [re.sub(r"(^|=)/\S*/", r"\1", part) for part in sys.argv[1:]]
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *given])
    return {
        "command": command,
        "revision": revision or "unknown",
        "python": platform.python_version(),
        "versions": versions,
        "machine": f"{platform.machine()}, {platform.system()}",
    }


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats with four significant digits."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def kept_rows(path: Path) -> list[dict[str, Any]]:
    """What a file of JSON lines has, nothing where there is none."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def standard_error(values: Iterable[float]) -> float | None:
    """Of the mean; none of fewer than two values."""
    listed = list(values)
    return stdev(listed) / len(listed) ** 0.5 if len(listed) > 1 else None


def write(folder: Path, name: str, results: dict[str, Any], text: str) -> None:
    """Writes ``name.json`` and ``name.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"provenance": provenance(), **results}
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    head = f"<!-- made by: {data['provenance']['command']} -->\n\n"
    (folder / f"{name}.md").write_text(head + text.rstrip() + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
