"""Shapley values of pairs of features in boosted trees; those of one LightGBM has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["pair_values"]

# Examples whose leaves are looked at together.
CHUNK = 256


@dataclass(frozen=True)
class _Leaf:
    """A leaf, and what leads to it.

    Args:
        value: What it adds.
        features: Those that are asked for on the way.
        low: Of each, values have to be larger,
        high: and at most as large.
        passing: Share of the training examples that go that way where the feature is not known.
    """

    value: float
    features: np.ndarray
    low: np.ndarray
    high: np.ndarray
    passing: np.ndarray


def pair_values(
    booster: Any, features: np.ndarray, pairs: Sequence[tuple[int, int]] | None = None
) -> Mapping[tuple[int, int], np.ndarray]:
    """Computes what each pair of features adds beyond the two alone (their interaction index).

    A feature that is not known lets examples pass to both sides of a split, in the shares of the
    training (TreeSHAP, Lundberg et al., 2020).

    Args:
        booster: Of LightGBM, with splits on numbers.
        features: ``[B, F]``.
        pairs: Which pairs; by default all that stand on a way to a leaf.

    Returns:
        ``[B]`` by pair, the smaller number first; pairs that no leaf asks for are left out.
    """
    wanted = None if pairs is None else {tuple(sorted(pair)) for pair in pairs}
    values: dict[tuple[int, int], np.ndarray] = {}
    for leaf in _leaves(booster):
        for start, inside, product, nodes in _products(leaf, features):
            stop = start + len(inside)
            for i in range(len(leaf.features)):
                for j in range(i):
                    pair = tuple(sorted((int(leaf.features[i]), int(leaf.features[j]))))
                    if wanted is not None and pair not in wanted:
                        continue
                    gain = (inside[:, i] - leaf.passing[i]) * (inside[:, j] - leaf.passing[j])
                    mean = np.einsum("bt,t->b", _without(product, (i, j)), nodes)
                    total = values.setdefault((pair[0], pair[1]), np.zeros(len(features)))
                    total[start:stop] += leaf.value * gain * mean
    return values


def _products(leaf: _Leaf, features: np.ndarray) -> Any:
    """Chunks: whether each feature leads on, and what it is worth along the diagonal.

    A leaf is a product over its features, each known with the same chance ``t``: its multilinear
    extension. Shapley values are the mean over ``t`` of the derivatives (Owen, 1972), and exact by
    Gauss and Legendre, for they are polynomials.
    """
    depth = len(leaf.features)
    nodes, weights = np.polynomial.legendre.leggauss(depth // 2 + 1)
    t, weights = (nodes + 1) / 2, weights / 2
    for start in range(0, len(features), CHUNK):
        asked = features[start : start + CHUNK][:, leaf.features]
        inside = ((asked > leaf.low) & (asked <= leaf.high)).astype(float)
        product = t * inside[..., None] + (1 - t) * leaf.passing[:, None]
        yield start, inside, product, weights


def _without(product: np.ndarray, left: Sequence[int]) -> np.ndarray:
    others = [i for i in range(product.shape[1]) if i not in left]
    result: np.ndarray = product[:, others].prod(1)
    return result


def _leaves(booster: Any) -> list[_Leaf]:
    found: list[_Leaf] = []
    for tree in booster.dump_model()["tree_info"]:
        _walk(tree["tree_structure"], {}, found)
    return found


def _walk(
    node: Mapping[str, Any],
    way: Mapping[int, tuple[float, float, float]],
    found: list[_Leaf],
) -> None:
    if "leaf_value" in node:
        features = np.array(list(way), dtype=int)
        low, high, passing = (np.array([entry[k] for entry in way.values()]) for k in range(3))
        if len(features):
            found.append(_Leaf(node["leaf_value"], features, low, high, passing))
        return
    feature, threshold = node["split_feature"], node["threshold"]
    least, most, share = way.get(feature, (-np.inf, np.inf, 1.0))
    whole = _count(node)
    for side in ("left_child", "right_child"):
        child, left = node[side], side == "left_child"
        bounds = (least, min(most, threshold)) if left else (max(least, threshold), most)
        _walk(child, {**way, feature: (*bounds, share * _count(child) / whole)}, found)


def _count(node: Mapping[str, Any]) -> float:
    return float(node.get("internal_count", node.get("leaf_count", 1)) or 1)
