"""The short way: from data and a time to a trained network that is exported."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bo.progress import Progress
from ..bo.result import SearchResult
from ..bo.store import Run
from ..core.device import resolve_device
from ..core.errors import UsageError
from ..core.evaluator_config import EvaluatorConfig
from ..core.options import with_options
from ..core.output import writing
from ..core.torch_state import own_torch_state
from ..datasets import load_raw, split
from ..evaluators.resolver import parse_evaluator
from ..exports.resolver import FORMATS
from ..reports import write_text
from ..spaces import space as make_space
from .checks import check_at_least
from .export import Exported, export
from .plan import SEARCHING, TEST, Plan, make_plan
from .search import resume, search

__all__ = ["Designed", "design"]

_SAY = logging.getLogger(__name__)

PLAN, DONE = "design.json", ".exported.json"
RUN, REPORT, MODEL = "search", "report", "model"


@dataclass(frozen=True, eq=False)
class Designed:
    """What `design` made.

    Args:
        plan: What was done and why.
        result: Of the search.
        exported: The network; None where no candidate met the constraints.
        commands: The same by the other verbs.
    """

    plan: Plan
    result: SearchResult
    exported: Exported | None
    commands: list[str]

    def against_random(self) -> tuple[float, float]:
        """Validation scores of the best, and of the random ones that the search began with.

        Returns:
            The score of the best, and the mean of those random ones that were trained to the end;
            NaN where none was.
        """
        name = self.plan.maximize
        drawn = [t for t in self.result.trials if t.source == "initial" and t.status == "ok"]
        mean = sum(t.metrics[name] for t in drawn) / len(drawn) if drawn else math.nan
        return self.result.best[0].metrics[name], mean


@own_torch_state()
def design(
    data: str | Path,
    *,
    out: str | Path,
    where: str = "",
    minutes: float = 20,
    space: str = "",
    to: Sequence[str] = ("pytorch",),
    trainings: int = 1,
    workers: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> Designed:
    """Designs, trains and exports a network for raw data in a given time.

    1. The kind and size of the data choose the space and the recipe; an epoch is timed, and the
       time there is decides on epochs and candidates (see `make_plan`).
    2. Half of the candidates are trained; what they took decides how many more there are.
    3. The best is trained again, longer, on the training and the validation part together,
       measured on the test part, and exported.

    Interrupted or killed, the same call goes on where it was.

    Args:
        data: Raw data, as for `search`; options of the training may follow.
        out: Folder of everything: ``design.json``, the run ``search/``, drawings in ``report/``
            and the ``model/``.
        where: Constraints, as for `search`.
        minutes: The time there is.
        space: Instead of the space that suits the data.
        to: Formats, as for `export`.
        trainings: Of the best, for a mean and a deviation of the score.
        workers: As for `search`; by default one on a GPU, else one a core.
        device: Where to train.
        seed: Of everything random.
        progress: As for `search`.

    Raises:
        UsageError: Where the folder holds a design with other arguments, or the time is too short.
        UnknownNameError: For a format that there is not.
        TableError: For data that cannot be read.
    """
    if not minutes > 0:
        raise UsageError(f"`minutes` is {minutes:g}.", "Give more than 0.")
    for name in to:
        FORMATS.get(name)
    check_at_least(trainings=(trainings, 1))
    folder, place = Path(out), str(resolve_device(device))
    asked = {
        "data": str(data),
        "where": where,
        "minutes": minutes,
        "space": space,
        "workers": workers,
        "seed": seed,
    }
    config = parse_evaluator(make_space("resnet-size"), str(data))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        plan = _kept(folder / PLAN, asked)
        if plan is None:
            plan = _planned(config, minutes, where, space, workers, place, seed)
            told = {"asked": asked, "plan": plan.model_dump()}
            write_text(folder / PLAN, json.dumps(told, indent=1))
    for reason in plan.why:
        _SAY.info("%s", reason)
    evaluator = with_options(config.source, {**config.options, **plan.options})
    commands = _commands(plan, evaluator, folder, where, trainings, to)
    first, run = max(2, plan.budget // 2), folder / RUN
    if _budget(run) <= first:
        result = search(
            plan.space,
            evaluator=evaluator,
            maximize=plan.maximize,
            where=where,
            budget=first,
            workers=plan.workers,
            pruner=plan.pruner,
            run=run,
            seed=seed,
            progress=progress,
        )
        result = resume(run, budget=_affordable(result, first, plan, minutes), progress=progress)
    else:
        result = resume(run, progress=progress)
    result.save(folder / REPORT)
    if not result.best:
        return Designed(plan, result, None, commands)
    exported = _exported(folder, result, to, trainings)
    if exported is None:
        exported = export(
            f"{run}:best",
            out=folder / MODEL,
            to=to,
            retrain=with_options("", plan.retrain),
            trainings=trainings,
            seed=seed,
            device=device,
        )
        done = {
            "architecture": str(exported.architecture),
            "to": list(to),
            "trainings": trainings,
            "files": [file.name for file in exported.files],
            "scores": exported.scores,
        }
        write_text(folder / MODEL / DONE, json.dumps(done, indent=1))
    return Designed(plan, result, exported, commands)


def _planned(
    config: EvaluatorConfig,
    minutes: float,
    where: str,
    space: str,
    workers: int | None,
    device: str,
    seed: int,
) -> Plan:
    from ..datasets import data_options

    of_data = data_options(config.source)
    raw = load_raw(config.source, **{k: v for k, v in config.options.items() if k in of_data})
    given = {k: v for k, v in config.options.items() if k not in of_data}
    shares = {"val": given.get("val", 0.2), "test": given.get("test", TEST)}
    splits = split(raw, given.get("split_seed", 0), **shares)
    return make_plan(
        raw,
        splits,
        minutes=minutes,
        where=where,
        space=space,
        workers=workers,
        device=device,
        seed=seed,
        given=given,
    )


def _kept(path: Path, asked: dict[str, Any]) -> Plan | None:
    """The plan of a design that was begun."""
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    if told["asked"] != asked:
        changed = [name for name in asked if told["asked"].get(name) != asked[name]]
        raise UsageError(
            f"{path.parent} holds a design with another {' and '.join(changed)}.",
            "Give another folder as --out, or the same arguments to go on.",
        )
    return Plan.model_validate(told["plan"])


def _exported(
    folder: Path, result: SearchResult, to: Sequence[str], trainings: int
) -> Exported | None:
    """What an earlier call exported, where that is all that is asked for."""
    path = folder / MODEL / DONE
    if not path.is_file():
        return None
    done = json.loads(path.read_text(encoding="utf-8"))
    architecture = result.architecture(result.best[0])
    if done["architecture"] != str(architecture) or done["trainings"] != trainings:
        return None
    if done["to"] != list(to):
        return None
    files = [folder / MODEL / name for name in done["files"]]
    return Exported(folder / MODEL, files, architecture, done["scores"])


def _budget(run: Path) -> int:
    """Candidates of a run; 0 where there is none yet."""
    return Run.open(run, writable=False).config.budget if run.is_dir() else 0


def _affordable(result: SearchResult, first: int, plan: Plan, minutes: float) -> int:
    """Candidates in the end, by what the first ones took."""
    own = sorted(result.trials, key=lambda trial: trial.number)[:first]
    taken = sum(t.evaluation.seconds for t in own if t.evaluation is not None) / plan.workers
    if not taken:
        return plan.budget
    more = math.floor((SEARCHING * 60 * minutes - taken) / (taken / first))
    return min(2 * plan.budget, first + max(0, more))


def _commands(
    plan: Plan,
    evaluator: str,
    folder: Path,
    where: str,
    trainings: int,
    to: Sequence[str],
) -> list[str]:
    """The same by the other verbs."""
    limits = f' --where "{where}"' if where else ""
    formats = "".join(f" --to {name}" for name in to)
    pruner = "" if plan.pruner == "none" else f" --pruner {plan.pruner}"
    return [
        f"vitruvius search {plan.space} "
        f"--evaluator {evaluator} "
        f"--maximize {plan.maximize}{limits} --budget {plan.budget} --workers {plan.workers}"
        f"{pruner} --run {folder / RUN}",
        f"vitruvius export {folder / RUN}:best --retrain {with_options('', plan.retrain)} "
        f"--trainings {trainings}{formats} --out {folder / MODEL}",
    ]
