import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import mean, variance

import pytest
import torch
from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions import (
    FastNondominatedPartitioning,
    NondominatedPartitioning,
)

from vitruvius.bo.acquisition.functions import (
    Acquisition,
    acquisition,
    acquisition_names,
    expected_hypervolume_improvement,
)
from vitruvius.bo.acquisition.inputs import AcquisitionInputs, Bound
from vitruvius.bo.acquisition.pool_model import PoolModel
from vitruvius.bo.measures import hypervolume
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.predictors.posterior import Posterior

SINGLE = ["logei", "lognei", "ucb", "pi", "thompson", "its"]
SEVERAL = ["logehvi", "lognehvi"]
JOINT = [name for name in (*SINGLE, *SEVERAL) if name != "its"]
INF = math.inf


def normal(mean: list[list[float]], covariance: torch.Tensor | None = None) -> Posterior:
    """With given means and covariances; independent with deviation 1 unless said."""
    means = torch.tensor(mean, dtype=torch.float64)
    constant = torch.zeros(len(means), dtype=torch.float64)
    if covariance is None:
        return Posterior(means, torch.ones_like(means), constant, None)
    given = covariance.expand(len(mean), -1, -1)
    variance = given.diagonal(dim1=1, dim2=2)
    return Posterior(means, variance, constant, given)


def pool(*outputs: Posterior, correlated: bool = False) -> PoolModel:
    return PoolModel([each if correlated else replace(each, covariance=None) for each in outputs])


def seen(
    *scores: list[float], feasible: list[bool] | None = None, **kwargs: object
) -> AcquisitionInputs:
    met = torch.ones(len(scores)).bool() if feasible is None else torch.tensor(feasible)
    return AcquisitionInputs(torch.tensor(scores, dtype=torch.float64), met, **kwargs)  # type: ignore[arg-type]


def marginal(name: str, model: PoolModel, now: AcquisitionInputs) -> list[float]:
    function = acquisition(name, objectives=now.objectives)
    return function.marginal(model, model.outputs[0].mean.shape[1], now).tolist()


def joint(
    name: str,
    model: PoolModel,
    now: AcquisitionInputs,
    n: int,
    observed: Sequence[int] = (),
    pending: Sequence[int] = (),
) -> torch.Tensor:
    function = acquisition(name, objectives=now.objectives)
    rows = (torch.tensor(part, dtype=torch.long) for part in (observed, pending))
    return function.joint(model, n, *rows, now)


# -- one objective ------------------------------------------------------------------------------


def test_expected_improvement_is_that_of_the_closed_form() -> None:
    """Of N(-0.5, 1) over 0: phi(-0.5) - 0.5 Phi(-0.5) = 0.19780; of N(0, 1): phi(0) = 0.39894."""
    value = marginal("logei", pool(normal([[-0.5, 0.0]])), seen([0.0], [-1.0]))
    assert [round(math.exp(v), 5) for v in value] == [0.19780, 0.39894]


def test_expected_improvement_averages_over_samples_in_two_ways() -> None:
    """0.39894 under one, 0.08332 under another: the geometric mean, and in turn the arithmetic."""
    model = pool(normal([[0.0], [-1.0]]))
    (steady,) = marginal("logei", model, seen([0.0]))
    (log_mean_exp,) = marginal("logei", model, seen([0.0], [-1.0]))
    assert math.exp(steady) == pytest.approx(math.sqrt(0.39894 * 0.08332), abs=1e-4)
    assert math.exp(log_mean_exp) == pytest.approx((0.39894 + 0.08332) / 2, abs=1e-4)


def test_expected_improvement_is_told_apart_far_below_the_best() -> None:
    value = marginal("logei", pool(normal([[-40.0, -41.0, -42.0]])), seen([0.0]))
    assert all(a > b + 30 for a, b in pairwise(value))
    assert all(math.isfinite(v) for v in value)


def test_upper_bound_is_two_deviations() -> None:
    covariance = torch.diag(torch.tensor([1.0, 4.0], dtype=torch.float64))
    value = marginal("ucb", pool(normal([[1.0, 0.0]], covariance)), seen([0.0]))
    assert value == pytest.approx([3.0, 4.0])


def test_probability_of_improvement_is_that_of_the_closed_form() -> None:
    value = marginal("pi", pool(normal([[-1.0, 0.0, 1.0]])), seen([0.0]))
    assert [round(math.exp(v), 4) for v in value] == [0.1587, 0.5, 0.8413]


