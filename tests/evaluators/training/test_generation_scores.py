import math

import pytest
import torch

from vitruvius.evaluators.training.generation_scores import (
    GENERATION,
    frechet_distance,
    generation_scores,
    spread,
)


def normal(count: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    return shift + scale * torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def test_frechet_distance_in_closed_form() -> None:
    x = normal(500, 0).double()
    # Of a shift by d in every one of 3 dimensions, and of a scale s.
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(12, rel=1e-6)
    centred = x - x.mean(0)
    expected = (3 - 1) ** 2 * spread(centred)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(expected, rel=1e-6)


def test_a_classifier_that_is_sure_of_all_classes_alike_scores_their_number() -> None:
    x = normal(400, 0)
    sure = 50 * torch.eye(4)[torch.arange(400) % 4]
    assert generation_scores(x, x, sure)["inception_score"] == pytest.approx(4, rel=0.1)
    assert generation_scores(x, x, torch.zeros(400, 4))["inception_score"] == pytest.approx(1)


def test_precision_and_recall_part_what_lacks_from_what_is_wrong() -> None:
    real = torch.cat([normal(200, 0), normal(200, 1, shift=50)])
    one_mode = generation_scores(real, normal(400, 2), torch.zeros(400, 2))
    assert one_mode["precision"] > 0.9
    assert 0.35 < one_mode["recall"] < 0.55
    elsewhere = generation_scores(real, normal(400, 3, shift=-50), torch.zeros(400, 2))
    assert elsewhere["precision"] == elsewhere["recall"] == 0
    assert elsewhere["kid"] > one_mode["kid"] > 0


def test_scores_are_the_metrics() -> None:
    told = generation_scores(normal(120, 0), normal(110, 1), torch.zeros(110, 2))
    assert list(told) == list(GENERATION)
    assert all(math.isfinite(value) for value in told.values())


def test_equal_images_have_no_spread() -> None:
    assert spread(torch.ones(5, 3)) == 0
