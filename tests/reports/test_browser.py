"""Pages in a browser, where one is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vitruvius.reports.page import Cards, Section, Table, page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [[number, f"<b>row {number}</b>"] for number in range(60)]
    table = Table(["number", "name"], rows, [f"row-{number}" for number in range(60)])
    cards = Cards([("<svg></svg>", "row-3", "A card", [])])
    path = tmp_path_factory.mktemp("pages") / "page.html"
    path.write_text(page("t", "h", [Section("s", [cards, table])]))
    return path


def shown(file: Path, anchor: str = "") -> str:
    """The page as it is once scripts have run."""
    assert BROWSER is not None
    told = subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=500",
         f"--user-data-dir={file.parent / 'profile'}", "--dump-dom", f"{file.as_uri()}{anchor}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return told.stdout


def test_rows_are_turned_over(file: Path) -> None:
    text = shown(file)
    assert "1 to 25 of 60" in text
    assert "&lt;b&gt;row 24&lt;/b&gt;" in text
    assert "&lt;b&gt;row 25&lt;/b&gt;" not in text


def test_a_link_without_a_card_leads_to_its_row(file: Path) -> None:
    text = shown(file, "#row-40")
    assert "26 to 50 of 60" in text
    found = re.search(r'<tr class="found">.*?</tr>', text)
    assert found is not None
    assert "row 40" in found[0]


def test_a_link_with_a_card_leaves_the_rows(file: Path) -> None:
    assert "1 to 25 of 60" in shown(file, "#row-3")
