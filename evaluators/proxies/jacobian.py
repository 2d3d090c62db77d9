"""Proxies of how differently a network answers to different inputs, by its gradients."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .probe import Probe, ProxyValue, gradients

__all__ = ["EPENAS", "Jacov"]

SMALL = 1e-5
# Classes from which on those of EPE-NAS are compared in pairs.
MANY = 100


class Jacov:
    """How little inputs' gradients are alike (Mellor et al., 2020; Abdelfattah et al., 2021)."""

    def __call__(self, probe: Probe) -> ProxyValue:
        values = torch.linalg.eigvalsh(_correlation(_rows(probe))) + SMALL
        return ProxyValue(-float((values.log() + 1 / values).sum()))


class EPENAS:
    """The same within each class of examples (Lopes et al., EPE-NAS, 2021)."""

    def __call__(self, probe: Probe) -> ProxyValue:
        rows, targets = _rows(probe), probe.batches[0].targets
        classes = targets.unique() if not targets.is_floating_point() else targets.new_zeros(0)
        told = {
            str(int(each)): _likeness(rows, targets == each)
            for each in classes
            if int((targets == each).sum()) > 1
        }
        values = torch.tensor(list(told.values()), dtype=torch.float64)
        if len(values) <= MANY:
            return ProxyValue(float(values.abs().sum()), told)
        apart = (values[:, None] - values).abs().sum() / (len(values) * (len(values) - 1))
        return ProxyValue(float(apart), told)


def _rows(probe: Probe) -> Float[Tensor, "B D"]:
    """The gradient of all outputs together by each input that has a target."""
    network = probe.copy()
    first, *others = probe.inputs
    first = first.clone().requires_grad_()
    [found] = gradients(network(first, *others).sum(), [first])
    rows = probe.batches[0].rows
    return (found if rows is None else found[rows]).flatten(1)


def _correlation(rows: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    found = torch.atleast_2d(torch.corrcoef(rows.double()))
    # Of a row that does not vary at all, there is none.
    return found.nan_to_num(0.0)


def _likeness(rows: Float[Tensor, "B D"], which: Bool[Tensor, " B"]) -> float:
    return float((_correlation(rows[which]).abs() + SMALL).log().sum())
