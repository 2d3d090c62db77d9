"""Sampler: targets, and the labels and predictors that they need, ready to sample from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.device import resolve_device
from ..core.errors import UsageError
from ..core.options import split_options
from ..core.seeding import derive_seed
from ..core.torch_state import own_torch_state
from ..encoders.view import views_of
from ..evaluators.evaluator import Evaluator
from ..evaluators.function import metrics_named
from ..evaluators.names import check_names
from ..evaluators.reachable import check_reachable
from ..evaluators.targets import Targets, exact_metrics, parse_targets
from ..generators.generator import Generator
from ..generators.pool import Pool, gather
from ..generators.resolver import generator_for
from ..generators.steering import reference_set, steer
from ..predictors.goal import Goal
from ..predictors.resolver import AUTO, fit_predictor
from ..spaces import ImageTask, Space
from .labels import FEWEST, Labelling, Labels, finished_labels, spend_labels
from .proxy_ranking import RANKED, ProxyRanking
from .sample_result import Sample, SampleResult
from .small_spaces import unlabelled, whole_space

__all__ = ["Clock", "Sampler"]

# Labels spent by default on a table that stands in for training, and the most that are taken of a
# user's own: with more of them, fits take minutes.
DEFAULT_LABELS, MOST_FINISHED = 200, 1000


class Sampler:
    """Targets with the labels and predictors they need, ready to sample from any generator.

    Args:
        space: The space.
        data: Where labels come from.
        target: As for `sample`.
        labels: As for `sample`.
        labels_from: As for `sample`.
        predictor: As for `sample`.
        labelling: How labels are evaluated; by default in this process, kept nowhere.
        exclude: Architectures that shall not be returned either, ``[K, V]``.
        seed: Seed of labels and predictors.

    Attributes:
        goal: The targets that can be told, with the fitted predictors; may be replaced.
        labels: The architectures that were evaluated, and their values.

    Raises:
        UsageError: For negative ``labels``, or too few to fit a predictor to.
        TargetError: As for `sample`.
        UnknownNameError: For an unknown metric or predictor.

    Example:
        >>> from vitruvius.spaces import space
        >>> sampler = Sampler(space("nasbench201"), target="params<=400k")
        >>> [sampler.sample(2, seed=seed).summary["hit_rate"] for seed in (0, 1)]
        [1.0, 1.0]
    """

    @own_torch_state()
    def __init__(
        self,
        space: Space,
        *,
        data: Evaluator | None = None,
        target: str = "",
        labels: int | None = None,
        labels_from: str | Path | None = None,
        predictor: str = AUTO,
        labelling: Labelling | None = None,
        exclude: Int[Tensor, "K V"] | None = None,
        seed: int = 0,
    ) -> None:
        if labels is not None and labels < 0:
            raise UsageError(f"`labels` must not be negative, got {labels}.", "0 spends none.")
        views = views_of(space, split_options(predictor)[1].get("views", ()))
        if any(view.costly for view in views):
            raise UsageError(
                "Sampling predicts thousands of architectures, and each view takes a computation.",
                "Give a table of what it tells, search with it, or rank by proxies: `labels` 0.",
            )
        self.space, self.data, self.seed = space, data, seed
        self.task = space.task if data is None else data.task
        if data is not None:
            measured = data.metrics
        else:
            measured = {} if labels_from is None else metrics_named(space, target)
        self.metrics = {**exact_metrics(space), **measured}
        check_names(() if data is None else data.assumed, list(exact_metrics(space)))
        self.targets = parse_targets(target, self.metrics) if target else Targets()
        names = set(self.targets.names)
        learnt = [m for m in self.targets.names if m in measured and not measured[m].exact]
        check_reachable(space, self.targets.restrict(names - set(learnt)), self.exact)
        nothing = torch.zeros(0, len(space.variables), dtype=torch.long)
        self._exclude = nothing if exclude is None else exclude
        self.labels = Labels(nothing, {})
        if learnt and labels_from is not None:
            self.labels = finished_labels(space, labels_from, {m: measured[m] for m in learnt})
        wanted = labels
        self._finished = 0
        self._ranking: ProxyRanking | None = None
        self._ranked: list[str] = []
        ranked = [m for m in learnt if measured[m].better == "higher"]
        images = space.buildable and isinstance(self.task, ImageTask)
        if labels == 0 and labels_from is None and ranked and images:
            self._ranking, self._ranked = ProxyRanking(space, self.task, seed=seed), ranked
        if wanted is None:
            wanted = 0 if labels_from is not None else _labels_by_default(data)
            if learnt and data is not None and data.finished and data.rows is not None:
                self._finished = len(data.rows) if wanted else 0
        if learnt and wanted and data is not None:
            if len(self.labels) + wanted < FEWEST:
                raise UsageError(
                    f"A predictor needs at least {FEWEST} labels, {wanted} are allowed.",
                    "Allow more, or 0 to do without predictors.",
                )
            how = labelling or Labelling()
            self.labels = self.labels.join(
                spend_labels(data, learnt, wanted, derive_seed(seed, "labels"), how, self.labels.x)
            )
        fitted = {
            metric: fit_predictor(predictor, space, *self.labels.of(metric), seed=seed)
            for metric in learnt
            if len(self.labels) or self.labels.failed
        }
        told = self.targets.restrict(names - set(learnt) | set(fitted))
        self.goal = Goal(space, told, self.exact, fitted, seed=seed)

    @own_torch_state()
    def sample(
        self,
        n: int = 10,
        *,
        generator: str | Generator = "auto",
        guidance: str = "auto",
        steps: int = 16,
        seed: int | None = None,
        device: str = "auto",
        batch_size: int | None = None,
        clock: Clock | None = None,
    ) -> SampleResult:
        """Samples as the function `sample` does, spending no further labels.

        Args:
            n: How many architectures to return.
            generator: As for `sample`.
            guidance: As for `sample`.
            steps: Reverse steps.
            seed: Seed of the proposals; by default that of the labels.
            device: As for `sample`.
            batch_size: As for `sample`.
            clock: Started earlier, where more than this call shall be timed.

        Raises:
            UsageError: For ``n`` below 1, or for guidance that the generator or the targets do not
                allow.
            UnknownNameError: For an unknown generator or guidance.
        """
        if n < 1:
            raise UsageError(f"`n` must be at least 1, got {n}.", "Ask for one or more.")
        clock, seed = clock or Clock(), self.seed if seed is None else seed
        chosen = generator
        if isinstance(generator, str):
            generator = generator_for(self.space, generator)
        generator.to(resolve_device(device))
        units = self.data.metrics if self.data is not None else ()
        steering = steer(self.goal, generator, guidance, units=units, seed=seed)
        known = torch.cat([self.labels.x, self._exclude])
        left = unlabelled(self.space, known)
        wanted = n if self._ranking is None else max(n, RANKED)
        if left < n and len(self.labels):
            pool = whole_space(self.labels, self.goal, self.targets, self._exclude)
        else:
            pool = gather(
                self.goal,
                generator,
                steering,
                wanted,
                exclude=known,
                steps=steps,
                batch_size=batch_size,
                seed=seed,
            )
        feasible = self.goal.feasible(pool.x)
        x = pool.x[feasible][:wanted] if bool(feasible.any()) else pool.x[:n]
        if self._ranking is not None:
            x = x[self._ranking(x)][:n]
        samples = self.describe(x)
        new = ~torch.isin(self.space.hashes(x), self.space.hashes(self.labels.x))
        told = [
            entry.meets_target
            for entry, is_new in zip(samples, new.tolist(), strict=True)
            if is_new and entry.meets_target is not None
        ]
        seen = generator.seen(self.space, x)
        summary = {
            "space": self.space.name,
            "target": str(self.targets),
            "requested": n,
            "returned": len(samples),
            "proposals": pool.proposals,
            "raw_validity": pool.valid / pool.proposals if pool.proposals else None,
            "raw_unique": pool.unique / max(pool.valid, 1),
            "raw_yield": pool.feasible / pool.proposals
            if self.goal.exact_targets and pool.proposals
            else None,
            "novel": None if seen is None else float((~seen).double().mean()),
            "labels_used": len(self.labels) + self.labels.failed,
            "labels_failed": self.labels.failed,
            "task": str(self.task),
            "hit_rate": sum(told) / len(told) if told else None,
            "base_rate": self._base_rate(),
            "predictor": {m: model.name for m, model in self.goal.predictors.items()}
            | ({} if self._ranking is None else dict.fromkeys(self._ranked, "proxies")),
            "cpu_seconds": clock.cpu(),
            "wall_seconds": clock.wall(),
            "seed": seed,
            "steps": steps,
            "generator": generator.name,
            "guidance": steering.name,
        }
        shown = dict.fromkeys([*self.targets.names, *self.goal.targets.names])
        metrics = {name: self.metrics[name] for name in shown if name in self.metrics}
        return SampleResult(
            self.space,
            samples,
            summary,
            metrics,
            self._notes(feasible, pool, n, samples, generator, chosen, left),
        )

    def exact(self, x: Int[Tensor, "B V"]) -> Mapping[str, Tensor]:
        """Counts what needs no label.

        Args:
            x: Valid choice indices.
        """
        counted = self.space.statistics(x, self.task)
        return {**counted, **(self.data.exact_values(x) if self.data else {})}

    def describe(self, x: Int[Tensor, "B V"]) -> list[Sample]:
        """Tells all that is known of architectures; what can be looked up is.

        Args:
            x: Valid choice indices.
        """
        exact = self.exact(x)
        predicted = {m: model.predict(x) for m, model in self.goal.predictors.items()}
        chances = {m: column.exp() for m, column in self.goal.log_probabilities(x).items()}
        measured, meets, met = self._look_up(x, exact)
        return [
            Sample(
                architecture,
                {name: float(column[i]) for name, column in exact.items()},
                {
                    name: {
                        "mean": float(mean[i]),
                        "std": float(std[i]),
                        "probability": float(chances[name][i]),
                    }
                    for name, (mean, std) in predicted.items()
                },
                measured[i],
                meets[i],
                met[i],
            )
            for i, architecture in enumerate(self.space.architectures(x))
        ]

    def _look_up(
        self, x: Int[Tensor, "B V"], exact: Mapping[str, Tensor]
    ) -> tuple[list[dict[str, float] | None], list[bool | None], list[dict[str, bool]]]:
        """Looks the returned architectures up, after sampling: values, and which targets are met.

        What is neither counted nor measured stays untold.
        """
        measured: list[dict[str, float] | None] = [None] * len(x)
        known = dict(exact)
        if self.data is not None and self.data.batched:
            values = self.data.values(x)
            there = ~torch.stack(list(values.values())).isnan().all(0)
            measured = [
                {name: float(column[i]) for name, column in values.items()} if there[i] else None
                for i in range(len(x))
            ]
            known |= values
        # NaN meets no target, but what is not in the table at all is untold.
        met: list[dict[str, bool]] = [{} for _ in range(len(x))]
        for target in self.targets:
            if target.metric not in known:
                continue
            for i, far in enumerate(target.distance(known[target.metric]).tolist()):
                if target.metric in exact or measured[i] is not None:
                    met[i][target.metric] = far == 0
        every = len(self.targets)
        meets = [all(each.values()) if every and len(each) == every else None for each in met]
        return measured, meets, met

    def _base_rate(self) -> float | None:
        """Share that meets the targets: of all rows that are known, else by count."""
        if not self.targets:
            return None
        rows = None if self.data is None else self.data.rows
        if rows is None:
            rows = reference_set(self.space, self.seed)
        values = dict(self.exact(rows))
        if self.data is not None and self.data.batched:
            values |= self.data.values(rows)
        if set(self.targets.names) - set(values):
            return None
        return float(self.targets.satisfied(values).double().mean())

    def _notes(
        self,
        feasible: Tensor,
        pool: Pool,
        n: int,
        samples: list[Sample],
        generator: Generator,
        chosen: str | Generator,
        left: int,
    ) -> list[str]:
        notes = []
        if left < n and len(self.labels):
            notes.append(
                f"Of the {self.space.architecture_count:,} architectures of {self.space.name} "
                f"{left} have no label, so those with labels are among these, by what was measured."
            )
        if self._finished:
            taken = min(len(self.labels), self._finished)
            share = "all" if taken == self._finished else f"{taken:,} of"
            notes.append(
                f"Learned from {share} {self._finished:,} architectures of the table, which cost "
                "nothing; `labels` takes another number."
            )
        if chosen == "auto" and not generator.guidable and pool.proposals:
            notes.append(
                f"No generator ships for {self.space.name}, so these were drawn uniformly and "
                "sorted. To train one: vitruvius train SPACE --out FOLDER"
            )
        blind = set(self.targets.names) - set(self.goal.targets.names)
        if blind and self._ranking is not None:
            told = " and ".join(sorted(self._ranked))
            notes.append(
                f"No labels were spent: what may be best in {told} was chosen from {RANKED} by "
                "zero-cost proxies, which rank the best ones hardly better than chance."
            )
            blind -= set(self._ranked)
        if blind:
            notes.append(
                f"No labels were spent, so {', '.join(sorted(blind))} guided nothing; "
                "allow some with `labels`."
            )
        if self.goal.exact_targets and not bool(feasible.any()):
            notes.append(f"Nothing found meets {self.goal.exact_targets}; these come closest.")
        elif self.goal.exact_targets and pool.proposals and not pool.feasible:
            notes.append(
                f"The generator proposed nothing that meets {self.goal.exact_targets}; these were "
                "found from its space by changing one variable after another."
            )
        elif len(samples) < n:
            notes.append(f"Only {len(samples)} distinct architectures were found, not {n}.")
        return notes


def _labels_by_default(data: Evaluator | None) -> int:
    if data is None or not data.batched:
        return 0
    rows = data.rows if data.finished else None
    return DEFAULT_LABELS if rows is None else min(len(rows), MOST_FINISHED)


class Clock:
    """CPU and wall time since it was made, in seconds."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def wall(self) -> float:
        """Wall time."""
        return round(time.perf_counter() - self._wall, 3)

    def cpu(self) -> float:
        """CPU time of this process."""
        return round(time.process_time() - self._cpu, 3)
