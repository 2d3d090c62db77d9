"""The command that finds what is wrong: doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from ..core.output import talk_to_stderr
from ._app import Format, Output, Storage, command
from ._printing import print_json, print_table, say

__all__ = ["doctor"]

FOUND = 1  # a problem


@command()
def doctor(
    run: Annotated[
        str | None,
        typer.Argument(
            help="Folder of a run, with --storage its name there; else the installation is looked "
            "at.",
            show_default=False,
        ),
    ] = None,
    storage: Storage = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Leave out what takes seconds: the self-test; of a run, the predictor.",
        ),
    ] = False,
    output: Output = Format.table,
) -> None:
    """Find what is wrong with the installation or a run, and what to do.

    The installation: versions, extras, threads, devices, disks, generators,
    the cache, and a self-test that samples, searches, resumes and trains.

    A run: a log that cannot be read, data that are gone or have changed,
    trials left behind or evaluated twice, budget left, failures by reason,
    constraints that nothing meets, wrong directions or units, constant or
    noisy metrics, stagnation, the best at the end of a range, a poor predictor.

    A warning may be meant. The exit status is 1 where there is a problem.
    """
    from dataclasses import asdict

    from ..verbs.doctor import doctor as look

    with talk_to_stderr():
        found = look(run, storage, quick=quick)
    if output is Format.json:
        print_json([asdict(finding) for finding in found])
    else:
        rows = [(each.check, each.state, each.what, each.advice) for each in found]
        print_table(("check", "state", "what", "advice"), rows)
    counts = {state: sum(each.state == state for each in found) for state in ("problem", "warning")}
    say("  ".join(f"{state}s {count}" for state, count in counts.items()))
    if counts["problem"]:
        raise typer.Exit(FOUND)
