"""The additions that docs/extending.md shows, made to a copy of the package and used."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", TEXT, re.S))
DIFFS = re.findall(r"```diff\n--- (\S+)\n\+\+\+ (\S+)\n(.*?)```", TEXT, re.S)
USE = """
import json, sys
import vitruvius
from vitruvius.evaluators import evaluator
from vitruvius.testing import MethodContract, SpaceContract

assert vitruvius.__file__.startswith(sys.argv[1]), vitruvius.__file__
chain = vitruvius.space("chain")
x = chain.enumerate()
built = [sum(p.numel() for p in chain.build(row).parameters()) for row in x[:5]]
told = {"counts": built == chain.statistics(x[:5])["params"].tolist()}
drawn = vitruvius.sample("chain", target="params<=2000", generator="small", n=3)
told["generator"] = [drawn.summary["generator"], drawn.missed]
learnt = vitruvius.sample(
    "chain", data="kernels", target="kernels<=2", labels=8, predictor="nearest", n=2
)
told["predictor"] = learnt.summary["predictor"]
found = vitruvius.search(
    "chain", evaluator="kernels", minimize="kernels", method="climb", budget=18
)
told["method"] = [found.summary["method"], found.best[0].metrics]
bayesian = vitruvius.search(
    "chain", evaluator="kernels", minimize="kernels", method="bo:surrogate=nearest", budget=12
)
told["surrogate"] = bayesian.summary["failed"]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package in which every example is in its place."""
    home = tmp_path_factory.mktemp("extended")
    left_out = shutil.ignore_patterns(
        "tests", "benchmarks", "docs", ".*", "__pycache__", "build", "dist", "*.egg-info"
    )
    shutil.copytree(ROOT, home / "vitruvius", ignore=left_out)
    for name, text in FILES.items():
        path = home / "vitruvius" / name
        assert not path.exists(), name
        path.write_text(text)
    for before, after, hunk in DIFFS:
        assert before == after
        path = home / "vitruvius" / before
        path.write_text(patched(path.read_text(), hunk))
    return home


def patched(text: str, hunk: str) -> str:
    lines = hunk.splitlines(keepends=True)
    assert all(line[0] in " +-" for line in lines), hunk
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    assert text.count(old) == 1, f"the document is out of date: {old}"
    return text.replace(old, new)


def test_an_addition_touches_one_existing_file() -> None:
    families = ["spaces", "evaluators", "predictors", "bo/methods", "generators"]
    assert [before for before, _, _ in DIFFS] == [f"{family}/resolver.py" for family in families]
    assert all(hunk.count("\n+") == 1 and "\n-" not in hunk for _, _, hunk in DIFFS)
    assert len(FILES) == len(DIFFS)
    for name, (home, _, _) in zip(FILES, DIFFS, strict=True):
        assert name.startswith(home.rpartition("/")[0])


@pytest.mark.slow
def test_every_example_serves_by_its_name(extended: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(extended)!r})\n" + USE
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(extended)],
        capture_output=True,
        text=True,
        check=False,
        cwd=extended,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["counts"]
    assert told["generator"] == ["small", False]
    assert told["predictor"] == {"kernels": "nearest"}
    assert told["method"][0] == "climb"
    assert told["method"][1]["kernels"] <= 1
    assert told["surrogate"] == 0


@pytest.mark.slow
def test_the_space_keeps_the_contract(extended: Path) -> None:
    test = extended / "test_chain.py"
    test.write_text(
        "import pytest, vitruvius\n"
        "from vitruvius.testing import SpaceContract\n\n\n"
        "class TestChain(SpaceContract):\n"
        "    @pytest.fixture\n"
        "    def space(self):\n"
        '        return vitruvius.space("chain")\n'
    )
    code = (
        f"import sys; sys.path.insert(0, {str(extended)!r})\n"
        f"import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {str(test)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=extended
    )
    assert done.returncode == 0, done.stdout[-3000:]
