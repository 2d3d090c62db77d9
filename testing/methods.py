"""The contract of a search method as a pytest class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from jaxtyping import Int
from torch import Tensor

from ..bo.draws import initial_design
from ..bo.method import Method
from ..bo.problem import Problem
from ..bo.trial import History, Proposal, Trial
from ..core.seeding import derive_seed
from ..evaluators.evaluation import Evaluation, Status
from ..evaluators.metric import Metric
from ..evaluators.tables.table import Table
from ..spaces import ProductSpace, Space, space

__all__ = ["MethodContract", "search"]

Make = Callable[[], Method]

SPACES = ("nasbench201", "nasbench101", "nas-bench-graph", "mobilenetv3", "toy_recipe.yaml", "pair")
INITIAL = 4


def search(
    method: Method,
    problem: Problem,
    budget: int,
    *,
    seed: int = 0,
    status: Status = "ok",
    pending: int = 0,
) -> History:
    """Searches a made-up landscape until the budget or the space ends.

    Args:
        method: The method.
        problem: What is searched for; ``quality`` and ``cost`` are what it may measure.
        budget: Most trials.
        seed: Of the initial design and all decisions.
        status: What becomes of every trial.
        pending: How many of the last trials are still running whenever the method is asked.

    Example:
        >>> from vitruvius.bo.methods import RandomSearch
        >>> problem = Problem(space("toy_recipe.yaml"), quality_and_cost(), maximize="quality")
        >>> len(search(RandomSearch(), problem, 10))
        10
    """
    whole = problem.whole()
    rows = initial_design(problem.space if whole is None else whole, 200, seed)
    rows = rows[problem.possible(rows)][: min(INITIAL, budget)]
    proposals = [Proposal(tuple(row), "initial") for row in rows.tolist()]
    trials: list[Trial] = []
    while len(trials) < budget:
        number = len(trials)
        if number < len(proposals):
            proposal: Proposal | None = proposals[number]
        else:
            running = [t.pending() if number - t.number <= pending else t for t in trials]
            history = History(problem, running)
            proposal = method.propose(history, derive_seed(seed, "propose", number))
        if proposal is None:
            break
        metrics = landscape(proposal.row) if status == "ok" else {}
        architecture = problem.space.architecture(proposal.row)
        trials.append(Trial(number, proposal).finish(Evaluation(architecture, metrics, status)))
    return History(problem, trials)


def landscape(row: tuple[int, ...]) -> dict[str, float]:
    """Two metrics of any row: a smooth one with some ruggedness, and one that opposes it."""
    quality = sum((v % 3 + 1) * choice for v, choice in enumerate(row))
    rugged = hash(row) % 7 / 10
    return {"quality": quality + rugged, "cost": quality**1.5 + sum(row[::2])}


def quality_and_cost() -> dict[str, Metric]:
    """The metrics of `landscape`."""
    return {
        "quality": Metric("quality", "", "higher"),
        "cost": Metric("cost", "", "lower"),
    }


class MethodContract:
    """What every `Method` must keep; inherit it and give the fixture ``make``.

    Example:
        >>> from vitruvius.bo.methods import RandomSearch
        >>> class TestMyMethod(MethodContract):
        ...     @pytest.fixture
        ...     def make(self) -> Make:
        ...         return RandomSearch
    """

    @pytest.fixture
    def make(self) -> Make:
        """Makes the method; every call a new instance."""
        raise NotImplementedError("Give a fixture `make`.")

    @pytest.fixture
    def recipe(self) -> Space:
        """A space of 216 architectures."""
        return space("toy_recipe.yaml")

    @pytest.fixture
    def problem(self, recipe: Space) -> Problem:
        """One objective without constraints."""
        return Problem(recipe, quality_and_cost(), maximize="quality")

    # -- nothing twice --------------------------------------------------------------------------

    @pytest.mark.parametrize("name", SPACES)
    def test_nothing_is_proposed_twice(self, make: Make, name: str) -> None:
        history = search(make(), Problem(_space(name), quality_and_cost(), maximize="quality"), 7)
        assert len(history) == 7
        assert bool(history.problem.space.is_valid(history.everything).all())
        assert _distinct(history)

    @pytest.mark.parametrize("pending", [1, 5])
    def test_nothing_pending_is_proposed(self, make: Make, problem: Problem, pending: int) -> None:
        history = search(make(), problem, 20, pending=pending)
        assert len(history) == 20
        assert _distinct(history)

    def test_rows_are_canonical(self, make: Make) -> None:
        cells = space("nas-bench-graph")
        history = search(make(), Problem(cells, quality_and_cost(), maximize="quality"), 7)
        assert torch.equal(cells.canonical(history.everything), history.everything)

    def test_other_encodings_are_known(self, make: Make) -> None:
        """A history written in other encodings bars the same architectures."""
        cells = space("nasbench201")
        rows = cells.enumerate()[:16]
        table = _table(cells, rows)
        problem = Problem.of(table, maximize="quality")
        others = cells.shuffle(rows[:14], 1)
        trials = [
            Trial(i, Proposal(tuple(row), "told")).finish(
                Evaluation(cells.architecture(row), landscape(tuple(row)))
            )
            for i, row in enumerate(others.tolist())
        ]
        left = {tuple(row) for row in rows[14:].tolist()}
        for number in (14, 15):
            proposal = make().propose(History(problem, trials), number)
            assert proposal is not None
            left.remove(proposal.row)
            trials.append(Trial(number, proposal))
        assert make().propose(History(problem, trials), 16) is None

    # -- a function of history and seed ---------------------------------------------------------

    def test_the_same_history_and_seed_give_the_same(self, make: Make, problem: Problem) -> None:
        used = make()
        history = search(used, problem, 16)
        for length in (9, 16):
            part = History(problem, history.trials[:length])
            first = make().propose(part, 7)
            assert first == make().propose(part, 7) == used.propose(part, 7)

    def test_a_new_instance_at_every_trial_changes_nothing(
        self, make: Make, problem: Problem
    ) -> None:
        class Forgetful:
            name: ClassVar[str] = "forgetful"

            def propose(self, history: History, seed: int) -> Proposal | None:
                return make().propose(history, seed)

        once = search(make(), problem, 12)
        assert search(Forgetful(), problem, 12).trials == once.trials

    def test_seeds_matter(self, make: Make) -> None:
        problem = Problem(space("mobilenetv3"), quality_and_cost(), maximize="quality")
        one, two = (search(make(), problem, 7, seed=seed) for seed in (0, 1))
        assert one.trials != two.trials

    def test_the_global_state_is_left_alone(self, make: Make, problem: Problem) -> None:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        search(make(), problem, 8)
        assert torch.equal(torch.get_rng_state(), before)

    # -- what is possible -----------------------------------------------------------------------

    def test_exact_constraints_hold(self, make: Make) -> None:
        for name, where in (("nasbench201", "params<=400k"), ("mobilenetv3", "macs<=180M")):
            problem = Problem(space(name), quality_and_cost(), maximize="quality", where=where)
            history = search(make(), problem, 8)
            assert len(history) == 8
            assert bool(problem.possible(history.everything).all())

    def test_only_rows_of_a_table(self, make: Make) -> None:
        cells = space("nas-bench-graph")
        table = _table(cells, cells.enumerate()[::500])
        history = search(make(), Problem.of(table, maximize="quality"), 16)
        assert len(history) == 16
        assert bool(table.has(history.everything).all())

    def test_a_small_table_is_exhausted(self, make: Make) -> None:
        cells = space("nasbench201")
        problem = Problem.of(_table(cells, cells.enumerate()[::330]), maximize="quality")
        history = search(make(), problem, 1000)
        assert len(history) == 20
        assert _distinct(history)

    def test_every_row_of_a_sparse_table_too_large_to_score_is_proposed(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cells = space("nasbench201")
        problem = Problem.of(_table(cells, cells.enumerate()[::1500]), maximize="quality")
        monkeypatch.setattr("vitruvius.bo.problem.WHOLE", 5)
        history = search(make(), problem, 1000)
        assert len(history) == len(cells.enumerate()[::1500])
        assert _distinct(history)

    def test_what_constraints_leave_is_exhausted(self, make: Make) -> None:
        cells = space("nasbench201")
        problem = Problem(cells, quality_and_cost(), maximize="quality", where="params<=90k")
        possible = int(problem.possible(cells.enumerate()).sum())
        assert 0 < possible < 200
        trials = [
            Trial.of(i, Evaluation(problem.space.architecture(row), landscape(tuple(row))), "told")
            for i, row in enumerate(
                cells.enumerate()[problem.possible(cells.enumerate())][: possible - 5].tolist()
            )
        ]
        for number in range(len(trials), possible):
            proposal = make().propose(History(problem, trials), number)
            assert proposal is not None
            told = Evaluation(cells.architecture(proposal.row), landscape(proposal.row))
            trials.append(Trial(number, proposal).finish(told))
        history = History(problem, trials)
        assert _distinct(history)
        assert make().propose(history, 0) is None

    # -- objectives and failures ----------------------------------------------------------------

    @pytest.mark.parametrize(
        "wanted",
        [
            {"maximize": "quality", "minimize": "cost"},
            {"maximize": "quality", "where": "cost<=60"},
            {"maximize": "quality", "where": "cost<=-1"},
            {"minimize": "cost"},
            {"maximize": "quality", "minimize": "cost", "where": "cost<=60"},
        ],
        ids=["two objectives", "constraint", "nothing feasible", "minimize", "both"],
    )
    def test_all_kinds_of_problems(self, make: Make, recipe: Space, wanted: dict[str, Any]) -> None:
        history = search(make(), Problem(recipe, quality_and_cost(), **wanted), 16)
        assert len(history) == 16
        assert _distinct(history)

    @pytest.mark.parametrize("status", ["failed", "pruned"])
    def test_nothing_ever_succeeds(self, make: Make, problem: Problem, status: Status) -> None:
        history = search(make(), problem, 16, status=status)
        assert len(history) == 16
        assert _distinct(history)

    def test_all_values_are_equal(self, make: Make, problem: Problem) -> None:
        rows = problem.space.enumerate()[:20].tolist()
        trials = [
            Trial.of(i, Evaluation(problem.space.architecture(row), {"quality": 1.0}), "told")
            for i, row in enumerate(rows)
        ]
        assert make().propose(History(problem, trials), 0) is not None

    def test_other_fidelities_are_known_but_not_values(self, make: Make, problem: Problem) -> None:
        """What was measured only in part must not be taken for the objective."""
        rows = problem.space.enumerate().tolist()
        trials = [
            Trial.of(
                i,
                Evaluation(
                    problem.space.architecture(row),
                    {"quality": 1e9 if i % 2 else landscape(tuple(row))["quality"]},
                    fidelity=12 if i % 2 else None,
                ),
            )
            for i, row in enumerate(rows[:-3])
        ]
        proposal = make().propose(History(problem, trials), 0)
        assert proposal is not None


def _space(name: str) -> Space:
    if name == "pair":
        parts = {"graph": space("nas-bench-graph"), "recipe": space("toy_recipe.yaml")}
        return ProductSpace(name="pair", parts=parts)
    return space(name)


def _table(kind: Space, rows: Int[Tensor, "R V"]) -> Table:
    values = [landscape(tuple(row)) for row in rows.tolist()]
    columns = {name: torch.tensor([value[name] for value in values]) for name in quality_and_cost()}
    return Table(kind, rows, columns, quality_and_cost())


def _distinct(history: History) -> bool:
    return len(history.hashes.unique()) == len(history)
