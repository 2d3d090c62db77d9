import math

import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.encoders.tasks.task_description import TaskDescription, describe_task
from vitruvius.evaluators import NASBenchGraphTable
from vitruvius.generators import load
from vitruvius.generators.across_tasks import for_task, settle_conditions, source_across
from vitruvius.generators.diffusion import GraphDiffusion
from vitruvius.generators.guidance import ClassifierFree, Guidance
from vitruvius.generators.training import Source, new_denoiser
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import SourceTasks
from vitruvius.spaces import space

CELLS = space("nasbench201")
X = CELLS.enumerate()
PARAMS = CELLS.statistics(X)["params"]


def described(size: float) -> TaskDescription:
    return TaskDescription("graph", {"log nodes": size})


def tasks() -> SourceTasks:
    """Small data sets want few parameters, large ones many; one task says nothing of its size."""
    return SourceTasks(
        [
            SourceTask("small", CELLS, X, {"acc": -PARAMS}, description=described(7.0)),
            SourceTask("large", CELLS, X, {"acc": PARAMS}, description=described(11.0)),
            SourceTask("unknown", CELLS, X, {"acc": PARAMS}),
        ]
    )


@pytest.mark.slow
def test_every_architecture_stands_in_the_training_set_once_a_task() -> None:
    source = source_across(CELLS, X, tasks(), "acc")
    assert len(source.rows) == 3 * len(X)
    sizes = source.properties["task: log nodes"]
    assert sizes[0] == 7
    assert sizes[len(X)] == 11
    assert math.isnan(sizes[-1])
    score = source.properties["score"]
    torch.testing.assert_close(score[: len(X)], -score[len(X) : 2 * len(X)], atol=0.2, rtol=0.2)
    with pytest.raises(UsageError, match="nothing"):
        source_across(CELLS, X, tasks(), "nothing")


def test_the_one_that_ships_proposes_what_is_good_on_a_task_it_has_not_seen() -> None:
    """Photo, by the size of its graph alone: the mean percentile of what is proposed."""
    photo = NASBenchGraphTable("photo")
    generator = load("nas-bench-graph-tasks")
    assert "photo" not in generator.tasks
    assert len(generator.tasks) == 8
    ranked = photo.values(photo.rows)["valid_perf"].sort().values

    def percentile(proposing: GraphDiffusion) -> float:
        x = proposing.propose(photo.space, 200, seed=0).x
        values = photo.values(x)["valid_perf"]
        return float(torch.searchsorted(ranked, values).double().mean()) / len(ranked)

    settled = for_task(generator, photo.space, describe_task(photo.task))
    assert percentile(settled) > percentile(generator) + 0.1


def test_settled_conditions_are_those_of_classifier_free_guidance_at_scale_one() -> None:
    generator = load("nasbench201")

    def conditions(n: int, chance: torch.Generator) -> dict[str, torch.Tensor]:
        return {"params": torch.full((n,), 2e5)}

    guided = generator.propose(
        CELLS, 50, guidance=Guidance(ClassifierFree(conditions, scale=1.0)), seed=0
    )
    settled = settle_conditions(generator, CELLS, {"params": 2e5}).propose(CELLS, 50, seed=0)
    assert torch.equal(guided.x, settled.x)
    assert not torch.equal(settled.x, generator.propose(CELLS, 50, seed=0).x)


def test_a_generator_without_the_condition_is_refused() -> None:
    with pytest.raises(UsageError, match="params, macs, depth"):
        for_task(load("nasbench201"), CELLS, described(7.0))


def test_absent_properties_become_absent_conditions() -> None:
    params = PARAMS.double()
    source = Source(CELLS, X, {"half": params.masked_fill(PARAMS.le(PARAMS.median()), math.nan)})
    denoiser = new_denoiser([source], width=16, layers=1)
    knots = denoiser.config.knots[CELLS.name]["half"]
    assert all(math.isfinite(knot) for knot in knots)
    scores = denoiser.scores(0, {"half": torch.tensor([math.nan, float(params.max())])})
    place = denoiser.condition_names.index("half")
    assert scores[:, place].isnan().tolist() == [True, False]
