from .average import Average as Average
from .boosting import Boosting as Boosting
from .comparator import Comparator as Comparator
from .conformal import Conformal as Conformal
from .deep_kernel import DeepKernel as DeepKernel
from .ensemble import Ensemble as Ensemble
from .gaussian_process import GaussianProcess as GaussianProcess
from .goal import Goal as Goal
from .graph_network import GraphNetwork as GraphNetwork
from .held_out import HeldOut as HeldOut, held_out as held_out
from .importance import importance as importance
from .latent import Latent as Latent
from .mixer import Mixer as Mixer
from .mixture import Mixture as Mixture
from .nao import NAO as NAO, SemiNAS as SemiNAS
from .posterior import Posterior as Posterior
from .predictor import Predictor as Predictor
from .pretrained import Pretrained as Pretrained
from .resolver import (
    cross_validate as cross_validate,
    fit_predictor as fit_predictor,
    new_predictor as new_predictor,
    predictor_names as predictor_names,
)
from .ridge import Ridge as Ridge