def test_independent_thompson_draws_from_the_mixture() -> None:
    model = pool(normal([[-3.0] * 20_000, [3.0] * 20_000]))
    value = marginal("its", model, seen([0.0]))
    assert mean(value) == pytest.approx(0, abs=0.1)
    assert variance(value) == pytest.approx(10, abs=0.2)
    assert value == marginal("its", model, seen([0.0]))
    assert value != marginal("its", model, seen([0.0], seed=1))


def test_thompson_draws_are_joint() -> None:
    """Of two candidates that are the same but for their mean, always the better one is drawn."""
    same = torch.ones(2, 2, dtype=torch.float64)
    model = pool(normal([[0.0, 0.1]], same), correlated=True)
    draws = torch.stack([joint("thompson", model, seen([0.0], seed=s), 2) for s in range(200)])
    assert bool((draws[:, 1] > draws[:, 0]).all())
    assert draws.mean(0).tolist() == pytest.approx([0.0, 0.1], abs=0.2)
    assert draws.std(0).tolist() == pytest.approx([1, 1], abs=0.15)


@pytest.mark.parametrize("name", ["logei", "lognei", "pi", "ucb"])
def test_joint_without_anything_else_is_near_the_marginal(name: str) -> None:
    """But for Monte Carlo: what was observed is certain, and nothing is pending."""
    means = [[-1.0, -0.5, 0.5, 0.0]]
    covariance = torch.eye(4, dtype=torch.float64)
    covariance[3, 3] = 1e-10
    model = pool(normal(means, covariance), correlated=True)
    now = seen([0.0])
    exact = torch.tensor(marginal(name, pool(normal(means, covariance)), now))[:3]
    estimate = joint(name, model, now, 3, [3])
    if name == "pi":
        exact = exact.exp()
    torch.testing.assert_close(estimate, exact.double(), atol=0.15, rtol=0)


@pytest.mark.parametrize("name", ["logei", "lognei", "pi", "ucb"])
def test_pending_points_lower_the_value_of_their_neighbours(name: str) -> None:
    """Candidates 0 and 1 are alike; 2 is pending, and the neighbour of 0; 3 was observed."""
    covariance = torch.eye(4, dtype=torch.float64)
    covariance[0, 2] = covariance[2, 0] = 0.98
    covariance[3, 3] = 1e-6
    model = pool(normal([[0.5, 0.5, 0.5, 0.0]], covariance), correlated=True)
    now = seen([0.0])
    alone = joint(name, model, now, 2, [3])
    beside = joint(name, model, now, 2, [3], pending=[2])
    assert float(alone[0] - alone[1]) == pytest.approx(0, abs=0.1)
    assert float(beside[1] - beside[0]) > 0.05


# -- constraints --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["logei", "ucb", "pi"])
def test_feasibility_is_a_factor(name: str) -> None:
    """A bound at the mean halves the value, one a deviation above it multiplies it by 0.8413."""
    free, bounded = normal([[0.3, 0.3]]), normal([[0.0, -1.0]])
    now = seen([0.0])
    plain = marginal(name, pool(free), now)
    limit = seen([0.0], bounds=(Bound(1, -INF, 0.0),))
    value = marginal(name, pool(free, bounded), limit)
    shares = [math.exp(a - b) for a, b in zip(value, plain, strict=True)]
    assert shares == pytest.approx([0.5, 0.84134], abs=1e-4)


def test_feasibility_between_two_bounds_and_over_settings() -> None:
    """The average over two samples: 0.6827 within a deviation of the mean, 0.0214 off by two."""
    bounded = normal([[0.0], [2.0 + 1.0]])
    now = seen([0.0], feasible=[False], bounds=(Bound(1, -1.0, 1.0),))
    value = marginal("logei", pool(normal([[0.0], [0.0]]), bounded), now)
    assert math.exp(value[0]) == pytest.approx((0.68269 + 0.02272 - 0.00003) / 2, abs=1e-3)


