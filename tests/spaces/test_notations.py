"""Notations of other packages: what is read is what they mean, output stays native."""

import json

import numpy as np
import pytest
import torch

from vitruvius.core.errors import ArchitectureError
from vitruvius.spaces import space
from vitruvius.spaces.declared import DeclaredSpace
from vitruvius.spaces.literals import Call, read_literal

CELL = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
NETWORK = "r=224;u1=k3e3,k5e4;u2=k3e6,k3e3;u3=k3e3,k3e3,k7e3;u4=k3e3,k3e3;u5=k3e3,k3e3"
KS = [3, 5, 7, 7, 3, 3, 0, 0, 3, 3, 7, 3, 3, 3, 3, 3, 3, 3, 3, 3]
E = [3, 4, 6, 6, 6, 3, 0, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
D = [2, 2, 3, 2, 2]
MATRIX = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
OPS = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]
SPEC = "ops=conv3x3-bn-relu,maxpool3x3;adj=110|01|1"
TREE = "[0,0,1,2]|gcn|gat|sage|gin"


def used(listed: list[int]) -> list[int]:
    return [n for u, d in enumerate(D) for n in listed[4 * u : 4 * u + d]]


@pytest.mark.parametrize(
    ("name", "text", "native"),
    [
        ("nas-bench-graph", "Arch([0, 0, 1, 2], ['gcn', 'gat', 'sage', 'gin'])", TREE),
        ("nas-bench-graph", "Arch(lk=[0,0,1,2], op=['gcn','gat','sage','gin'])", TREE),
        ("nas-bench-graph", "([0, 0, 1, 2], ['gcn', 'gat', 'sage', 'gin'])", TREE),
        (
            "nas-bench-graph",
            '{"link": [0, 0, 1, 2], "ops": ["gcn", "gat", "sage", "gin"]}',
            TREE,
        ),
        (
            "nas-bench-graph",
            "[[np.int64(0), np.int64(0), np.int64(1), np.int64(2)], ['gcn','gat','sage','gin']]",
            TREE,
        ),
        ("nas-bench-graph", "31042", TREE),
        ("nas-bench-graph", "1042", "[0,0,0,0]|gcn|gat|sage|gin"),
        ("nasbench201", f"Structure(4 nodes with {CELL})", CELL),
        ("nasbench201", repr(CELL), CELL),
        ("nasbench201", "(4, 3, 3, 0, 1, 2)", CELL),
        ("nasbench201", "[np.int64(4), np.int64(3), 3, 0, 1, 2]", CELL),
        ("nasbench201", "array([4, 3, 3, 0, 1, 2])", CELL),
        ("nasbench201", "[4 3 3 0 1 2]", CELL),
        (
            "nasbench201",
            "((('avg_pool_3x3', 0),), (('nor_conv_1x1', 0), ('skip_connect', 1)), "
            "(('nor_conv_1x1', 0), ('none', 1), ('nor_conv_3x3', 2)))",
            CELL,
        ),
        (
            "nasbench201",
            '["avg_pool_3x3","nor_conv_1x1","skip_connect","nor_conv_1x1","none","nor_conv_3x3"]',
            CELL,
        ),
        (
            "nasbench201",
            "0",
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
            "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
        ),
        ("mobilenetv3", json.dumps({"ks": KS, "e": E, "d": D, "r": [224]}), NETWORK),
        ("mobilenetv3", str({"wid": None, "ks": KS, "e": E, "d": D, "r": 224}), NETWORK),
        (
            "mobilenetv3",
            str({"ks": np.array(KS), "e": [*map(np.int64, E)], "d": tuple(D), "r": [224]}),
            NETWORK,
        ),
        ("mobilenetv3", str({"ks": used(KS), "e": used(E), "d": D, "r": [224]}), NETWORK),
        ("mobilenetv3", f"OrderedDict([('ks',{KS}),('e',{E}),('d',{D}),('r',[224])])", NETWORK),
        ("nasbench101", json.dumps({"matrix": MATRIX, "ops": OPS}), SPEC),
        ("nasbench101", str({"matrix": np.array(MATRIX), "ops": OPS}), SPEC),
        ("nasbench101", repr({"matrix": np.array(MATRIX), "ops": np.array(OPS)}), SPEC),
        (
            "nasbench101",
            repr({"matrix": [[*map(np.int8, line)] for line in MATRIX], "ops": OPS}),
            SPEC,
        ),
        (
            "nasbench101",
            repr({"module_adjacency": torch.tensor(MATRIX), "module_operations": OPS}),
            SPEC,
        ),
        ("nasbench101", f"ModelSpec(matrix={MATRIX}, ops={OPS})", SPEC),
        ("nasbench101", f"({MATRIX}, {OPS[1:-1]})", SPEC),
    ],
)
def test_notations_of_other_packages_are_read(name: str, text: str, native: str) -> None:
    found = space(name)
    assert str(found.architecture(text)) == native
    assert found.from_string(text) == found.from_string(native)


