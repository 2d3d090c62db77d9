from functools import cache

import pytest
import torch
from hypothesis import given, settings, strategies as st

from vitruvius.core.errors import UnknownNameError
from vitruvius.encoders.feature_sets import FEATURE_SETS, Features, FeatureSets
from vitruvius.spaces import space

SPACES = [
    "nasbench201",
    "nasbench101",
    "nas-bench-graph",
    pytest.param("mobilenetv3", marks=pytest.mark.slow),
    "toy_recipe.yaml",
]


@cache
def encoder_of(name: str) -> FeatureSets:
    return FeatureSets(space(name), FEATURE_SETS)


@pytest.mark.parametrize("name", SPACES)
def test_two_draws_are_at_mean_squared_distance_1(name: str) -> None:
    """On draws that nothing was scaled by."""
    encode = encoder_of(name)
    a, b = (encode(encode.space.sample(500, seed)) for seed in (1, 2))
    for view, left, right in zip(encode.names, a.features, b.features, strict=True):
        # Rare paths of the reference are rarer elsewhere.
        assert float((left - right).square().sum(1).mean()) == pytest.approx(1, abs=0.2), view


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(["nasbench201", "nasbench101", "nas-bench-graph"]), seed=st.integers(0))
def test_isomorphic_architectures_look_the_same(name: str, seed: int) -> None:
    encode = encoder_of(name)
    x = encode.space.sample(50, seed % 2**31)
    other = encode.space.shuffle(x, (seed + 1) % 2**31)
    for left, right in zip(encode(x).features, encode(other).features, strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("nasbench201", FEATURE_SETS),
        ("nasbench101", tuple(name for name in FEATURE_SETS if name != "computed path")),
        ("mobilenetv3", ("one-hot", "neighbours", "weisfeiler-lehman", "counts", "depth")),
        ("toy_recipe.yaml", ("one-hot", "neighbours", "weisfeiler-lehman")),
    ],
)
def test_views_that_a_space_does_not_have_are_left_out(name: str, there: tuple[str, ...]) -> None:
    assert encoder_of(name).names == there


def test_counts_are_ordered_as_what_they_count() -> None:
    cells = space("nasbench201")
    x = cells.sample(50, 0)
    counted = cells.statistics(x)
    encoded = dict(
        zip(encoder_of("nasbench201").names, encoder_of("nasbench201")(x).features, strict=True)
    )
    assert encoded["counts"].shape == (50, 2)
    assert torch.equal(
        encoded["depth"][:, 0].argsort(stable=True), counted["depth"].argsort(stable=True)
    )
    order = counted["params"].argsort(stable=True)
    assert bool((encoded["counts"][order, 1].diff() >= 0).all())


def test_unknown_view_names_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="computed path") as caught:
        FeatureSets(space("nasbench201"), ("one-hot", "computed-path"))
    assert "computed-path" in str(caught.value)


def test_rows_can_be_chosen_and_joined() -> None:
    encode = FeatureSets(space("nasbench201"))
    whole = encode(encode.space.sample(10, 0))
    again = whole[:4].join(whole[torch.arange(4, 10)])
    assert isinstance(again, Features)
    assert len(again) == 10
    assert torch.equal(again.x, whole.x)
    for left, right in zip(again.features, whole.features, strict=True):
        assert torch.equal(left, right)
