"""What is chosen by name beside a generator: what it is trained as, and how it is guided."""

from __future__ import annotations

__all__ = ["DIFFUSION", "FORMS", "NAO", "PROCESSES"]

DIFFUSION = ("absorbing", "uniform", "continuous")
NAO = "nao"
PROCESSES = (*DIFFUSION, NAO)
FORMS = ("classifier-free", "gradient", "resampling")
