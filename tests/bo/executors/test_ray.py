"""A machine of a Ray cluster goes away: its trials are run again elsewhere."""

from __future__ import annotations

import sys
import time

import cloudpickle
import pytest

from vitruvius.bo.executors import executor
from vitruvius.bo.methods import method
from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.bo.store import Run, RunConfig
from vitruvius.evaluators import Evaluation, NASBenchGraphTable
from vitruvius.verbs import search as searching

pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Slow(NASBenchGraphTable):
    def evaluate(self, architecture, fidelity=None, seed=0) -> Evaluation:  # type: ignore[no-untyped-def]
        time.sleep(0.3)
        return super().evaluate(architecture, fidelity, seed)


def test_two_nodes_of_which_one_is_killed() -> None:
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    doomed = cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        problem = Problem.of(Slow("cora"), maximize="valid_perf")
        config = RunConfig(space="nas-bench-graph", batch=4, seed=7)
        search = Search(problem, method("local-search"), Run.in_memory(config, problem.objectives))
        made = executor("ray", Slow("cora"), 4)
        search.run(12, executor=made)
        made = executor("ray", Slow("cora"), 4)
        record, lost = search._record, []

        def kill_after_a_while(finished):  # type: ignore[no-untyped-def]
            if finished.position == 20:
                cluster.remove_node(doomed, allow_graceful=False)
            if finished.evaluation is None:
                lost.append(finished)
            record(finished)

        search._record = kill_after_a_while  # type: ignore[method-assign]
        result = search.run(40, executor=made)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost, "trials ran on the node that was killed"
    assert [trial.status for trial in result.trials] == ["ok"] * 40
    assert len({trial.proposal.row for trial in result.trials}) == 40
    straight = searching.search(
        "nas-bench-graph", evaluator="cora", maximize="valid_perf", method="local-search",
        budget=40, batch=4, seed=7,
    )  # fmt: skip
    assert [t.proposal for t in result.trials] == [t.proposal for t in straight.trials]
