"""Source: a network as one Python file that needs torch alone, without what it does not use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import config
from torch import fx, nn

from ..core.errors import UsageError
from .constructors import constructor, is_layer
from .statements import Body, arguments_of, attribute

__all__ = ["NetworkSource", "network_source"]

ROOT = "Network"
INDENT = " " * 4
WIDTH = 96
# Letters of a line of imports, by the usual of formatters.
NARROW = 88


@dataclass(frozen=True)
class NetworkSource:
    """A network as Python source.

    Args:
        text: The file; its class ``Network`` is made without arguments.
        names: Name of every parameter and buffer in the network it is of, by that in the source.
    """

    text: str
    names: dict[str, str]

    def weights(self, network: nn.Module) -> dict[str, torch.Tensor]:
        """Returns what ``Network.load_state_dict`` takes.

        Args:
            network: What the source was written of.
        """
        held = network.state_dict()
        return {name: held[own].detach().cpu().contiguous() for name, own in self.names.items()}


def network_source(network: nn.Module, about: str = "") -> NetworkSource:
    """Writes a network as Python source of its own, hierarchical as the network is.

    Modules of torch and torch-geometric are called by name. Every other module becomes a class,
    whose ``forward`` is what symbolic tracing (`torch.fx`, arXiv 2112.08429) finds that it does at
    evaluation; equal classes are written once, and chains of layers as `torch.nn.Sequential`. What
    does nothing, or is never reached, is left out: identities, dropout of 0, auxiliary heads.

    Args:
        network: The network.
        about: First words of the file's docstring.

    Raises:
        UsageError: Where a module cannot be traced, as where control flow depends on values.

    Example:
        >>> print(network_source(nn.Sequential(nn.Linear(2, 8), nn.Identity(), nn.Tanh())).text)
        from torch import nn
        <BLANKLINE>
        <BLANKLINE>
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(2, 8), nn.Tanh())
        <BLANKLINE>
            def forward(self, x):
                return self.layers(x)
        <BLANKLINE>
    """
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        writer = _Writer()
        part = writer.part(network, root=True)
    finally:
        for module, mode in training.items():
            module.training = mode
    return NetworkSource(writer.file(about), part.names)


@dataclass(frozen=True)
class _Part:
    """A module in the source: the expression that makes it, and where its tensors come from.

    Args:
        text: None where it does nothing.
        names: As for `NetworkSource`, within the module.
    """

    text: str | None
    names: dict[str, str] = field(default_factory=dict)

    def under(self, name: str, own: str) -> dict[str, str]:
        return {f"{name}.{key}": f"{own}.{value}" for key, value in self.names.items()}


class _Tracer(fx.Tracer):
    """Traces one module; those it holds are called."""

    def __init__(self) -> None:
        modules = [math]
        try:
            from torch_geometric import utils
        except ImportError:
            pass
        else:
            modules.append(utils)
        super().__init__(autowrap_modules=tuple(modules))  # type: ignore[arg-type]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


class _Writer:
    """Collects the classes of a file."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._imports: set[str] = set()

    def file(self, about: str) -> str:
        body = "\n\n\n".join(f"class {name}{text}" for text, name in self._classes.items())
        lines = ["import torch"] if re.search(r"\btorch\.", body) else []
        if re.search(r"\bF\.", body):
            lines.append("import torch.nn.functional as F")
        lines.append("from torch import nn")
        if re.search(r"\bgnn\.", body):
            lines.append("from torch_geometric import nn as gnn")
        if self._imports:
            names = sorted(self._imports)
            line = f"from torch_geometric.utils import {', '.join(names)}"
            if len(line) > NARROW:
                inner = "".join(f"{INDENT}{name},\n" for name in names)
                line = f"from torch_geometric.utils import (\n{inner})"
            lines.append(line)
        if re.search(r"\bmath\.", body):
            lines.insert(0, "import math\n")
        head = f'"""{about}"""\n\n' if about else ""
        return f"{head}{chr(10).join(lines)}\n\n\n{body}\n"

    def part(self, module: nn.Module, *, root: bool = False) -> _Part:
        """Writes a module, and before it the classes that it needs."""
        if not root and is_layer(module):
            return self._layer(module)
        if type(module).forward is nn.Sequential.forward:
            children = [(name, self.part(child)) for name, child in module.named_children()]
            chain = _chained(children)
            return self._class_of_chain(chain) if root else chain
        return self._custom(module, root=root)

    def _layer(self, layer: nn.Module) -> _Part:
        if isinstance(layer, nn.Identity) or (
            isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p == 0
        ):
            return _Part(None)
        text = constructor(layer, lambda module: self.part(module).text or "nn.Identity()")
        names = {name: name for name in layer.state_dict()}
        return _Part(text, names)

    def _custom(self, module: nn.Module, *, root: bool) -> _Part:
        graph = _traced(module)
        parts: dict[str, _Part] = {}
        for node in list(graph.nodes):
            if node.op != "call_module":
                continue
            target = str(node.target)
            if target not in parts:
                parts[target] = self.part(module.get_submodule(target))
            if parts[target].text is None:
                node.replace_all_uses_with(node.args[0])
                graph.erase_node(node)
        chain = _chain(graph)
        if chain is not None:
            whole = _chained([(target, parts[target]) for target in chain])
            return self._class_of_chain(whole) if root else whole
        names: dict[str, str] = {}
        made: dict[str, str] = {}
        for node in graph.nodes:
            target = str(node.target)
            own = attribute(target)
            if node.op == "call_module" and own not in made:
                made[own] = f"self.{own} = {parts[target].text}"
                names |= parts[target].under(own, target)
            elif node.op == "get_attr" and own not in made:
                made[own] = _tensor_line(module, target, own)
                names[own] = target
        body = Body(graph, self._imports)
        lines = list(made.values())
        name = self._class(type(module).__name__, lines, body.arguments, body.lines, root=root)
        return _Part(f"{name}()", names)

    def _class_of_chain(self, chain: _Part) -> _Part:
        text = chain.text or "nn.Identity()"
        self._class(ROOT, [f"self.layers = {text}"], ["x"], ["return self.layers(x)"], root=True)
        return _Part(f"{ROOT}()", {f"layers.{key}": own for key, own in chain.names.items()})

    def _class(
        self, name: str, made: list[str], arguments: list[str], lines: list[str], *, root: bool
    ) -> str:
        """Adds a class, unless there is one that does the same."""
        text = "(nn.Module):\n"
        if made:
            text += f"{INDENT}def __init__(self):\n{INDENT * 2}super().__init__()\n"
            text += "".join(f"{_wrapped(line, 2)}\n" for line in made) + "\n"
        text += f"{INDENT}def forward(self, {', '.join(arguments)}):\n"
        text += "\n".join(f"{INDENT * 2}{line}" for line in lines)
        if text in self._classes and not root:
            return self._classes[text]
        name = ROOT if root else name.lstrip("_")
        taken = {*self._classes.values(), *(() if root else (ROOT,))}
        number = 2
        chosen = name
        while chosen in taken:
            chosen, number = f"{name}{number}", number + 1
        self._classes[text] = chosen
        return chosen


