"""Commands around spaces and their architectures: sample, spaces, train, draw."""

from __future__ import annotations

import shlex
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UnknownNameError, UsageError
from ..core.output import check_writable
from ._app import (
    Column,
    Device,
    Evaluators,
    ExecutorName,
    Format,
    Metrics,
    Output,
    RunFolder,
    Seed,
    SpaceName,
    Storage,
    Tables,
    TaskText,
    Timeout,
    Workers,
    command,
    first_table,
    resumable,
)
from ._printing import print_json, print_table, quantity, say, talk

if TYPE_CHECKING:
    from ..bo.progress import Progress
    from ..generators.generator import Generator
    from ..verbs.sample_result import SampleResult

__all__ = ["draw", "print_samples", "sample", "spaces", "train"]

# Where images of a generator go by default.
SAMPLES = "samples.png"


@command()
def sample(
    space: SpaceName,
    evaluators: Evaluators = None,
    target: Annotated[
        str, typer.Option(help='Targets, e.g. "valid_perf>=0.8, latency<=5ms, params=4.2e6±2%".')
    ] = "",
    n: Annotated[int, typer.Option("-n", help="How many architectures.")] = 10,
    labels: Annotated[
        int | None,
        typer.Option(
            help="Evaluations to spend; by default, where targets need them, all of your own table "
            "or 200 look-ups of a published one."
        ),
    ] = None,
    labels_from: Annotated[
        str | None, typer.Option(help="A run, or a JSON or CSV of results, to learn from.")
    ] = None,
    generator: Annotated[
        str, typer.Option(help="One of {generators}, or a trained folder.")
    ] = "auto",
    guidance: Annotated[
        str,
        typer.Option(help="auto, none, or some of {forms} joined by '+'."),
    ] = "auto",
    predictor: Annotated[str, typer.Option(help="One of {predictors}.")] = "auto",
    steps: Annotated[int, typer.Option(help="Reverse steps of the diffusion.")] = 16,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the JSON, drawings and a contact sheet.")
    ] = None,
    table: Tables = None,
    architecture_column: Column = "arch_str",
    metrics: Metrics = "",
    task: TaskText = "",
    workers: Workers = 1,
    executor: ExecutorName = "auto",
    timeout: Timeout = None,
    run: RunFolder = None,
    storage: Storage = None,
    device: Device = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(help="Proposals computed together; by default as suits the device."),
    ] = None,
    output: Output = Format.table,
) -> None:
    """Sample architectures that meet target properties, at once, without a search."""
    from ..verbs.sample import sample as draw_samples

    if out is not None:
        check_writable(out)
    evaluators, others = first_table(evaluators, table)
    again = "the same command" if run else ""
    with resumable(again), talk.status("Sampling"):
        result = draw_samples(
            space,
            data=evaluators,
            target=target,
            n=n,
            labels=labels,
            labels_from=labels_from,
            generator=generator,
            guidance=guidance,
            predictor=predictor,
            steps=steps,
            seed=seed,
            architecture_column=architecture_column,
            metrics=metrics,
            tables=others,
            task=task,
            workers=workers,
            executor=executor,
            timeout=timeout,
            run=run,
            storage=storage,
            device=device,
            progress=_progress() if evaluators else None,
            batch_size=batch_size,
        )
    if out is not None:
        result.save(out)
    print_samples(result, output)
    if out is not None:
        say(f"Written to {out}: result.json, contact_sheet.svg, one SVG an architecture.")
    if result.samples and output is Format.table:
        from ..spaces import names

        best, named = str(result.samples[0].architecture), result.space.text
        following = [f"open {out / 'contact_sheet.svg'}"] if out else []
        if result.space.name in names():
            following += [f"vitruvius.space({named!r}).build({best!r}) is a torch module"]
        if following:
            say(f"Next: {'; '.join(following)}.", "dim")
    if result.missed:
        say("None of these meets the target.", "yellow")
        raise typer.Exit(3)


@command()
def spaces(
    space: Annotated[str | None, typer.Argument(help="Describe this one.")] = None,
    output: Output = Format.table,
) -> None:
    """List the spaces, or describe one."""
    from ..evaluators import data_sets
    from ..generators.resolver import shipped
    from ..spaces import names, space as find

    described = [find(name) for name in ([space] if space else names())]
    rows: list[dict[str, Any]] = [
        {
            "space": entry.name,
            "architectures": entry.architecture_count,
            "variables": len(entry.variables),
            "data": data_sets(entry.name),
            "generator": entry.name in shipped(),
            "example": entry.to_string(entry.example),
        }
        for entry in described
    ]
    if space is not None:
        rows[0]["choices"] = {v.name: list(v.choices) for v in described[0].variables}
        rows[0]["about"] = (type(described[0]).__doc__ or "").split("\n")[0]
    if output is Format.json:
        print_json(rows if space is None else rows[0])
        return
    if space is None:
        cells = [
            (
                str(row["space"]),
                _count(row["architectures"]),
                str(row["variables"]),
                ", ".join(row["data"]) or "–",
                "ships" if row["generator"] else "–",
            )
            for row in rows
        ]
        print_table(("space", "architectures", "variables", "data sets", "generator"), cells)
        return
    typer.echo(f"{rows[0]['space']}: {rows[0]['about']}")
    typer.echo(f"{_count(rows[0]['architectures'])} architectures, for example")
    typer.echo(f"  {rows[0]['example']}")
    print_table(
        ("variable", "kind", "place", "choices"),
        [
            (v.name, v.kind, "-".join(map(str, v.place)) or "graph", " ".join(v.choices))
            for v in described[0].variables
        ],
    )


