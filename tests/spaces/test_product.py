import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import GraphTask, ImageTask, ProductSpace, Space, Task, space
from vitruvius.testing import SpaceContract

PAIR = ProductSpace(
    name="pair", parts={"cell": space("nasbench201"), "recipe": space("toy_recipe.yaml")}
)
NESTED = ProductSpace(name="nested", parts={"pair": PAIR, "graph": space("nas-bench-graph")})
STRICT = ProductSpace(
    name="strict", parts={"cell": space("nasbench101"), "recipe": space("toy_recipe.yaml")}
)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        small = ProductSpace(
            name="small", parts={"a": space("toy_recipe.yaml"), "b": space("toy_recipe.yaml")}
        )
        assert small.enumerable
        return small


class TestContractOfNetworkAndRecipe(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return PAIR

    @pytest.fixture
    def task(self) -> Task:
        return ImageTask(classes=3, channels=1, resolution=8)


class TestContractOfConstrainedProduct(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return STRICT

    @pytest.fixture
    def task(self) -> Task:
        return ImageTask(classes=3, channels=1, resolution=8)


def test_nested_strings() -> None:
    row = NESTED.sample(1, 0)[0]
    text = str(NESTED.architecture(row))
    assert text.startswith("pair: (cell: |")
    assert ") && graph: [" in text
    assert NESTED.rows([text]).tolist() == [row.tolist()]


def test_totals_and_parts() -> None:
    x = NESTED.sample(5, 0)
    counts = NESTED.statistics(x)
    torch.testing.assert_close(counts["params"], counts["pair.params"] + counts["graph.params"])
    assert torch.equal(counts["pair.params"], counts["pair.cell.params"])
    assert not any(name.startswith("pair.recipe") for name in counts)


def test_a_task_goes_to_the_parts_of_its_kind() -> None:
    x = NESTED.sample(3, 0)
    image, graph = ImageTask(classes=100), GraphTask(classes=3)
    own = NESTED.statistics(x)
    for task, changed, kept in ((image, "pair", "graph"), (graph, "graph", "pair")):
        counts = NESTED.statistics(x, task)
        assert torch.equal(counts[f"{kept}.params"], own[f"{kept}.params"])
        assert not torch.equal(counts[f"{changed}.params"], own[f"{changed}.params"])


def test_modules_of_parts() -> None:
    row = NESTED.sample(1, 0)[0]
    module = NESTED.build(row)
    assert [name for name, _ in module.named_children()] == ["pair", "graph"]
    assert [name for name, _ in module.get_submodule("pair").named_children()] == ["cell"]
    built = sum(p.numel() for p in module.parameters())
    assert built == NESTED.statistics(row[None])["params"].item()


def test_parents_move_with_their_nodes() -> None:
    offset = len(PAIR.nodes)
    parent = next(v for v in NESTED.variables if v.name == "graph.parent_4")
    assert parent.place == (offset + 4,)
    assert parent.choices == tuple(str(offset + k) for k in range(4))


@pytest.mark.parametrize("parts", [{}, {"a.b": PAIR}, {"keys": PAIR}, {"": PAIR}])
def test_parts_that_cannot_be(parts: dict[str, Space]) -> None:
    with pytest.raises(UsageError):
        ProductSpace(name="wrong", parts=parts)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cell: |none~0|", "recipe' is missing|three groups"),
        ("chip: a", "not 'part: …' of a new part"),
        ("recipe: a=b && recipe: a=b", "of a new part"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        PAIR.architecture(text)
