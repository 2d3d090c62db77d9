"""Graph networks on chips: aggregation over neighbours is a product with a sparse matrix."""

import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.hardware.accelerators import AcceleratorEvaluator
from vitruvius.evaluators.hardware.cost_model import ChipBatch, LayerBatch, cost_of
from vitruvius.spaces import GraphTask, Layer, space

NODES, NEIGHBOURS, VALUES = 100, 5.0, 48
GATHER = Layer("aggregation", (VALUES,), (VALUES,))
BATCH = LayerBatch.of([[GATHER]], nodes=NODES, neighbours=NEIGHBOURS)


def test_neighbours_along_the_rows_and_values_along_the_columns() -> None:
    told = cost_of(BATCH, ChipBatch.of([{"rows": 4, "columns": 16}, {"rows": 64, "columns": 64}]))
    # Two strips of neighbours and three of values; then one of each, most of the array idle.
    assert told.array_cycles[0, 0].tolist() == [NODES * 2 * 3, NODES]
    assert BATCH.macs.item() == NODES * NEIGHBOURS * VALUES
    # No better than the neighbours and values that there are.
    assert 0 < told.utilisation[0, 0, 1] <= NEIGHBOURS / 64 * VALUES / 64


def test_what_does_not_fit_is_read_in_slices_and_then_one_by_one() -> None:
    sizes = [1 << 20, 2 * NODES * 16, 2 * NODES - 1]
    told = cost_of(BATCH, ChipBatch.of([{"buffer_bytes": size} for size in sizes]))
    values, numbers = NODES * VALUES * 2, NODES * NEIGHBOURS * 4
    once, sliced, single = told.dram_bytes[0, 0].tolist()
    assert once == 2 * values + numbers
    # Sixteen values of every node at a time, for which neighbours are read three times.
    assert sliced == 2 * values + 3 * numbers
    assert single == NEIGHBOURS * values + values + numbers
    assert told.feasible.all()


@pytest.mark.parametrize("name", ["nas-bench-graph", "autognn", "lpgnas"])
def test_every_network_of_graphs_is_known(name: str) -> None:
    graphs = space(name).for_task(GraphTask(features=30, classes=3, nodes=200, edges=400))
    made = AcceleratorEvaluator(graphs, chip="eyeriss.yaml")
    x = graphs.sample(12, 0)
    told = made.values(x)
    assert all(bool((value > 0).all()) for value in told.values())
    # Those of its statistics are of one node, without what neighbours add.
    macs = sum(each.macs for each in made.layers(x[0]))
    assert macs >= 200 * float(graphs.statistics(x[:1])["macs"])


def test_a_denser_graph_takes_more() -> None:
    told = [
        AcceleratorEvaluator(
            space("nas-bench-graph").for_task(
                GraphTask(features=30, classes=3, nodes=200, edges=edges)
            ),
            chip="eyeriss.yaml",
        )
        .evaluate("[0,1,2,3]|gcn|gcn|gcn|gcn")
        .metrics["latency_cycles"]
        for edges in (400, 40_000)
    ]
    assert told[1] > told[0]


def test_a_graph_of_which_nothing_is_known() -> None:
    graphs = space("autognn").for_task(GraphTask(features=8, classes=2))
    with pytest.raises(UsageError, match="of which nothing is known"):
        AcceleratorEvaluator(graphs, chip="eyeriss.yaml")


def test_a_batch_is_a_loop() -> None:
    dense = Layer("linear", (VALUES,), (12,))
    both = LayerBatch.of([[GATHER, dense]], nodes=NODES, neighbours=NEIGHBOURS)
    chips = [{"rows": 4}, {"dataflow": "output-stationary", "buffer_bytes": 4096}]
    whole = cost_of(both, ChipBatch.of(chips))
    for number, layer in enumerate((GATHER, dense)):
        one = LayerBatch.of([[layer]], nodes=NODES, neighbours=NEIGHBOURS)
        for column, chip in enumerate(chips):
            alone = cost_of(one, ChipBatch.of([chip]))
            for name in ("cycles", "energy_pj", "dram_bytes", "buffer_bytes"):
                assert torch.equal(
                    getattr(whole, name)[0, number, column], getattr(alone, name)[0, 0, 0]
                )
