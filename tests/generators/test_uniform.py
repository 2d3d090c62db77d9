"""Uniform draws as a generator."""

from __future__ import annotations

import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.generators import Guidance, Resampling, Uniform
from vitruvius.spaces import space

CELLS = space("nasbench201")


def test_draws_are_valid_repeatable_and_never_seen() -> None:
    first, second = Uniform().propose(CELLS, 50, seed=1), Uniform().propose(CELLS, 50, seed=1)
    assert torch.equal(first.x, second.x)
    assert bool(first.valid.all())
    assert not bool(Uniform().seen(CELLS, first.x).any())


def test_it_takes_no_guidance_and_no_nonsense() -> None:
    guidance = Guidance(resampling=Resampling(lambda x: torch.zeros(len(x))))
    with pytest.raises(UsageError, match="guided"):
        Uniform().propose(CELLS, 1, guidance=guidance)
    with pytest.raises(UsageError, match="at least 1"):
        Uniform().propose(CELLS, 0)
