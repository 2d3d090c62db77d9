"""The site that Sphinx makes of the documents has every guide in it."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# One worker builds the site for all.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]
ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, of a copy: Sphinx writes pages of its own beside the documents."""
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package, reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    made = shutil.ignore_patterns("_build", "generated")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=made)
    shutil.copytree(ROOT / "benchmarks" / "results", folder / "benchmarks" / "results")
    asked = ["-q", "-W", "--keep-going", "-b", "html", "docs", "html"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *asked], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_each_guide_is_a_page_with_its_heading(site: Path, guide: Path) -> None:
    heading = re.search(r"^# (.*)$", guide.read_text(encoding="utf-8"), re.M)
    page = (site / f"{guide.stem}.html").read_text(encoding="utf-8")
    title = re.search(r"<h1>(.*?)<a class=\"headerlink\"", page, re.S)
    assert heading
    assert title
    assert html.unescape(re.sub(r"<[^>]+>", "", title[1])) == heading[1].replace("`", "")


def test_what_has_a_docstring_is_in_the_reference(site: Path) -> None:
    page = (site / "generated" / "vitruvius.verbs.search.html").read_text(encoding="utf-8")
    assert 'id="vitruvius.verbs.search.search"' in page
