"""The contract of a search space as a pytest class."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import cloudpickle
import networkx as nx
import pytest
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ..core.errors import ArchitectureError, UnknownNameError, UsageError
from ..core.seeding import Seed, make_generator
from ..encoders.message_graph import MessageGraph
from ..spaces import (
    Architecture,
    GraphTask,
    ImageTask,
    ProductSpace,
    Space,
    Task,
    from_json,
    names,
)
from ..spaces.gan.adversarial import DiscriminatorSpace, GeneratorSpace
from ..spaces.variable import ROLES
from .second_device import second_device

__all__ = ["SpaceContract", "decode_at_random"]

# Bins and critical value of the uniformity test: chi-square with 19 degrees of freedom exceeds
# 50 once in 8,000 times, and seeds are fixed.
BINS, CRITICAL = 20, 50.0


def decode_at_random(space: Space, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
    """Fills the variables of ``n`` rows in random order with random allowed choices.

    Args:
        space: The space, with its constraints.
        n: Number of rows.
        seed: A generator, an integer seed, or None for a fresh one.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench101")
        >>> bool(cells.is_valid(decode_at_random(cells, 8, 0)).all())
        True
    """
    generator = make_generator(seed)
    count = len(space.variables)
    order = torch.rand(n, count, generator=generator).argsort(1)
    x = torch.zeros(n, count, dtype=torch.long)
    known = torch.zeros(n, count, dtype=torch.bool)
    every = torch.arange(n)
    for column in order.T:
        weights = space.allowed(x, known)[every, column].double()
        x[every, column] = torch.multinomial(weights, 1, generator=generator)[:, 0]
        known[every, column] = True
    return x


class SpaceContract:
    """What every `Space` must keep; inherit it and give the fixture ``space``.

    Override the fixture ``task`` where the space's own task is too large to run in a test.

    Example:
        >>> from vitruvius.spaces.cnn.nasbench201 import NASBench201
        >>> class TestMySpace(SpaceContract):
        ...     @pytest.fixture
        ...     def space(self) -> Space:
        ...         return NASBench201()
    """

    @pytest.fixture
    def space(self) -> Space:
        """The space under test."""
        raise NotImplementedError("Give a fixture `space`.")

    @pytest.fixture
    def task(self, space: Space) -> Task:
        """A small task to build for."""
        if isinstance(space.task, GraphTask):
            return GraphTask(classes=3, features=5, hidden=4)
        return replace(space.task, classes=3)

    @pytest.fixture
    def x(self, space: Space) -> Int[Tensor, "B V"]:
        """Some architectures."""
        return space.sample(64, 0)

    # -- declaration ----------------------------------------------------------------------------

    def test_names_of_variables_differ(self, space: Space) -> None:
        assert len({variable.name for variable in space.variables}) == len(space.variables)

    def test_places_are_on_the_dag(self, space: Space) -> None:
        for variable in space.variables:
            assert all(0 <= node < len(space.nodes) for node in variable.place)
            if variable.kind == "parent":
                assert all(int(choice) < variable.place[0] for choice in variable.choices)
            if variable.kind == "edge":
                assert variable.size == 2

    def test_skeleton_leads_forward(self, space: Space) -> None:
        assert all(0 <= i < j < len(space.nodes) for i, j in space.skeleton)

    def test_inputs_and_outputs_are_nodes(self, space: Space) -> None:
        for ends in (space.inputs, space.outputs):
            assert len(set(ends)) == len(ends)
            assert set(ends) <= set(range(len(space.nodes)))

    def test_every_choice_has_a_role(self, space: Space) -> None:
        for variable in space.variables:
            assert len(variable.roles) == variable.size
            assert set(variable.roles) <= set(ROLES)

    def test_what_is_absent_passes_nothing(self, space: Space) -> None:
        graph = MessageGraph(space)
        for column, variable in enumerate(space.variables):
            for index in variable.having("absent"):
                pair = torch.tensor([space.example] * 2)
                pair[:, column] = torch.tensor([index, (index + 1) % variable.size])
                features, edges = graph(graph.one_hot(pair))
                place = (features[0] != features[1]).any(1)
                assert place.sum() == 1
                assert not edges[0, place].any()
                assert not edges[0, :, place].any()

    def test_choice_mask_counts_choices(self, space: Space) -> None:
        assert space.choice_mask.sum(1).tolist() == [v.size for v in space.variables]

    def test_there_are_no_more_architectures_than_encodings(self, space: Space) -> None:
        assert 1 <= space.architecture_count <= space.encoding_count

    # -- sampling -------------------------------------------------------------------------------

    def test_samples_are_valid(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        assert x.dtype == torch.long
        assert x.shape == (64, len(space.variables))
        assert space.is_valid(x).all()

    def test_samples_are_canonical(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        assert torch.equal(space.canonical(x), x)

    def test_seeds_repeat(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        assert torch.equal(space.sample(64, 0), x)
        assert not torch.equal(space.sample(64, 1), x)

    def test_generator_advances(self, space: Space) -> None:
        generator = make_generator(0)
        first = space.sample(64, generator)
        assert not torch.equal(space.sample(64, generator), first)

    def test_global_random_state_is_left_alone(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        before = torch.get_rng_state()
        space.sample(4, 0)
        space.shuffle(x, 0)
        space.crossover(x, x.flip(0), 0)
        assert torch.equal(torch.get_rng_state(), before)

    def test_sample_of_none(self, space: Space) -> None:
        assert space.sample(0, 0).shape == (0, len(space.variables))

    def test_sampling_is_uniform(self, space: Space) -> None:
        if not space.enumerable or space.architecture_count < BINS:
            pytest.skip("only spaces that can be listed are counted")
        codes = torch.from_numpy(space.codes(space.enumerate()))
        drawn = torch.from_numpy(space.codes(space.sample(20_000, 0)))
        at = torch.searchsorted(codes, drawn)
        assert torch.equal(codes[at], drawn)
        edges = torch.arange(BINS + 1) * len(codes) // BINS
        seen = torch.bincount(torch.bucketize(at, edges[1:-1], right=True), minlength=BINS)
        expected = 20_000 * edges.diff() / len(codes)
        assert float(((seen - expected) ** 2 / expected).sum()) < CRITICAL

    # -- equivalence ----------------------------------------------------------------------------

    def test_enumeration_is_complete_and_distinct(self, space: Space) -> None:
        if not space.enumerable:
            with pytest.raises(UsageError, match="too many"):
                space.enumerate()
            return
        rows = space.enumerate()
        codes = torch.from_numpy(space.codes(rows))
        assert len(rows) == space.architecture_count
        assert (codes.diff() > 0).all()
        some = rows[:: max(1, len(rows) // 5000)]
        assert space.is_valid(some).all()
        assert torch.equal(space.canonical(some), some)

    def test_shuffle_keeps_the_architecture(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        shuffled = space.shuffle(x, 0)
        assert space.is_valid(shuffled).all()
        assert torch.equal(space.canonical(shuffled), x)
        assert torch.equal(space.shuffle(x, 0), shuffled)

    def test_equality_is_by_canonical_form(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        shuffled = space.shuffle(x, 0)
        ours, theirs = space.architectures(x), space.architectures(shuffled)
        assert ours == theirs
        assert [hash(a) for a in ours] == [hash(a) for a in theirs]
        assert space.keys(x) == space.keys(shuffled)

    def test_different_architectures_differ(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        distinct = len(torch.unique(x, dim=0))
        assert len(set(space.architectures(x))) == len(set(space.keys(x))) == distinct

    def test_empty_batch(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        assert space.canonical(x[:0]).shape == x[:0].shape
        assert space.is_valid(x[:0]).shape == (0,)

    def test_inputs_are_left_alone(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        before = x.clone()
        space.canonical(x)
        space.shuffle(x, 0)
        space.statistics(x)
        space.is_valid(x)
        space.neighbours(x[0])
        space.allowed(x, x > 0)
        assert torch.equal(x, before)

    # -- notation -------------------------------------------------------------------------------

    def test_string_round_trip(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        rows = torch.cat([x, space.shuffle(x, 0)])
        for row in rows.tolist():
            again = space.from_string(space.to_string(row))
            assert space.to_string(again) == space.to_string(row)
            assert space.architecture(again) == space.architecture(row)

    def test_canonical_rows_come_back_exactly(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        strings = [space.to_string(row) for row in x.tolist()]
        assert torch.equal(space.rows(strings), x)

    def test_json_round_trip(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for architecture in space.architectures(x):
            data = json.loads(json.dumps(architecture.to_json()))
            assert space.architecture(data["architecture"]) == architecture
            if space.name in names():
                assert from_json(data) == architecture

    def test_architecture_of_an_architecture(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        architecture = space.architecture(x[0])
        assert space.architecture(architecture) is architecture
        assert str(architecture) == space.to_string(x[0].tolist())

    def test_example_is_an_architecture(self, space: Space) -> None:
        assert space.is_valid(torch.tensor([space.example])).all()

    # -- choices by name ------------------------------------------------------------------------

    def test_choices_are_had_by_name(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in x[:8].tolist():
            architecture = space.architecture(row)
            for variable, index in zip(space.variables, row, strict=True):
                value = architecture[variable.name]
                assert value == architecture.choices[variable.name] == variable.value(index)
                if variable.kind == "op":
                    assert value == variable.choices[index]
                elif variable.kind == "edge":
                    assert value is bool(index)
                elif not isinstance(value, str):
                    assert value == float(variable.choices[index])

    def test_an_unknown_variable(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        architecture = space.architecture(x[0])
        name = space.variables[0].name
        with pytest.raises(UnknownNameError, match="Did you mean") as caught:
            architecture[f"{name}?"]
        assert name in caught.value.hint

    def test_choices_reach_workers(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for architecture in space.architectures(x[:4]):
            again = pickle.loads(cloudpickle.dumps(architecture))
            assert again == architecture
            assert again.choices == architecture.choices

    # -- errors ---------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "text", ["", "nonsense", "|a~0|", "a=b", "a: b", "r=1;u1=2", "[0]|gcn"]
    )
    def test_foreign_strings(self, space: Space, text: str) -> None:
        with pytest.raises(ArchitectureError, match="is not an architecture of") as caught:
            space.architecture(text)
        assert space.to_string(space.example) in caught.value.hint

    def test_truncated_strings(self, space: Space) -> None:
        text = space.to_string(space.example)
        with pytest.raises(ArchitectureError):
            space.architecture(text[: len(text) // 2])

    def test_wrong_length(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in (x[0, :-1], torch.cat([x[0], x[0, :1]])):
            with pytest.raises(ArchitectureError, match=f"got {len(row)}"):
                space.architecture(row)

    @pytest.mark.parametrize("index", [-1, 10_000])
    def test_out_of_range(self, space: Space, x: Int[Tensor, "B V"], index: int) -> None:
        for column in range(len(space.variables)):
            row = x[0].clone()
            row[column] = index
            assert not space.is_valid(row[None]).any()
            with pytest.raises(ArchitectureError):
                space.architecture(row)

    def test_architecture_of_another_space(self, space: Space) -> None:
        with pytest.raises(ArchitectureError, match="another"):
            space.architecture(Architecture("another", (0,), "0", (0,), ()))

    # -- moves ----------------------------------------------------------------------------------

    def test_neighbours(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in x[:8]:
            found = space.neighbours(row)
            assert len(found) > 0
            assert space.is_valid(found).all()
            assert torch.equal(space.canonical(found), found)
            assert len(set(space.keys(found))) == len(found)
            assert not set(space.keys(found)) & set(space.keys(row[None]))

    def test_neighbours_of_many_are_those_of_each(
        self, space: Space, x: Int[Tensor, "B V"]
    ) -> None:
        near, owner = space.neighbourhoods(x[:4])
        assert torch.equal(owner, owner.sort().values)
        for number, row in enumerate(x[:4]):
            assert torch.equal(near[owner == number], space.neighbours(row))

    def test_neighbours_of_isomorphic_rows_exist(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in space.shuffle(x, 0)[:4]:
            assert not set(space.keys(space.neighbours(row))) & set(space.keys(row[None]))

    def test_crossover(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        children = space.crossover(x, x.flip(0), 0)
        assert children.shape == x.shape
        assert space.is_valid(children).all()
        assert torch.equal(space.canonical(children), children)
        assert torch.equal(space.crossover(x, x.flip(0), 0), children)

    def test_crossover_with_itself(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        assert torch.equal(space.crossover(x, x, 0), x)

    # -- decoding -------------------------------------------------------------------------------

    def test_allowed_admits_architectures(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        generator = make_generator(0)
        for share in (0.0, 0.3, 0.6, 0.9, 1.0):
            known = torch.rand(x.shape, generator=generator) < share
            mask = space.allowed(x, known)
            assert mask.shape == (*x.shape, space.choice_mask.shape[1])
            assert mask.gather(2, x[..., None]).all()
            assert not (mask & ~space.choice_mask).any()

    def test_allowed_ignores_what_is_not_known(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        known: Bool[Tensor, "B V"] = torch.rand(x.shape, generator=make_generator(0)) < 0.5
        other = torch.where(known, x, x.flip(0))
        assert torch.equal(space.allowed(x, known), space.allowed(other, known))

    def test_allowed_is_told_on_any_device(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        known = torch.rand(x.shape, generator=make_generator(0)) < 0.5
        with second_device() as device:
            mask = space.allowed(x.to(device), known.to(device))
            assert mask.device == device
            assert torch.equal(mask.cpu(), space.allowed(x, known))

    def test_decoding_under_constraints_is_valid(self, space: Space) -> None:
        if not space.constrained:
            pytest.skip("the space narrows nothing down")
        assert space.is_valid(decode_at_random(space, 256, 0)).all()

    # -- statistics -----------------------------------------------------------------------------

    def test_statistics_are_counts(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        counts = space.statistics(x)
        for values in counts.values():
            assert values.shape == (len(x),)
            assert values.dtype == torch.float64
            assert (values >= 0).all()
        if space.buildable:
            assert {"params", "macs", "depth"} <= set(counts)
            assert (counts["params"] > 0).all()
            assert (counts["macs"] > 0).all()
            assert (counts["depth"] >= 1).all()

    def test_statistics_are_of_each_row_alone(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        together = space.statistics(x)
        alone = [space.statistics(row[None]) for row in x[:8]]
        for name, values in together.items():
            assert torch.equal(torch.cat([counts[name] for counts in alone]), values[:8])

    def test_parameters_agree_with_the_module(
        self, space: Space, task: Task, x: Int[Tensor, "B V"]
    ) -> None:
        if not space.buildable:
            with pytest.raises(UsageError):
                space.build(x[0])
            return
        rows = torch.cat([x[:6], space.shuffle(x[6:10], 0)])
        expected = space.statistics(rows, task)["params"].tolist()
        assert [_parameters(space.build(row, task)) for row in rows] == expected

    def test_layers_hold_what_is_counted(
        self, space: Space, task: Task, x: Int[Tensor, "B V"]
    ) -> None:
        if not space.buildable:
            pytest.skip("the space builds no modules")
        counts = space.statistics(x[:4], task)
        layers = [space.layers(row, task) for row in x[:4]]
        assert [sum(one.params for one in each) for each in layers] == counts["params"].tolist()
        # Graph layers may multiply by matrices that are no layers of their own.
        if isinstance(task, ImageTask):
            assert [sum(one.macs for one in each) for each in layers] == counts["macs"].tolist()

    def test_modules_learn(self, space: Space, task: Task, x: Int[Tensor, "B V"]) -> None:
        if not space.buildable:
            pytest.skip("the space builds no modules")
        for row in x[:3]:
            module = space.build(row, task)
            if isinstance(space, ProductSpace):
                assert isinstance(module, nn.ModuleDict)
                for key, part in module.items():
                    _check_learns(space.parts[key], part, task)
            else:
                _check_learns(space, module, task)

    # -- graphs ---------------------------------------------------------------------------------

    def test_dag(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in torch.cat([x, space.shuffle(x, 0)]).tolist():
            dag = space.dag(row)
            assert all(0 <= i < j < len(dag.nodes) for i, j in dag.edges)
            assert {*dag.inputs, *dag.outputs} <= set(range(len(dag.nodes)))
            assert set(dag.roles) <= {*((i,) for i in range(len(dag.nodes))), *dag.edges}
            assert sum(map(len, dag.layers())) == len(dag.nodes)

    def test_dag_through_networkx(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in x[:8].tolist():
            dag = space.dag(row)
            graph = dag.to_networkx()
            assert nx.is_directed_acyclic_graph(graph)
            assert [graph.nodes[i]["op"] for i in sorted(graph)] == list(dag.nodes)
            assert {(i, j): op for i, j, op in graph.edges(data="op")} == dag.edges

    def test_dag_through_torch_geometric(self, space: Space, x: Int[Tensor, "B V"]) -> None:
        for row in x[:8].tolist():
            dag = space.dag(row)
            data = dag.to_pyg()
            assert data.num_nodes == len(dag.nodes)
            assert {tuple(edge) for edge in data.edge_index.T.tolist()} == set(dag.edges)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _check_learns(space: Space, module: nn.Module, task: Task) -> None:
    """One forward and backward pass gives logits, images or scores, and gradients."""
    inputs = space.example_inputs(task, batch=6)
    results = module(*inputs)
    expected: tuple[int, ...] = (task.classes,)
    if isinstance(space, GeneratorSpace) and isinstance(task, ImageTask):
        expected = (task.channels, task.resolution, task.resolution)
    elif isinstance(space, DiscriminatorSpace):
        expected = (1,)
    assert results.shape == (len(inputs[0]), *expected)
    assert results.isfinite().all()
    results.square().sum().backward()
    # What comes last always learns; a cell may leave operations unreached.
    assert list(module.parameters())[-1].grad is not None
