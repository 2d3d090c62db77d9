import torch

from vitruvius.evaluators.training import Recipe
from vitruvius.evaluators.training.memory import free_memory, training_memory
from vitruvius.spaces import GraphTask, ImageTask, Layer

LAYERS = (
    Layer("convolution", (3, 8, 8), (4, 8, 8), params=108),
    Layer("Identity", (4, 8, 8), (4, 8, 8)),
    Layer("linear", (256,), (10,), params=2570),
)


def test_weights_count_with_their_copies_and_outputs_with_the_batch() -> None:
    task = ImageTask()
    one, two = (training_memory(LAYERS, task, Recipe(batch=batch)) for batch in (1, 2))
    assert two - one == int(4 * 1.3 * 266)
    assert one - (two - one) == 4 * 3 * 2678
    adam = training_memory(LAYERS, task, Recipe(batch=1, optimizer="adam", ema=0.9))
    assert adam - one == 4 * 2 * 2678


def test_every_node_of_a_graph_counts() -> None:
    few, many = (training_memory(LAYERS, GraphTask(nodes=nodes), Recipe()) for nodes in (10, 1010))
    assert many - few == int(4 * 1.3 * 266 * 1000)


def test_a_machine_has_memory() -> None:
    assert free_memory(torch.device("cpu")) > 1_000_000
