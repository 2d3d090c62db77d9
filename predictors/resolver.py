"""From a name to a predictor, and the choice among them by cross-validation.

The same names are for labels at once (`fit_predictor`) and for the surrogates of a search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UnknownNameError, UsageError
from ..core.options import check_options, split_options
from ..core.registry import Registry
from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..encoders.view import View, views_of
from ..spaces import Space
from .average import Average, averaged
from .averaged_gp import NUM_SAMPLES
from .posterior import mixture
from .predictor import Predictor

__all__ = [
    "AUTO",
    "PREDICTORS",
    "Choice",
    "cross_validate",
    "fit_predictor",
    "new_predictor",
    "predictor_names",
    "predictors_that",
]

AUTO = "auto"
PREDICTORS = Registry(
    "predictor",
    "vitruvius.predictors",
    {
        "gp": "predictors.gaussian_process:GaussianProcess",
        "ridge": "predictors.ridge:Ridge",
        "lightgbm": "predictors.boosting:Boosting",
        "gnn": "predictors.graph_network:GraphNetwork",
        "average": "predictors.average:Average",
        "ensemble": "predictors.ensemble:Ensemble",
        "deep-kernel": "predictors.deep_kernel:DeepKernel",
        "latent": "predictors.latent:Latent",
        "nao": "predictors.nao:NAO",
        "seminas": "predictors.nao:SemiNAS",
        "comparator": "predictors.comparator:Comparator",
        "pretrained": "predictors.pretrained:Pretrained",
        "mixer": "predictors.mixer:Mixer",
        "conformal": "predictors.conformal:Conformal",
    },
)


@dataclass(frozen=True)
class _Rule:
    """What ``auto`` chooses among, and when it leaves its default for another.

    Three networks a fold (`NAO`), or an encoder that is trained before any label (`Latent`), would
    cost `auto` several times what it costs now; they are had by name alone.
    """

    default: str
    names: tuple[str, ...]
    folds: int
    # With fewer labels a cross-validated tau says less than there is between predictors.
    fewest: int
    # Kendall tau by which another has to be better.
    margin: float


# Of labels drawn at random: what errs in three ways misleads less at the top, where targets lie.
_AT_ONCE = _Rule("average", ("gp", "ridge", "lightgbm", "gnn", "average"), 3, 150, 0.01)
# In a search the Gaussian process alone knows how points depend on each other, and labels are few.
_SEARCH = _Rule("gp", ("gp", "average", "deep-kernel", "ensemble"), 5, 20, 0.03)


def predictor_names() -> list[str]:
    """Lists the names of predictors.

    Example:
        >>> predictor_names()[:6]
        ['auto', 'gp', 'ridge', 'lightgbm', 'gnn', 'average']
        >>> predictor_names()[6:11]
        ['ensemble', 'deep-kernel', 'latent', 'nao', 'seminas']
    """
    return [AUTO, *PREDICTORS.names()]


def predictors_that(capability: str) -> list[str]:
    """Lists the names of the predictors that declare a capability.

    Args:
        capability: A class attribute of `Predictor`, such as ``learns_fidelities``.

    Example:
        >>> predictors_that("learns_fidelities")
        ['gp', 'deep-kernel', 'latent']
    """
    names = PREDICTORS.names()
    return [name for name in names if getattr(PREDICTORS.get(name), capability)]


def new_predictor(
    name: str,
    space: Space,
    *,
    seed: int = 0,
    num_samples: int | None = None,
    views: Sequence[View] = (),
) -> Predictor:
    """Returns the unfitted predictor of a name.

    Args:
        name: One of `predictor_names` but ``auto``; options may follow, as in
            ``"ridge:features=path+counts"``, and views, as in ``"gp:views=[proxy:naswot+snip]"``.
        space: The space.
        seed: Seed of the fit.
        num_samples: Most hyper-parameter samples, for those that average over them.
        views: What evaluators tell of architectures, before those of the name.

    Raises:
        UnknownNameError: For another name, or an option that it does not have.
        UsageError: For options that cannot be read, or one that needs views and has none.

    Example:
        >>> from vitruvius.spaces import space
        >>> new_predictor("lightgbm:members=2", space("nasbench201")).members
        2
    """
    name, options = split_options(name)
    kind: type[Predictor] = PREDICTORS.get(name)
    views = (*views, *views_of(space, options.pop("views", ())))
    check_options(name, options, kind)
    if kind.needs_views and not views:
        raise UsageError(
            f"The predictor {name!r} looks at views alone, and there are none.",
            f"Give some, e.g. {name}:views=[proxy:snip+synflow;nodes=32].",
        )
    if "features" in options:
        options["features"] = tuple(part.strip() for part in str(options["features"]).split("+"))
    if kind.averages and num_samples is not None:
        options.setdefault("num_samples", num_samples)
    made = kind(space, seed=seed, **options)
    made.views = tuple(views)
    return made


def fit_predictor(
    name: str, space: Space, x: Int[Tensor, "n V"], values: Float[Tensor, " n"], *, seed: int = 0
) -> Predictor:
    """Fits the predictor of that name.

    ``auto`` takes the `Average` of a Gaussian process and graph networks, from 150 labels on of
    boosted trees, too; or, from there on, what is better than that by `cross_validate`.

    Args:
        name: One of `predictor_names`; options may follow, as in ``"ridge:features=path+counts"``.
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
    chosen, options = split_options(name)
    views: tuple[View, ...] = ()
    if chosen == AUTO:
        views = views_of(space, options.pop("views", ()))
        if options:
            raise UnknownNameError.of("option of auto", next(iter(options)), ["views"])
        name = _AT_ONCE.default
        if len(x) >= _AT_ONCE.fewest:
            scores = cross_validate(space, x, values, views=views, seed=seed)
            name = _best(scores, _AT_ONCE)
    return new_predictor(name, space, seed=seed, views=views).fit(x, values)


