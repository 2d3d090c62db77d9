"""Commands around what comes out: design, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..core.output import talk_to_stderr
from ._app import Device, Format, Output, Seed, Storage, TaskText, command, resumable
from ._printing import print_json, print_table, quantity, say

if TYPE_CHECKING:
    from ..verbs.export import Exported

__all__ = ["design", "export"]


@command()
def export(
    what: Annotated[str, typer.Argument(help="RUN:best, RUN:12, or with --space an architecture.")],
    out: Annotated[str, typer.Option(help="Folder of the files.")],
    to: Annotated[
        list[str] | None,
        typer.Option(help="One of {formats}; repeatable.", show_default="pytorch"),
    ] = None,
    space: Annotated[str | None, typer.Option(help="Of an architecture: one of {spaces}.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Raw data to train on, where it is no run's own.")
    ] = None,
    retrain: Annotated[
        str | None,
        typer.Option(
            help="Train again, on train and validation together, with these changes to the "
            'recipe: "epochs=100".'
        ),
    ] = None,
    trainings: Annotated[int, typer.Option(help="How many, for a mean and deviation.")] = 1,
    task: TaskText = "",
    device: Device = "auto",
    storage: Storage = None,
    seed: Seed = 0,
    output: Output = Format.table,
) -> None:
    """Write an architecture, with its weights, as files that run without Vitruvius."""
    from ..verbs.export import export as write

    with talk_to_stderr():
        told = write(
            what,
            out=out,
            to=to or ("pytorch",),
            space=space,
            data=data,
            task=task,
            retrain=retrain,
            trainings=trainings,
            seed=seed,
            device=device,
            storage=storage,
        )
    if output is Format.json:
        print_json(_told(told))
    else:
        _print(told)


@command()
def design(
    data: Annotated[
        str,
        typer.Argument(
            help="A folder of images, a file, or a name of {data sets}; options of the training "
            "may follow a colon."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder of everything.")],
    where: Annotated[str, typer.Option(help='Constraints, "latency<=5ms, params<=300k".')] = "",
    minutes: Annotated[float, typer.Option(help="The time there is.")] = 20,
    space: Annotated[str, typer.Option(help="Instead of the one that suits the data.")] = "",
    to: Annotated[
        list[str] | None,
        typer.Option(help="One of {formats}; repeatable.", show_default="pytorch"),
    ] = None,
    trainings: Annotated[int, typer.Option(help="Of the best, for a mean and deviation.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option(help="Trainings at once.", show_default="one a core, or one on a GPU"),
    ] = None,
    device: Device = "auto",
    seed: Seed = 0,
    output: Output = Format.table,
) -> None:
    """From data to a trained network that runs without Vitruvius, in a given time."""
    from ..bo.progress import progress
    from ..verbs.design import design as make

    with resumable("the same command"):
        told = make(
            data,
            out=out,
            where=where,
            minutes=minutes,
            space=space,
            to=to or ("pytorch",),
            trainings=trainings,
            workers=workers,
            device=device,
            seed=seed,
            progress=progress(),
        )
    for line in told.commands:
        say(line, "dim")
    if told.exported is None:
        say(f"Nothing met {where!r} among {len(told.result.trials)} candidates.", "red")
        raise typer.Exit(3)
    best, drawn = told.against_random()
    beside = f"; {drawn:.4f} is the mean of random candidates" if drawn == drawn else ""
    say(f"Best {told.plan.maximize} on validation: {best:.4f}{beside}.")
    if output is Format.json:
        print_json({"plan": told.plan.model_dump(), **_told(told.exported)})
    else:
        _print(told.exported)


def _told(exported: Exported) -> dict[str, object]:
    return {
        "architecture": str(exported.architecture),
        "files": [str(file) for file in exported.files],
        "scores": exported.scores,
    }


def _print(exported: Exported) -> None:
    print_table(
        ["file", "bytes"],
        [[str(file), quantity(float(file.stat().st_size))] for file in exported.files],
    )
    if exported.scores:
        print_table(
            ["score", "mean", "trainings"],
            [
                [name, quantity(sum(values) / len(values)), str(len(values))]
                for name, values in exported.scores.items()
            ],
        )
