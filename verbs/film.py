"""A film strip of an architecture that a generator denoises."""

from __future__ import annotations

from ..core.errors import UsageError
from ..core.torch_state import own_torch_state
from ..generators.diffusion import GraphDiffusion
from ..generators.resolver import generator_for
from ..generators.schedulers import MASK
from ..reports import draw_partial, film_strip
from ..reports.svg import SVG
from ..spaces import Space, space as make_space

__all__ = ["film"]


@own_torch_state()
def film(
    space: str | Space, *, generator: str = "auto", steps: int = 8, seed: int | None = None
) -> SVG:
    """Draws how graph diffusion reveals one architecture, variable by variable.

    Args:
        space: A space or its name.
        generator: As for `vitruvius.sample`; one of graph diffusion that masks.
        steps: Reverse steps, each a picture.
        seed: Of the architecture; by default a fresh one.

    Raises:
        UsageError: For a generator that reveals nothing step by step.
        UnknownNameError: For a space or generator that there is not.

    Example:
        >>> film("nasbench201", steps=3, seed=0).count("<svg")
        5
    """
    found = make_space(space) if isinstance(space, str) else space
    made = generator_for(found, generator)
    if not isinstance(made, GraphDiffusion):
        raise UsageError(
            f"The generator {made.name!r} reveals nothing step by step.",
            "Give one of graph diffusion: a shipped name, or a folder of `vitruvius train`.",
        )
    states = made.trajectory(found, steps=steps, seed=seed)
    return film_strip(
        [
            (
                draw_partial(found, state.clamp(min=0), state != MASK),
                f"step {n} of {len(states) - 1}, "
                f"{int((state != MASK).sum())} of {len(state)} known",
            )
            for n, state in enumerate(states)
        ]
    )
