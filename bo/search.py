"""Search: asks a method what to evaluate, has it evaluated, and keeps the log of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from jaxtyping import Int
from optuna.pruners import NopPruner
from torch import Tensor

from ..core.device import resolve_device
from ..core.errors import UsageError
from ..core.seeding import derive_seed
from ..core.torch_state import own_torch_state
from ..evaluators.context import Context
from ..evaluators.evaluation import Evaluation, Status
from ..evaluators.returned import numbers
from ..spaces import ArchitectureLike
from .best import best_trials
from .checks import checked
from .confirmation import CONFIRMED, confirm
from .executors import Executor, Finished, Task, executor as make_executor
from .first_failures import ALIKE, FirstFailures
from .method import CheckingMethod, KeepingMethod, Method, ReportingMethod, Scores, ScoringMethod
from .problem import Problem
from .progress import Progress, Snapshot, default_progress
from .proposer import Proposer
from .pruners import pruner
from .result import THREADS, SearchResult, result_of
from .store import Entry, Run, RunConfig, TrialLog
from .store.external import ExternalResult
from .telling import Teller
from .trial import History, Trial

__all__ = ["Search"]

# Seconds between looks at what other processes have written.
POLL = 0.25
# A range that NumPy takes for a seed too.
SEEDS = 2**31


class Search:
    """The loop of ask and tell over a log that outlives the process.

    Args:
        problem: The objectives and constraints.
        method: Decides what to evaluate.
        run: Where to keep the log; by default in memory, with the settings below. A run has its own
            settings.
        seed: Of everything random.
        batch: How many trials may be pending at the same time, over all processes; a part of the
            trajectory.
        initial: Random architectures before the method decides.

    Example:
        >>> from ..evaluators import evaluator
        >>> from ..spaces import space
        >>> class First:
        ...     name = "first"
        ...
        ...     def propose(self, history, seed):
        ...         row = history.fresh(history.problem.whole())[0]
        ...         return Proposal(tuple(row.tolist()), "first")
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> search = Search(Problem.of(cora, maximize="valid_perf"), First())
        >>> trial = search.ask()[0]
        >>> search.tell(trial.number, {"valid_perf": 0.79}).status
        'ok'
    """

    @own_torch_state()
    def __init__(
        self,
        problem: Problem,
        method: Method,
        run: Run | None = None,
        *,
        seed: int = 0,
        batch: int = 1,
        initial: int = 5,
    ) -> None:
        if run is None:
            config = RunConfig(
                space=problem.space.text,
                method=method.name,
                seed=seed,
                batch=batch,
                initial=initial,
            )
            run = Run.in_memory(config, problem.objectives)
        self.problem, self.method, self.config = problem, method, run.config
        if isinstance(method, CheckingMethod):
            method.check(problem)
        if isinstance(method, KeepingMethod) and run.folder is not None:
            method.keep_in(run.folder)
        self.log = TrialLog(run, problem)
        self._proposer = Proposer(
            problem,
            method,
            seed=run.config.seed,
            batch=run.config.batch,
            initial=run.config.initial,
        )
        self._teller = Teller(problem, self.log)
        self._mine: dict[int, Entry] = {}
        self._pruner = pruner(self.config.pruner)
        if problem.multiple and not isinstance(self._pruner, NopPruner):
            raise UsageError(
                f"The pruner {self.config.pruner!r} compares one objective, there are several.",
                "Leave it out, or make all but one of them constraints.",
            )
        self._ended = False
        self._cpu = self._wall = 0.0
        self._timeout: float | None = None
        self._first, self._failed = FirstFailures(), set[int]()
        self._executor: Executor | None = None
        self._threads: int | None = None

    # -- by hand --------------------------------------------------------------------------------

    @own_torch_state()
    def ask(self, q: int = 1, pool: Int[Tensor, "P V"] | None = None) -> list[Trial]:
        """Decides what to evaluate next, for people who evaluate elsewhere.

        Args:
            q: How many.
            pool: Valid choice indices; where given, nothing else is proposed.

        Returns:
            New pending trials; fewer than ``q`` where there are no more.

        Raises:
            UsageError: For ``q`` below 1.
        """
        if q < 1:
            raise UsageError(f"`q` must be at least 1, got {q}.", "Ask for one or more.")
        asked: list[Trial] = []
        while len(asked) < q:
            entries = self.log.read()
            chosen = self._proposer.ask(entries, pool)
            if chosen.proposal is None:
                break
            entry = self.log.claim(
                len(entries), chosen.proposal, rejected=chosen.rejected, asked=True
            )
            if entry is not None:
                asked.append(entry.trial)
        return asked

    @own_torch_state()
    def score(self, pool: Int[Tensor, "P V"]) -> Scores:
        """Says what the method thinks of architectures, from all results there are.

        Args:
            pool: Valid choice indices.

        Raises:
            UsageError: Where the method scores nothing, or fewer than two results are in.
        """
        history = History(self.problem, [entry.trial for entry in self.log.read()])
        if not isinstance(self.method, ScoringMethod):
            raise UsageError(f"The method {self.method.name!r} scores nothing.", "Use bo.")
        if len(history.ok) < 2:
            raise UsageError(
                f"Scores need two results or more, there are {len(history.ok)}.", "Tell some first."
            )
        return self.method.score(history, pool, derive_seed(self.config.seed, "score"))

    @own_torch_state()
    def tell(
        self,
        what: int | ArchitectureLike | Evaluation,
        metrics: Mapping[str, float] | None = None,
        *,
        status: Status = "ok",
        reason: str = "",
        fidelity: int | None = None,
        seed: int = 0,
        seconds: float = 0.0,
    ) -> Trial:
        """Takes a result: of a pending trial, or of an architecture that was never asked for.

        What was measured at one fidelity is another result than what was measured at another.

        Args:
            what: Number of a trial, an architecture, or an evaluation of one, which says all that
                follows.
            metrics: What was measured; None where it failed.
            status: ``"ok"``, ``"failed"`` or ``"pruned"``.
            reason: The reason why it is not ``"ok"``.
            fidelity: The budget it was evaluated at; None for the full one. A trial has its own.
            seed: Of the training.
            seconds: What it cost.

        Returns:
            The trial with its result; its source is ``"prior"`` where it was not asked for.

        Raises:
            UsageError: Where there is no such trial, it has a result, or metrics are missing.
            ArchitectureError: Where it is not an architecture of the space.
        """
        if isinstance(what, Evaluation):
            given = what
        else:
            if metrics is None and status == "ok":
                status, reason = "failed", reason or "no reason given"
            entries = self.log.read()
            architecture: ArchitectureLike = what  # type: ignore[assignment]
            if isinstance(what, int):
                proposal = self._teller.numbered(entries, what).trial.proposal
                architecture, fidelity = proposal.row, proposal.fidelity
            given = Evaluation(
                self.problem.space.architecture(architecture),
                numbers(metrics or {})[0],
                status,
                reason,
                fidelity,
                seed,
                seconds,
            )
        return self._teller.tell(given, what if isinstance(what, int) else None)

    @own_torch_state()
    def tell_all(self, results: Sequence[ExternalResult]) -> dict[str, int]:
        """Takes many results; those of architectures that have one already are left out.

        A result takes the place of a failure.

        Args:
            results: As read by `parse_results`.

        Returns:
            How many were ``told``, how many of these ``failed``, and how many were ``known``.

        Raises:
            UsageError: For a number that is no trial's or metrics that are missing.
            ArchitectureError: For what is not an architecture of the space.
        """
        return self._teller.tell_all(results)

    def has_result(self, what: int | ArchitectureLike, fidelity: int | None = None) -> bool:
        """Whether a trial, or any trial of an architecture at a fidelity, is done.

        Args:
            what: Number of a trial, or an architecture.
            fidelity: The fidelity; None is the full one. A trial has its own.

        Raises:
            UsageError: For a number that is no trial's.
        """
        entries = self.log.read()
        if isinstance(what, int):
            return self._teller.numbered(entries, what).trial.done
        row = self.problem.space.architecture(what).canonical
        return any(entry.trial.done for entry in self.log.of(row, fidelity))

    def retry_failed(self) -> int:
        """Frees what has failed, so that the run evaluates it again; returns how many.

        What failed elsewhere and was told so stays as it is.
        """
        failed = [e for e in self.log.read() if e.trial.status == "failed" and not e.prior]
        self.log.release(failed, "to be tried again")
        return len(failed)

    # -- by itself ------------------------------------------------------------------------------

    @own_torch_state()
    def run(
        self,
        budget: int,
        *,
        workers: int = 1,
        executor: str | Executor = "serial",
        timeout: float | None = None,
        retry_failed: bool = False,
        progress: Progress | None = None,
    ) -> SearchResult:
        """Evaluates until the budget is spent, together with other processes on the same run.

        Args:
            budget: Evaluations that the run shall have in the end, failed ones included and prior
                results not.
            workers: Evaluations at the same time in this process.
            executor: ``"serial"``, ``"process"``, ``"ray"``, or one that is made.
            timeout: Seconds after which an evaluation has failed.
            retry_failed: Whether to evaluate again what has failed.
            progress: The display that is reported to; by default a table in notebooks, else none.

        Returns:
            What the run holds. Where the first evaluations all failed alike, before there was any
            result, the search has stopped (see `FirstFailures`): they are in what is returned and
            free again in the run.

        Raises:
            UsageError: Where ``budget`` is below 1 or the problem has no evaluator.
        """
        if budget < 1:
            raise UsageError(f"`budget` must be at least 1, got {budget}.", "Give one or more.")
        evaluator = self.problem.evaluator
        if evaluator is None:
            raise UsageError("There is no evaluator to run.", "Give one, or use `ask` and `tell`.")
        if evaluator.sequential and (workers > 1 or self.config.batch > 1):
            raise UsageError(
                "Evaluations depend on those before them, as with shared weights.",
                "Use one worker and batches of 1.",
            )
        if isinstance(executor, str):
            executor = make_executor(executor, evaluator, workers, timeout=timeout)
        executor.report = self._reported
        self._timeout = timeout
        self._first, self._failed = FirstFailures(min(ALIKE, budget)), set()
        self.log.run.extend(budget)
        self._executor = executor
        if retry_failed:
            self.retry_failed()
        cpu, wall = time.process_time(), time.monotonic()
        with self.log.alive(), executor, progress or default_progress() as shown:
            try:
                self._loop(executor, shown)
            except BaseException:
                self.log.abandon("interrupted")
                raise
            finally:
                self._mine.clear()
                self._cpu += time.process_time() - cpu
                self._wall += time.monotonic() - wall
            self._confirm(executor)
            result = self.result()
            if result.mistake:
                self.log.release(
                    [entry for entry in self.log.read() if entry.trial.number in self._failed],
                    result.mistake,
                )
        return result

    @own_torch_state()
    def __repr__(self) -> str:
        where = self.log.run.location or "in memory"
        return f"Search({self.problem.space.name}, {where}, method {self.method.name})"

    def result(self) -> SearchResult:
        """Sums up what the log holds."""
        entries = self.log.read()
        more = {
            "method": self.method.name,
            "batch": self.config.batch,
            "seed": self.config.seed,
            "cpu_seconds": round(self._cpu, 3),
            "wall_seconds": round(self._wall, 3),
        }
        if isinstance(self.method, ReportingMethod):
            history = History(self.problem, [entry.trial for entry in entries])
            more |= self.method.report(history)
        return result_of(
            self.problem,
            self.log.run,
            entries,
            more,
            ended=self._why_ended(entries),
            mistake=self._mistake(entries),
        )

    def _confirm(self, executor: Executor) -> None:
        """Measures the best again, where a limit on what is measured with noise says so."""
        evaluator = self.problem.evaluator
        if evaluator is None or not evaluator.noisy or getattr(executor, "remote", False):
            return
        device = Context(device=str(resolve_device()))

        def measure(row: tuple[int, ...]) -> Mapping[str, float]:
            return evaluator.measure_again(row, device)

        known = self.log.run.remark(CONFIRMED)
        trials = [entry.trial for entry in self.log.read()]
        told = confirm(self.problem, trials, known, measure)
        if told:
            self.log.run.note(CONFIRMED, told)

    def _note_threads(self) -> None:
        """Keeps with the run how many threads evaluations have."""
        threads = getattr(self._executor, "threads", None)
        if threads is not None and threads != self._threads:
            self._threads = threads
            self.log.run.note(THREADS, threads)

    def _why_ended(self, entries: Sequence[Entry]) -> str:
        """Why nothing more was proposed; blank where that is not so."""
        if not self._ended:
            return ""
        if self.problem.listed() is not None:
            return "Everything that may be proposed has been; the search ended there."
        further = "further architecture" if entries else "architecture"
        exact = self.problem.exact_constraints
        wanted = f"meets {exact}" if exact else "may be proposed"
        return (
            f"No {further} that {wanted} was found, though there may be some; the search ended "
            "there."
        )

    def _mistake(self, entries: Sequence[Entry]) -> str:
        """What fails every evaluation; blank where one has told something."""
        reason = self._first.mistake()
        told = any(e.trial.status in ("ok", "pruned") and not e.prior for e in entries)
        return "" if told or reason is None else reason

    def _loop(self, executor: Executor, progress: Progress) -> None:
        while True:
            entries = self.log.read()
            if self.log.reap():
                continue
            if self._mistake(entries):
                self.log.abandon("interrupted")
                break
            if progress.wants():
                progress.show(self._snapshot(entries))
            while executor.free and (entry := self._start(entries)):
                self._mine[entry.trial.number] = entry
                seed = derive_seed(self.config.seed, "evaluate", entry.trial.number) % SEEDS
                proposal = entry.trial.proposal
                executor.submit(
                    Task(
                        entry.trial.number,
                        proposal.row,
                        proposal.fidelity,
                        seed,
                        self._folder_of(entry),
                        self._timeout,
                    )
                )
                entries = self.log.read()
            settled = all(entry.asked for entry in self.log.open())
            if settled and (self._ended or self._spent(entries)):
                break
            # Also where nothing runs here: other processes are at it.
            for finished in executor.wait(POLL):
                self._record(finished)
            self._note_threads()
        if progress.wants(last=True):
            progress.show(self._snapshot(entries))

    def _start(self, entries: Sequence[Entry]) -> Entry | None:
        """Claims what is to be evaluated next; None where that is nothing for now."""
        for entry in self.log.open():
            if entry.interrupted:
                again = self.log.claim(
                    entry.trial.number,
                    entry.trial.proposal,
                    attempt=entry.attempt + 1,
                    rejected=entry.rejected,
                )
                if again is not None:
                    return again
        if self._ended or self._spent(entries) or not self._proposer.due(entries):
            return None
        if not self.log.may_propose(len(entries)):
            return None
        chosen = self._proposer.next(entries)
        self._ended = chosen.proposal is None
        if chosen.proposal is None:
            return None
        return self.log.claim(len(entries), chosen.proposal, rejected=chosen.rejected)

    def _spent(self, entries: Sequence[Entry]) -> bool:
        own = sum(not entry.prior for entry in entries)
        if own < self.log.run.config.budget:
            return False
        self.log.run.extend(self.log.run.budget())  # another process may have raised it
        return own >= self.log.run.config.budget

    def _record(self, finished: Finished) -> None:
        entry = self._mine.pop(finished.position)
        if finished.evaluation is None:
            self.log.interrupt(entry, finished.reason, vanished=True)
            return
        told = checked(self.problem, finished.evaluation)
        said = finished.judged and told.status == finished.evaluation.status
        self._first.take(replace(finished, evaluation=told, judged=said))
        if told.status == "failed":
            self._failed.add(finished.position)
        self.log.finish(entry, told)

    def _folder_of(self, entry: Entry) -> str | None:
        folder = self.log.run.folder
        return None if folder is None else str(folder / "trials" / str(entry.trial.number))

    def _reported(self, position: int, step: int, metrics: Mapping[str, float]) -> bool:
        """Keeps an intermediate value of the objective, and tells whether to go on."""
        name = self.problem.objectives[0].metric
        if self.problem.multiple or not math.isfinite(metrics.get(name, math.nan)):
            return True
        key = self._mine[position].key
        return not self.log.run.prunes(key, step, metrics[name], self._pruner)

    def _snapshot(self, entries: Sequence[Entry]) -> Snapshot:
        own = [entry for entry in entries if not entry.prior]
        history = History(self.problem, [entry.trial for entry in entries])
        return Snapshot(
            problem=self.problem,
            best=best_trials(history),
            evaluated=sum(entry.trial.done for entry in own),
            running=sum(not entry.trial.done for entry in own),
            failed=sum(entry.trial.status == "failed" for entry in own),
            budget=self.log.run.config.budget,
        )
