import pytest
import torch
from sklearn import metrics

from vitruvius.evaluators.training.scores import score_metrics, scores


def test_scores_of_classes_are_those_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(60, 4, generator=generator)
    labels = torch.randint(4, (60,), generator=generator)
    told, guess = scores(logits, labels, regression=False), logits.argmax(1)
    shares = logits.double().softmax(1)
    expected = {
        "accuracy": metrics.accuracy_score(labels, guess),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, guess),
        "f1": metrics.f1_score(labels, guess, average="macro"),
        "auroc": metrics.roc_auc_score(labels, shares, multi_class="ovr"),
        "loss": metrics.log_loss(labels, shares),
    }
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert set(told) == set(score_metrics(regression=False))


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = torch.tensor([[50.0, 0.0]] * 4)
    assert scores(sure, torch.tensor([0, 0, 0, 1]), regression=False)[
        "calibration_error"
    ] == pytest.approx(0.25)


def test_classes_without_examples_do_not_count() -> None:
    logits = torch.eye(3)[[0, 1, 2]]
    told = scores(logits, torch.tensor([0, 1, 0]), regression=False)
    assert told["balanced_accuracy"] == pytest.approx(0.75)


def test_scores_of_values() -> None:
    values, true = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([1.0, 2.0, 3.0])
    told = scores(values, true, regression=True)
    expected = {"mae": 1 / 3, "rmse": (1 / 3) ** 0.5, "r2": metrics.r2_score(true, values)}
    assert told == pytest.approx(expected)
