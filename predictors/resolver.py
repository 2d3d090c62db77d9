"""From a name to a predictor, and the choice among them by cross-validation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from scipy.stats import kendalltau
from torch import Tensor

from ..core.errors import UnknownNameError
from ..core.options import check_options, split_options
from ..core.seeding import derive_seed
from ..spaces import Space
from .average import Average, averaged, mixture
from .boosting import Boosting
from .gaussian_process import GaussianProcess
from .graph_network import GraphNetwork
from .nao import NAO, SemiNAS
from .predictor import Predictor
from .ridge import Ridge

__all__ = ["AUTO", "cross_validate", "fit_predictor", "predictor_names"]

AUTO = "auto"
FOLDS = 3
# With fewer labels than this, a cross-validated tau says less than there is between predictors: the
# average is taken. With more, another has to be better than the average by this much: what errs in
# three ways misleads less at the top, where targets lie.
ENOUGH, MARGIN = 150, 0.01
_SINGLE: tuple[type[Predictor], ...] = (GaussianProcess, Ridge, Boosting, GraphNetwork)
_CLASSES: tuple[type[Predictor], ...] = (*_SINGLE, Average)
# By name alone: three networks a fold would cost `auto` several times what it costs now.
_NAMED: tuple[type[Predictor], ...] = (NAO, SemiNAS)


def predictor_names() -> list[str]:
    """Lists the names `fit_predictor` knows.

    Example:
        >>> predictor_names()
        ['auto', 'gp', 'ridge', 'lightgbm', 'gnn', 'average', 'nao', 'seminas']
    """
    return [AUTO, *(cls.name for cls in (*_CLASSES, *_NAMED))]


def fit_predictor(
    name: str, space: Space, x: Int[Tensor, "n V"], values: Float[Tensor, " n"], *, seed: int = 0
) -> Predictor:
    """Fits the predictor of that name.

    ``auto`` takes the `Average` of a Gaussian process and graph networks, from 150 labels on of
    boosted trees, too; or, from there on, what is better than that by `cross_validate`.

    Args:
        name: One of `predictor_names`; options may follow, as in ``"ridge:views=path+counts"``.
        space: The space.
        x: Labelled architectures.
        values: Their labels.
        seed: Seed of folds and fits.

    Raises:
        UnknownNameError: For another name, or an option that it does not have.
        UsageError: For fewer than three labels, or options that cannot be read.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> fit_predictor("lightgbm", cells, x, cells.statistics(x)["params"]).name
        'lightgbm'
    """
    name, options = split_options(name)
    classes = {cls.name: cls for cls in (*_CLASSES, *_NAMED)}
    if name not in predictor_names():
        raise UnknownNameError.of("predictor", name, predictor_names())
    if name == AUTO:
        name = Average.name
        if len(x) >= ENOUGH:
            scores = cross_validate(space, x, values, seed=seed)
            best = max(scores, key=lambda key: scores[key])
            name = best if scores[best] > scores[name] + MARGIN else name
    check_options(name, options, classes[name])
    if "views" in options:
        options["views"] = tuple(part.strip() for part in str(options["views"]).split("+"))
    return classes[name](space, seed=seed, **options).fit(x, values)


def cross_validate(
    space: Space, x: Int[Tensor, "n V"], values: Float[Tensor, " n"], *, seed: int = 0
) -> Mapping[str, float]:
    """Measures the predictors of ``auto`` by the Kendall tau (b) of their held-out predictions.

    Args:
        space: The space.
        x: Labelled architectures.
        values: Their labels.
        seed: Seed of folds and fits.

    Returns:
        Mean tau over three folds by name; with fewer than nine labels every tau is 0, which leaves
        the choice to the Gaussian process.

    Raises:
        UsageError: For labels that are not finite.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(4, 0)
        >>> dict(cross_validate(cells, x, cells.statistics(x)["params"]))
        {'gp': 0.0, 'ridge': 0.0, 'lightgbm': 0.0, 'gnn': 0.0, 'average': 0.0}
    """
    if len(x) < 3 * FOLDS:
        return {cls.name: 0.0 for cls in _CLASSES}
    order = torch.randperm(
        len(x), generator=torch.Generator().manual_seed(derive_seed(seed, "folds"))
    )
    totals = {cls.name: 0.0 for cls in _CLASSES}
    for fold in range(FOLDS):
        held = torch.zeros(len(x), dtype=torch.bool)
        held[order[fold::FOLDS]] = True
        parts = {
            cls.name: cls(space, seed=seed).fit(x[~held], values[~held]).predict_scores(x[held])
            for cls in _SINGLE
        }
        # The members of the average are the single ones; they need no second fit.
        parts[Average.name] = mixture([parts[cls.name] for cls in averaged(int((~held).sum()))])
        for name, (mean, _) in parts.items():
            tau = kendalltau(mean.numpy(), values[held].numpy()).statistic
            totals[name] += (0.0 if tau != tau else float(tau)) / FOLDS
    return totals
