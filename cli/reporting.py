"""Commands that show what came of it: report and serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.output import talk_to_stderr
from ._app import Storage, command
from ._printing import say

__all__ = ["report", "serve"]


@command()
def report(
    what: Annotated[
        str,
        typer.Argument(
            help="Folder of a run, a design, samples, or of several runs; with --storage a run."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file; by default WHAT.html beside the folder.")
    ] = None,
    storage: Storage = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fit no predictors to tell how far to trust them.")
    ] = False,
) -> None:
    """Sum up a run, samples or several runs in one HTML file that needs nothing else."""
    from ..verbs.report import report as make

    if out is None:
        # `.` and `..` have no name of their own to stand beside.
        folder = Path(what) if Path(what).name not in ("", "..") else Path(what).resolve()
        out = folder.with_name(f"{folder.name}.html")
    with talk_to_stderr():
        made = make(what, out=out, storage=storage, evidence=not quick)
    say(made.headline)
    typer.echo(str(made.file))


@command()
def serve(
    run: Annotated[str, typer.Argument(help="Folder of the run; with --storage its name there.")],
    storage: Storage = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8421,
) -> None:
    """Show a run's report in the browser, which follows it as trials end; Ctrl-C ends it."""
    from ..verbs.serve import serve as start

    with talk_to_stderr():
        live = start(run, storage=storage, host=host, port=port)
    typer.echo(live.url)
    try:
        live.wait()
    except KeyboardInterrupt:
        live.close()
