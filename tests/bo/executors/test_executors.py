"""What every executor keeps: the order of results does not matter, and no failure spreads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cloudpickle
import pytest

from vitruvius.bo.executors import Executor, Task, executor
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.spaces import Space, space

# Workers cannot import a test module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

CELLS = space("nasbench201")
ROW = (3, 3, 3, 3, 3, 3)
FINE, RAISES, ENDS, LACKS_MEMORY, NO_EVALUATION, HANGS, IS_KILLED, EXITS = range(8)


class Faulty(Evaluator):
    """Does what the seed says."""

    def __init__(self, space: Space) -> None:
        super().__init__(space, {"x": Metric("x", "", "higher")})

    def evaluate(self, architecture, fidelity=None, seed=0):  # type: ignore[no-untyped-def]
        kind, value = seed % 10, seed // 10
        print("noise that must not reach stdout")
        if kind == RAISES:
            raise ValueError("does not train")
        if kind == ENDS:
            sys.exit(3)
        if kind == LACKS_MEMORY:
            raise MemoryError
        if kind == NO_EVALUATION:
            return {"x": 1.0}
        if kind == HANGS:
            subprocess.Popen(["sleep", "600"], env={"VITRUVIUS_TEST": str(value)})
            time.sleep(600)
        if kind == IS_KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == EXITS:
            os._exit(7)
        return Evaluation(self.space.architecture(architecture), {"x": float(value)})


def run(made: Executor, seeds: list[int]) -> dict[int, Evaluation]:
    waiting = [Task(position, ROW, None, seed) for position, seed in enumerate(seeds)]
    found: dict[int, Evaluation] = {}
    with made:
        while waiting or made.running:
            while waiting and made.free:
                made.submit(waiting.pop(0))
            for finished in made.wait(1.0):
                assert finished.position not in found
                assert finished.evaluation is not None
                found[finished.position] = finished.evaluation
    return found


@pytest.fixture(scope="module")
def ray_home() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(
    params=["serial", "process", pytest.param("ray", marks=pytest.mark.slow)],
)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_home")
    return str(request.param)


def test_results_and_what_raises(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = executor(kind, Faulty(CELLS), 1 if kind == "serial" else 2)
    seeds = [
        10 * i + (fault if i % 2 else FINE) for i, fault in enumerate([1, 1, 2, 2, 3, 3, 4, 4])
    ]
    found = run(made, seeds)
    assert sorted(found) == list(range(8))
    assert [found[i].metrics for i in range(0, 8, 2)] == [{"x": float(i)} for i in range(0, 8, 2)]
    assert {found[i].status for i in range(0, 8, 2)} == {"ok"}
    assert {found[i].status for i in range(1, 8, 2)} == {"failed"}
    expected = ("ValueError: does not train", "SystemExit: 3", "out of memory", "not an Evaluation")
    for i, said in zip(range(1, 8, 2), expected, strict=True):
        assert said in found[i].reason
    assert "test_executors.py:" in found[1].reason, "where it was raised"
    assert capsys.readouterr().out == ""


class Reporting(Evaluator):
    """Reports its seed at every step, and takes a hundred of them unless it is told to stop."""

    def __init__(self, space: Space) -> None:
        super().__init__(space, {"x": Metric("x", "", "higher")})

    def evaluate(self, architecture, fidelity=None, seed=0, context=None):  # type: ignore[no-untyped-def]
        for step in range(100):
            if not context.report(step, {"x": float(seed)}):
                break
        steps = {"x": float(step), "left": context.seconds_left}
        return Evaluation(self.space.architecture(architecture), steps)


def test_reports_reach_the_search_which_tells_whether_to_go_on(kind: str) -> None:
    made = executor(kind, Reporting(CELLS), 1 if kind == "serial" else 2)
    told: dict[int, list[int]] = {0: [], 1: [], 2: []}

    def report(position: int, step: int, metrics: Mapping[str, float]) -> bool:
        told[position].append(step)
        assert metrics == {"x": 7.0 + position}
        return step < 3 or position == 0

    made.report = report
    found = run(made, [7, 8, 9])
    assert [len(told[position]) for position in range(3)] == [100, 4, 4]
    assert [found[i].status for i in range(3)] == ["ok", "pruned", "pruned"]
    assert [found[i].metrics["x"] for i in range(3)] == [99.0, 3.0, 3.0]
    assert found[1].reason == "stopped early at step 3"
    assert [found[i].seed for i in range(3)] == [7, 8, 9]


def test_what_kills_or_hangs_costs_its_trial_only(kind: str) -> None:
    if kind == "serial":
        pytest.skip("it has nothing to spare")
    mark = os.getpid()
    seeds = [FINE, 10 * mark + HANGS, IS_KILLED, EXITS, FINE, FINE]
    found = run(executor(kind, Faulty(CELLS), 2, timeout=2.0), seeds)
    assert [found[i].status for i in range(6)] == ["ok", *["failed"] * 3, "ok", "ok"]
    assert found[1].reason == "took longer than 2 s"
    assert found[1].seconds >= 2
    assert "memory" in found[2].reason
    if kind == "process":
        assert "SIGKILL" in found[2].reason
        assert found[3].reason == "its worker ended with exit code 7"
        left = [p for p in Path("/proc").glob("[0-9]*") if _started_by_the_hanging(p, mark)]
        assert left == [], "what a hanging evaluation started ends with it"


def _started_by_the_hanging(process: Path, mark: int) -> bool:
    try:
        return (process / "environ").read_bytes() == f"VITRUVIUS_TEST={mark}\0".encode()
    except OSError:
        return False


def test_leaving_early_leaves_nothing_running() -> None:
    with executor("process", Faulty(CELLS), 2) as made:
        while not made.free:
            made.wait(1.0)
        made.submit(Task(0, ROW, None, 10 * os.getpid() + HANGS))
        assert made.wait(0.2) == []
        assert made.running == 1
    assert made.running == 0


@pytest.mark.slow
def test_functions_of_the_main_script_need_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import vitruvius\n"
        "def accuracy(architecture):\n"
        "    return {'accuracy': sum(architecture.indices)}\n"
        "print('once')\n"
        "found = vitruvius.search('nasbench201', evaluator=accuracy, maximize='accuracy',\n"
        "                         method='random', budget=4, workers=2)\n"
        "print(found.summary['evaluated'], found.summary['failed'])\n"
    )
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert told.stdout == "once\n4 0\n"


def test_an_evaluator_that_cannot_be_sent_or_loaded_is_an_error() -> None:
    unsendable = Faulty(CELLS)
    unsendable.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="cannot be sent"):
        executor("process", unsendable)
    with pytest.raises(UsageError, match="could not load the evaluator: RuntimeError: no device"):
        run(executor("process", _Unloadable(CELLS)), [FINE])


def test_a_worker_that_ends_while_it_loads_is_not_said_to_lack_memory() -> None:
    for ends, said in ((sys.exit, "SystemExit: 3"), (os._exit, "exit code 3")):
        with pytest.raises(UsageError, match=said) as told:
            run(executor("process", _Ending(CELLS, ends)), [FINE])
        assert "memory" not in told.value.hint


class _Ending(Faulty):
    def __init__(self, space: Space, ends: Callable[[int], None]) -> None:
        super().__init__(space)
        self._ends = ends

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return self._ends, (3,)


class _Unloadable(Faulty):
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return _no_device, ()


def _no_device() -> None:
    raise RuntimeError("no device")


def test_choice_by_name() -> None:
    with pytest.raises(UnknownNameError, match="process"):
        executor("proces", Faulty(CELLS))
    with pytest.raises(UsageError, match="one worker, 2 were"):
        executor("serial", Faulty(CELLS), 2)
    with pytest.raises(UsageError, match="at least 1"):
        executor("process", Faulty(CELLS), 0)
    with pytest.raises(UsageError, match="positive"):
        executor("process", Faulty(CELLS), 1, timeout=0.0)
    assert type(executor("serial", Faulty(CELLS), timeout=1.0)).__name__ == "ProcessExecutor"
