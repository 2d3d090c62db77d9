"""Every surrogate, with every kind of problem that a search may have."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from vitruvius.bo.acquisition.fitted import FittedAcquisition
from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.errors import UsageError
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.predictors import predictor_names, resolver
from vitruvius.predictors.averaged_gp import AveragedGP
from vitruvius.predictors.resolver import predictors_that
from vitruvius.predictors.source_task import SourceTask
from vitruvius.spaces import space

CELLS = space("nasbench201")
# One of them looks at views alone; a search with views has a test of its own.
NAMES = [name for name in predictor_names() if name != "mixer"]
# As small as they come, where the default takes seconds.
SMALL = {
    "lightgbm": "lightgbm:members=2",
    "gnn": "gnn:members=2,steps=5",
    "latent": "latent:steps=5",
    "comparator": "comparator:members=1,steps=3",
    "pretrained": "pretrained:members=1,steps=3,pretrain=false",
    "conformal": "conformal:predictor=ridge",
    "nao": "nao:members=1,steps=2",
    "seminas": "seminas:members=1,steps=2",
}
METRICS = {
    "quality": Metric("quality", "", "higher"),
    "cost": Metric("cost", "", "lower"),
}
PROBLEMS = {
    "one objective": {"maximize": "quality"},
    "two objectives": {"maximize": "quality", "minimize": "cost"},
    "three objectives, one counted": {"maximize": "quality", "minimize": "cost,params"},
    "measured constraint": {"maximize": "quality", "where": "cost<=8"},
    "two objectives, measured constraint": {
        "maximize": "quality",
        "minimize": "params",
        "where": "cost<=8",
    },
}
# Each surrogate with the richest problem, and the GP with all; the rest is among the slow.
*SIMPLER, _ = PROBLEMS
SURROGATES_AND_PROBLEMS = [
    pytest.param(
        name, wanted, marks=[pytest.mark.slow] if name != "gp" and wanted in SIMPLER else []
    )
    for name in NAMES
    for wanted in PROBLEMS
]
SEEN = 8


@cache
def table() -> Table:
    """Eighty cells; a second fidelity tells most of the first."""
    x = CELLS.sample(400, 0).unique(dim=0)[::4][:80]
    chance = torch.Generator().manual_seed(0)
    quality = (x == 3).sum(1) + 0.3 * torch.randn(len(x), generator=chance, dtype=torch.float64)
    cost = x.sum(1) + 0.3 * torch.randn(len(x), generator=chance, dtype=torch.float64)
    values = {"quality": quality, "cost": cost}
    lower = {7: {name: 0.5 * column for name, column in values.items()}}
    return Table(CELLS, x, values, METRICS, lower=lower)


def history(wanted: dict[str, str], pending: int = 0, lower: int = 0) -> History:
    truth = table()
    trials = []
    for number in range(SEEN + pending + lower):
        running, full = number >= SEEN + lower, number < SEEN
        proposal = Proposal(
            tuple(truth.rows[number].tolist()), "initial", None if full or running else 7
        )
        trial = Trial(number, proposal)
        if not running:
            told = truth.evaluate(proposal.row, proposal.fidelity)
            trial = trial.finish(replace(told, seconds=10.0 if full else 1.0))
        trials.append(trial)
    return History(Problem.of(truth, **wanted), trials)


def proposes(method: BayesianOptimization, seen: History) -> Proposal:
    proposal = method.propose(seen, 0)
    assert proposal is not None
    row = torch.tensor([proposal.row])
    assert bool(table().has(row).all())
    assert not bool(seen.knows(row).any())
    assert proposal == method.propose(seen, 0)
    return proposal


@pytest.fixture(autouse=True)
def chooses_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that ``auto`` has something to choose among."""
    rule = replace(resolver._SEARCH, names=("gp", "deep-kernel"), folds=2, fewest=6)
    monkeypatch.setattr(resolver, "_SEARCH", rule)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wanted"), SURROGATES_AND_PROBLEMS)
