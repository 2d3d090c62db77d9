import pytest
import torch

from vitruvius.encoders.latent_head import LatentHead


@pytest.fixture
def embedding() -> torch.Tensor:
    return torch.randn(60, 8, generator=torch.Generator().manual_seed(0))


def test_it_predicts_what_varies_slowly(embedding: torch.Tensor) -> None:
    z = (embedding[:, 0] + 0.5 * embedding[:, 1]).sin()
    head = LatentHead(embedding[:40], z[:40])
    mean, std = head.predict(embedding[40:])
    assert float(torch.stack([mean, z[40:].double()]).corrcoef()[0, 1]) > 0.6
    assert float(((mean - z[40:]).abs() < 2 * std).double().mean()) > 0.5
    torch.testing.assert_close(head(embedding[40:]), mean)


def test_it_is_the_posterior_of_its_kernel(embedding: torch.Tensor) -> None:
    """Against the textbook formula, with the hyper-parameters it chose."""
    z = embedding[:, 0].double()
    head = LatentHead(embedding[:30], z[:30])
    distance = torch.cdist(embedding.double(), embedding.double()).square()
    kernel = (0.1 - (distance / head._scale + 0.01).sqrt()).exp()
    noisy = kernel[:30, :30] + (head._noise + 1e-8) * torch.eye(30).double()
    weight = torch.linalg.solve(noisy, z[:30] - head._mean)
    mean, std = head.predict(embedding[30:])
    torch.testing.assert_close(mean, head._mean + kernel[30:, :30] @ weight)
    explained = kernel[30:, :30] @ torch.linalg.solve(noisy, kernel[:30, 30:])
    variance = head._amplitude * (1 + head._noise - explained.diagonal())
    torch.testing.assert_close(std.square(), variance)


def test_gradients_are_slopes_even_where_something_was_seen(embedding: torch.Tensor) -> None:
    head = LatentHead(embedding, embedding[:, 0].square())
    point = embedding[:3].double().requires_grad_()
    assert torch.autograd.gradcheck(head, (point,), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("size", [3, 12])
def test_equal_values_and_repeated_architectures(embedding: torch.Tensor, size: int) -> None:
    for e in (embedding[:size], embedding[:1].repeat(size, 1)):
        mean, std = LatentHead(e, torch.zeros(size)).predict(embedding)
        assert mean.isfinite().all()
        assert (std > 0).all()
