import pytest

from vitruvius.bo.executors import Executor, SerialExecutor, Task
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.spaces import space

CELLS = space("nasbench201")


class Sum(Evaluator):
    """Adds up choice indices, and talks."""

    def evaluate(self, architecture, fidelity=None, seed=0, context=None):  # type: ignore[no-untyped-def]
        print("talk")
        found = self.space.architecture(architecture)
        return Evaluation(found, {"sum": float(sum(found.indices))})


@pytest.fixture
def serial() -> SerialExecutor:
    return SerialExecutor(Sum(CELLS, {"sum": Metric("sum", "", "higher")}))


def test_one_at_a_time_when_it_is_waited_for(
    serial: SerialExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(serial, Executor)
    assert (serial.free, serial.running) == (1, 0)
    serial.submit(Task(7, (3,) * 6, seed=5))
    assert (serial.free, serial.running) == (0, 1)
    (done,) = serial.wait(0.0)
    assert (serial.free, serial.running) == (1, 0)
    assert done.evaluation is not None
    assert (done.position, done.evaluation.metrics, done.evaluation.seed) == (7, {"sum": 18.0}, 5)
    assert capsys.readouterr() == ("", "talk\n"), "stdout is for results"
    assert serial.wait(0.0) == []


def test_what_was_not_begun_is_dropped_at_the_end(serial: SerialExecutor) -> None:
    with serial:
        serial.submit(Task(0, (3,) * 6))
    assert serial.running == 0
