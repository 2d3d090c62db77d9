"""A multi-task Gaussian process over earlier tasks and the new one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import MultiTaskGP
from botorch.posteriors import GPyTorchPosterior
from gpytorch.kernels import IndexKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from .posterior import Posterior
from .transferred import Transferred

__all__ = ["MultiTask"]

# Labels of each earlier task that it learns from; its cost grows with the cube of their sum.
LEARNT = 60
ITERATIONS = 60


class MultiTask(Transferred):
    """BoTorch's multi-task process (Bonilla et al., NIPS 2007): all tasks are learnt at once.

    One kernel says how alike architectures are, a matrix how alike tasks are, and both are fitted
    to the labels of all tasks together. Where `TransferGP` takes what the earlier tasks say as
    given, this learns how they correlate (positively only, as BoTorch has it).

    Args:
        tasks: As for `Transferred`.
        metric: As for `Transferred`.
        seed: As for `Transferred`.

    Example:
        >>> from vitruvius.predictors.source_task import SourceTask
        >>> from vitruvius.predictors.source_tasks import SourceTasks
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x, new = cells.sample(60, 0), cells.sample(8, 1)
        >>> task = SourceTask("earlier", cells, x, {"size": cells.statistics(x)["params"]})
        >>> predictor = MultiTask(SourceTasks([task]), "size")
        >>> mean, std = predictor.fit(new, cells.statistics(new)["params"]).predict(x)
        >>> predictor.weights["earlier"] > 0.5
        True
    """

    name: ClassVar[str] = "multi-task"

    _model: MultiTaskGP | None = None

    @property
    def weights(self) -> Mapping[str, float]:
        """Correlation of every earlier task with the new one; empty before `fit`."""
        if self._model is None:
            return {}
        kernels = [each for each in self._model.modules() if isinstance(each, IndexKernel)]
        covariance = kernels[0].covar_matrix.to_dense().detach()
        scale = covariance.diagonal().sqrt()
        there = self.tasks.having(self.metric)
        correlation = (covariance[-1, :-1] / (scale[-1] * scale[:-1])).tolist()
        return {task.name: each for task, each in zip(there, correlation, strict=True)}

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        x = data.x
        chance = make_generator(derive_seed(self.seed, "multi-task"))
        rows, scores, owner = [], [], []
        there = self.tasks.having(self.metric)
        for number, task in enumerate(there):
            few = torch.randperm(len(task.x), generator=chance)[:LEARNT]
            rows.append(task.x[few])
            scores.append(task.labels(self.metric)[few])
            owner.append(torch.full((len(few),), number))
        owner.append(torch.full((len(x),), len(there)))
        inputs = self._with_owner(torch.cat([*rows, x]), torch.cat(owner))
        scored = torch.cat([*scores, z.double()])[:, None]
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(derive_seed(self.seed, "multi-task fit"))
            model = MultiTaskGP(inputs, scored, task_feature=-1, output_tasks=[len(there)])
            fit_gpytorch_mll(
                ExactMarginalLogLikelihood(model.likelihood, model),
                optimizer_kwargs={"options": {"maxiter": ITERATIONS}},
            )
        self._model = model

    def _fitted_posterior(self, data: Features, joint: bool) -> Posterior:
        assert self._model is not None
        number = len(self.tasks.having(self.metric))
        inputs = self._with_owner(data.x, torch.full((len(data),), number))
        with torch.no_grad(), _quiet():
            found = self._model.posterior(inputs)
            noisy = self._model.posterior(inputs[:1], observation_noise=True)
            noise = (noisy.variance - found.variance[:1])[:, 0]
            assert isinstance(found, GPyTorchPosterior)
            covariance = found.distribution.covariance_matrix[None] if joint else None
        return Posterior(found.mean[None, :, 0], found.variance[None, :, 0], noise, covariance)

    def _with_owner(self, x: Int[Tensor, "B V"], owner: Int[Tensor, " B"]) -> Float[Tensor, "B _"]:
        features = torch.cat(self._feature_sets(x).features, 1).double()
        return torch.cat([features, owner[:, None].double()], 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides what torch says of the sparse tensors of gpytorch's index kernel, once a process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse invariant checks")
        yield
