"""Importance of variables: how much of a property each decides."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..core.normal_scores import NormalScores
from ..core.seeding import derive_seed
from ..spaces import Space

__all__ = ["importance"]

TREES = 150


def importance(
    space: Space, x: Int[Tensor, "n V"], values: Float[Tensor, " n"], *, seed: int = 0
) -> Float[Tensor, " V"]:
    """Tells the share of each variable in what boosted trees say of a property.

    Trees are fitted to normal scores on one-hot choices; a variable's importance is the mean
    absolute Shapley value of its choices together (TreeSHAP, Lundberg et al., 2020). It says what
    this predictor goes by, not what causes anything.

    Args:
        space: The space.
        x: Labelled architectures.
        values: Their labels.
        seed: Of the trees.

    Returns:
        Shares that sum to 1; all 0 where nothing was learned.

    Example:
        >>> from vitruvius.spaces import space
        >>> graphs = space("nas-bench-graph")
        >>> x = graphs.sample(200, 0)
        >>> shares = importance(graphs, x, x[:, 0].double())
        >>> int(shares.argmax())
        0
    """
    import lightgbm

    width = space.choice_mask.shape[1]
    features = F.one_hot(x, width).flatten(1).numpy().astype(float)
    target = NormalScores(values)(values).double().numpy()
    parameters = {
        "objective": "regression",
        "num_leaves": 15,
        "min_data_in_leaf": max(2, min(8, len(x) // 20)),
        "num_threads": 1,
        "verbosity": -1,
        "deterministic": True,
        "seed": derive_seed(seed, "importance") % 2**31,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(features, target), TREES)
    told = np.asarray(booster.predict(features, pred_contrib=True))[:, :-1]
    each = torch.from_numpy(told).reshape(len(x), -1, width).sum(2).abs().mean(0)
    return each / each.sum().clamp(min=1e-12)
