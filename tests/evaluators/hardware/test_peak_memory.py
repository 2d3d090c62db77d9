import torch
from torch import Tensor, nn

from vitruvius.evaluators.hardware.peak_memory import peak_memory


def test_a_chain_holds_two_tensors_at_a_time() -> None:
    network = nn.Sequential(
        nn.Linear(10, 100, bias=False), nn.ReLU(), nn.ReLU(), nn.Linear(100, 1, bias=False)
    )
    weights = 4 * (1000 + 100)
    assert peak_memory(network, [torch.zeros(1, 10)]) == weights + 4 * 10 + 2 * 4 * 100


def test_what_is_needed_later_stays() -> None:
    class Residual(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            wide = torch.cat([x] * 10, 1)
            return wide + (wide + 1).relu()

    assert peak_memory(Residual(), [torch.zeros(1, 10)]) == 4 * 10 + 3 * 4 * 100


def test_views_take_nothing() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (2, 5)), nn.Flatten())
    assert peak_memory(network, [torch.zeros(1, 10)]) == 40
