import pytest

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators.training import Recipe
from vitruvius.spaces import GraphTask, ImageTask, SeriesTask


def test_defaults_follow_the_kind_of_data() -> None:
    assert Recipe.of({}, ImageTask()).augment == ("crop", "flip")
    assert Recipe.of({}, ImageTask(channels=1)).augment == ("crop",)
    assert Recipe.of({}, SeriesTask()).augment == ()
    graph = Recipe.of({}, GraphTask())
    assert (graph.optimizer, graph.keep) == ("adam", "best")
    assert Recipe.of({"optimizer": "sgd"}, GraphTask()).optimizer == "sgd"


@pytest.mark.parametrize(("text", "names"), [("none", ()), ("crop+cutout", ("crop", "cutout"))])
def test_augmentations_as_text(text: str, names: tuple[str, ...]) -> None:
    assert Recipe.of({"augment": text}).augment == names


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"lr": -1}, {"optimizer": "sdg"}, {"augment": "rotate"}]
)
def test_values_out_of_range_are_named(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Recipe.of(options)


def test_unknown_fields_are_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        Recipe.of({"epoch": 5})
