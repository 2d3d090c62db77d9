from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import WeisfeilerLehmanSearch
from vitruvius.bo.methods.gp_wl import expected_improvement, fit_predict, kernels
from vitruvius.encoders.weisfeiler_lehman import WeisfeilerLehman
from vitruvius.spaces import space
from vitruvius.testing import MethodContract

CELLS = space("nasbench201")


class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return WeisfeilerLehmanSearch


def test_the_kernel_is_the_cosine_of_counts() -> None:
    labels = [torch.tensor([[1, 1, 2], [2, 3, 3]]), torch.tensor([[10, 10, 11], [12, 11, 11]])]
    # Counts (2, 1, 0) and (0, 1, 2) of the labels themselves; then those of a neighbourhood, too.
    none, one = kernels(labels, labels)
    torch.testing.assert_close(none, torch.tensor([[1.0, 0.2], [0.2, 1.0]]))
    torch.testing.assert_close(one, torch.tensor([[1.0, 0.3], [0.3, 1.0]]))


def test_kernels_are_positive_semi_definite_and_of_unit_length() -> None:
    told = WeisfeilerLehman(CELLS, 3).refine(CELLS.sample(60, 0))
    for gram in kernels(told, told):
        torch.testing.assert_close(gram.diagonal(), torch.ones(60))
        assert float(torch.linalg.eigvalsh(gram.double()).min()) > -1e-5


def test_the_process_tells_what_counts_tell() -> None:
    rows = CELLS.sample(300, 0)
    value = (rows == 1).sum(1).double()
    z = (value - value.mean()) / value.std()
    told = WeisfeilerLehman(CELLS, 2)
    mean, std = fit_predict(told.refine(rows[:200]), z[:200], told.refine(rows[200:]))
    assert float(torch.corrcoef(torch.stack([mean, z[200:]]))[0, 1]) > 0.8
    assert bool((std > 0).all())
    few, kinds = rows[:200].unique(dim=0), told.refine(rows[:200].unique(dim=0))
    labels, first = (few == 1).sum(1).double(), [level[:12] for level in kinds]
    _, std = fit_predict(first, (labels[:12] - labels.mean()) / labels.std(), kinds)
    assert float(std[:12].mean()) < float(std[12:].mean()), "what was measured is surer"


def test_expected_improvement_is_that_of_draws() -> None:
    mean, std = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.5])
    draws = mean + std * torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    hoped = (draws - 0.7).clamp(min=0).mean(0)
    found = expected_improvement(mean, std, torch.tensor(0.7))
    torch.testing.assert_close(found, hoped, atol=5e-3, rtol=0)
