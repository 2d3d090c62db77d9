"""PyTorch: source that needs torch alone, weights, a script that predicts, and a model card."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from safetensors.torch import save_file

from ...core.errors import VitruviusError
from ...spaces import Space
from ...spaces.gan.adversarial import GeneratorSpace
from ..model import Model
from ..source import NetworkSource, network_source

__all__ = ["write_pytorch"]

# Largest difference of an output between the network and its source.
TOLERANCE = 1e-6
# The script that runs a network, by what it takes or is.
SCRIPTS = {
    "image": "predict.py",
    "series": "predict.py",
    "graph": "predict.py",
    "generator": "generate.py",
}
# Bytes of the test part up to which it is kept beside the model.
LARGEST_CHECK = 64 << 20


def write_pytorch(model: Model, folder: Path) -> list[Path]:
    """Writes what runs with torch and safetensors alone (graphs: torch-geometric too).

    =======================  ==============================================================
    ``network.py``           the network, without what it does not use
    ``weights.safetensors``  its weights
    ``model.json``           preparation of inputs, class names, scores, recipe
    ``predict.py``           classifies files; ``--check`` repeats the score of the test part
    ``generate.py``          instead, of a generator: makes images
    ``check.safetensors``    the test part, up to 64 MB
    ``README.md``            the model card
    =======================  ==============================================================

    Args:
        model: The model.
        folder: Where to.

    Raises:
        UsageError: Where the network cannot be written as source.
        VitruviusError: Where the source computes something else than the network.
    """
    about = f"{model.architecture}\n\nA network of the space {model.space.text}."
    told = network_source(model.network, about)
    weights = told.weights(model.network)
    written = {
        "network.py": told.text,
        "model.json": json.dumps(_card(model), indent=1),
        "README.md": _readme(model),
    }
    if model.kind in SCRIPTS:
        written[SCRIPTS[model.kind]] = _script(model)
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    save_file(weights, folder / "weights.safetensors")
    names = [*written, "weights.safetensors"]
    held = sum(each.numel() * each.element_size() for each in model.check.values())
    if model.check and held <= LARGEST_CHECK:
        save_file({k: v.contiguous() for k, v in model.check.items()}, folder / "check.safetensors")
        names.append("check.safetensors")
    _compare(model, told, folder / "network.py")
    return [folder / name for name in names]


def _compare(model: Model, told: NetworkSource, path: Path) -> None:
    """Reads the source again and has both compute the same inputs."""
    spec = importlib.util.spec_from_file_location("vitruvius_exported_network", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    again = module.Network().eval()
    again.load_state_dict(told.weights(model.network))
    model.network.eval()
    inputs = model.space.example_inputs(model.task, 8)
    with torch.no_grad():
        expected, got = model.network(*inputs), again(*inputs)
    expected = expected[0] if isinstance(expected, tuple) else expected
    difference = float((got - expected).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise VitruviusError(
            f"The source of {model.architecture} differs from the network by {difference:.2g}.",
            "Export as onnx or torchscript, and report this.",
        )


def _script(model: Model) -> str:
    home = files(__package__.rpartition(".")[0]) / "standalone"
    return (home / f"{model.kind}.py").read_text(encoding="utf-8")


def _card(model: Model) -> dict[str, Any]:
    return {
        "architecture": str(model.architecture),
        "space": model.space.text,
        "kind": model.kind,
        "task": asdict(model.task),
        "inputs": dict(model.inputs),
        "outputs": dict(model.outputs),
        **_noise(model.space),
        "scores": {name: list(values) for name, values in model.scores.items()},
        **model.counts(),
        "history": dict(model.history),
    }


def _noise(space: Space) -> dict[str, Any]:
    if not isinstance(space, GeneratorSpace):
        return {}
    return {"latent": space.latent, "conditional": space.conditional}


def _readme(model: Model) -> str:
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    counts = model.counts()
    yield f"# {model.space.name}: {counts['params']:,} parameters"
    yield ""
    yield f"    {model.architecture}"
    yield ""
    yield f"Space `{model.space.text}`; built for {model.task}."
    if not model.history:
        yield "It has not been trained: its weights are random."
    for name, value in model.history.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}={each}" for key, each in value.items())
        yield f"- {name}: {value}"
    if model.scores:
        yield ""
        yield "| score | mean | deviation | trainings |"
        yield "| --- | ---: | ---: | ---: |"
        for name, values in model.scores.items():
            spread = f"{stdev(values):.4g}" if len(values) > 1 else ""
            yield f"| {name} | {mean(values):.4f} | {spread} | {len(values)} |"
        yield ""
        yield "The weights are those of the first training."
    yield ""
    yield "## Use"
    yield ""
    packages = "torch safetensors" + (" torch-geometric" if model.kind == "graph" else "")
    yield f"    pip install {packages}{' pillow' if model.kind in ('image', 'generator') else ''}"
    if model.kind == "generator":
        yield "    python generate.py"
        yield "    python generate.py --interpolate"
    elif model.kind in SCRIPTS:
        yield f"    python predict.py {'IMAGE' if model.kind == 'image' else 'FILE'}"
    if model.check:
        yield "    python predict.py --check"
    yield ""
    yield "`model.json` says how inputs are prepared."
    yield "Made with Vitruvius."
