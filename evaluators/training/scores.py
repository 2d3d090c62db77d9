"""Scores of predictions: what a training measures on examples that it does not learn from."""

from __future__ import annotations

import warnings

import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from ..metric import Metric

__all__ = ["leading", "score_metrics", "scores"]

_INFINITE = float("inf")
CLASSIFICATION = {
    "accuracy": Metric("accuracy", "fraction", "higher", (0.0, 1.0)),
    "balanced_accuracy": Metric("balanced_accuracy", "fraction", "higher", (0.0, 1.0)),
    "f1": Metric("f1", "fraction", "higher", (0.0, 1.0)),
    "auroc": Metric("auroc", "fraction", "higher", (0.0, 1.0)),
    "calibration_error": Metric("calibration_error", "fraction", "lower", (0.0, 1.0)),
    "loss": Metric("loss", "", "lower", (0.0, _INFINITE)),
}
REGRESSION = {
    "mae": Metric("mae", "", "lower", (0.0, _INFINITE)),
    "rmse": Metric("rmse", "", "lower", (0.0, _INFINITE)),
    "r2": Metric("r2", "", "higher", (-_INFINITE, 1.0)),
}


def score_metrics(*, regression: bool) -> dict[str, Metric]:
    """Lists what is measured.

    Args:
        regression: Whether values are predicted; else classes are.
    """
    return dict(REGRESSION if regression else CLASSIFICATION)


def leading(*, regression: bool) -> Metric:
    """Returns the score by which epochs are compared.

    Args:
        regression: As for `score_metrics`.
    """
    return REGRESSION["mae"] if regression else CLASSIFICATION["accuracy"]


def scores(
    outputs: Float[Tensor, "N K"], targets: Shaped[Tensor, "N *K"], *, regression: bool
) -> dict[str, float]:
    """Scores predictions, by torchmetrics.

    Of classes: the share that is right; the mean over classes of that share, and of F1; the mean
    area under the curve of one class against the rest; the expected calibration error in 15 bins
    (arXiv 1706.04599); the cross entropy. Of values: mean absolute and root mean squared error,
    and the mean share of the variance that is explained.

    Args:
        outputs: Logits, or values.
        targets: Class of each, or values.
        regression: As for `score_metrics`.

    Example:
        >>> import torch
        >>> told = scores(5 * torch.eye(3), torch.tensor([0, 1, 1]), regression=False)
        >>> round(told["accuracy"], 3), round(told["balanced_accuracy"], 3)
        (0.667, 0.75)
    """
    from torchmetrics.functional import classification, regression as of_values

    outputs, targets = outputs.float().cpu(), targets.cpu()
    with warnings.catch_warnings():
        # Of a class without examples, whose curve is left out.
        warnings.simplefilter("ignore")
        if regression:
            targets = targets.reshape(outputs.shape)
            found = {
                "mae": (outputs - targets).abs().mean(),
                "rmse": (outputs - targets).square().mean().sqrt(),
                "r2": of_values.r2_score(outputs, targets) if len(outputs) > 1 else outputs.sum(),
            }
        else:
            classes, shares = outputs.shape[1], outputs.softmax(1)
            found = {
                "accuracy": classification.multiclass_accuracy(
                    outputs, targets, classes, average="micro"
                ),
                "balanced_accuracy": classification.multiclass_recall(
                    outputs, targets, classes, average="none"
                )[targets.unique()].mean(),
                "f1": classification.multiclass_f1_score(outputs, targets, classes),
                "auroc": classification.multiclass_auroc(shares, targets, classes),
                "calibration_error": classification.multiclass_calibration_error(
                    shares, targets, classes
                ),
                "loss": F.cross_entropy(outputs, targets),
            }
    return {name: float(value) for name, value in found.items()}
