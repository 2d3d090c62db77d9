"""Latency from a table of layers, which is measured once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.output import writing
from ...spaces import Layer
from ...spaces.layers import layers_of
from .timing import LEAST, WARM_UP

__all__ = ["LatencyTable", "time_layers"]

# Of every so many networks one is held out, to tell the error by.
HELD_OUT = 3


@dataclass(frozen=True)
class LatencyTable:
    """Predicts the latency of a network as the sum over its layers.

    What layers take is measured within some networks. A layer that none of them has takes what its
    multiply-adds and the size of its output lead to expect of its kind. What lies between layers,
    such as sums and concatenations, is a constant and a share for each layer, fitted to the times
    of whole networks. So it holds as far as operations add up: not where several run at once, or
    where much is computed beside layers, as by the messages of graph networks. `error` says how far
    it is off, on networks that it was not made of.

    Args:
        settings: What it was measured for: batch, threads, runtime, device.
        entries: Milliseconds by layer, see `key`.
        kinds: By kind of layer, milliseconds for a million multiply-adds and for a million outputs.
        base: Milliseconds of every network.
        each: Milliseconds of every layer besides.
        error: Median of the relative error on networks held out.
        networks: How many networks were measured.

    Example:
        >>> layer = Layer("linear", (8,), (4,), params=36, macs=32)
        >>> table = LatencyTable({}, {LatencyTable.key(layer): 0.5}, {}, 0.25, 0.125)
        >>> table.predict([layer, layer])
        1.5
    """

    settings: dict[str, Any]
    entries: dict[str, float]
    kinds: dict[str, tuple[float, float]]
    base: float
    each: float
    error: float = 0.0
    networks: int = 0

    @staticmethod
    def key(layer: Layer) -> str:
        """Writes what decides how long a layer takes.

        Args:
            layer: The layer.
        """
        told = (layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.dilation)
        return f"{layer.kind} {' '.join('x'.join(map(str, part)) for part in told)} g{layer.groups}"

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Any],
        measured: Sequence[tuple[Sequence[tuple[Layer, float]], float]],
    ) -> LatencyTable:
        """Makes a table of measurements.

        Args:
            settings: What they were made for.
            measured: Of every network its layers with their milliseconds, and the milliseconds of
                the whole.
        """
        learnt = [told for i, told in enumerate(measured) if i % HELD_OUT or len(measured) == 1]
        held = [told for i, told in enumerate(measured) if not i % HELD_OUT]
        tried = cls._fitted(settings, learnt)
        errors = [
            abs(tried.predict([layer for layer, _ in layers]) - whole) / whole
            for layers, whole in held
        ]
        final = cls._fitted(settings, measured)
        return cls(**{**asdict(final), "error": median(errors), "networks": len(measured)})

    @classmethod
    def _fitted(
        cls,
        settings: Mapping[str, Any],
        measured: Sequence[tuple[Sequence[tuple[Layer, float]], float]],
    ) -> LatencyTable:
        seen: dict[str, list[float]] = {}
        kinds: dict[str, list[tuple[float, float, float]]] = {}
        for layers, _ in measured:
            for layer, spent in layers:
                seen.setdefault(cls.key(layer), []).append(spent)
                size = float(np.prod(layer.outputs))
                kinds.setdefault(layer.kind, []).append((layer.macs / 1e6, size / 1e6, spent))
        entries = {key: median(times) for key, times in seen.items()}
        rest, count = [], []
        for layers, whole in measured:
            rest.append(whole - sum(entries[cls.key(layer)] for layer, _ in layers))
            count.append(float(len(layers)))
        each, base = _line(count, rest)
        rates = {kind: _rates(told) for kind, told in kinds.items()}
        return cls(dict(settings), entries, rates, base, each)

    def predict(self, layers: Sequence[Layer]) -> float:
        """Predicts milliseconds.

        Args:
            layers: Of a network, as `Space.layers` lists them.
        """
        total = self.base + self.each * len(layers)
        for layer in layers:
            known = self.entries.get(self.key(layer))
            if known is None:
                products, outputs = self.kinds.get(layer.kind, (0.0, 0.0))
                size = float(np.prod(layer.outputs))
                known = (products * layer.macs + outputs * size) / 1e6
            total += known
        return max(total, 0.0)

    def save(self, path: Path) -> None:
        """Writes the table.

        Args:
            path: A file of JSON.

        Raises:
            OutputError: Where it cannot be written.
        """
        with writing(path):
            path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path, settings: Mapping[str, Any]) -> LatencyTable:
        """Reads a table.

        Args:
            path: As for `save`.
            settings: What it has to be of.

        Raises:
            UsageError: Where it is no such table, or was measured for something else.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            table = cls(**{**told, "kinds": {k: (a, b) for k, (a, b) in told["kinds"].items()}})
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise UsageError(
                f"{path} is no table of latencies: {error}.", "Remove it, to measure it anew."
            ) from None
        if table.settings != dict(settings):
            raise UsageError(
                f"{path} was measured for {table.settings}, not for {dict(settings)}.",
                "Name another file.",
            )
        return table


def time_layers(
    network: nn.Module, inputs: Sequence[Tensor], clock: Callable[[], float] = time.thread_time
) -> list[tuple[Layer, float]]:
    """Times the layers of a network while it computes.

    Args:
        network: The network, on the CPU.
        inputs: A batch of what it takes.
        clock: Seconds.

    Returns:
        Every layer, in the order in which they compute, and the median of its milliseconds.
    """
    layers = layers_of(network, inputs)
    spent: list[list[float]] = []
    began: dict[nn.Module, float] = {}

    def start(module: nn.Module, given: object) -> None:
        began[module] = clock()

    def end(module: nn.Module, given: object, result: object) -> None:
        spent[-1].append(clock() - began[module])

    # As `layers_of` lists them; a module of several layers is timed without them.
    timed = [m for m in network.modules() if not any(True for _ in m.children())]
    handles = [module.register_forward_pre_hook(start) for module in timed]
    handles += [module.register_forward_hook(end) for module in timed]
    network.eval()
    try:
        with torch.inference_mode():
            for _ in range(WARM_UP + LEAST):
                spent.append([])
                network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    times = [1e3 * median(column) for column in zip(*spent[WARM_UP:], strict=True)]
    if len(times) == len(layers):
        return list(zip(layers, times, strict=True))
    # Some layers have layers of their own, whose time is theirs.
    leaves = iter(times)
    whole = {type(m).__name__ for m in network.modules() if any(True for _ in m.children())}
    return [(layer, 0.0 if layer.kind in whole else next(leaves, 0.0)) for layer in layers]


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Slope and intercept of least squares; a mean where there is nothing to tell a slope by."""
    if len(set(x)) < 2:
        return 0.0, float(np.mean(y))
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept)


def _rates(told: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Milliseconds for a million products and outputs, neither below zero."""
    from scipy.optimize import nnls

    rows = np.array(told)
    found, _ = nnls(rows[:, :2], rows[:, 2])
    return float(found[0]), float(found[1])
