"""The command that takes a generator to a new data set."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._app import (
    Device,
    ExecutorName,
    Format,
    Metrics,
    Output,
    RunFolder,
    Seed,
    TaskText,
    Timeout,
    Workers,
    command,
    resumable,
)
from ._printing import print_json, print_table, say
from .designing import print_samples

if TYPE_CHECKING:
    from ..verbs.transfer import TransferResult

__all__ = ["transfer"]


@command()
def transfer(
    data: Annotated[
        str,
        typer.Option(
            help="The new task: raw data (.npz, .pt, a folder of images, or a name: {data sets}), "
            "a data set known for the space, or a table."
        ),
    ],
    space: Annotated[
        str | None, typer.Argument(help="The space; by default the one that the data is for.")
    ] = None,
    generator: Annotated[
        str, typer.Option(help="builtin, or one of {generators}, or a trained folder.")
    ] = "builtin",
    evaluators: Annotated[
        list[str] | None,
        typer.Option(
            "--evaluator",
            help="Where labels come from, as for search; by default --data where it is a table.",
        ),
    ] = None,
    labels: Annotated[int, typer.Option(help="Evaluations to spend on the new task.")] = 0,
    search: Annotated[int, typer.Option(help="Further evaluations, to find the best.")] = 0,
    target: Annotated[
        str, typer.Option(help='Targets, e.g. "valid_perf>=0.8"; by default the best 5 %.')
    ] = "",
    maximize: Annotated[
        str,
        typer.Option(
            help="The metric that counts; by default the first of the sources of which more is "
            "better."
        ),
    ] = "",
    minimize: Annotated[
        str, typer.Option(help="Instead of it, a metric of which less is better.")
    ] = "",
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="An earlier task: a data set known for the space, or FILE:METRICS; repeatable. By "
            "default those the generator knows, or all."
        ),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-start", "--from", help="A finished run to take as an earlier task; repeatable."
        ),
    ] = None,
    predictor: Annotated[
        str, typer.Option(help="What learns from labels and earlier tasks: {transfer predictors}.")
    ] = "transfer",
    n: Annotated[int, typer.Option("-n", help="How many architectures to return.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the adapted generator and its candidates.")
    ] = None,
    seed: Seed = 0,
    metrics: Metrics = "",
    task: TaskText = "",
    workers: Workers = 1,
    executor: ExecutorName = "auto",
    timeout: Timeout = None,
    run_folder: RunFolder = None,
    device: Device = "auto",
    output: Output = Format.table,
) -> None:
    """Take a trained generator to a new data set, with few labels of it or none."""
    from ..bo.progress import progress
    from ..verbs.transfer import transfer as run

    again = "the same command" if run_folder or out else ""
    with resumable(again):
        result = run(
            space,
            generator=generator,
            data=data,
            evaluator=evaluators or None,
            labels=labels,
            search=search,
            target=target,
            maximize=maximize,
            minimize=minimize,
            sources=source,
            warm_start=warm_start or (),
            predictor=predictor,
            n=n,
            metrics=metrics,
            task=task,
            workers=workers,
            executor=executor,
            timeout=timeout,
            run=run_folder,
            out=out,
            seed=seed,
            device=device,
            progress=progress(),
        )
    if output is Format.json:
        print_json(result.to_json())
    else:
        print_samples(result.sampled, output)
        _print(result)
    if out is not None:
        space = result.summary["space"]
        command = shlex.join(["vitruvius", "sample", str(space), "--generator", str(out)])
        say(f"Written to {out}. Sample with: {command}")
    if result.sampled.missed:
        say("None of these meets the target.", "yellow")
        raise typer.Exit(3)


def _print(result: TransferResult) -> None:
    believed = result.summary["believed"]
    if believed:
        rows = []
        for metric, each in believed.items():
            shares = sorted(each["weights"].items(), key=lambda pair: -pair[1])
            told = "  ".join(f"{name} {share:.2f}" for name, share in shares if share)
            rows.append((metric, told, ", ".join(each["dropped"]) or "–"))
        print_table(("metric", "believed", "dropped"), rows)
    typer.echo(f"metric {result.summary['metric']} ({result.summary['better']} is better)")
    typer.echo(f"sources {', '.join(result.summary['sources'])}")
    if result.summary["best"] is not None:
        value = f"{result.summary['metric']} {result.summary['best_value']:.6g}"
        typer.echo(f"best evaluated  {result.summary['best']}  {value}")
