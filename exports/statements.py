"""Statements: what a traced ``forward`` computes, as lines of Python."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from ..core.errors import UsageError

__all__ = ["Body", "arguments_of", "attribute"]

# Letters of an expression that may become part of another.
INLINE = 60
_OPERATORS = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.matmul: "@",
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.and_: "&",
    operator.or_: "|",
}


class Body:
    """The statements of a ``forward``.

    What is used once, by what comes next, becomes part of its expression. Variable names are taken
    again where their value is done with.

    Args:
        graph: What was traced.
        imports: Takes the names of functions of torch-geometric.
    """

    def __init__(self, graph: fx.Graph, imports: set[str]) -> None:
        self._names: dict[fx.Node, str] = {}
        self._imports = imports
        self.arguments: list[str] = []
        self.lines: list[str] = []
        self._order = {node: i for i, node in enumerate(graph.nodes)}
        # The statement that a node's value is part of.
        self._statement: dict[fx.Node, fx.Node] = {}
        for node in reversed(graph.nodes):
            user = _only_next_user(node, self._statement)
            self._statement[node] = node if user is None else self._statement[user]
        self._last = {
            node: max((self._order[self._statement[user]] for user in node.users), default=-1)
            for node in self._order
        }
        for node in self._order:
            self._write(node)

    def _write(self, node: fx.Node) -> None:
        if node.op == "placeholder" and node.args and not node.users:
            return  # Left to its default, and to nobody.
        if node.op == "placeholder":
            self._names[node] = str(node.target)
            self.arguments.append(str(node.target))
        elif node.op == "get_attr":
            self._names[node] = f"self.{attribute(str(node.target))}"
        elif node.op == "output":
            self.lines.append(f"return {_unbracketed(self._text(node.args[0]))}")
        else:
            text = self._called(node)
            statement = self._statement[node]
            short = len(text) <= INLINE or (node.next is statement and statement.op == "output")
            if statement is not node and short:
                self._names[node] = text
                return
            name = self._name(node)
            self._names[node] = name
            self.lines.append(f"{name} = {_unbracketed(text)}")

    def _name(self, node: fx.Node) -> str:
        place = self._order[node]
        for used in node.all_input_nodes:
            if self._last[used] == place and self._names[used].isidentifier():
                return self._names[used]
        taken = {own for known, own in self._names.items() if self._last[known] > place}
        number = 1
        while f"h{number}" in taken:
            number += 1
        return f"h{number}"

    def _called(self, node: fx.Node) -> str:
        if node.op == "call_module":
            arguments = self._listed(node.args, node.kwargs)
            return f"self.{attribute(str(node.target))}({arguments})"
        if node.op == "call_method":
            own, *others = node.args
            return f"{self._text(own)}.{node.target}({self._listed(others, node.kwargs)})"
        target: Any = node.target
        if target in _OPERATORS:
            left, right = map(self._text, node.args)
            return f"({left} {_OPERATORS[target]} {right})"
        if target is operator.getitem:
            return f"{self._text(node.args[0])}[{self._index(node.args[1])}]"
        if target is operator.neg:
            return f"(-{self._text(node.args[0])})"
        if target is getattr:
            return f"{self._text(node.args[0])}.{node.args[1]}"
        kwargs = _without_defaults(target, node.kwargs)
        return f"{self._function(target)}({self._listed(node.args, kwargs)})"

    def _function(self, target: Any) -> str:
        name = target.__name__
        for prefix, module in (("torch", torch), ("F", F), ("math", math)):
            if getattr(module, name, None) is target:
                return f"{prefix}.{name}"
        if target.__module__.startswith("torch_geometric.utils"):
            self._imports.add(name)
            return str(name)
        raise UsageError(
            f"The network calls {target.__module__}.{name}, which is neither torch's nor "
            "torch-geometric's.",
            "Export as onnx or torchscript, which need no source.",
        )

    def _listed(self, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
        texts = [_unbracketed(self._text(each)) for each in args]
        texts += [f"{name}={self._text(value)}" for name, value in kwargs.items()]
        return ", ".join(texts)

    def _index(self, index: Any) -> str:
        parts = index if isinstance(index, tuple) else (index,)
        return ", ".join(self._sliced(each) for each in parts) + ("," if index == () else "")

    def _sliced(self, part: Any) -> str:
        if not isinstance(part, slice):
            return self._text(part)
        start, stop, step = (
            "" if each is None else self._text(each) for each in (part.start, part.stop, part.step)
        )
        return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"

    def _text(self, value: Any) -> str:
        if isinstance(value, fx.Node):
            return self._names[value]
        if isinstance(value, tuple):
            return f"({', '.join(map(self._text, value))}{',' if len(value) == 1 else ''})"
        if isinstance(value, list):
            return f"[{', '.join(map(self._text, value))}]"
        if value is ...:
            return "..."
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if value is None or isinstance(value, bool | int | float | str | torch.dtype):
            return repr(value)
        raise UsageError(
            f"The network computes with {value!r}, which has no source.",
            "Export as onnx or torchscript, which need no source.",
        )


def attribute(target: str) -> str:
    """Names in the source what lies in containers.

    Args:
        target: As symbolic tracing names it.
    """
    return target.replace(".", "_")


def _only_next_user(node: fx.Node, statement: dict[fx.Node, fx.Node]) -> fx.Node | None:
    """The one user of a node's value, where nothing else happens until then."""
    if node.op in ("placeholder", "output") or len(node.users) != 1:
        return None
    user = next(iter(node.users))
    if user.op == "output":
        return None if node.next is not user else user
    if sum(used is node for used in _flat(user.args, user.kwargs)) != 1:
        return None
    between = node.next
    while between is not user:
        if between.op != "get_attr" and statement[between] is not statement[user]:
            return None
        between = between.next
    return user


def _flat(*values: Any) -> Iterator[Any]:
    """All that is in nested arguments."""
    for value in values:
        if isinstance(value, dict):
            yield from _flat(*value.values())
        elif isinstance(value, tuple | list):
            yield from _flat(*value)
        elif isinstance(value, slice):
            yield from _flat(value.start, value.stop, value.step)
        else:
            yield value


def _unbracketed(text: str) -> str:
    """Leaves out brackets around all of an expression."""
    if not text.startswith("("):
        return text
    parts = arguments_of(text[1:-1])
    whole = len(parts) == 1 and not parts[0].endswith(",") and _closes_last(text)
    return text[1:-1] if whole else text


def _closes_last(text: str) -> bool:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place == len(text) - 1
    return False


def _without_defaults(function: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return kwargs
    return {
        name: value
        for name, value in kwargs.items()
        if name not in known or not (value is known[name].default or value == known[name].default)
    }


def arguments_of(text: str) -> list[str]:
    """Splits at the commas that are in no brackets.

    Args:
        text: Arguments of a call.
    """
    found, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and not depth:
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:].strip()]
