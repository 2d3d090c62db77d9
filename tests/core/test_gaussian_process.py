import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from vitruvius.core.gaussian_process import FLAT, condition, factorise


def matrix(n: int = 6) -> torch.Tensor:
    root = torch.randn(n, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return root @ root.T


def test_the_factor_is_of_the_kernel_with_noise() -> None:
    """What lies above the diagonal is not read."""
    noise = torch.tensor([0.5, 2.0], dtype=torch.float64)
    kernels = matrix().tril().expand(2, -1, -1).clone()
    factor = factorise(kernels, noise)
    expected = matrix() + noise[:, None, None] * torch.eye(6)
    torch.testing.assert_close(factor @ factor.transpose(1, 2), expected)


def test_weights_of_a_mean_function_are_the_most_probable() -> None:
    """Given the labels, as numpy has them from the density of both together."""
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(6, generator=generator, dtype=torch.float64)
    root, basis = (
        torch.randn(6, size, generator=generator, dtype=torch.float64) for size in (6, 2)
    )
    covariance = root @ root.T + torch.eye(6)
    prior = ((0.3, 0.5), (-1.0, 2.0))
    expected, variance = np.array(prior).T
    h, inverse = basis.numpy(), np.linalg.inv(covariance.numpy())
    curvature = h.T @ inverse @ h + np.diag(1 / variance)
    best = np.linalg.solve(curvature, h.T @ inverse @ z.numpy() + expected / variance)
    factor = torch.linalg.cholesky(covariance)[None]
    ours = condition(factor, z, basis, prior)
    np.testing.assert_allclose(ours.weight[0].numpy(), best)
    gap = z.numpy() - h @ best
    np.testing.assert_allclose(ours.alpha[0].numpy(), inverse @ gap)
    quadratic = gap @ inverse @ gap + ((best - expected) ** 2 / variance).sum()
    density = -0.5 * (quadratic + np.linalg.slogdet(covariance.numpy())[1])
    assert float(ours.log_likelihood[0]) == pytest.approx(density)


def test_the_scale_and_a_constant_of_which_nothing_is_known_are_the_likeliest() -> None:
    """No other mean and scale have a higher density."""
    covariance = matrix() + torch.eye(6)
    z = torch.arange(6, dtype=torch.float64)
    ours = condition(torch.linalg.cholesky(covariance)[None], z, torch.ones(6, 1).double(), [FLAT])
    mean, scale = float(ours.weight[0, 0]), float(ours.amplitude[0])

    def density(mean: float, scale: float) -> float:
        covariances = scale * covariance.numpy()
        return float(multivariate_normal(np.full(6, mean), covariances).logpdf(z.numpy()))

    best = density(mean, scale)
    for other in (
        (mean + 0.1, scale),
        (mean - 0.1, scale),
        (mean, 1.1 * scale),
        (mean, 0.9 * scale),
    ):
        assert density(*other) < best
    # Up to what all kernels share.
    shared = -3 * (1 + np.log(2 * np.pi))
    assert float(ours.scaled_log_likelihood[0]) + shared == pytest.approx(best)
