import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.spaces import ProductSpace, space
from vitruvius.spaces.recipe import RecipeSpace
from vitruvius.testing import SpaceContract


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> RecipeSpace:
        return RecipeSpace()


def test_fields_are_fixed_left_out_or_chosen() -> None:
    recipes = space("recipe:lr=0.1,batch=[],epochs=[5,10]")
    assert recipes.text == "recipe:lr=0.1,batch=[],epochs=[5,10]"
    assert isinstance(recipes, RecipeSpace)
    told = recipes.options(recipes.sample(1, 0)[0].tolist())
    assert told["lr"] == 0.1
    assert told["epochs"] in (5, 10)
    assert "batch" not in told
    fields = ("optimizer", "lr", "weight_decay", "schedule", "batch", "augment")
    with pytest.raises(UsageError, match="without choices"):
        RecipeSpace(**dict.fromkeys((*fields, "label_smoothing", "drop_path"), ()))
    with pytest.raises(UsageError, match="builds no module"):
        recipes.build(recipes.example)


def test_a_product_by_text_is_made_again_from_its_own() -> None:
    pair = space("nasbench201:width=4,cells=1 x recipe:lr=[0.1,0.2]")
    assert isinstance(pair, ProductSpace)
    assert list(pair.parts) == ["nasbench201", "recipe"]
    again = space(pair.text)
    assert again.text == pair.text
    x = pair.sample(5, 0)
    assert torch.equal(again.rows([pair.to_string(row) for row in x.tolist()]), x)
    network, own = pair.network(x[0])
    assert network is pair.parts["nasbench201"]
    assert own.indices == tuple(x[0, :6].tolist())
    assert pair.parted(x[0].tolist())["recipe"] == tuple(x[0, 6:].tolist())


def test_a_space_that_stands_twice_is_numbered() -> None:
    text = "nasbench201:width=4,cells=1 x nasbench201:width=8,cells=1 x recipe:lr=[0.1,0.2]"
    three = space(text)
    assert isinstance(three, ProductSpace)
    assert list(three.parts) == ["nasbench201_1", "nasbench201_2", "recipe"]
    assert space(three.text).text == three.text
    x = three.sample(5, 0)
    assert torch.equal(three.rows([three.to_string(row) for row in x.tolist()]), x)
    told = three.statistics(x)
    parts = told["nasbench201_1.params"] + told["nasbench201_2.params"]
    assert torch.equal(told["params"], parts)