def test_choices_by_name_are_read() -> None:
    recipes = DeclaredSpace(
        {
            "name": "recipes",
            "nodes": ["training"],
            "variables": [
                {"name": "optimiser", "choices": ["sgd", "adamw"], "kind": "recipe"},
                {"name": "bits", "choices": [4, 8], "kind": "bits"},
            ],
        }
    )
    for text in ('{"bits": 8, "optimiser": "sgd"}', "{'optimiser': 'sgd', 'bits': np.int64(8)}"):
        assert str(recipes.architecture(text)) == "optimiser=sgd, bits=8"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("nas-bench-graph", "Arch([0, 0, 1, 7], ['gcn', 'gat', 'sage', 'gin'])", "cannot hang"),
        ("nas-bench-graph", "Arch([0, 0, 1], ['gcn', 'gat', 'sage'])", "4 parents"),
        ("nas-bench-graph", "99999", "five|5 digits"),
        ("nas-bench-graph", "-1", "list of parents|5 digits"),
        ("nasbench201", "15625", "0 to 15624"),
        ("nasbench201", "(4, 0, 3)", "6 numbers"),
        ("nasbench201", "(9, 0, 3, 1, 4, 3)", "6 numbers"),
        ("nasbench201", "['none', 'conv', 'none', 'none', 'none', 'none']", "no operation 'conv'"),
        ("nasbench201", "Structure(4 nodes with x)", "three groups"),
        ("mobilenetv3", str({"ks": KS, "e": E, "d": D}), "lacks r"),
        ("mobilenetv3", str({"ks": KS, "e": E, "d": D, "r": 130}), "steps of 4"),
        ("mobilenetv3", str({"ks": KS, "e": E, "d": [5] * 5, "r": 224}), "depths"),
        ("mobilenetv3", str({"ks": [9] * 20, "e": E, "d": D, "r": 224}), "takes 3, 5, 7"),
        ("mobilenetv3", str({"wid": 1.2, "ks": KS, "e": E, "d": D, "r": 224}), "width 1.0"),
        ("nasbench101", str({"matrix": [[0, 1]], "ops": OPS}), "matrix"),
        (
            "nasbench101",
            str({"matrix": MATRIX, "ops": ["input", "a", "b", "output"]}),
            "no operati",
        ),
        ("nasbench101", str({"matrix": [[1.5] * 4] * 4, "ops": OPS}), "whole numbers"),
        ("nasbench101", "__import__('os').system('true')", "expected 'ops="),
    ],
)
def test_what_the_space_does_not_have_says_why(name: str, text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        space(name).architecture(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, "x", true, null]}', {"a": [1, 2.5, "x", True, None]}),
        ("np.array([[0, 1], [-2, 3]], dtype=int8)", [[0, 1], [-2, 3]]),
        ("tensor([1., 2.])", [1.0, 2.0]),
        ("F('a', b=(1,))", Call("F", ("a",), {"b": (1,)})),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert read_literal(text) == value


@pytest.mark.parametrize(
    "text",
    ["a", "a.b.c()", "[x for x in y]", "1 + 1", "f'{a}'", "(" * 5000, "1" * 30_000, "\0", ""],
)
def test_nothing_is_run_and_nothing_else_is_a_literal(text: str) -> None:
    assert read_literal(text) is None
