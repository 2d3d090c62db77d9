import pytest

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.spaces import ProductSpace, space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3
from vitruvius.spaces.resolver import names
from vitruvius.verbs.search import new_search, open_search


@pytest.mark.parametrize(
    "text", ["nasbench201", "nasbench201:width=8,cells=1", "mobilenetv3:resolutions=[128,160]"]
)
def test_text_makes_the_same_space_again(text: str) -> None:
    made = space(text)
    assert made.text == text
    assert (
        space(made.text).statistics(made.sample(2, 0)).keys()
        == made.statistics(made.sample(2, 0)).keys()
    )


def test_options_given_in_python_have_a_text() -> None:
    assert MobileNetV3(resolutions=(128,)).text == "mobilenetv3:resolutions=[128]"
    pair = ProductSpace(name="pair", parts={"a": space("nasbench201")})
    assert pair.text == "pair"


def test_mistaken_options_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"option of nasbench201.*Did you mean 'width'"):
        space("nasbench201:widht=8")
    with pytest.raises(UsageError, match="`width` of nasbench201 is a whole number, got 'wide'"):
        space("nasbench201:width=wide")


@pytest.mark.parametrize("name", names())
def test_no_space_takes_what_it_does_not_know(name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"option of {name} 'nonsense'"):
        space(f"{name}:nonsense=3")


def test_a_run_keeps_the_options_of_its_space(tmp_path: object) -> None:
    run = f"{tmp_path}/run"
    new_search("nasbench201:width=8,cells=1", maximize="accuracy", run=run)
    assert open_search(run).problem.space.text == "nasbench201:width=8,cells=1"
