import re
from pathlib import Path
from typing import Any

import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.spaces import DeclaredSpace, Space, space
from vitruvius.testing import SpaceContract


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return space("toy_recipe.yaml")


class TestContractOfCells(SpaceContract):
    """Edges and parents, without code."""

    @pytest.fixture
    def space(self) -> Space:
        edges = [(i, j) for j in range(1, 5) for i in range(j - 1)]
        return DeclaredSpace(
            {
                "name": "cells",
                "nodes": ["in", "a", "b", "c", "out"],
                "skeleton": [[0, 1]],
                "variables": [
                    {"name": f"op{i}", "choices": ["x", "y"], "kind": "op", "place": [i]}
                    for i in (1, 2, 3)
                ]
                + [{"name": "p", "choices": [0, 1, 2], "kind": "parent", "place": [3]}]
                + [
                    {"name": f"e{i}{j}", "choices": [0, 1], "kind": "edge", "place": [i, j]}
                    for i, j in edges
                ],
            }
        )


def declaration(**changes: Any) -> dict[str, Any]:
    variable = {"name": "bits", "choices": [4, 8], "kind": "bits", "params": {4: 1.5, 8: 3}}
    return {"name": "chip", "nodes": ["array"], "variables": [variable | changes]}


def test_counts_add_up() -> None:
    said = declaration()
    said["variables"].append({"name": "lanes", "choices": [1, 2], "kind": "hardware"})
    counts = DeclaredSpace(said).statistics(torch.tensor([[0, 0], [1, 1]]))
    assert {name: values.tolist() for name, values in counts.items()} == {"params": [1.5, 3.0]}


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text("name: chip\nnodes: [a]\nvariables: [{name: b, choices: [1, 2], kind: bits}]\n")
    assert space(str(path)).variables[0].choices == ("1", "2")
    path.write_text("name: [")
    with pytest.raises(UsageError, match="is no YAML"):
        space(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        DeclaredSpace.from_file(tmp_path)


def test_missing_files_name_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"toy_recipe\.yaml"):
        space("toy_recipes.yaml")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"choises": [1]}, "Did you mean 'choices'"),
        ({"kind": "colour"}, "kind"),
        ({"choices": [True, False]}, "choices.0"),
        ({"choices": []}, "choices"),
        ({"choices": [4, 4]}, "distinct"),
        ({"place": [3]}, "not there"),
        ({"kind": "edge", "place": [0, 1]}, "not there"),
        ({"kind": "parent", "place": [0]}, "earlier nodes"),
        ({"name": "a,b"}, "marks"),
        ({"params": {4: 1}}, "every choice"),
        ({"params": {4: 1, 8: -1}}, "not negative"),
    ],
)
def test_declarations_that_cannot_be(changes: dict[str, Any], why: str) -> None:
    with pytest.raises((UsageError, UnknownNameError), match=why):
        DeclaredSpace(declaration(**changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nods": []}, "Did you mean 'nodes'"),
        ({"skeleton": [[0, 0]]}, "lead forward"),
        ({"variables": declaration()["variables"] * 2}, "same name"),
        ({"variables": []}, "variables"),
    ],
)
def test_spaces_that_cannot_be(changes: dict[str, Any], why: str) -> None:
    with pytest.raises((UsageError, UnknownNameError), match=why):
        DeclaredSpace(declaration() | changes)


def test_roles_and_marks(cells_like: dict[str, Any]) -> None:
    declared = DeclaredSpace(cells_like)
    assert declared.variables[0].roles == ("absent", "identity", "op")
    assert (declared.inputs, declared.outputs) == ((0,), (1,))
    with pytest.raises(UnknownNameError, match="Did you mean 'zero'"):
        DeclaredSpace(
            cells_like | {"variables": [cells_like["variables"][0] | {"roles": {"zer": "absent"}}]}
        )
    with pytest.raises(UsageError, match="roles"):
        DeclaredSpace(
            cells_like | {"variables": [cells_like["variables"][0] | {"roles": {"zero": "none"}}]}
        )
    with pytest.raises(UsageError, match="input or output"):
        DeclaredSpace(cells_like | {"inputs": [2]})


