from collections.abc import Callable

import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.core.normal_scores import NormalScores
from vitruvius.encoders.feature_sets import Features, FeatureSets, feature_sets_of
from vitruvius.predictors.averaged_gp import AveragedGP
from vitruvius.predictors.transfer_gp import Sources, TransferGP, _misranked
from vitruvius.spaces import space

CELLS = space("nasbench201")


def encode() -> FeatureSets:
    return feature_sets_of(CELLS, ("one-hot", "path", "counts"))


def size(x: torch.Tensor) -> torch.Tensor:
    counts = CELLS.statistics(CELLS.canonical(x))
    return counts["depth"] + counts["params"] / 2e5


SCORES = NormalScores(size(CELLS.enumerate()))


def truth(x: torch.Tensor) -> torch.Tensor:
    """Depth and parameters, as normal scores."""
    return SCORES(size(x))


def wrong(x: torch.Tensor) -> torch.Tensor:
    """A shuffled table: the same for isomorphic architectures, and about nothing."""
    return ((CELLS.hashes(x) % 1009).double() / 1009 - 0.5) * 3


def transfer(
    sources: dict[str, Callable[[torch.Tensor], torch.Tensor]], **options: int
) -> TransferGP:
    def scores(data: Features) -> torch.Tensor:
        return torch.stack([source(data.x) for source in sources.values()], 1)

    return TransferGP(Sources(tuple(sources), scores), **options)


def labels(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    x = CELLS.sample(4 * n, seed).unique(dim=0)
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:n]]
    return x, NormalScores(truth(x))(truth(x))


def test_pairs_out_of_order_are_counted() -> None:
    """Of three labels in order, a task that swaps the last two misranks one pair."""
    z = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    told = torch.tensor([[0.0, 1.0, 2.0], [0.0, 2.0, 1.0], [2.0, 1.0, 0.0]], dtype=torch.float64)
    once = torch.tensor([[0, 1, 2]])
    assert _misranked(told, z, once).tolist() == [[0.0, 1.0, 3.0]]
    assert _misranked(told, z, torch.tensor([[1, 1, 2]])).tolist() == [[0.0, 2.0, 2.0]]


def test_a_source_that_is_right_is_believed() -> None:
    """With eight labels it ranks what the target alone cannot."""
    (x, z), held = labels(8), CELLS.sample(500, 9)
    gp = transfer({"right": truth, "wrong": wrong}).fit(encode()(x), z)
    alone = AveragedGP().fit(encode()(x), z)
    assert gp.weights["right"] > 0.6
    assert sum(gp.weights.values()) == pytest.approx(1)
    taus = [
        kendalltau(model.posterior(encode()(held)).mean.mean(0), truth(held)).statistic
        for model in (gp, alone)
    ]
    assert taus[0] > 0.9
    assert taus[0] > taus[1] + 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_shuffled_table_is_dropped_and_costs_nothing(seed: int) -> None:
    """What is left is the process that knows of no earlier task, to the last bit."""
    (x, z), held = labels(40, seed), CELLS.sample(500, 9)
    gp = transfer({"wrong": wrong}, seed=seed).fit(encode()(x), z)
    assert gp.dropped == ("wrong",)
    assert gp.weights == {"wrong": 0.0}
    alone = AveragedGP(seed=seed).fit(encode()(x), z)
    ours, theirs = gp.posterior(encode()(held)), alone.posterior(encode()(held))
    assert torch.equal(ours.mean, theirs.mean)
    assert torch.equal(ours.variance, theirs.variance)
    assert float(gp.mean_function(encode()(held)).abs().max()) == 0


def test_two_labels_leave_the_order_to_the_source() -> None:
    """They cannot tell much; the mean function goes on saying what earlier tasks say."""
    (x, z), held = labels(2), CELLS.sample(500, 9)
    gp = transfer({"right": truth}).fit(encode()(x), z)
    mean = gp.posterior(encode()(held)).mean.mean(0)
    assert kendalltau(mean, truth(held)).statistic > 0.8


def test_labels_overrule_a_source_where_the_target_departs_from_it() -> None:
    """A source that is right but for one choice; labels of the other side mend it."""

    def biased(x: torch.Tensor) -> torch.Tensor:
        return truth(x) + 2.0 * (CELLS.canonical(x)[:, 5] == 3)

    held, corrected = CELLS.sample(500, 9), []
    for seed in range(4):
        x, z = labels(60, seed)
        gp = transfer({"biased": biased}, seed=seed).fit(encode()(x), z)
        mean = gp.posterior(encode()(held)).mean.mean(0)
        corrected.append(kendalltau(mean, truth(held)).statistic)
    uncorrected = kendalltau(biased(held), truth(held)).statistic
    assert min(corrected) > uncorrected
    assert sum(corrected) / 4 > uncorrected + 0.05


def test_two_sources_that_know_a_part_each_tell_the_whole() -> None:
    """One knows depth, one parameters; ten labels say how the target adds them up."""
    held = CELLS.sample(500, 9)
    counts = CELLS.statistics(CELLS.enumerate())
    scores = {name: NormalScores(counts[name].double()) for name in ("depth", "params")}

    def part(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: scores[name](CELLS.statistics(CELLS.canonical(x))[name].double())

    x, z = labels(10)
    gp = transfer({name: part(name) for name in scores}).fit(encode()(x), z)
    assert gp.dropped == ()
    assert min(gp.weights.values()) > 0
    alone = AveragedGP().fit(encode()(x), z)
    taus = [
        kendalltau(model.posterior(encode()(held)).mean.mean(0), truth(held)).statistic
        for model in (gp, alone)
    ]
    assert taus[0] > taus[1]


def test_before_labels_tell_all_sources_count() -> None:
    x, z = labels(2)
    gp = transfer({"right": truth, "other": truth}).fit(encode()(x), z)
    assert gp.dropped == ()
    assert gp.weights == {"right": 0.5, "other": 0.5}


def test_joint_and_thinned_posteriors() -> None:
    x, z = labels(12)
    for n in (1, 16):
        gp = transfer({"right": truth, "wrong": wrong}, num_samples=n).fit(encode()(x), z)
        data = encode()(CELLS.sample(7, 3))
        alone, joint = gp.posterior(data), gp.posterior(data, joint=True)
        assert alone.mean.shape == alone.variance.shape == (n, 7)
        torch.testing.assert_close(alone.mean, joint.mean, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(alone.variance, joint.variance, atol=1e-3, rtol=1e-2)
        assert gp.thinned().posterior(data).num_samples <= 2


def test_the_same_seed_gives_the_same() -> None:
    x, z = labels(12)
    data = encode()(CELLS.sample(7, 3))
    first, again, other = (
        transfer({"right": truth, "wrong": wrong}, seed=seed).fit(encode()(x), z).posterior(data)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.mean, again.mean)
    assert not torch.equal(first.mean, other.mean)


def test_each_label_is_told_from_the_others_and_the_source() -> None:
    """Three labels say little of a fourth; the source, which is right, more."""
    x, z = labels(4)
    gp = transfer({"right": truth}).fit(encode()(x), z)
    alone = AveragedGP().fit(encode()(x), z)
    ours, theirs = (float((p.leave_one_out()[0] - z).abs().mean()) for p in (gp, alone))
    assert ours < 0.6 * theirs
