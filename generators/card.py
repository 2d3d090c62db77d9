"""Model cards of trained generators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["model_card"]


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
    return f"""---
library_name: vitruvius
license: apache-2.0
tags: [neural-architecture-search, graph-diffusion]
---

# Graph diffusion for {spaces}

Generates architectures by diffusion over all variables of the DAG.

- Denoiser: graph transformer, {details["parameters"]:,} parameters
- Process: {details["process"]}
- Conditions: {", ".join(details["conditions"]) or "none"}, with classifier-free dropout
- Trained for {details["steps"]:,} steps with seed {details["seed"]}, in
  {details["cpu_seconds"]:,} CPU seconds on one thread; mean loss of the last hundred steps
  {details["final_loss"]:.4f} nats a variable

## Training set

No benchmark labels were used: only the architectures themselves, with properties that are counted.

{sets}

## Limits

It has learnt the distribution of the space, not which architectures are good: accuracy targets are
met by guidance with a predictor. Architectures outside these spaces are not understood.
"""
