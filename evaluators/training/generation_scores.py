"""Scores of generated images, in the feature space of a network."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..metric import Metric

__all__ = ["GENERATION", "frechet_distance", "generation_scores", "spread"]

_INFINITE = float("inf")
GENERATION = {
    "fid": Metric("fid", "", "lower", (0.0, _INFINITE)),
    "kid": Metric("kid", "", "lower"),
    "inception_score": Metric("inception_score", "", "higher", (1.0, _INFINITE)),
    "precision": Metric("precision", "fraction", "higher", (0.0, 1.0)),
    "recall": Metric("recall", "fraction", "higher", (0.0, 1.0)),
}
# Subsets of the kernel distance, and the images of each at most; parts of the inception score.
SUBSETS, SUBSET, PARTS = 20, 500, 10
# Neighbours that a feature's ball reaches to, and images of which balls are made.
NEIGHBOURS, BALLS = 3, 2_000


class _Given(nn.Module):
    """Passes on features that are computed already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.num_features = features

    def forward(self, features: Tensor) -> Tensor:
        return features


def generation_scores(
    real: Float[Tensor, "N F"], made: Float[Tensor, "M F"], logits: Float[Tensor, "M K"]
) -> dict[str, float]:
    """Scores generated images, by torchmetrics where it has the score.

    ``fid`` is the Fréchet distance of normal distributions fitted to either's features (arXiv
    1706.08500), ``kid`` the kernel distance (arXiv 1801.01401), ``inception_score`` how surely and
    how differently a classifier sees the images (arXiv 1606.03498); ``precision`` is the share of
    generated features among real ones and ``recall`` that of real among generated ones, by balls
    that reach to the third neighbour (arXiv 1904.06991). What torch draws, it draws from its own
    state.

    Args:
        real: Features of real images.
        made: Of generated ones.
        logits: Of the generated ones.

    Example:
        >>> x = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
        >>> told = generation_scores(x[:200], x[200:], x[200:])
        >>> told["fid"] < 0.2, told["precision"] > 0.8, told["recall"] > 0.8
        (True, True, True)
    """
    # Of their modules: the package hides them where Inception is not installed.
    from torchmetrics.image.inception import InceptionScore
    from torchmetrics.image.kid import KernelInceptionDistance

    real, made, logits = real.cpu(), made.cpu(), logits.cpu()
    with warnings.catch_warnings():
        # That all features are kept.
        warnings.simplefilter("ignore")
        kernel = KernelInceptionDistance(
            _Given(real.shape[1]), subsets=SUBSETS, subset_size=min(SUBSET, len(real), len(made))
        )
        kernel.update(real, real=True)
        kernel.update(made, real=False)
        seen = InceptionScore(_Given(logits.shape[1]), splits=min(PARTS, len(logits)))
        seen.update(logits)
    precision, recall = _coverage(real[:BALLS].double(), made[:BALLS].double())
    return {
        "fid": frechet_distance(real, made),
        "kid": float(kernel.compute()[0]),
        "inception_score": float(seen.compute()[0]),
        "precision": precision,
        "recall": recall,
    }


def frechet_distance(real: Float[Tensor, "N F"], made: Float[Tensor, "M F"]) -> float:
    """Returns the Fréchet distance of the normal distributions fitted to two sets of features.

    Its bias falls with the number of images (arXiv 1911.07023), so that only distances of equal
    counts can be compared.

    Args:
        real: One set.
        made: The other.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    distance = FrechetInceptionDistance(_Given(real.shape[1]))
    distance.update(real.cpu(), real=True)
    distance.update(made.cpu(), real=False)
    return max(0.0, float(distance.compute()))


def spread(features: Float[Tensor, "N F"]) -> float:
    """Returns the total variance of features, which is small where all images look alike.

    Args:
        features: Features of images.
    """
    return float(features.double().var(0).sum())


def _coverage(real: Tensor, made: Tensor) -> tuple[float, float]:
    def reach(x: Tensor) -> Tensor:
        return torch.cdist(x, x).kthvalue(min(NEIGHBOURS + 1, len(x)), dim=1).values

    between = torch.cdist(made, real)
    precision = (between <= reach(real)).any(1).double().mean()
    recall = (reach(made) >= between.T).any(1).double().mean()
    return float(precision), float(recall)