@pytest.fixture
def cells_like() -> dict[str, Any]:
    return {
        "name": "cells",
        "nodes": ["in", "out"],
        "variables": [
            {
                "name": "op",
                "choices": ["zero", "Identity", "conv"],
                "kind": "op",
                "place": [0, 1],
                "roles": {"zero": "absent", "Identity": "identity"},
            }
        ],
    }


def test_formulas_join_tables() -> None:
    said = declaration() | {"params": "100 * bits", "macs": 7}
    counts = DeclaredSpace(said).statistics(torch.tensor([[0], [1]]))
    assert {name: values.tolist() for name, values in counts.items()} == {
        "params": [401.5, 803.0],
        "macs": [7.0, 7.0],
    }


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"params": [100, 200]}, "params: {4: 100, 8: 200}"),
        ({"macs": [100]}, "macs: {3: 9, 5: 25}"),
        ({"params": "bits * 9"}, "a formula goes beside `variables`"),
        ({"roles": ["absent"]}, "roles: {zero: absent}"),
        ({"choices": 4}, "choices: [3, 5]"),
        ({"choices": {4: 1}}, "choices: [3, 5]"),
        ({"choices": [4, True]}, "Quote labels"),
        ({"params": {True: 4}}, "Quote labels"),
        ({"place": 0}, "place: [0]"),
        ({"kind": None}, "kind: one of op"),
    ],
)
def test_another_form_is_answered_with_the_right_one(changes: dict[str, Any], hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        DeclaredSpace(declaration(**changes))
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"nodes": 3}, "nodes: [input, output]"),
        ({"skeleton": [0, 1]}, "skeleton: [[0, 1]]"),
        ({"variables": {"bits": {}}}, "variables: [{name: kernel"),
        ({"variables": ["bits"]}, "variables: [{name: kernel"),
        ({"params": {"bits": 4}}, "params: kernel**2 * width"),
        ({"params": "bits^2"}, "A formula is made of"),
    ],
)
def test_spaces_of_another_form_are_answered_with_the_right_one(
    changes: dict[str, Any], hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        DeclaredSpace(declaration() | changes)
    assert hint in raised.value.hint


@pytest.mark.parametrize("said", [None, "chip", [declaration()]])
def test_what_is_no_declaration_is_answered_with_the_keys(said: Any) -> None:
    with pytest.raises(UsageError, match="declared by keys"):
        DeclaredSpace(said)


@pytest.mark.parametrize(
    ("kind", "choices", "values"),
    [
        ("op", [3, 5], [3, 5]),
        ("op", ["3", "5"], ["3", "5"]),
        ("size", ["3", "5"], [3, 5]),
        ("size", [1, 2.5], [1, 2.5]),
        ("recipe", [0.1, "1e-5"], [0.1, 1e-5]),
        ("recipe", ["none", 2], ["none", 2]),
    ],
)
def test_choices_have_the_type_they_were_declared_with(
    kind: str, choices: list[Any], values: list[Any]
) -> None:
    declared = DeclaredSpace(declaration(kind=kind, choices=choices, params={}))
    found = [declared.architecture((i,))["bits"] for i in range(2)]
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize("key", [5, None, 1.5])
def test_keys_that_are_no_words_are_unknown_keys(key: Any) -> None:
    made = declaration()
    with pytest.raises(UnknownNameError, match=re.escape(f"Unknown key '{key}'")):
        DeclaredSpace(made | {key: 1})
    made["variables"][0][key] = 1
    with pytest.raises(UnknownNameError, match=re.escape(f"Unknown key '{key}'")):
        DeclaredSpace(made)
