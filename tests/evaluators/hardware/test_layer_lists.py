import pytest
import torch

from vitruvius.evaluators.hardware.layer_lists import LayerLists
from vitruvius.spaces import ImageTask, space

# Rows: of additive spaces, more than there are choices, so that choices are traced.
SMALL = {
    "nasbench201:width=2,cells=1": 32,
    "transnas101-micro:width=2,modules=4": 32,
    "autogan:width=4": 4,
    "darts:cells=3,width=4": 4,
    "resnet-size:width=4": 4,
}


@pytest.mark.parametrize(("name", "count"), SMALL.items())
def test_layers_are_those_of_the_networks(name: str, count: int) -> None:
    found = space(name).for_task(ImageTask(classes=3, channels=1, resolution=16))
    assert found.additive == (count > 4)
    lists = LayerLists(found, found.task)
    x = found.sample(count, 3)
    layers, places = lists.of(x)
    nothing = torch.zeros(1, dtype=torch.float64)
    macs = torch.cat([layers.macs[:, 0], nothing])[places].sum(1)
    assert macs.tolist() == found.statistics(x)["macs"].tolist()
    listed = list(lists._known)
    for row, own in list(zip(x, places.tolist(), strict=True))[:6]:
        traced = [layer for layer in found.layers(row) if layer in lists._known]
        assert [listed[place] for place in own if place >= 0] == traced


def test_more_are_listed_as_they_come() -> None:
    found = space("resnet-size:width=4")
    lists = LayerLists(found, found.task)
    first = lists.of(found.sample(2, 0))[0]
    second = lists.of(found.sample(6, 1), batch=4)[0]
    assert len(second.kind) > len(first.kind)
    assert (second.batch >= 4).all()
