"""Runs survive what kills their processes: nothing is lost, repeated or left behind."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from vitruvius.bo.search import Search
from vitruvius.bo.store import Run, state_of
from vitruvius.bo.trial import Trial
from vitruvius.core.errors import UsageError
from vitruvius.verbs import search as searching

# A table that takes a while, as a training does.
EVALUATOR = """
import time
from pathlib import Path
from vitruvius.evaluators import NASBenchGraphTable

class Slow(NASBenchGraphTable):
    def __init__(self, space):
        super().__init__("cora")

    def evaluate(self, architecture, fidelity=None, seed=0):
        time.sleep(0.1)
        while Path("hold").exists():
            time.sleep(0.05)
        return super().evaluate(architecture, fidelity, seed)
"""
SEARCH = {"maximize": "valid_perf", "where": "params<=3M", "method": "local-search", "seed": 7}
# Forks real runs of the command line, so that each need not import all over.
LAUNCHER = """
import json, os, signal, sys
import vitruvius.bo.executors, vitruvius.bo.methods, vitruvius.verbs.search
from vitruvius.cli import main

for line in sys.stdin:
    told = json.loads(line)
    if isinstance(told, int):
        print(os.waitstatus_to_exitcode(os.waitpid(told, 0)[1]), flush=True)
        continue
    child = os.fork()
    if child == 0:
        # Ignored where the tests run in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(told[0])
        os.dup2(os.open("stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["vitruvius", *told[1:]]
        main()
    print(child, flush=True)
"""


class Launcher:
    """Starts processes, and knows what they leave behind."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER],
            env={**os.environ, "VITRUVIUS_TEST": self.mark, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, what: object) -> int:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(what), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def left_behind(self) -> list[int]:
        """Processes that the launched ones started, directly or not, and that stay."""
        until = time.monotonic() + 10
        while (found := self._there()) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def _there(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self._process.pid:
                try:
                    told = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if self.mark.encode() in told:
                    found.append(int(entry.name))
        return found

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    made = Launcher()
    yield made
    made.close()


class Runner:
    """One run in a folder, and processes that work on it."""

    def __init__(self, folder: Path, launcher: Launcher) -> None:
        self.folder, self.launcher = folder, launcher
        self.run = str(folder / "run")
        self.evaluator = f"{folder / 'slow.py'}:Slow"
        (folder / "slow.py").write_text(EVALUATOR)
        self.started: list[int] = []

    def start(self, *arguments: object) -> int:
        settings = {**SEARCH, "evaluator": self.evaluator, "run": self.run, "format": "json"}
        options = [f"--{name}={value}" for name, value in settings.items()]
        told = [str(self.folder), "search", "nas-bench-graph", *options, *map(str, arguments)]
        self.started.append(self.launcher.tell(told))
        return self.started[-1]

    def kill(self, process: int) -> None:
        os.kill(process, signal.SIGKILL)
        self.wait(process)

    def wait(self, process: int) -> int:
        self.started.remove(process)
        return self.launcher.tell(process)

    def finish(self, process: int) -> None:
        assert self.wait(process) == 0, (self.folder / "stderr").read_text()[-2000:]

    def owners(self) -> set[str]:
        """Processes that have claimed a trial."""
        if not (Path(self.run) / "run.sqlite").exists():
            return set()
        try:
            run = Run.open(self.run, writable=False)
        except UsageError:  # not there yet
            return set()
        rows = run.storage.get_all_trials(run.study, deepcopy=False)
        return {row.user_attrs["owner"] for row in rows}


@pytest.fixture
def runner(tmp_path: Path, launcher: Launcher) -> Iterator[Runner]:
    made = Runner(tmp_path, launcher)
    yield made
    for process in [*made.started]:
        made.kill(process)


def trajectory(trials: list[Trial]) -> list[tuple[object, ...]]:
    return [(t.number, t.proposal, t.status, t.metrics) for t in trials]


def uninterrupted(budget: int, batch: int) -> list[tuple[object, ...]]:
    result = searching.search(
        "nas-bench-graph", evaluator="cora", budget=budget, batch=batch, **SEARCH
    )
    return trajectory(result.trials)


def opened(runner: Runner) -> Search:
    return searching.open_search(runner.run)


def check(search: Search, budget: int) -> None:
    """Every position has one result, every architecture one position, every result one row."""
    entries = search.log.read()
    assert [entry.trial.number for entry in entries] == list(range(budget))
    assert all(entry.trial.status == "ok" for entry in entries)
    assert len({entry.trial.proposal.row for entry in entries}) == budget
    rows = search.log.run.storage.get_all_trials(search.log.run.study)
    done = [row.user_attrs["position"] for row in rows if row.state is TrialState.COMPLETE]
    assert sorted(done) == list(range(budget))


def kill_again_and_again(runner: Runner, kills: int, budget: int, workers: int) -> None:
    moments = random.Random(kills)
    arguments = ("--budget", budget, "--workers", workers)
    known: dict[int, tuple[object, ...]] = {}
    for number in range(kills):
        before = runner.owners()
        process = runner.start(*arguments)
        # One in five dies while it starts, the others at work.
        if number % 5 != 2:
            until = time.monotonic() + 300
            while runner.owners() == before and time.monotonic() < until:
                if before and state_of(Run.open(runner.run)).evaluated == budget:
                    break
                time.sleep(0.1)
        time.sleep(moments.uniform(0, 1))
        runner.kill(process)
        assert runner.launcher.left_behind() == []
        if runner.owners():
            there = {t[0]: t for t in trajectory([e.trial for e in opened(runner).log.read()])}
            done = {key: value for key, value in there.items() if value[2] != "running"}
            assert known.items() <= done.items(), "a result was lost"
            known = done
    runner.finish(runner.start(*arguments))
    assert runner.launcher.left_behind() == []


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "budget", "workers"), [(2, 30, 4), (30, 300, 4), (10, 60, 1)])
def test_killed_at_random_moments_a_run_ends_as_if_it_had_not_been(
    runner: Runner, kills: int, budget: int, workers: int
) -> None:
    kill_again_and_again(runner, kills, budget, workers)
    search = opened(runner)
    check(search, budget)
    assert trajectory([e.trial for e in search.log.read()]) == uninterrupted(budget, workers)


@pytest.mark.slow
def test_two_processes_share_a_run_and_one_ends_what_the_other_leaves(runner: Runner) -> None:
    arguments = ("--budget", 24, "--workers", 2, "--batch", 4)
    first, second = runner.start(*arguments), runner.start(*arguments)
    until = time.monotonic() + 300
    while len(runner.owners()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(runner.owners()) == 2, "both work"
    runner.kill(first)
    runner.finish(second)
    search = opened(runner)
    check(search, 24)
    assert trajectory([e.trial for e in search.log.read()]) == uninterrupted(24, 4)


@pytest.mark.slow
def test_ctrl_c_saves_and_exits_with_130(runner: Runner) -> None:
    arguments = ("--budget", 12, "--workers", 2)
    hold = runner.folder / "hold"
    hold.touch()
    process = runner.start(*arguments)
    while not runner.owners():
        time.sleep(0.05)
    os.kill(process, signal.SIGINT)
    code = runner.wait(process)
    assert code == 130, (runner.folder / "stderr").read_text()
    assert "vitruvius resume" in (runner.folder / "stderr").read_text()
    assert runner.launcher.left_behind() == []
    entries = opened(runner).log.read()
    assert all(entry.interrupted or entry.trial.done for entry in entries)
    assert sum(entry.vanished for entry in entries) == 0
    hold.unlink()
    runner.finish(runner.start(*arguments))
    check(opened(runner), 12)
    assert trajectory([e.trial for e in opened(runner).log.read()]) == uninterrupted(12, 2)


# Forks after the imports: eight processes that start together, at the price of one.
EIGHT = """
import os, random, signal, sys, time
from vitruvius.bo.methods import method
from vitruvius.verbs.search import search

url, evaluator, budget = sys.argv[1:]
method("local-search")
children = []
for number in range(8):
    child = os.fork()
    if child == 0:
        search("nas-bench-graph", evaluator=evaluator, budget=int(budget), batch=8, workers=1,
               executor="serial", run="shared", storage=url, **{settings})
        os._exit(0)
    children.append(child)
moments = random.Random(0)
for child in children[:2]:
    time.sleep(moments.uniform(1.0, 2.0))
    os.kill(child, signal.SIGKILL)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(codes)
sys.exit(codes[2:] != [0] * 6)
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """The URL of a database in a server of its own."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("pg_ctl")
    if not homes and found is None:
        pytest.skip("PostgreSQL's server is not installed")
    home = Path(found).parent if found else homes[-1]
    pytest.importorskip("psycopg2", reason="the extra `postgres` is not installed")
    data = tmp_path / "postgres"
    data.mkdir()
    # The server refuses to run as root.
    demote = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv")
        os.chown(data, 65534, 65534)
        for parent in [*data.parents][: len(data.parents) - 2]:
            parent.chmod(parent.stat().st_mode | 0o011)
        demote = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def run(program: str, *arguments: str) -> None:
        told = subprocess.run(
            [*demote, str(home / program), *arguments],
            capture_output=True, text=True, cwd=data, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert told.returncode == 0, told.stdout + told.stderr

    run("initdb", "-D", str(data / "db"), "-U", "vitruvius", "--auth=trust", "--no-sync")
    # Sockets have short paths.
    sockets = Path("/tmp") / f"pg{uuid.uuid4().hex[:8]}"
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    options = f"-c listen_addresses='' -c unix_socket_directories={sockets} -c fsync=off"
    run("pg_ctl", "-D", str(data / "db"), "-o", options, "-l", str(data / "log"), "-w", "start")
    yield f"postgresql://vitruvius@/postgres?host={sockets}"
    run("pg_ctl", "-D", str(data / "db"), "-m", "immediate", "stop")
    shutil.rmtree(sockets)


@pytest.mark.slow
def test_eight_processes_share_a_run_on_postgresql(
    postgres: str, runner: Runner, tmp_path: Path
) -> None:
    script = tmp_path / "eight.py"
    script.write_text(EIGHT.replace("{settings}", repr(SEARCH)))
    told = subprocess.run(
        [sys.executable, str(script), postgres, runner.evaluator, "60"],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr[-3000:]
    assert told.stdout.split("]")[0].startswith("[-9, -9"), "two were killed"
    search = searching.open_search("shared", postgres)
    check(search, 60)
    assert trajectory([e.trial for e in search.log.read()]) == uninterrupted(60, 8)
    assert len({entry.owner for entry in search.log.read()}) >= 6
    search.log.run.storage.remove_session()
    search.log.run.storage._backend.engine.dispose()
