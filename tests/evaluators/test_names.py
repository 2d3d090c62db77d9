import pytest

from vitruvius.core.errors import UnknownNameError
from vitruvius.evaluators.names import check_names

COUNTS = ["params", "macs", "depth"]


@pytest.mark.parametrize("name", ["parms", "param", "Params", "parameters", "mac", "deph", "macss"])
def test_a_name_that_resembles_a_count_is_questioned(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"meant to be '(params|macs|depth)'"):
        check_names(["accuracy", name], COUNTS)


@pytest.mark.parametrize("name", ["acuracy", "accuarcy", "Accuracy", "accuracyy"])
def test_a_slip_of_an_objective_is_questioned(name: str) -> None:
    with pytest.raises(UnknownNameError, match="meant to be 'accuracy'"):
        check_names(["accuracy", name], COUNTS)


@pytest.mark.parametrize(
    "names",
    [
        ["accuracy", "latency_ms", "n_params", "params_total", "energy", "width"],
        ["top1", "top5", "accuracy_top1", "accuracy_top5"],
        ["latency_cpu", "latency_gpu", "valid_accuracy", "test_accuracy", "loss", "flops"],
    ],
)
def test_names_of_their_own_are_let_be(names: list[str]) -> None:
    check_names(names, COUNTS)
