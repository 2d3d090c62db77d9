"""The command around what comes out: export."""

from __future__ import annotations

from typing import Annotated

import typer

from ..core.output import talk_to_stderr
from ._app import Device, Format, Output, Seed, Storage, TaskText, command
from ._printing import print_json, print_table, quantity

__all__ = ["export"]


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
        print_json(
            {
                "architecture": str(told.architecture),
                "files": [str(file) for file in told.files],
                "scores": told.scores,
            }
        )
        return
    print_table(
        ["file", "bytes"], [[str(file), quantity(file.stat().st_size)] for file in told.files]
    )
    if told.scores:
        print_table(
            ["score", "mean", "trainings"],
            [[k, quantity(sum(v) / len(v)), str(len(v))] for k, v in told.scores.items()],
        )
