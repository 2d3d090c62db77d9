"""Shapley values of pairs against the definition."""

import itertools

import lightgbm
import numpy as np
import pytest

from vitruvius.predictors.shapley import pair_values


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.concatenate([(random.random((300, 6)) < 0.5), random.normal(size=(300, 2))], 1)


@pytest.fixture(scope="module")
def booster(data: np.ndarray) -> lightgbm.Booster:
    target = 2 * data[:, 0] - data[:, 6] + 3 * data[:, 2] * data[:, 3]
    options = {"num_leaves": 15, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    return lightgbm.train(options, lightgbm.Dataset(data, target), 20)


def test_pairs_by_definition(data: np.ndarray) -> None:
    """One small tree, whose games are played out."""
    target = data[:, 0] + 2 * data[:, 1] * data[:, 2] - data[:, 0] * data[:, 2]
    options = {"num_leaves": 6, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train({**options, "learning_rate": 1.0}, lightgbm.Dataset(data, target), 1)
    tree = booster.dump_model()["tree_info"][0]["tree_structure"]

    def expected(node: dict, row: np.ndarray, known: frozenset[int]) -> float:
        if "leaf_value" in node:
            return node["leaf_value"]
        left, right = node["left_child"], node["right_child"]
        if node["split_feature"] in known:
            side = left if row[node["split_feature"]] <= node["threshold"] else right
            return expected(side, row, known)
        counts = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
        values = [expected(child, row, known) for child in (left, right)]
        return float(np.average(values, weights=counts))

    row, features = data[0], range(3)
    found = pair_values(booster, data[:1])
    for i, j in itertools.combinations(features, 2):
        [k] = set(features) - {i, j}
        total = 0.0
        for others in ((), (k,)):

            def game(*more: int, others: tuple[int, ...] = others) -> float:
                return expected(tree, row, frozenset(others + more))

            # Of three features, none and one other weigh alike.
            total += (game(i, j) - game(i) - game(j) + game()) / 2
        assert found.get((i, j), np.zeros(1))[0] == pytest.approx(total, abs=1e-9)


def test_a_product_is_of_the_pair(booster: lightgbm.Booster, data: np.ndarray) -> None:
    values = pair_values(booster, data)
    size = {pair: np.abs(column).mean() for pair, column in values.items()}
    assert max(size, key=size.__getitem__) == (2, 3)
    [only] = pair_values(booster, data, [(3, 2)]).items()
    np.testing.assert_array_equal(only[1], values[2, 3])
