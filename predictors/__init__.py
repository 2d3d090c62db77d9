"""Predictors: learned properties with uncertainty, and the value of meeting a target."""

from __future__ import annotations

from .average import Average
from .boosting import Boosting
from .gaussian_process import GaussianProcess
from .goal import Goal
from .graph_network import GraphNetwork
from .nao import NAO, SemiNAS
from .predictor import Predictor
from .resolver import cross_validate, fit_predictor, predictor_names
from .ridge import Ridge

__all__ = [
    "NAO",
    "Average",
    "Boosting",
    "GaussianProcess",
    "Goal",
    "GraphNetwork",
    "Predictor",
    "Ridge",
    "SemiNAS",
    "cross_validate",
    "fit_predictor",
    "predictor_names",
]