@pytest.mark.parametrize("name", [*SINGLE, *SEVERAL])
def test_while_nothing_is_feasible_feasibility_is_the_value(name: str) -> None:
    several = name in SEVERAL
    objectives = [normal([[5.0, 0.0, -5.0]]) for _ in range(2 if several else 1)]
    bounds = (Bound(len(objectives), 0.0, INF),)
    scores = [[0.0] * len(objectives), [1.0] * len(objectives)]
    now = seen(*scores, feasible=[False, False], bounds=bounds)
    value = marginal(name, pool(*objectives, normal([[-2.0, 0.0, 1.0]])), now)
    assert [round(math.exp(v), 4) for v in value] == [0.0228, 0.5, 0.8413]


@pytest.mark.parametrize("name", ["logei", "pi", "ucb", "logehvi"])
def test_nothing_feasible_by_what_is_counted_alone(name: str) -> None:
    """All that is told may violate a counted constraint, which bounds no output of the model."""
    count = 2 if name in SEVERAL else 1
    now = seen([0.0] * count, [1.0] * count, feasible=[False, False])
    value = marginal(name, pool(*(normal([[0.0, 1.0, 2.0]]) for _ in range(count))), now)
    assert all(math.isfinite(v) for v in value)
    assert value == sorted(value)


@pytest.mark.parametrize("name", JOINT)
@pytest.mark.parametrize("feasible", [True, False])
@pytest.mark.parametrize("pending", [[], [4]])
@pytest.mark.parametrize("edge", [INF, 1e299])
def test_joint_values_regard_constraints(
    name: str, feasible: bool, pending: list[int], edge: float
) -> None:
    """Of equal candidates the one that is surely feasible is worth more than one surely not."""
    count = 2 if name in SEVERAL else 1
    flat = [normal([[0.5] * 6, [0.4] * 6]) for _ in range(count)]
    bounded = normal([[4.0, -4.0, 0.0, 0.0, 0.0, 1.0 if feasible else -1.0]])
    now = seen(
        *[[float(i)] * count for i in range(2)],
        feasible=[feasible, feasible],
        bounds=(Bound(count, 0.0, edge),),
    )
    observed = [5] if pending else [4, 5]
    value = joint(name, pool(*flat, bounded, correlated=True), now, 4, observed, pending)
    assert bool(value.isfinite().all())
    assert value[0] > value[1]


