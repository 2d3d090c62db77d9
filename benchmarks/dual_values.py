"""Dual values: does it pay to learn in which order variables are revealed under limits?

    python benchmarks/dual_values.py --out benchmarks/results

From finished constructions two networks learn what becomes of unfinished ones: whether limits will
be met, and by how much they will be missed ("Retrosynthetic planning with dual value networks",
arXiv 2301.13755). A construction then reveals the variable on which most depends, or a random one,
and draws its choice in proportion to what the first network expects, or where that has seen no
success, the second. Beside them stand the generator alone, its trained-in conditions, resampling,
and both, and descents from uniform draws to the limits. What counts is the share of proposals that
meet limits, and of distinct ones; and how many of these a second of computing gives, what learning
takes included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from _report import kept_rows, markdown, standard_error, write
from torch import Tensor, nn

from vitruvius import evaluator, space
from vitruvius.core.seeding import make_generator
from vitruvius.evaluators import exact_metrics, parse_targets
from vitruvius.evaluators.reachable import descend
from vitruvius.generators import Generator, Uniform, load
from vitruvius.generators.steering import steer
from vitruvius.predictors.goal import Goal
from vitruvius.spaces import Space

PROPOSALS, SEEDS = 2000, 3
# What descents are asked for.
DESCENTS = 200
# Finished constructions that the networks learn from, in rounds; later ones are their own.
LEARNT, ROUNDS, STEPS = 2000, 3, 400
WIDTH, RATE, BATCH = 128, 3e-3, 256
HARD = {
    "mobilenetv3": {
        "small": "macs<=270M, params<=4.2M",
        "few MACs, many parameters": "macs<=330M, params>=6M",
        "a narrow band": "macs=401M±0.3%, params=5.5M±0.5%",
    },
    "nasbench201 x accelerator": {
        "hard": "latency_cycles<=400k, energy_nj<=500k, area_um2<=2M",
    },
}


class DualValues:
    """The two networks, and constructions by them.

    Args:
        target: The space.
        seed: Of weights and draws.
    """

    def __init__(self, target: Space, seed: int) -> None:
        self.space, self.choices = target, target.choice_mask
        self.generator = make_generator(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            size = self.choices.numel() + len(self.choices)
            self.network = nn.Sequential(
                nn.Linear(size, WIDTH),
                nn.ReLU(),
                nn.Linear(WIDTH, WIDTH),
                nn.ReLU(),
                nn.Linear(WIDTH, 2 * self.choices.numel()),
            )

    def learn(self, x: Tensor, missed: Tensor) -> None:
        """Learns of finished constructions, some of whose choices are hidden.

        Args:
            x: Choices.
            missed: By how much limits are missed, 0 where they are met.
        """
        optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE)
        met, cost = (missed == 0).float(), missed.float().log1p()
        for _ in range(STEPS):
            rows = torch.randint(len(x), (BATCH,), generator=self.generator)
            share = torch.rand(BATCH, 1, generator=self.generator)
            known = torch.rand(BATCH, x.shape[1], generator=self.generator) > share
            told = self._told(x[rows], known)
            # What became of it, had each of the hidden choices come next.
            next_ones = told.gather(2, x[rows][..., None, None].expand(-1, -1, 1, 2))[:, :, 0]
            wanted = torch.stack([met[rows], cost[rows]], 1)[:, None].expand_as(next_ones)
            hidden = ~known
            loss = F.binary_cross_entropy_with_logits(next_ones[hidden][:, 0], wanted[hidden][:, 0])
            loss = loss + F.huber_loss(next_ones[hidden][:, 1], wanted[hidden][:, 1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def construct(self, n: int, ordered: bool) -> Tensor:
        """Makes architectures.

        Args:
            n: How many.
            ordered: Whether the variable that matters most comes first; else a random one.
        """
        variables, width = self.choices.shape
        x = torch.zeros(n, variables, dtype=torch.long)
        known = torch.zeros(n, variables, dtype=torch.bool)
        each = torch.arange(n)
        for _ in range(variables):
            met, cost = self._told(x, known).unbind(-1)
            scores = F.logsigmoid(met) - 4 * cost.clamp(min=0)
            scores = scores.masked_fill(~self.choices, -torch.inf)
            spread = scores.nan_to_num(neginf=torch.nan).nanmean(-1, keepdim=True)
            spread = (scores - spread).square().nan_to_num(0.0, 0.0, 0.0).sum(-1)
            random = torch.rand(n, variables, generator=self.generator)
            place = (spread + 1e-6 * random if ordered else random).masked_fill(known, -1).argmax(1)
            logits = scores[each, place]
            if self.space.constrained:
                logits = logits.masked_fill(~self.space.allowed(x, known)[each, place], -torch.inf)
            noise = torch.empty(n, width).exponential_(generator=self.generator)
            x[each, place] = (logits - noise.clamp(min=1e-20).log()).argmax(1)
            known[each, place] = True
        return x

    def _told(self, x: Tensor, known: Tensor) -> Tensor:
        """The two values of every choice of every variable, should it come next."""
        return self.network(self._inputs(x, known)).unflatten(1, (*self.choices.shape, 2))

    def _inputs(self, x: Tensor, known: Tensor) -> Tensor:
        hot = F.one_hot(x, self.choices.shape[1]).float() * known[..., None]
        return torch.cat([hot.flatten(1), known.float()], 1)


def main() -> None:
    """Measures every way to propose that is not in the file yet, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/dual_values.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    kept = {(r["space"], r["limits"], r["way"], r["seed"]): r for r in kept_rows(arguments.kept)}
    arguments.kept.parent.mkdir(parents=True, exist_ok=True)
    columns = [
        "space", "limits", "proposals by", "meet them, %", "distinct of these, %",
        "distinct a CPU-second",
    ]  # fmt: skip
    rows = []
    for name, limits in HARD.items():
        target = space(name)
        metrics, values = _counted(target)
        for title, text in limits.items():
            goal = Goal(target, parse_targets(text, metrics), values, {})
            for way, propose in _ways(target, goal).items():
                told = []
                for seed in range(arguments.seeds):
                    key = name, text, way, seed
                    if key not in kept:
                        row = dict(zip(("space", "limits", "way", "seed"), key, strict=True))
                        kept[key] = row | _measured(goal, propose, seed)
                        with arguments.kept.open("a") as file:
                            print(json.dumps(kept[key]), file=file)
                    told.append(kept[key])
                cells = [
                    f"{mean(run[key] for run in told):.2f} ± "
                    f"{standard_error(run[key] for run in told) or 0:.2f}"
                    for key in ("met", "distinct")
                ]
                speed = mean(r["made"] / 100 * r["distinct"] / r["cpu_seconds"] for r in told)
                rows.append([name, f"{title}: {text}", way, *cells, speed])
                print(*rows[-1], flush=True)
    write(arguments.out, "dual_values", {"rows": list(kept.values())}, markdown(columns, rows))


