from .continuous import continuous_scheduler as continuous_scheduler
from .diffusion import GraphDiffusion as GraphDiffusion
from .generator import Generator as Generator, Proposals as Proposals
from .guidance import (
    ClassifierFree as ClassifierFree,
    Gradient as Gradient,
    Guidance as Guidance,
    Resampling as Resampling,
)
from .resolver import generator_for as generator_for, load as load, shipped as shipped
from .schedulers import AbsorbingScheduler as AbsorbingScheduler
from .training import Source as Source, Trainer as Trainer, new_denoiser as new_denoiser
from .uniform import Uniform as Uniform