# -- several objectives -------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEVERAL)
def test_nothing_is_compiled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process killed while BoTorch compiled would leave a lock that all others wait for."""

    def compiled(*args: object, **kwargs: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr("botorch.acquisition.multi_objective.logei._load_attempted", False)
    monkeypatch.setattr("torch.utils.cpp_extension.load", compiled)
    model = pool(normal([[0.5] * 3]), normal([[0.5] * 3]), correlated=True)
    assert len(joint(name, model, seen([0.0, 1.0], [1.0, 0.0]), 2, [2])) == 2


FRONTS = {
    2: [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]],
    3: [[0.0, 2.0, 1.0], [1.0, 1.0, 1.0], [2.0, 0.0, 0.5], [0.5, 0.5, 2.0]],
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("deviation", [0.1, 1.0])
def test_hypervolume_improvement_equals_botorch_and_monte_carlo(
    count: int, deviation: float
) -> None:
    front = torch.tensor(FRONTS[count], dtype=torch.float64)
    reference = torch.full((count,), -1.0, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(20, count, generator=generator, dtype=torch.float64) + 0.5
    cells = FastNondominatedPartitioning(ref_point=reference, Y=front).get_hypercell_bounds()
    std = torch.full_like(means, deviation)
    ours = expected_hypervolume_improvement(means, std, *cells)

    outputs = [
        normal([means[:, m].tolist()], deviation**2 * torch.eye(20).double()) for m in range(count)
    ]
    model = pool(*outputs)
    theirs = ExpectedHypervolumeImprovement(
        model, reference.tolist(), NondominatedPartitioning(ref_point=reference, Y=front)
    )(torch.arange(20.0).double()[:, None, None])
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-6)

    for i in range(3):
        posterior = model.posterior(torch.tensor([[float(i)]]).double())
        draws = SobolQMCNormalSampler(torch.Size([512]), seed=i)(posterior)[:, 0]
        volumes = [hypervolume(torch.cat([front, draw[None]]), reference) for draw in draws]
        gain = sum(volumes) / 512 - hypervolume(front, reference)
        assert float(ours[i]) == pytest.approx(gain, rel=0.1, abs=0.01)


def test_hypervolume_improvement_of_a_certain_point_is_the_volume_it_adds() -> None:
    """(1.5, 1.5) adds a square of 0.5 x 0.5 and twice 0.5 x 0 beside it."""
    now = seen(*FRONTS[2])
    outputs = [normal([[1.5, 0.5]], 1e-12 * torch.eye(2).double()) for _ in range(2)]
    value = marginal("logehvi", pool(*outputs), now)
    gain = hypervolume(torch.tensor([*FRONTS[2], [1.5, 1.5]]).double(), now.reference)
    gain -= hypervolume(torch.tensor(FRONTS[2]).double(), now.reference)
    assert math.exp(value[0]) == pytest.approx(gain, rel=1e-4)
    assert value[1] < -100
    assert math.isfinite(value[1])


def test_constraints_on_further_outputs_leave_the_hypervolume_alone() -> None:
    objectives = [normal([[1.0, 1.0]]), normal([[1.0, 1.0]])]
    plain = marginal("logehvi", pool(*objectives), seen(*FRONTS[2]))
    now = seen(*FRONTS[2], bounds=(Bound(2, 0.0, INF),))
    value = marginal("logehvi", pool(*objectives, normal([[0.0, 50.0]])), now)
    assert value == pytest.approx([plain[0] + math.log(0.5), plain[1]])


@pytest.mark.parametrize("name", SEVERAL)
def test_pending_points_lower_the_hypervolume_of_their_neighbours(name: str) -> None:
    covariance = torch.eye(6, dtype=torch.float64)
    covariance[0, 2] = covariance[2, 0] = 0.98
    covariance[3:, 3:] = 1e-6 * torch.eye(3)
    outputs = [
        normal([[2.0, 2.0, 2.0, *[row[m] for row in FRONTS[2]]]], covariance) for m in range(2)
    ]
    model, now = pool(*outputs, correlated=True), seen(*FRONTS[2])
    alone, beside = (joint(name, model, now, 2, [3, 4, 5], p) for p in ([], [2]))
    assert float(alone[0] - alone[1]) == pytest.approx(0, abs=0.15)
    assert float(beside[1] - beside[0]) > 0.2


def test_noisy_hypervolume_improvement_over_what_is_certain_is_improvement() -> None:
    covariance = torch.eye(5, dtype=torch.float64)
    covariance[2:, 2:] = 1e-8 * torch.eye(3)
    outputs = [normal([[2.0, 1.0, *[row[m] for row in FRONTS[2]]]], covariance) for m in range(2)]
    model, now = pool(*outputs, correlated=True), seen(*FRONTS[2])
    noisy, plain = (joint(name, model, now, 2, [2, 3, 4]) for name in ("lognehvi", "logehvi"))
    torch.testing.assert_close(noisy, plain, atol=0.06, rtol=0)


def test_where_the_front_is_uncertain_less_of_an_improvement_is_sure() -> None:
    """Points on the front that may be better than they look leave a candidate less to add."""
    told = []
    for doubt in (1e-8, 1.0):
        covariance = torch.eye(4, dtype=torch.float64) * 1e-8
        covariance[1:, 1:] = doubt * torch.eye(3)
        outputs = [normal([[1.5, *[row[m] for row in FRONTS[2]]]], covariance) for m in range(2)]
        model = pool(*outputs, correlated=True)
        told.append(float(joint("lognehvi", model, seen(*FRONTS[2]), 1, [1, 2, 3])))
    assert told[1] < told[0] - 0.1


# -- names --------------------------------------------------------------------------------------


def test_every_name_makes_its_function() -> None:
    assert acquisition_names() == ["auto", *SINGLE, *SEVERAL]
    for name in SINGLE:
        assert acquisition(name).name == name
    for name in SEVERAL:
        assert acquisition(name, objectives=3).name == name
    assert acquisition().name == "logei"
    assert isinstance(acquisition(objectives=2), Acquisition)


def test_unknown_name_lists_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="logei"):
        acquisition("ei")


@pytest.mark.parametrize(
    ("name", "objectives", "fit"), [("logei", 2, "logehvi, lognehvi"), ("logehvi", 1, "lognei")]
)
def test_wrong_number_of_objectives_lists_what_fits(name: str, objectives: int, fit: str) -> None:
    with pytest.raises(UsageError, match=f"is not for {objectives}") as caught:
        acquisition(name, objectives=objectives)
    assert fit in caught.value.hint
