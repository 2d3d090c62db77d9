"""Predictors: learned properties with uncertainty, and the value of meeting a target."""

from __future__ import annotations

from .average import Average
from .boosting import Boosting
from .deep_kernel import DeepKernel
from .ensemble import Ensemble
from .gaussian_process import GaussianProcess
from .goal import Goal
from .graph_network import GraphNetwork
from .latent import Latent
from .mixture import Mixture
from .nao import NAO, SemiNAS
from .posterior import Posterior
from .predictor import Predictor
from .resolver import cross_validate, fit_predictor, new_predictor, predictor_names
from .ridge import Ridge

__all__ = [
    "NAO",
    "Average",
    "Boosting",
    "DeepKernel",
    "Ensemble",
    "GaussianProcess",
    "Goal",
    "GraphNetwork",
    "Latent",
    "Mixture",
    "Posterior",
    "Predictor",
    "Ridge",
    "SemiNAS",
    "cross_validate",
    "fit_predictor",
    "new_predictor",
    "predictor_names",
]
