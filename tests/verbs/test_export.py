import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitruvius import export, search
from vitruvius.core.errors import ArchitectureError, UnknownNameError, UsageError
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.verbs.export import UNFINISHED

CELLS = "nasbench201:width=4,cells=1"
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|none~2|"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNG files of two classes, some greyscale with alpha, of two sizes."""
    from PIL import Image

    root = tmp_path_factory.mktemp("data") / "photos"
    draw = np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 8)):
        for label in range(2):
            folder = root / part / f"kind {label}"
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 120, (12, 10 + number % 2, 3), dtype=np.uint8)
                pixels[:, :, label] += 100
                image = Image.fromarray(pixels)
                image.convert("RGBA" if number % 3 else "RGB").save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    search(
        CELLS,
        evaluator=f"{photos}:epochs=2,batch=16",
        maximize="accuracy",
        budget=2,
        method="random",
        run=folder,
        executor="serial",
    )
    return folder


def predicted(folder: Path, *arguments: str) -> str:
    """What the exported script prints, in an environment that has nothing of ours."""
    command = [sys.executable, "-I", str(folder / "predict.py"), *arguments]
    # In isolated mode the folder of a script is not on the path.
    code = f"import sys, runpy; sys.path.insert(0, {str(folder)!r}); sys.argv = {command[2:]!r}"
    code += f"; runpy.run_path({command[2]!r}, run_name='__main__')"
    code += "; assert not [m for m in sys.modules if m.split('.')[0] == 'vitruvius']"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_best_of_a_run_gives_the_reported_score_elsewhere(
    run: str, photos: Path, tmp_path: Path
) -> None:
    told = export(f"{run}:best", out=tmp_path)
    assert {"network.py", "weights.safetensors", "predict.py", "model.json", "README.md"} <= {
        file.name for file in told.files
    }
    (accuracy,) = told.scores["test accuracy"]
    assert predicted(tmp_path, "--check").startswith(f"test accuracy: {accuracy:.6f} (")
    model = json.loads((tmp_path / "model.json").read_text())
    assert model["outputs"]["class_names"] == ["kind 0", "kind 1"]
    assert model["scores"]["test accuracy"] == [accuracy]
    # A file is read as it was for the training.
    test = load_file(tmp_path / "check.safetensors")
    files = sorted((photos / "test").glob("*/*.png"))
    lines = predicted(tmp_path, *map(str, files)).splitlines()
    right = sum(
        file.parent.name in line.rpartition(": ")[2]
        for file, line in zip(files, lines, strict=True)
    )
    assert right / len(files) == pytest.approx(accuracy)
    assert len(test["targets"]) == len(files)


def test_a_trial_by_number_and_what_there_is_not(run: str, tmp_path: Path) -> None:
    told = export(f"{run}:1", out=tmp_path, to=["json"])
    assert json.loads(told.files[0].read_text())["architecture"] == str(told.architecture)
    with pytest.raises(UsageError, match="no finished trial '7'"):
        export(f"{run}:7", out=tmp_path)
    with pytest.raises(UsageError, match="neither RUN:best nor"):
        export("runs/nothing:best", out=tmp_path)
    with pytest.raises(UnknownNameError, match="format"):
        export(f"{run}:best", out=tmp_path, to=["keras"])
    with pytest.raises(UnknownNameError, match="epohs"):
        export(f"{run}:best", out=tmp_path, retrain="epohs=3")


@pytest.mark.slow
def test_retraining_learns_from_validation_too_and_counts_all_trainings(
    run: str, photos: Path, tmp_path: Path
) -> None:
    told = export(f"{run}:best", out=tmp_path, retrain="epochs=3", trainings=2)
    assert len(told.scores["test accuracy"]) == 2
    assert not (tmp_path / UNFINISHED).exists()
    model = json.loads((tmp_path / "model.json").read_text())
    assert model["history"]["recipe"]["epochs"] == 3
    from vitruvius.spaces import space

    trainer = TrainingEvaluator(space(CELLS), photos)
    parts, whole = trainer.data[1], trainer.retraining().data[1]
    assert sorted(torch.cat([parts.train, parts.val]).tolist()) == whole.train.tolist()
    assert whole.test.equal(parts.test)


