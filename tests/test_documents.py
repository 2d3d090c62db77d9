"""What the documents point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Pages that Sphinx makes of its own, over whatever has their name.
TAKEN = {"genindex", "modindex", "py-modindex", "search"}
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", _without_code(path.read_text()))
    targets = {(first or second).partition("#")[0] for first, second in links}
    local = {target for target in targets if target and "://" not in target}
    assert [target for target in sorted(local) if not (path.parent / target).exists()] == []


def test_papers_names_modules_and_tests_that_exist() -> None:
    rows = re.findall(r"^\|(.*)\|$", (ROOT / "docs" / "papers.md").read_text(), re.M)[2:]
    assert rows
    for row in rows:
        _, _, modules, tests = (re.findall(r"`([^`]+)`", cell) for cell in row.split(" | "))
        assert modules, row
        assert tests, row
        assert [name for name in modules + tests if not (ROOT / name).is_file()] == []
        assert all(name.startswith("tests/") for name in tests)


def test_every_document_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    listed = " ".join(re.findall(r"```\{toctree\}(.*?)```", index, re.S))
    assert _pages() - {"index"} <= set(listed.split())


def test_no_document_has_the_name_of_a_page_that_sphinx_makes() -> None:
    assert {name for name in _pages() if name.lower() in TAKEN} == set()


def _pages() -> set[str]:
    return {path.stem for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".rst")}