@command()
def train(
    space: SpaceName,
    out: Annotated[Path, typer.Option(help="Folder to save the generator in.")],
    rows: Annotated[
        Path | None,
        typer.Option(help="Text file, one architecture a line; by default the space itself."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 3000,
    process: Annotated[str, typer.Option(help="One of {processes}.")] = "absorbing",
    tasks: Annotated[
        str,
        typer.Option(
            help="Data sets known for the space, joined by commas, to train across: a start for "
            "transfer."
        ),
    ] = "",
    metric: Annotated[str, typer.Option(help="What counts on those tasks.")] = "",
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a generator for a space; run it again to go on after an interruption."""
    from ..generators.choices import DIFFUSION, NAO, PROCESSES
    from ..generators.nao import train_nao
    from ..generators.recipe import source_of, train_generator
    from ..spaces import space as find
    from ..spaces.reading import read_rows

    check_writable(out)
    if process not in PROCESSES:
        raise UnknownNameError.of("process", process, PROCESSES)
    if process == NAO and tasks:
        raise UsageError(
            "NAO learns the architectures of a space, not the tasks of --tasks.",
            f"Leave --tasks out, or take one of {', '.join(DIFFUSION)}.",
        )
    target = find(space)
    source = source_of(target, None if rows is None else read_rows(target, rows), seed)
    if tasks:
        from ..generators.across_tasks import source_across
        from ..predictors.source_tasks import named_tasks

        there = named_tasks(target, tasks.split(","))
        source = source_across(target, source.rows, there, metric or there.metric())
    generator: Generator
    if process == NAO:
        generator = train_nao(target, source.rows, out, steps=steps, seed=seed, device=device)
    else:
        generator = train_generator(
            [source], out, steps=steps, process=process, seed=seed, device=device
        )
    command = shlex.join(["vitruvius", "sample", str(space), "--generator", str(out)])
    typer.echo(f"Saved to {out}. Sample with: {command}")
    if generator.conditions:
        typer.echo(f"Conditions: {', '.join(generator.conditions)}")


@command()
def draw(
    what: Annotated[
        str, typer.Argument(help="A space; or RUN:best or RUN:12, without an architecture.")
    ],
    architecture: Annotated[
        str | None, typer.Argument(help="In the space's native notation.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="SVG or PNG file; by default SVG on stdout.")
    ] = None,
    denoising: Annotated[
        bool, typer.Option("--film", help="How the space's generator reveals one, step by step.")
    ] = False,
    steps: Annotated[int, typer.Option(help="Steps of the film.")] = 8,
    images: Annotated[
        bool, typer.Option("--samples", help="Images that the trial's generator makes.")
    ] = False,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="Rows that lead from one image to another.")
    ] = False,
    count: Annotated[int, typer.Option(help="Images.")] = 64,
    columns: Annotated[int, typer.Option(help="Images in a row.")] = 8,
    seed: Seed = 0,
    storage: Storage = None,
) -> None:
    """Draw one architecture, how one is denoised, or the images of a generator."""
    from ..reports import draw as render, png, write_bytes, write_text
    from ..spaces import space as find

    if images or interpolate:
        from ..verbs.samples import samples

        page = samples(
            what, count=count, columns=columns, interpolate=interpolate, seed=seed, storage=storage
        )
        path = out or Path(SAMPLES)
        write_bytes(path, page)
        say(f"{path}: images of {what}")
        return
    if denoising:
        from ..verbs.film import film

        drawing = film(what, steps=steps, seed=seed)
    elif architecture is None:
        from ..verbs.export import architecture_of

        drawing = render(*architecture_of(what, storage))
    else:
        target = find(what)
        drawing = render(target, target.architecture(architecture))
    if out is None:
        typer.echo(drawing)
    elif out.suffix.lower() == ".png":
        write_bytes(out, png(drawing))
    else:
        write_text(out, drawing)


def _progress() -> Progress:
    from ..bo.progress import progress

    return progress()


def print_samples(result: SampleResult, output: Format) -> None:
    """Prints sampled architectures, and what the user should know.

    Args:
        result: The architectures.
        output: How to print them.
    """
    if output is Format.json:
        print_json(result.to_json())
    else:
        predicted = any(entry.predicted for entry in result.samples)
        judged = bool(result.summary["target"])
        heads = ["architecture", *(metric.head for metric in result.metrics.values())]
        heads += ["probability"] * predicted + ["meets target"] * judged
        rows = []
        for entry in result.samples:
            cells = [str(entry.architecture), *(_cell(entry, name) for name in result.metrics)]
            if predicted:
                cells.append(f"{prod(g['probability'] for g in entry.predicted.values()):.2f}")
            if judged:
                cells.append({True: "yes", False: "no", None: "–"}[entry.meets_target])
            rows.append(cells)
        print_table(heads, rows, copied="architecture")
        typer.echo(result.headline())
        shown = ("labels_used", "raw_validity", "cpu_seconds")
        typer.echo("  ".join(f"{key} {_short(result.summary[key])}" for key in shown))
    for note in result.notes:
        say(note, "yellow")


def _cell(entry: Any, name: str) -> str:
    if name in entry.predicted:
        guess = entry.predicted[name]
        text = f"{guess['mean']:.4g} ± {guess['std']:.2g}"
        if entry.measured is not None:
            text += f" (measured {entry.measured[name]:.4g})"
        return text
    values = {**entry.exact, **(entry.measured or {})}
    return quantity(values[name]) if name in values else "–"


def _count(number: int) -> str:
    return f"{number:,}" if number < 10_000_000 else f"{number:.2e}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else str(value)
