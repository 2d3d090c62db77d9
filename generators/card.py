"""Model cards of trained generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["model_card", "saved_card", "transfer_card"]


def model_card(details: Mapping[str, Any]) -> str:
    """Writes the model card of a generator from what its training recorded.

    Args:
        details: What `train_generator` writes to ``training.json``.

    Example:
        >>> details = {
        ...     "spaces": ["cells"],
        ...     "process": "absorbing",
        ...     "conditions": ["params"],
        ...     "steps": 1000,
        ...     "seed": 0,
        ...     "training_architectures": {"cells": 3000},
        ...     "tail_architectures": {},
        ...     "final_loss": 1.2,
        ...     "cpu_seconds": 60,
        ...     "parameters": 200_000,
        ... }
        >>> "- cells: 3,000 architectures" in model_card(details)
        True
    """
    spaces = ", ".join(details["spaces"])
    sets = "\n".join(
        f"- {name}: {count:,} architectures"
        + (
            f" and {details['tail_architectures'][name]:,} drawn to reach the tails"
            if name in details["tail_architectures"]
            else ""
        )
        for name, count in details["training_architectures"].items()
    )
    return f"""{_front()}# Graph diffusion for {spaces}

Generates architectures by diffusion over all variables of the DAG.

- Denoiser: graph transformer, {details["parameters"]:,} parameters
- Process: {details["process"]}
- Conditions: {", ".join(details["conditions"]) or "none"}, with classifier-free dropout
- Trained for {details["steps"]:,} steps with seed {details["seed"]}, in
  {details["cpu_seconds"]:,} CPU seconds on one thread; mean loss of the last hundred steps
  {details["final_loss"]:.4f} nats a variable

## Training set

{_labels(details)}

{sets}

## Limits

{_limits(details)} Architectures outside these spaces are not understood.
"""


def _front(*tags: str) -> str:
    """What the Hub reads of a card."""
    listed = ", ".join(("neural-architecture-search", "graph-diffusion", *tags))
    return f"---\nlibrary_name: vitruvius\nlicense: apache-2.0\ntags: [{listed}]\n---\n\n"


def _labels(details: Mapping[str, Any]) -> str:
    tasks = details.get("tasks")
    if not tasks:
        return (
            "No benchmark labels were used: only the architectures themselves, with properties "
            "that are\ncounted."
        )
    return (
        "Every architecture stands in it once a task, with its score there and the description of "
        f"the task.\nThe tables of {', '.join(tasks)} were read whole."
    )


def _limits(details: Mapping[str, Any]) -> str:
    if not details.get("tasks"):
        return (
            "It has learnt the distribution of the space, not which architectures are good: "
            "accuracy targets are\nmet by guidance with a predictor."
        )
    return (
        "It knows tasks by their descriptions; `vitruvius transfer` sets it to a new one and "
        "corrects it by\nlabels."
    )


def saved_card(
    spaces: Sequence[str], process: str, conditions: Sequence[str], parameters: int
) -> str:
    """Writes the model card of a generator of which no more is known than what it is.

    Args:
        spaces: Names of its spaces.
        process: Its diffusion process.
        conditions: Properties it can be conditioned on.
        parameters: Its size.

    Example:
        >>> "- Conditions: none" in saved_card(["cells"], "absorbing", [], 200_000)
        True
    """
    return f"""{_front()}# Graph diffusion for {", ".join(spaces)}

Generates architectures by diffusion over all variables of the DAG.

- Denoiser: graph transformer, {parameters:,} parameters
- Process: {process}
- Conditions: {", ".join(conditions) or "none"}

How it was trained is not recorded here. Use it with `vitruvius sample SPACE --generator` and this
folder or its name on the Hub.
"""


def transfer_card(details: Mapping[str, Any]) -> str:
    """Writes the model card of a generator that was adapted to a task.

    Args:
        details: What `vitruvius.transfer` writes to ``transfer.json``.

    Example:
        >>> details = {
        ...     "space": "cells",
        ...     "data": "flowers",
        ...     "metric": "accuracy",
        ...     "sources": ["c10", "c100"],
        ...     "believed": {"accuracy": {"weights": {"c10": 0.75}, "dropped": ["c100"]}},
        ...     "labels": 25,
        ...     "generator": "cells absorbing diffusion",
        ...     "cpu_seconds": 90,
        ...     "seed": 0,
        ... }
        >>> "| accuracy | c10 0.75 | c100 |" in transfer_card(details)
        True
    """
    rows = "\n".join(
        f"| {metric} | "
        + ", ".join(f"{name} {share:.2f}" for name, share in each["weights"].items() if share)
        + f" | {', '.join(each['dropped']) or 'none'} |"
        for metric, each in details["believed"].items()
    )
    believed = f"| metric | believed | dropped |\n| --- | --- | --- |\n{rows}\n" if rows else ""
    front = _front("transfer")
    return f"""{front}# Graph diffusion for {details["space"]}, adapted to {details["data"]}

{details["generator"]}, moved by low-rank adapters towards architectures that are probably good in
{details["metric"]} on this task. The adapters are added to the weights.

- Labels of this task: {details["labels"]}
- Earlier tasks, whose tables or runs were read: {", ".join(details["sources"])}
- Seed {details["seed"]}, {details["cpu_seconds"]} CPU seconds on one machine

{believed}
`transfer.json` lists the labels. Which architectures are good was predicted, not measured, but for
the labelled ones.
"""
