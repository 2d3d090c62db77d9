import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from vitruvius.bo.store import RunConfig, SourceConfig
from vitruvius.core.evaluator_config import EvaluatorConfig

text = st.text(max_size=5)
configs = st.builds(
    RunConfig,
    space=text,
    maximize=text,
    where=text,
    task=text,
    seed=st.integers(),
    batch=st.integers(1, 9),
    timeout=st.none() | st.floats(0.1, 9),
    evaluators=st.lists(
        st.builds(
            EvaluatorConfig, source=text, options=st.dictionaries(text, st.integers(), max_size=2)
        ),
        max_size=2,
    ).map(tuple),
    warm_start=st.lists(
        st.builds(
            SourceConfig,
            name=text,
            rows=st.just(((0, 1), (1, 0))),
            values=st.dictionaries(text, st.just((0.5, 1.5)), max_size=2),
        ),
        max_size=2,
    ).map(tuple),
)


@settings(max_examples=25, deadline=None)
@given(configs)
def test_json_brings_it_back(config: RunConfig) -> None:
    again = RunConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.differences(config) == {}


def test_what_changes_no_trajectory_is_no_difference() -> None:
    one = RunConfig(space="a", budget=5, workers=1, executor="serial", timeout=None)
    other = RunConfig(space="a", budget=9, workers=4, executor="ray", timeout=3.0, batch=2)
    assert one.differences(other) == {"batch": (1, 2)}


def test_names_of_version_0_1_0() -> None:
    old = {"space": "a", "evaluator": {"source": "cora", "options": {}}, "earlier": []}
    assert RunConfig.model_validate(old).evaluators == (EvaluatorConfig(source="cora"),)
    assert RunConfig.model_validate({"space": "a", "evaluator": None}).evaluators == ()


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"budget": -1}, {"workers": 0}, {"sede": 1}])
def test_what_does_not_fit_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        RunConfig.model_validate({"space": "a", **wrong})


def test_other_labels_of_earlier_runs_are_told_by_their_number() -> None:
    one, two = (
        SourceConfig(name="first", rows=((0,),) * n, values={"top1": (1.0,) * n}) for n in (1, 2)
    )
    here, there = (RunConfig(space="nasbench201", warm_start=(source,)) for source in (one, two))
    assert here.differences(there) == {
        "warm_start": (["first with 1 labels"], ["first with 2 labels"])
    }