def _counted(target: Space) -> tuple[dict[str, Any], Callable[[Tensor], dict[str, Tensor]]]:
    if "accelerator" not in target.name:
        return exact_metrics(target), target.statistics
    hardware = evaluator(target, "hardware")
    return (
        {**hardware.metrics, **exact_metrics(target)},
        lambda x: {**hardware.values(x), **target.statistics(x)},
    )


def _ways(target: Space, goal: Goal) -> dict[str, Callable[[int], Tensor]]:
    def by(source: Generator, forms: str) -> Callable[[int], Tensor]:
        return lambda seed: (
            source.propose(
                target, PROPOSALS, guidance=steer(goal, source, forms, seed=seed), seed=seed
            ).x
        )

    def learnt(ordered: bool) -> Callable[[int], Tensor]:
        return lambda seed: _constructed(target, goal, seed, ordered)

    ways = {}
    if target.name == "mobilenetv3":
        made = load(target.name)
        ways = {
            "generator": by(made, "none"),
            "conditions": by(made, "classifier-free"),
            "resampling": by(made, "resampling"),
            "conditions and resampling": by(made, "classifier-free+resampling"),
            "uniform, then descents": lambda seed: descend(
                target, goal.exact_targets, goal.exact, DESCENTS, make_generator(seed)
            ),
        }
    return {
        "uniform": by(Uniform(), "none"),
        **ways,
        "dual values, random order": learnt(False),
        "dual values, learned order": learnt(True),
    }


def _constructed(target: Space, goal: Goal, seed: int, ordered: bool) -> Tensor:
    values = DualValues(target, seed)
    x = target.sample(LEARNT, seed)
    for _ in range(ROUNDS):
        values.learn(x, -goal.log_value(x))
        x = torch.cat([x, values.construct(LEARNT // ROUNDS, ordered)])
    values.learn(x, -goal.log_value(x))
    return values.construct(PROPOSALS, ordered)


def _measured(goal: Goal, propose: Callable[[int], Tensor], seed: int) -> dict[str, float]:
    started = time.process_time()
    x = propose(seed)
    seconds = time.process_time() - started
    valid = x[goal.space.is_valid(x)]
    met = valid[goal.feasible(valid)]
    distinct = len(goal.space.hashes(met).unique()) if len(met) else 0
    return {
        "made": len(x),
        "met": 100 * len(met) / len(x),
        "distinct": 100 * distinct / len(x),
        "cpu_seconds": seconds,
    }


if __name__ == "__main__":
    main()
