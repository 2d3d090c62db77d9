"""Bayesian optimisation; the sixth floor."""

from __future__ import annotations

from .methods.design import initial_design

__all__ = ["initial_design"]
