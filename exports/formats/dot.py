"""DOT: the architecture's graph in the language of Graphviz."""

from __future__ import annotations

import json
from pathlib import Path

from ..model import Model

__all__ = ["write_dot"]


def write_dot(model: Model, folder: Path) -> list[Path]:
    """Writes ``architecture.dot``; what is absent is left out.

    Args:
        model: The model.
        folder: Where to.
    """
    dag = model.space.dag(model.architecture.indices)
    lines = [f"digraph {_quoted(str(model.architecture))} {{", "  rankdir=LR;"]
    lines += [f"  {name}={_quoted(value)};" for name, value in dag.attributes.items()]
    for node, label in enumerate(dag.nodes):
        if dag.role(node) != "absent":
            shape = "ellipse" if node in (*dag.inputs, *dag.outputs) else "box"
            lines.append(f"  {node} [label={_quoted(label)}, shape={shape}];")
    for (i, j), label in sorted(dag.edges.items()):
        if "absent" not in (dag.role(i, j), dag.role(i), dag.role(j)):
            lines.append(f"  {i} -> {j}" + (f" [label={_quoted(label)}];" if label else ";"))
    path = folder / "architecture.dot"
    path.write_text("\n".join([*lines, "}", ""]), encoding="utf-8")
    return [path]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
