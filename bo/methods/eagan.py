"""EAGAN (Ying et al., ECCV 2022, arXiv 2111.15097): generators first, then discriminators."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.errors import UsageError
from ...core.seeding import make_generator
from ...spaces import ProductSpace, Space
from ...spaces.gan.adversarial import DiscriminatorSpace, GeneratorSpace
from ..ranking import rank
from ..trial import History, Proposal, Trial

__all__ = ["EAGAN"]

# A child that is known or impossible is bred again this often before one is drawn.
ATTEMPTS = 64


class EAGAN:
    """Searches generators against one discriminator, then discriminators for the best of them.

    Of a product of a generator and a discriminator:

    1. ``generators`` trials have the first published discriminator, and generators bred as
       follows. Then the generator with the best first objective stays, and discriminators are bred.
    2. A generation are ``population`` trials, the first of a stage drawn uniformly. Parents of the
       next are the ``population`` least dominated and least crowded of their stage (NSGA-II).
    3. A child is a parent with one other gene, or takes one gene of another parent, as likely.

    The paper has the objectives inception score, FID and parameters, and weights that are shared:
    ``weights=shared`` of the evaluator, see `vitruvius.evaluators.training.GANEvaluator`.

    Args:
        population: Size of a generation; 32 in the paper.
        generators: Trials of the first stage.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.spaces import space
        >>> pair = space("eagan-generator:width=8 x eagan-discriminator:width=4")
        >>> proposal = EAGAN().propose(History(Problem(pair, {}, minimize="params"), []), seed=0)
        >>> str(pair.architecture(proposal.row)).split(" && ")[1][:43]
        'eagan_discriminator: [[3, 0, 3, 0, 2, 0, 0]'
    """

    name: ClassVar[str] = "eagan"
    # It begins with generators of its own.
    initial: ClassVar[int] = 0

    def __init__(self, *, population: int = 8, generators: int = 16) -> None:
        if population < 2 or generators < 1:
            raise UsageError(
                f"A population has 2 or more and the first stage 1 trial or more, got {population} "
                f"and {generators}."
            )
        self.population, self.generators = population, generators

    def propose(self, history: History, seed: int) -> Proposal | None:
        space = history.problem.space
        generator, discriminator = _sides(space)
        first = history.trials[: self.generators]
        if len(history) < self.generators:
            side, base = generator, _published(space, discriminator)
            stage = history.trials
        else:
            best = _best(History(history.problem, first))
            base = torch.tensor(space.example) if best is None else best
            side, stage = discriminator, history.trials[self.generators :]
        return self._bred(history, stage, side, base, seed)

    def _bred(
        self,
        history: History,
        stage: tuple[Trial, ...],
        side: str,
        base: Int[Tensor, " V"],
        seed: int,
    ) -> Proposal | None:
        """A new architecture that differs from the base in one side."""
        space = history.problem.space
        assert isinstance(space, ProductSpace)
        part, at = space.parts[side], space.columns[side]
        chance = make_generator(seed)
        born = len(stage) // self.population * self.population
        before = History(history.problem, stage[:born])
        parents = before.x[rank(before).argsort(stable=True)[: self.population]][:, at]
        for attempt in range(ATTEMPTS):
            bred = len(parents) > 0 and attempt < ATTEMPTS // 2
            child = _child(part, parents, chance) if bred else part.sample(1, chance)[0]
            row = base.clone()
            row[at] = child
            found = history.fresh(row[None])
            if len(found):
                source = f"{side} {'bred' if bred else 'drawn'}"
                return Proposal(tuple(found[0].tolist()), source)
        return None


def _child(part: Space, parents: Int[Tensor, "P V"], chance: torch.Generator) -> Int[Tensor, " V"]:
    """A parent with one gene that is another: a random one, or another parent's."""
    one, two = torch.randint(len(parents), (2,), generator=chance).tolist()
    crossing = torch.rand((), generator=chance) < 0.5
    differing = (parents[one] != parents[two]).nonzero()[:, 0]
    if crossing and len(differing):
        child = parents[one].clone()
        gene = differing[torch.randint(len(differing), (1,), generator=chance)]
        child[gene] = parents[two][gene]
        if bool(part.is_valid(child[None])[0]):
            return child
    neighbours = part.neighbours(parents[one])
    return neighbours[int(torch.randint(len(neighbours), (1,), generator=chance))]


def _sides(space: Space) -> tuple[str, str]:
    parts = space.parts if isinstance(space, ProductSpace) else {}
    generators = [name for name, part in parts.items() if isinstance(part, GeneratorSpace)]
    others = [name for name, part in parts.items() if isinstance(part, DiscriminatorSpace)]
    if len(parts) != 2 or len(generators) != 1 or len(others) != 1:
        raise UsageError(
            f"EAGAN searches a generator and a discriminator, {space.name} is another space.",
            "Give both, e.g. 'eagan-generator x eagan-discriminator'.",
        )
    return generators[0], others[0]


def _published(space: Space, side: str) -> Int[Tensor, " V"]:
    """A row whose one side is the first that its space publishes."""
    assert isinstance(space, ProductSpace)
    part = space.parts[side]
    assert isinstance(part, DiscriminatorSpace)
    row = torch.tensor(space.example)
    row[space.columns[side]] = part.rows([next(iter(part.published.values()))])[0]
    return row


def _best(history: History) -> Int[Tensor, " V"] | None:
    """The feasible row with the best first objective; None where nothing was measured."""
    if not history.ok:
        return None
    scores = torch.where(history.feasible, history.scores[:, 0], -torch.inf)
    return history.x[scores.argmax()]
