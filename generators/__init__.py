"""Generators: graph diffusion, its guidance and training, and baselines."""

from __future__ import annotations

from .continuous import continuous_scheduler
from .diffusion import GraphDiffusion
from .generator import Generator, Proposals
from .guidance import ClassifierFree, Gradient, Guidance, Resampling
from .resolver import generator_for, load, shipped
from .schedulers import AbsorbingScheduler
from .training import Source, Trainer, new_denoiser
from .uniform import Uniform

__all__ = [
    "AbsorbingScheduler",
    "ClassifierFree",
    "Generator",
    "Gradient",
    "GraphDiffusion",
    "Guidance",
    "Proposals",
    "Resampling",
    "Source",
    "Trainer",
    "Uniform",
    "continuous_scheduler",
    "generator_for",
    "load",
    "new_denoiser",
    "shipped",
]
