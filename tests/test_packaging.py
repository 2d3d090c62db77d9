import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = {"benchmarks", "docs", "tests"}


def test_every_package_is_named_in_pyproject() -> None:
    folders = {
        init.parent.relative_to(ROOT)
        for init in ROOT.glob("[!.]*/**/__init__.py")
        if init.relative_to(ROOT).parts[0] not in NOT_SHIPPED | {"build"}
    }
    found = {".".join(("vitruvius", *folder.parts)) for folder in folders}
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["tool"]["setuptools"]["packages"]
    assert found <= set(named)
    assert named == sorted(named)
