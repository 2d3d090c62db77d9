"""The linear algebra of exact Gaussian processes, which every process here is computed by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["FLAT", "Conditioned", "condition", "factorise"]

# Mean and variance of the weight of a basis function of which nothing is known in advance.
FLAT = (0.0, float("inf"))


@dataclass(frozen=True)
class Conditioned:
    """What the labels say, under each of ``S`` kernels.

    Args:
        quadratic: ``(z - h w)' K^-1 (z - h w)`` and the same of the weights' prior, ``[S]``.
        log_determinant: Of the covariance of the labels, ``[S]``.
        weight: Most probable weights of the mean function, ``[S, D]``.
        alpha: ``K^-1 (z - h w)``, ``[S, n]``.
    """

    quadratic: Float[Tensor, " S"]
    log_determinant: Float[Tensor, " S"]
    weight: Float[Tensor, "S D"]
    alpha: Float[Tensor, "S n"]

    @property
    def log_likelihood(self) -> Float[Tensor, " S"]:
        """Log-likelihood of the labels, up to what all kernels share."""
        return -0.5 * self.quadratic - 0.5 * self.log_determinant

    @property
    def amplitude(self) -> Float[Tensor, " S"]:
        """Likeliest factor of the covariance."""
        return (self.quadratic / self.alpha.shape[1]).clamp(min=1e-6)

    @property
    def scaled_log_likelihood(self) -> Float[Tensor, " S"]:
        """Log-likelihood under that factor, up to what all kernels share."""
        count = self.alpha.shape[1]
        return -0.5 * count * self.amplitude.log() - 0.5 * self.log_determinant


def factorise(kernel: Float[Tensor, "S n n"], noise: Float[Tensor, " S"]) -> Float[Tensor, "S n n"]:
    """Returns the Cholesky factor of a kernel with noise, which it adds in place.

    Args:
        kernel: Of the labels; what lies above the diagonal is not read.
        noise: Variance of the noise.

    Example:
        >>> factorise(torch.tensor([[[3.0]]]), torch.ones(1)).item()
        2.0
    """
    kernel.diagonal(dim1=1, dim2=2).add_(noise[:, None])
    return torch.linalg.cholesky(kernel)


def condition(
    factor: Float[Tensor, "S n n"],
    z: Float[Tensor, " n"],
    basis: Float[Tensor, "n D"],
    prior: Sequence[tuple[float, float]],
) -> Conditioned:
    """Conditions processes on labels (Rasmussen & Williams, 2006, sections 2.2 and 2.7).

    The mean function ``h(x) w`` is linear in basis functions with Gaussian weights, whose most
    probable values are plugged in.

    Args:
        factor: As from `factorise`.
        z: The labels.
        basis: Values of the basis functions at the labels.
        prior: Mean and variance of the weight of each basis function.

    Example:
        >>> one = torch.ones(1, 1, 1)
        >>> condition(one, torch.tensor([2.0]), one[0], [(0.0, 1.0)]).weight.item()
        1.0
    """
    expected, variance = z.new_tensor(prior).T
    right = torch.cat([(z - basis @ expected)[:, None], basis], 1)
    solved = torch.cholesky_solve(right.expand(len(factor), -1, -1), factor)
    seen = basis.T @ solved
    gap = torch.linalg.solve(seen[..., 1:] + torch.diag(1 / variance), seen[..., :1])
    alpha = solved[..., 0] - (solved[..., 1:] @ gap)[..., 0]
    weight = expected + gap[..., 0]
    quadratic = ((z - weight @ basis.T) * alpha).sum(1)
    quadratic += (gap[..., 0].square() / variance).sum(1)
    log_determinant = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
    return Conditioned(quadratic, log_determinant, weight, alpha)
