from .continuous import continuous_scheduler as continuous_scheduler
from .diffusion import GraphDiffusion as GraphDiffusion
from .generator import Generator as Generator
from .generator import Proposals as Proposals
from .guidance import (
    ClassifierFree as ClassifierFree,
)
from .guidance import (
    Gradient as Gradient,
)
from .guidance import (
    Guidance as Guidance,
)
from .guidance import (
    Resampling as Resampling,
)
from .resolver import generator_for as generator_for
from .resolver import load as load
from .resolver import shipped as shipped
from .schedulers import AbsorbingScheduler as AbsorbingScheduler
from .training import Source as Source
from .training import Trainer as Trainer
from .training import new_denoiser as new_denoiser
from .uniform import Uniform as Uniform
