"""The contract of a generator as a pytest class."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import UsageError
from ..generators import ClassifierFree, Generator, Gradient, Guidance, Resampling
from ..spaces import Space
from .second_device import DEVICES, other_device

__all__ = ["GeneratorContract", "guidances"]


class GeneratorContract:
    """What every `Generator` must keep; inherit it and give ``generator`` and ``space``.

    Example:
        >>> from vitruvius.generators import load
        >>> from vitruvius.spaces import space
        >>> class TestMyGenerator(GeneratorContract):
        ...     @pytest.fixture
        ...     def generator(self) -> Generator:
        ...         return load("nasbench201")
        ...
        ...     @pytest.fixture
        ...     def space(self) -> Space:
        ...         return space("nasbench201")
    """

    @pytest.fixture
    def generator(self) -> Generator:
        """The generator; must be overridden."""
        raise NotImplementedError("Give a fixture `generator`.")

    @pytest.fixture
    def space(self) -> Space:
        """A space that it serves; must be overridden."""
        raise NotImplementedError("Give a fixture `space`.")

    @pytest.fixture(params=DEVICES)
    def device(self, request: pytest.FixtureRequest) -> torch.device:
        """Another device than the CPU."""
        return other_device(request)

    def test_it_is_a_generator(self, generator: Generator, space: Space) -> None:
        assert isinstance(generator, Generator)
        assert generator.name

    def test_proposals(self, generator: Generator, space: Space) -> None:
        found = generator.propose(space, 12, steps=3, seed=0)
        assert found.x.shape == (12, len(space.variables))
        assert found.x.dtype == torch.long
        assert torch.equal(found.valid, space.is_valid(found.x))

    def test_seeds_repeat(self, generator: Generator, space: Space) -> None:
        one, same, other = (generator.propose(space, 12, steps=3, seed=s).x for s in (0, 0, 1))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    @pytest.mark.parametrize("batch_size", [1, 5, 1000])
    def test_batches_of_any_size(self, generator: Generator, space: Space, batch_size: int) -> None:
        found = generator.propose(space, 7, steps=2, batch_size=batch_size, seed=0)
        assert len(found.x) == len(found.valid) == 7

    @pytest.mark.parametrize("n", [0, -1])
    def test_numbers_below_one(self, generator: Generator, space: Space, n: int) -> None:
        with pytest.raises(UsageError, match="at least 1"):
            generator.propose(space, n)

    def test_global_random_state_is_left_alone(self, generator: Generator, space: Space) -> None:
        before = torch.get_rng_state()
        generator.propose(space, 4, steps=2, seed=0)
        assert torch.equal(torch.get_rng_state(), before)

    def test_no_tensor_is_left_behind(
        self, generator: Generator, space: Space, device: torch.device
    ) -> None:
        there = deepcopy(generator)
        assert there.to(device) is there
        for name, guidance in guidances(generator, space).items():
            one, same = (
                there.propose(space, 6, guidance=guidance, steps=2, seed=0) for _ in range(2)
            )
            assert one.x.device == one.valid.device == torch.device("cpu"), name
            assert torch.equal(one.x, same.x), name
            assert torch.equal(one.valid, space.is_valid(one.x)), name
        seen = there.seen(space, one.x[one.valid])
        assert seen is None or seen.device == torch.device("cpu")

    def test_a_generator_of_either_device_is_a_seed(
        self, generator: Generator, space: Space, device: torch.device
    ) -> None:
        there = deepcopy(generator).to(device)
        for place in (torch.device("cpu"), device):
            chance = [torch.Generator(device=place).manual_seed(s) for s in (3, 3)]
            one, same = (there.propose(space, 8, steps=2, seed=each).x for each in chance)
            assert torch.equal(one, same)
            assert not torch.equal(one, there.propose(space, 8, steps=2, seed=chance[0]).x)


def guidances(generator: Generator, space: Space) -> dict[str, Guidance]:
    """Returns no guidance, each form that a generator takes, and all of them together.

    Args:
        generator: The generator.
        space: The space.

    Example:
        >>> from vitruvius.generators import Uniform
        >>> from vitruvius.spaces import space
        >>> list(guidances(Uniform(), space("nasbench201")))
        ['none']
    """

    def value(x: Int[Tensor, "B V"]) -> Tensor:
        return -x.sum(1).double()

    def conditions(n: int, chance: torch.Generator) -> dict[str, Tensor]:
        rows = space.sample(n, chance)
        return {name: space.statistics(rows)[name] for name in known}

    known = [name for name in generator.conditions if name in space.statistics(space.sample(1, 0))]
    forms: dict[str, object] = {}
    if generator.guidable:
        forms["gradient"] = Gradient(lambda p: p[..., 0].log1p().sum(1), best=1e3)
        forms["resampling"] = Resampling(value, rounds=2)
    if known:
        forms["classifier_free"] = ClassifierFree(conditions, scale=1.5)
    each = [Guidance(), *(Guidance(**{name: form}) for name, form in forms.items())]  # type: ignore[arg-type]
    if len(forms) > 1:
        each.append(Guidance(**forms))  # type: ignore[arg-type]
    return {guidance.name: guidance for guidance in each}
