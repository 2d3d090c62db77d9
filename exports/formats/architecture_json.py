"""JSON: the architecture alone, as its space writes it, as a graph and as layers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from ..model import Model

__all__ = ["write_json"]


def write_json(model: Model, folder: Path) -> list[Path]:
    """Writes ``architecture.json``.

    Args:
        model: The model.
        folder: Where to.
    """
    dag = model.space.dag(model.architecture.indices)
    told = {
        "space": model.space.text,
        "architecture": str(model.architecture),
        "choices": {
            variable.name: variable.choices[index]
            for variable, index in zip(
                model.space.variables, model.architecture.indices, strict=True
            )
        },
        "task": asdict(model.task),
        **model.counts(),
        "graph": {
            "nodes": list(dag.nodes),
            "edges": [[i, j, label] for (i, j), label in sorted(dag.edges.items())],
            "attributes": dag.attributes,
            "inputs": list(dag.inputs),
            "outputs": list(dag.outputs),
        },
        "layers": [asdict(each) for each in model.space.layers(model.architecture, model.task)],
    }
    path = folder / "architecture.json"
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return [path]
