"""From a name to a raw data set, of what ships and of installed packages."""

from __future__ import annotations

from ..core.registry import Registry

__all__ = ["DATASETS"]

# A member returns a raw data set. It is called without arguments, or, for a family such as
# `torchvision:CIFAR10`, with what follows the colon; options come by keyword.
DATASETS = Registry(
    "data set",
    "vitruvius.datasets",
    {
        "digits": "datasets.digits:digits",
        "torchvision": "datasets.torchvision_sets:torchvision_set",
        "huggingface": "datasets.hub_sets:hub_set",
        "pyg": "datasets.pyg_sets:pyg_set",
    },
)
