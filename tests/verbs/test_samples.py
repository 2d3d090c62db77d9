"""A generator from the search to the files that run without us."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

import vitruvius
from vitruvius.cli import app
from vitruvius.core.errors import UsageError
from vitruvius.verbs.samples import samples

SPACE = "autogan:width=4,latent=6,conditional=true"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gan")
    chance = np.random.default_rng(0)
    labels = np.arange(160) % 2
    images = chance.integers(0, 100, (160, 8, 8), dtype=np.uint8)
    images[labels == 1, :, 4:] += 150
    np.savez(folder / "halves.npz", x=images, y=labels)
    vitruvius.search(
        SPACE,
        evaluator=f"{folder}/halves.npz:images=64,rounds=1,samples=100,batch=16",
        minimize="fid, params",
        method="random",
        budget=2,
        executor="serial",
        run=folder / "run",
    )
    return folder / "run"


def size(content: bytes) -> tuple[int, int]:
    from io import BytesIO

    with Image.open(BytesIO(content)) as sheet:
        return sheet.size


def test_sheets(run: Path) -> None:
    sheet = samples(f"{run}:1", count=8, columns=4)
    assert size(sheet) == (8 * (4 * 10 + 2), 8 * (2 * 10 + 2))
    assert sheet == samples(f"{run}:1", count=8, columns=4)
    assert sheet != samples(f"{run}:1", count=8, columns=4, seed=1)
    led = samples(f"{run}:1", count=6, columns=5, interpolate=True)
    assert size(led) == (8 * (5 * 10 + 2), 8 * (3 * 10 + 2))


def test_command_line(run: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["draw", f"{run}:best", "--samples", "--out", str(tmp_path / "a.png")]
    )
    assert told.exit_code == 0, told.output
    assert (tmp_path / "a.png").read_bytes() == samples(f"{run}:best")
    told = CliRunner().invoke(app, ["draw", f"{run}:0"])
    assert told.stdout.startswith("<svg")


def test_what_has_no_samples(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished trial '9'"):
        samples(f"{run}:9")
    with pytest.raises(UsageError, match="count"):
        samples(f"{run}:0", count=1, interpolate=True)
    for name in ("weights.safetensors",):
        (run / "trials" / "0" / name).rename(tmp_path / name)
        with pytest.raises(UsageError, match="kept no weights"):
            samples(f"{run}:0")
        (tmp_path / name).rename(run / "trials" / "0" / name)


@pytest.mark.slow
def test_exported_generator(run: Path, tmp_path: Path) -> None:
    told = vitruvius.export(f"{run}:1", out=tmp_path, to=["pytorch", "onnx", "torchscript"])
    assert {"fid", "kid"} <= set(told.scores)
    assert "generate.py" in [file.name for file in told.files]
    assert "python generate.py" in (tmp_path / "README.md").read_text()
    for arguments in ((), ("--interpolate",), ("--separate", "each", "--count", "3")):
        subprocess.run([sys.executable, "generate.py", *arguments], cwd=tmp_path, check=True)
    assert len(list((tmp_path / "each").iterdir())) == 3
    # The same noise, the same images.
    with Image.open(tmp_path / "each" / "00000.png") as image:
        pixels = torch.from_numpy(np.array(image)).float()
    script = torch.jit.load(str(tmp_path / "model.ts"))
    chance = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 6, generator=chance)
    labels = torch.randint(2, (3,), generator=chance)
    assert (script(noise, labels)[0, 0] - pixels).abs().max() <= 0.51
    assert load_file(tmp_path / "weights.safetensors")


def test_trained_again(run: Path, tmp_path: Path) -> None:
    told = vitruvius.export(f"{run}:1", out=tmp_path, retrain="images=96", trainings=2)
    assert len(told.scores["fid"]) == 2
