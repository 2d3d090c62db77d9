import pytest
import torch

from vitruvius.core.errors import UnknownNameError
from vitruvius.encoders.feature_sets import FeatureSets
from vitruvius.predictors import surrogate_resolver as resolver
from vitruvius.predictors.averaged_gp import AveragedGP
from vitruvius.predictors.graph_network import GraphNetwork
from vitruvius.predictors.surrogate_resolver import Choice, surrogate, surrogate_names
from vitruvius.spaces import space

CELLS = space("nasbench201")
VIEWS = FeatureSets(CELLS, ("one-hot",))


@pytest.mark.parametrize("name", surrogate_names()[1:])
def test_every_surrogate_fits_and_tells_the_good_from_the_bad(name: str) -> None:
    x = CELLS.sample(60, 0)
    convolutions = (x == 3).sum(1).double()
    z = (convolutions - convolutions.mean()) / convolutions.std()
    mean, variance = (
        surrogate(name, CELLS).fit(VIEWS(x), z).marginals(VIEWS(torch.tensor([[3] * 6, [0] * 6])))
    )
    assert bool((mean.mean(0)[0] > mean.mean(0)[1] + 1).all())
    assert bool((variance > 0).all())


def test_the_average_is_of_the_process_and_graph_networks() -> None:
    data, z = VIEWS(CELLS.sample(20, 0)), torch.linspace(-2, 2, 20, dtype=torch.float64)
    average = surrogate("average", CELLS, seed=3).fit(data, z).marginals(data)[0].mean(0)
    process = AveragedGP(seed=3).fit(data, z).marginals(data)[0].mean(0)
    networks = GraphNetwork(CELLS, seed=3).fit(data.x, z).predict_scores(data.x)[0]
    torch.testing.assert_close(average, (process + networks.double()) / 2)


def test_an_unknown_surrogate_names_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="deep-kernel"):
        surrogate("deep-kernal", CELLS)


def test_the_choice_is_made_once_for_each_doubling(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(name: str, space: object, **options: object) -> object:
        made.append(1)
        return surrogate("gp", CELLS)

    monkeypatch.setattr(resolver, "surrogate", counted)
    x = CELLS.sample(45, 0)
    values = CELLS.statistics(x)["params"]
    choice = Choice(CELLS)
    fits = []
    for n in (10, 20, 30, 39, 40, 45):
        assert choice(VIEWS(x[:n]), values[:n]) == "gp"
        fits.append(len(made))
    once = 4 * resolver.FOLDS  # each of what it chooses among
    assert fits == [0, once, once, once, 2 * once, 2 * once]
