"""Search methods: what a Bayesian search has to beat, and the choice among all by name."""

from __future__ import annotations

from .bananas import Bananas
from .boosting import BoostingSearch
from .evolution import RegularizedEvolution
from .gp_wl import WeisfeilerLehmanSearch
from .local_search import LocalSearch
from .nao import NAOSearch
from .nsga2 import NSGA2
from .random import RandomSearch
from .resolver import method, names

__all__ = [
    "NSGA2",
    "Bananas",
    "BoostingSearch",
    "LocalSearch",
    "NAOSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "WeisfeilerLehmanSearch",
    "method",
    "names",
]
