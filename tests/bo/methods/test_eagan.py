import pytest
import torch

from vitruvius.bo.methods import EAGAN, initial_of, method
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces import ProductSpace, space

PAIR = space("eagan-generator:width=4 x eagan-discriminator:width=4")
METRICS = {name: Metric(name, "", "lower") for name in ("fid", "size")}
assert isinstance(PAIR, ProductSpace)
G, D = PAIR.columns.values()


def searched(count: int, generators: int = 6, population: int = 3, fail: int = -1) -> History:
    """FID is what the genes of both sides add up to."""
    problem = Problem(PAIR, METRICS, minimize="fid, size")
    trials: list[Trial] = []
    for number in range(count):
        made = EAGAN(population=population, generators=generators)
        proposal = made.propose(History(problem, trials), number)
        assert proposal is not None
        values = {"fid": float(sum(proposal.row)), "size": float(proposal.row[2])}
        told = Evaluation(
            PAIR.architecture(proposal.row),
            {} if number == fail else values,
            "failed" if number == fail else "ok",
        )
        trials.append(Trial(number, proposal).finish(told))
    return History(problem, trials)


def test_generators_first_then_discriminators_of_the_best() -> None:
    history = searched(14)
    rows = history.everything
    assert len(rows.unique(dim=0)) == 14
    published = next(iter(PAIR.parts["eagan_discriminator"].published.values()))
    fixed = PAIR.parts["eagan_discriminator"].rows([published])[0]
    assert (rows[:6, D] == fixed).all()
    best = rows[:6][history.values["fid"][:6].argmin()]
    assert (rows[6:, G] == best[G]).all()
    assert len(rows[6:, D].unique(dim=0)) == 8


def test_children_have_one_gene_of_their_own() -> None:
    """After a generation of three, a child differs from a parent in one gene, or has another's."""
    history = searched(6)
    parents = history.everything[:3, G]
    for child in history.everything[3:, G]:
        assert int((child != parents).sum(1).min()) <= 2
    assert {trial.source for trial in history.trials[3:]} == {"eagan_generator bred"}


def test_failures_are_no_parents() -> None:
    history = searched(8, fail=5)
    assert len(history.everything.unique(dim=0)) == 8


def test_where_all_failed_discriminators_are_still_searched() -> None:
    problem = Problem(PAIR, METRICS, minimize="fid")
    row = tuple(PAIR.sample(1, 0)[0].tolist())
    failed = Evaluation(PAIR.architecture(row), {}, "failed")
    history = History(problem, [Trial(0, Proposal(row, "told")).finish(failed)])
    assert EAGAN(generators=1).propose(history, 0) is not None


def test_constraints_hold() -> None:
    problem = Problem(PAIR, METRICS, minimize="fid", where="eagan_generator.params<=57500")
    proposal = EAGAN().propose(History(problem, []), 0)
    assert proposal is not None
    assert bool(problem.possible(torch.tensor([proposal.row])).all())


def test_by_name() -> None:
    assert initial_of("eagan:population=4") == initial_of(EAGAN()) == 0
    assert initial_of("nsga2") == 5
    assert method("eagan:population=4").name == "eagan"
    with pytest.raises(UsageError, match="2 or more"):
        EAGAN(population=1)


@pytest.mark.parametrize("name", ["darts", "autogan", "autogan x eagan-generator"])
def test_other_spaces(name: str) -> None:
    problem = Problem(space(name), METRICS, minimize="fid")
    with pytest.raises(UsageError, match="EAGAN searches a generator and a discriminator"):
        EAGAN().propose(History(problem, []), 0)