def test_objectives_and_constraints(name: str, wanted: str) -> None:
    method = BayesianOptimization(surrogate=SMALL.get(name, name))
    proposes(method, history(PROBLEMS[wanted], pending=2))


@pytest.mark.parametrize("name", NAMES)
def test_a_lower_fidelity(name: str) -> None:
    if name != "auto" and name not in predictors_that("learns_fidelities"):
        with pytest.raises(UsageError, match="does not know how fidelities depend") as caught:
            BayesianOptimization(surrogate=SMALL.get(name, name), fidelity="lower-first")
        assert "gp, deep-kernel, latent" in caught.value.hint
        return
    method = BayesianOptimization(surrogate=SMALL.get(name, name), fidelity="lower-first")
    assert proposes(method, history({"maximize": "quality"}, lower=4)).fidelity in (None, 7)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param(name, wanted, marks=[] if name in ("gp", "ridge") else [pytest.mark.slow])
        for name in NAMES
        for wanted in ("one objective", "two objectives")
    ],
)
def test_warm_start(name: str, wanted: str) -> None:
    """From a task that ranks as the new one does, and says nothing of its cost."""
    truth = table()
    task = SourceTask("alike", CELLS, truth.rows, {"quality": truth.values(truth.rows)["quality"]})
    method = BayesianOptimization(surrogate=SMALL.get(name, name), tasks=[task])
    seen = history(PROBLEMS[wanted], pending=1)
    proposes(method, seen)
    weights = method.fitted(seen).weights
    assert weights["quality"] == {"alike": 1.0}
    assert method.report(seen)["warm_start"].keys() == {"quality"}
    # The surrogate that was asked for, not another in its place.
    model = method.fitted(seen)._models["quality"]
    assert model.name == name or name == "auto"


@pytest.mark.parametrize("acquisition", ["lognehvi", "logehvi"])
def test_noisy_fronts_under_several_samples(acquisition: str) -> None:
    """Mixtures have several hyper-parameter samples even where processes have one."""
    method = BayesianOptimization(surrogate="average", acquisition=acquisition)
    proposes(method, history(PROBLEMS["two objectives"], pending=1))


@pytest.mark.parametrize("pool", [None, slice(10, 40)])
def test_a_batch_is_asked_for_with_one_fit(
    pool: slice | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is the batch that would be chosen by fitting anew for each."""
    fits: list[int] = []
    fit = AveragedGP.fit

    def counted(self: AveragedGP, *args: object, **options: object) -> AveragedGP:
        fits.append(1)
        return fit(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(AveragedGP, "fit", counted)
    truth = table()
    rows = None if pool is None else truth.rows[pool]
    batches = []
    for forget in (False, True):
        method = BayesianOptimization()
        search = Search(Problem.of(truth, maximize="quality"), method, initial=0)
        for row in truth.rows[:6]:
            search.tell(row.tolist(), truth.evaluate(row.tolist()).metrics)
        fits.clear()
        asked = []
        for _ in range(1 if not forget else 4):
            asked += search.ask(4 if not forget else 1, rows)
            if forget:
                method._fits.clear()
        assert len(fits) == (4 if forget else 1)
        batches.append([trial.proposal.row for trial in asked])
        assert len(set(batches[-1])) == 4
        search.tell(asked[0].number, truth.evaluate(asked[0].proposal.row).metrics)
        search.ask(1, rows)
        assert len(fits) == (5 if forget else 2)
    assert batches[0] == batches[1]


def test_what_is_pending_is_all_that_changes() -> None:
    method = BayesianOptimization()
    before = method.fitted(history(PROBLEMS["one objective"]))
    after = method.fitted(history(PROBLEMS["one objective"], pending=2))
    assert isinstance(after, FittedAcquisition)
    assert (len(before.pending), len(after.pending)) == (0, 2)
    assert after._models is before._models
    other = method.fitted(history(PROBLEMS["two objectives"]))
    assert other._models is not before._models
