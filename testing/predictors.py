"""The contract of a property predictor as a pytest class."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from jaxtyping import Float, Int
from scipy.stats import kendalltau
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import make_generator
from ..encoders.feature_sets import FeatureSets
from ..predictors.predictor import Predictor
from ..spaces import Space, space

__all__ = ["PredictorContract"]

LABELS, HELD_OUT = 100, 400
# What a hundred labels of a property that is nearly a sum over the choices must give.
LEAST_TAU = 0.7

Make = Callable[[int], Predictor]


class PredictorContract:
    """What every `Predictor` must keep; inherit it and give the fixture ``make``.

    Labels are the parameters of NAS-Bench-201, with a little noise, since these are to be had for
    every architecture.

    Example:
        >>> from vitruvius.predictors import Boosting
        >>> from vitruvius.spaces import space
        >>> class TestMyPredictor(PredictorContract):
        ...     @pytest.fixture(scope="class")
        ...     @classmethod
        ...     def make(cls) -> Callable[[int], Predictor]:
        ...         return lambda seed: Boosting(space("nasbench201"), seed=seed)
    """

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Make:
        """Makes the unfitted predictor of a seed, for NAS-Bench-201."""
        raise NotImplementedError("Give a fixture `make`.")

    @pytest.fixture(scope="class")
    @classmethod
    def cells(cls) -> Space:
        """The space of the labels."""
        return space("nasbench201")

    @pytest.fixture(scope="class")
    @classmethod
    def x(cls, cells: Space) -> Int[Tensor, "n V"]:
        """Labelled architectures, then held-out ones."""
        rows = cells.enumerate()
        order = torch.randperm(len(rows), generator=make_generator(0))
        return rows[order[: LABELS + HELD_OUT]]

    @pytest.fixture(scope="class")
    @classmethod
    def y(cls, cells: Space, x: Int[Tensor, "n V"]) -> Float[Tensor, " n"]:
        """Labels."""
        noise = torch.randn(len(x), generator=make_generator(1), dtype=torch.float64)
        return cells.statistics(x)["params"] + 2e4 * noise

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]) -> Predictor:
        """Fitted to the labels."""
        return make(0).fit(x[:LABELS], y[:LABELS])

    # -- form -----------------------------------------------------------------------------------

    def test_has_a_name(self, fitted: Predictor) -> None:
        assert fitted.name

    @pytest.mark.parametrize("size", [1, 7])
    def test_one_mean_and_deviation_a_row(
        self, fitted: Predictor, x: Int[Tensor, "n V"], size: int
    ) -> None:
        for mean, std in (fitted.predict(x[:size]), fitted.predict_scores(x[:size])):
            assert mean.shape == std.shape == (size,)
            assert mean.isfinite().all()
            assert std.isfinite().all()
            assert (std > 0).all()

    def test_rows_are_predicted_alone(self, fitted: Predictor, x: Int[Tensor, "n V"]) -> None:
        together = fitted.predict_scores(x[:8])
        for i in range(8):
            alone = fitted.predict_scores(x[i : i + 1])
            for a, b in zip(alone, together, strict=True):
                torch.testing.assert_close(a[0], b[i], rtol=1e-4, atol=1e-4)

    def test_inputs_are_left_alone(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        rows, labels = x[:20].clone(), y[:20].clone()
        make(0).fit(rows, labels).predict(rows)
        assert torch.equal(rows, x[:20])
        assert torch.equal(labels, y[:20])

    def test_fits_again(
        self, make: Make, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        predictor = make(0).fit(x[100:130], -y[100:130])
        again = predictor.fit(x[:LABELS], y[:LABELS])
        assert again is predictor
        expected, _ = fitted.predict_scores(x[-50:])
        torch.testing.assert_close(again.predict_scores(x[-50:])[0], expected)

    # -- posterior ------------------------------------------------------------------------------

    def test_predictions_are_the_moments_of_the_posterior(
        self, fitted: Predictor, x: Int[Tensor, "n V"]
    ) -> None:
        posterior = fitted.posterior(x[-9:])
        assert posterior.mean.shape == posterior.variance.shape == (posterior.num_samples, 9)
        assert posterior.noise.shape == (posterior.num_samples,)
        assert posterior.covariance is None
        for ours, theirs in zip(
            posterior.moments(observation_noise=True), fitted.predict_scores(x[-9:]), strict=True
        ):
            torch.testing.assert_close(ours, theirs)

    def test_the_covariance_is_of_the_same_posterior(
        self, fitted: Predictor, x: Int[Tensor, "n V"]
    ) -> None:
        alone, joint = fitted.posterior(x[-9:]), fitted.posterior(x[-9:], joint=True)
        assert joint.covariance is not None
        torch.testing.assert_close(joint.mean, alone.mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(joint.variance, alone.variance, atol=1e-4, rtol=1e-3)
        diagonal = joint.covariance.diagonal(dim1=1, dim2=2)
        torch.testing.assert_close(joint.variance, diagonal)
        torch.testing.assert_close(joint.covariance, joint.covariance.transpose(1, 2))
        assert float(torch.linalg.eigvalsh(joint.covariance).min()) > -1e-4

    def test_it_takes_what_is_encoded_already(
        self, make: Make, cells: Space, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        data = FeatureSets(cells, ("one-hot", "counts"))(x[:40])
        mean, std = make(0).fit(data[:30], y[:30]).predict(data[30:])
        assert mean.shape == std.shape == (10,)
        assert kendalltau(mean.numpy(), y[30:40].numpy()).statistic > 0

    def test_two_scores_do_for_a_search(self, make: Make, x: Int[Tensor, "n V"]) -> None:
        z = torch.tensor([-0.67, 0.67], dtype=torch.float64)
        mean, std = make(0).fit_scores(x[:2], z).posterior(x[:5]).moments()
        assert mean.isfinite().all()
        assert (std > 0).all()

    def test_a_first_look_is_under_no_more_samples(
        self, fitted: Predictor, x: Int[Tensor, "n V"]
    ) -> None:
        few, many = fitted.thinned().posterior(x[:3]), fitted.posterior(x[:3])
        assert few.num_samples <= many.num_samples

    def test_capabilities_are_kept(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        z, fidelity = (y[:20] - y[:20].mean()) / y[:20].std(), torch.arange(20) % 2
        model = make(0).fit_scores(x[:20], z, fidelity)
        if model.learns_fidelities:
            correlation = model.fidelity_correlation(x[:5])
            assert bool(((correlation >= 0) & (correlation <= 1)).all())
        else:
            with pytest.raises(UsageError, match="fidelities"):
                model.fidelity_correlation(x[:5])

    # -- randomness -----------------------------------------------------------------------------

    def test_seeds_repeat_and_the_global_state_is_left_alone(
        self, make: Make, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        again = make(0).fit(x[:LABELS], y[:LABELS])
        for a, b in zip(again.predict(x), fitted.predict(x), strict=True):
            assert torch.equal(a, b)
        assert torch.equal(torch.get_rng_state(), before)

    # -- units ----------------------------------------------------------------------------------

    def test_units_do_not_matter(
        self, make: Make, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        scaled = make(0).fit(x[:LABELS], 1e6 * y[:LABELS] - 3e8)
        mean, std = fitted.predict(x[-50:])
        ours, ours_std = scaled.predict(x[-50:])
        torch.testing.assert_close(ours, 1e6 * mean - 3e8)
        torch.testing.assert_close(ours_std, 1e6 * std)
        low, high = float(y.quantile(0.3)), float(y.quantile(0.8))
        torch.testing.assert_close(
            scaled.log_probability(x[-50:], 1e6 * low - 3e8, 1e6 * high - 3e8),
            fitted.log_probability(x[-50:], low, high),
            rtol=1e-4,
            atol=1e-4,
        )

    def test_scores_are_of_ranks(
        self, make: Make, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        curved = make(0).fit(x[:LABELS], (y[:LABELS] / 1e5).exp())
        for a, b in zip(
            curved.predict_scores(x[-50:]), fitted.predict_scores(x[-50:]), strict=True
        ):
            torch.testing.assert_close(a, b)

    # -- what it learns -------------------------------------------------------------------------

    def test_ranks_what_can_be_learnt(
        self, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        mean, _ = fitted.predict(x[LABELS:])
        assert kendalltau(mean.numpy(), y[LABELS:].numpy()).statistic > LEAST_TAU
        # Better than the constant that is best of all.
        constant = (y[LABELS:] - y[LABELS:].mean()).square().mean()
        assert (mean - y[LABELS:]).square().mean() < 0.5 * constant

    def test_deviations_cover_the_truth(
        self, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        mean, std = fitted.predict_scores(x[LABELS:])
        error = (fitted.scores(y[LABELS:]) - mean).abs() / std
        # A Gaussian has 68 % and 95 %.
        assert 0.5 < float((error < 1).double().mean()) < 0.99
        assert float((error < 2).double().mean()) > 0.8

    # -- probabilities --------------------------------------------------------------------------

    def test_log_probability_is_that_of_draws(
        self, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        low, high = float(y.quantile(0.3)), float(y.quantile(0.8))
        rows = x[-20:]
        mean, std = fitted.predict_scores(rows)
        draws = torch.randn(20_000, len(rows), generator=make_generator(2), dtype=torch.float64)
        values = fitted.scores.inverse((mean + std * draws).flatten()).view_as(draws)
        hit = ((values >= low) & (values <= high)).double().mean(0)
        assert (fitted.log_probability(rows, low, high).exp() - hit).abs().max() < 0.02

    def test_log_probabilities_are_finite_and_not_positive(
        self, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        top, middle = float(y.max()), float(y.median())
        for low, high in [
            (-math.inf, math.inf),
            (middle, math.inf),
            (-math.inf, middle),
            (100 * top, math.inf),
            (-math.inf, -100 * top),
            (middle, middle),
            (middle, middle * (1 + 1e-9)),
            (1e200, 1e201),
        ]:
            value = fitted.log_probability(x[-50:], low, high)
            assert value.shape == (50,)
            assert value.isfinite().all(), (low, high)
            assert (value <= 0).all()

    def test_wider_intervals_are_likelier(
        self, fitted: Predictor, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        middle, width = float(y.median()), float(y.std())
        values = [
            fitted.log_probability(x[-50:], middle - k * width, middle + k * width)
            for k in (0.01, 0.1, 1.0, 10.0)
        ]
        for narrow, wide in pairwise(values):
            assert (narrow < wide).all()

    # -- errors and edges -----------------------------------------------------------------------

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_labels_that_are_not_finite(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"], bad: float
    ) -> None:
        labels = y[:10].clone()
        labels[3] = bad
        with pytest.raises(UsageError, match="finite labels"):
            make(0).fit(x[:10], labels)

    @pytest.mark.parametrize("size", [0, 2])
    def test_too_few_labels(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"], size: int
    ) -> None:
        with pytest.raises(UsageError, match="at least 3"):
            make(0).fit(x[:size], y[:size])

    def test_as_many_labels_as_architectures(
        self,
        make: Make,
        x: Int[Tensor, "n V"],
        y: Float[Tensor, " n"],
        pytestconfig: pytest.Config,
    ) -> None:
        if pytestconfig.getoption("shapes", False):
            pytest.skip("the shapes are refused before the predictor counts")
        with pytest.raises(UsageError, match="got 9 for 10"):
            make(0).fit(x[:10], y[:9])

    def test_three_labels_do(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        fitted = make(0).fit(x[:3], y[:3])
        _, std = fitted.predict(x[:10])
        assert std.isfinite().all()
        assert fitted.log_probability(x[:10], float(y.median()), math.inf).isfinite().all()

    def test_constant_labels(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        fitted = make(0).fit(x[:12], torch.full((12,), 0.9, dtype=torch.float64))
        mean, std = fitted.predict(x[:10])
        assert (mean - 0.9).abs().max() < 0.5
        assert (std > 0).all()
        assert fitted.log_probability(x[:10], 0.5, math.inf).isfinite().all()

    def test_repeated_architectures(
        self, make: Make, x: Int[Tensor, "n V"], y: Float[Tensor, " n"]
    ) -> None:
        """Noisy labels of one architecture are no contradiction."""
        rows = x[:5].repeat(4, 1)
        labels = y[:20]
        mean, std = make(0).fit(rows, labels).predict(x[:5])
        assert mean.isfinite().all()
        assert (std > 0).all()