def test_an_interrupted_retraining_goes_on(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = export(f"{run}:best", out=tmp_path / "whole", retrain="", trainings=2)
    calls: list[int] = []
    train = TrainingEvaluator.train

    def interrupted(self: TrainingEvaluator, *args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs["seed"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(self, *args, **kwargs)

    monkeypatch.setattr(TrainingEvaluator, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(f"{run}:best", out=tmp_path / "again", retrain="", trainings=2)
    told = export(f"{run}:best", out=tmp_path / "again", retrain="", trainings=2)
    assert len(calls) == 3
    assert told.scores == expected.scores
    whole, again = (load_file(tmp_path / n / "weights.safetensors") for n in ("whole", "again"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def outputs_of(path: Path, inputs: dict[str, Tensor]) -> Tensor:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {k: v.numpy() for k, v in inputs.items()})[0])


@pytest.mark.slow
def test_onnx_and_torchscript_take_raw_images(run: str, tmp_path: Path) -> None:
    export(f"{run}:best", out=tmp_path, to=["pytorch", "onnx", "torchscript"])
    test = load_file(tmp_path / "check.safetensors")
    images = test["inputs"][:5].float()
    scripted = torch.jit.load(str(tmp_path / "model.ts"))(images)
    assert torch.allclose(
        outputs_of(tmp_path / "model.onnx", {"images": images}), scripted, atol=1e-4
    )
    expected = predicted(tmp_path, "--check").split("(")[1].split()[0]
    told = torch.jit.load(str(tmp_path / "model.ts"))(test["inputs"].float())
    assert int((told.argmax(1) == test["targets"]).sum()) == int(expected)


@pytest.mark.slow
def test_a_graph(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    edges = torch.stack([torch.randint(60, (150,), generator=draw) for _ in range(2)])
    x = torch.eye(3)[labels] + torch.rand(60, 3, generator=draw)
    parts = {"train_idx": range(20), "val_idx": range(20, 40), "test_idx": range(40, 60)}
    np.savez(
        tmp_path / "graph.npz",
        x=x.numpy(),
        edges=edges.numpy(),
        y=labels.numpy(),
        **{name: np.array(part) for name, part in parts.items()},
    )
    told = export(
        "gat|sum|elu|8|8 gcn|mean|linear|1",
        space="autognn",
        data=f"{tmp_path / 'graph.npz'}:epochs=5",
        out=tmp_path / "out",
        to=["pytorch", "onnx"],
    )
    (accuracy,) = told.scores["test accuracy"]
    assert predicted(tmp_path / "out", "--check").startswith(f"test accuracy: {accuracy:.6f} (")
    test = load_file(tmp_path / "out" / "check.safetensors")
    fed = {"x": test["x"], "edge_index": test["edge_index"]}
    logits = outputs_of(tmp_path / "out" / "model.onnx", fed)[test["rows"]]
    right = (logits.argmax(1) == test["targets"]).double().mean()
    assert float(right) == pytest.approx(accuracy)
    save_file(fed, tmp_path / "again.safetensors")
    assert len(predicted(tmp_path / "out", str(tmp_path / "again.safetensors")).splitlines()) == 60


@pytest.mark.slow
def test_series_with_values_in_their_unit(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    level = draw.normal(size=60)
    series = level[:, None, None] + 0.1 * draw.normal(size=(60, 2, 16))
    np.savez(tmp_path / "waves.npz", X=series.astype("f4"), y=(100 + 20 * level).astype("f4"))
    told = export(
        "d1w0.5k3-d1w0.5k3-d1w0.5k3-d1w0.5k3",
        space="resnet-size:width=8",
        data=f"{tmp_path / 'waves.npz'}:epochs=2,test=0.2",
        out=tmp_path / "out",
        to=["pytorch", "torchscript"],
    )
    (error,) = told.scores["test mae"]
    said = float(predicted(tmp_path / "out", "--check").split()[-1])
    assert said == pytest.approx(error, rel=1e-5)
    test = load_file(tmp_path / "out" / "check.safetensors")
    values = torch.jit.load(str(tmp_path / "out" / "model.ts"))(test["inputs"])
    assert float((values[:, 0] - test["targets"]).abs().mean()) == pytest.approx(error, rel=1e-5)


def test_an_architecture_that_is_not_trained(tmp_path: Path) -> None:
    told = export(CELL, space=CELLS, out=tmp_path, to=["pytorch", "dot"])
    assert "has not been trained" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "architecture.dot").read_text().startswith("digraph")
    assert told.scores == {}
    with pytest.raises(UsageError, match="nothing to train on"):
        export(CELL, space=CELLS, out=tmp_path, retrain="")
    with pytest.raises(ArchitectureError):
        export("|what~0|", space=CELLS, out=tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is a file"):
        export(CELL, space=CELLS, out=file)