def _traced(module: nn.Module) -> fx.Graph:
    try:
        with _unchecked():
            graph = _Tracer().trace(module)
    except (fx.proxy.TraceError, TypeError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"{type(module).__name__} cannot be written as source: {error}",
            "Its `forward` may not depend on values of tensors; onnx and torchscript need no "
            "source.",
        ) from error
    graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
    return graph


@contextmanager
def _unchecked() -> Iterator[None]:
    """Leaves shapes unchecked, where they are checked: symbolic values have none."""
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", before)


def _chain(graph: fx.Graph) -> list[str] | None:
    """Targets of the modules that are called one after another, where that is all."""
    entry, *calls, output = graph.nodes
    value, targets = entry, []
    for node in calls:
        alone = len(value.users) == 1 and node.args == (value,) and not node.kwargs
        if node.op != "call_module" or not alone or str(node.target) in targets:
            return None
        targets.append(str(node.target))
        value = node
    return targets if entry.op == "placeholder" and output.args == (value,) else None


def _chained(children: list[tuple[str, _Part]]) -> _Part:
    """Modules one after another, as one."""
    told = [(name, part) for name, part in children if part.text is not None]
    if not told:
        return _Part(None)
    if len(told) == 1:
        (name, part), *_ = told
        return _Part(part.text, {key: f"{name}.{own}" for key, own in part.names.items()})
    names: dict[str, str] = {}
    for number, (name, part) in enumerate(told):
        names |= part.under(str(number), name)
    return _Part(f"nn.Sequential({', '.join(str(part.text) for _, part in told)})", names)


def _tensor_line(module: nn.Module, target: str, own: str) -> str:
    tensor = module.get_parameter(target) if _is_parameter(module, target) else None
    if tensor is not None:
        return f"self.{own} = nn.Parameter(torch.empty{tuple(tensor.shape)})"
    buffer = module.get_buffer(target)
    return (
        f'self.register_buffer("{own}", torch.empty({tuple(buffer.shape)}, dtype={buffer.dtype}))'
    )


def _is_parameter(module: nn.Module, target: str) -> bool:
    return target in dict(module.named_parameters())


def _wrapped(line: str, depth: int) -> str:
    """Breaks the call of a long line, an argument a line."""
    indent = INDENT * depth
    if len(indent + line) <= WIDTH or not line.endswith(")"):
        return indent + line
    start = line.index("(") + 1
    arguments = arguments_of(line[start:-1])
    inner = "".join(f"{_wrapped(each, depth + 1)},\n" for each in arguments)
    return f"{indent}{line[:start]}\n{inner}{indent})"