def cross_validate(
    space: Space,
    x: Int[Tensor, "n V"] | Features,
    values: Float[Tensor, " n"],
    *,
    names: tuple[str, ...] = _AT_ONCE.names,
    folds: int = _AT_ONCE.folds,
    num_samples: int | None = None,
    views: Sequence[View] = (),
    seed: int = 0,
) -> Mapping[str, float]:
    """Measures predictors by the Kendall tau (b) of their held-out predictions.

    Args:
        space: The space.
        x: Labelled architectures, or what encodes them.
        values: Their labels.
        names: Of the predictors; by default those that ``auto`` chooses among.
        folds: Number of folds.
        num_samples: As for `new_predictor`.
        views: As for `new_predictor`.
        seed: Seed of folds and fits.

    Returns:
        Mean tau over the folds by name; with fewer than three labels a fold every tau is 0, which
        leaves the choice to the default.

    Raises:
        UsageError: For labels that are not finite.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(4, 0)
        >>> dict(cross_validate(cells, x, cells.statistics(x)["params"]))
        {'gp': 0.0, 'ridge': 0.0, 'lightgbm': 0.0, 'gnn': 0.0, 'average': 0.0}
    """
    from scipy.stats import kendalltau

    totals = dict.fromkeys(names, 0.0)
    if len(x) < 3 * folds:
        return totals
    order = torch.randperm(len(x), generator=make_generator(derive_seed(seed, "folds")))
    for fold in range(folds):
        held = torch.zeros(len(x), dtype=torch.bool)
        held[order[fold::folds]] = True
        fitted: dict[str, Predictor] = {}
        for name in names:
            # The members of the average may be among the others; they need no second fit.
            votes = {kind.name: v for kind, v in averaged(int((~held).sum())).items()}
            if name == Average.name and fitted.keys() >= votes.keys():
                parts = [fitted[member].posterior(x[held]) for member in votes]
                mean = mixture(parts, tuple(votes.values())).moments()[0]
            else:
                made = new_predictor(name, space, seed=seed, num_samples=num_samples, views=views)
                fitted[name] = made.fit(x[~held], values[~held])
                mean = fitted[name].predict_scores(x[held])[0]
            tau = kendalltau(mean.numpy(), values[held].numpy()).statistic
            totals[name] += (0.0 if tau != tau else float(tau)) / folds
    return totals


class Choice:
    """Chooses the predictor of a search by rank correlation on what was seen.

    Five folds of the first 20, 40, 80, … observations, so that the choice is made anew whenever
    their number has doubled, and once for each. The Gaussian process stays unless another's Kendall
    tau is higher by 0.03.

    Args:
        space: The space.
        capability: What it must be able to do, as for `predictors_that`; anything by default.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> Choice(cells)(FeatureSets(cells)(cells.sample(10, 0)), torch.linspace(-1, 1, 10))
        'gp'
    """

    def __init__(self, space: Space, capability: str | None = None) -> None:
        self.space = space
        able = set(predictor_names() if capability is None else predictors_that(capability))
        self.names = tuple(name for name in _SEARCH.names if name in able)
        self._made: dict[bytes, str] = {}

    def __call__(self, data: Features, values: Float[Tensor, " n"]) -> str:
        """Chooses for observations of one metric.

        Args:
            data: What was observed, in order.
            values: In any unit.

        Returns:
            A name for `new_predictor`.
        """
        if len(data) < _SEARCH.fewest:
            return _SEARCH.default
        seen = _SEARCH.fewest
        while 2 * seen <= len(data):
            seen *= 2
        first = slice(0, seen)
        key = data.x[first].numpy().tobytes() + values[first].numpy().tobytes()
        if key not in self._made:
            scores = cross_validate(
                self.space,
                data[first],
                values[first],
                names=self.names,
                folds=_SEARCH.folds,
                num_samples=NUM_SAMPLES,
            )
            self._made[key] = _best(scores, _SEARCH)
        return self._made[key]


def _best(scores: Mapping[str, float], rule: _Rule) -> str:
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > scores[rule.default] + rule.margin else rule.default
