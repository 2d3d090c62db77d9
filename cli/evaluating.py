"""The command about one architecture: evaluate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.output import talk_to_stderr
from ._app import (
    Column,
    Evaluators,
    Format,
    Metrics,
    Output,
    SpaceName,
    Tables,
    TaskText,
    command,
    first_table,
)
from ._printing import print_json, print_table, quantity, say

if TYPE_CHECKING:
    from ..evaluators.proxies import ProxyValue
    from ..verbs.on_chip import OnChip

__all__ = ["evaluate"]


@command()
def evaluate(
    space: SpaceName,
    architecture: Annotated[
        str | None, typer.Argument(help="In the space's native notation.")
    ] = None,
    evaluators: Evaluators = None,
    shape: Annotated[
        str,
        typer.Option(
            "--input",
            help="Shape of one example, 3x32x32: proxies of a module of your own, such as "
            "my_net.py:Net in the place of the space.",
        ),
    ] = "",
    table: Tables = None,
    architecture_column: Column = "arch_str",
    metrics: Metrics = "",
    task: TaskText = "",
    hardware: Annotated[
        str | None,
        typer.Option(
            help="A chip, as a YAML file or one that ships (eyeriss.yaml): what each layer takes "
            "on it; of choices that a file leaves open, the best. Of a product with chips, 'own'."
        ),
    ] = None,
    where: Annotated[
        str, typer.Option(help="Constraints on a chip that is chosen, e.g. area_um2<=4M.")
    ] = "",
    minimize: Annotated[
        str, typer.Option(help="What it is chosen by: edp, or latency_cycles, energy_nj, area_um2.")
    ] = "edp",
    cluster: Annotated[
        str,
        typer.Option(
            help="Of --hardware, several such chips in a leaf-spine network, e.g. "
            "leaves=4,chips=4,spines=4,collective=ring: a step of data-parallel training."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the chip's roofline, schedule and table.")
    ] = None,
    output: Output = Format.table,
) -> None:
    """Count one architecture exactly, look it up or measure it, or see it on a chip."""
    chosen_by = {
        "--where": bool(where),
        "--minimize": minimize != "edp",
        "--cluster": bool(cluster),
    }
    of_chips = [name for name, given in chosen_by.items() if given]
    if shape:
        if architecture is not None or hardware is not None or of_chips:
            raise UsageError(
                "--input is of a module of your own, which has proxies alone.",
                "Write e.g. evaluate my_net.py:Net --input 3x32x32 --evaluator proxy:naswot.",
            )
        _print_proxies(space, shape, evaluators, output)
        return
    if architecture is None:
        raise UsageError("Which architecture?", "Write one in the space's notation.")
    if of_chips and hardware is None:
        raise UsageError(f"{of_chips[0]} is of chips.", "Give some with --hardware.")
    from ..evaluators import evaluator
    from ..spaces import space as find

    target = find(space)
    if task:
        from ..datasets.task import read_task

        target = target.for_task(read_task(task, target.task))
    row = target.rows([architecture])
    if hardware is not None:
        from ..verbs.on_chip import on_chip

        told = on_chip(
            target,
            architecture,
            hardware,
            where=where,
            minimize=minimize,
            cluster=cluster,
            out=out,
        )
        _print_layers(told, output)
        return
    evaluators, others = first_table(evaluators, table)
    result: dict[str, Any] = target.architecture(architecture).to_json()
    counted_for = target.task
    if evaluators is not None:
        with talk_to_stderr():
            source = evaluator(
                target,
                evaluators,
                architecture_column=architecture_column,
                metrics=metrics,
                tables=others,
            )
            evaluation = source.evaluate(architecture)
        counted_for = source.task
        result |= {"status": evaluation.status, "reason": evaluation.reason}
        result["measured"] = evaluation.metrics
    counted = target.statistics(row, counted_for)
    result["task"] = str(counted_for)
    result["exact"] = {name: float(column[0]) for name, column in counted.items()}
    if output is Format.json:
        print_json(result)
        return
    cells = [(name, quantity(value), "counted") for name, value in result["exact"].items()]
    for name, value in result.get("measured", {}).items():
        unit = source.metrics[name].unit if name in source.metrics else ""
        cells.append((name, quantity(value, unit), "measured"))
    print_table(("metric", "value", "source"), cells)
    if result.get("reason"):
        say(result["reason"], "yellow")


def _print_proxies(module: str, shape: str, evaluators: list[str] | None, output: Format) -> None:
    from ..core.options import check_options, read_options
    from ..evaluators.resolver import split_source
    from ..verbs.module_proxies import module_proxies

    proxies_of_it = partial(module_proxies, module, shape)
    told: dict[str, ProxyValue] = {}
    for text in evaluators or ["proxy"]:
        name, written = split_source(text)
        if name != "proxy":
            raise UsageError(f"{name!r} tells nothing of a module.", "Use proxy, e.g. proxy:snip.")
        options = read_options(name, written)
        check_options(name, options, proxies_of_it)
        with talk_to_stderr():
            told |= proxies_of_it(**options)
    if output is Format.json:
        print_json({name: {"value": v.value, "nodes": v.nodes} for name, v in told.items()})
        return
    rows = [(name, quantity(each.value), str(len(each.nodes))) for name, each in told.items()]
    print_table(("proxy", "value", "nodes"), rows)


def _print_layers(told: OnChip, output: Format) -> None:
    if output is Format.json:
        print_json(told.to_json())
        return
    heads = (
        "layer", "shape", "array", "cycles", "bound by", "utilisation", "memory [B]", "energy [pJ]",
    )  # fmt: skip
    rows = [
        (
            each.layer.kind,
            "x".join(map(str, each.layer.outputs)),
            str(each.array + 1),
            f"{each.cycles:,.0f}",
            each.bound if each.fits else "does not fit",
            f"{each.utilisation:.0%}",
            f"{each.dram_bytes:,.0f}",
            f"{each.energy_pj:,.3g}",
        )
        for each in told.layers
    ]
    print_table(heads, rows)
    if told.chosen:
        typer.echo(f"Chip: {told.chosen}")
    for name, value in told.metrics.items():
        typer.echo(f"{name} {value:,.6g}")
    typer.echo(f"Energy by {told.energy_table}, area by {told.area_table}.")
    if told.training:
        steps = [
            (
                name,
                f"{step.compute_cycles:,.0f}",
                f"{step.communication_cycles:,.0f}",
                f"{step.efficiency:.0%}",
            )
            for name, step in told.training.items()
        ]
        print_table(("transport", "compute [cycles]", "sum of gradients", "efficiency"), steps)
    for file in told.files:
        say(str(file))
