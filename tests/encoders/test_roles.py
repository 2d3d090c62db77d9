"""Encodings read roles and marks, never the spelling of a label."""

import hashlib
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vitruvius.encoders import MessageGraph, PathEncoding, WeisfeilerLehman
from vitruvius.spaces import DeclaredSpace, ProductSpace, Space, space

# Of paths, computed paths and neighbourhoods, from when labels still were read by their spelling.
BEFORE = {
    "nasbench201": ("41265d0090d10cd6", "e8fcb49aa191547b", "2e8c32aa40daeb34"),
    "nasbench101": ("6fc66c8cf13ee1b5", "6fc66c8cf13ee1b5", "0bf834cff5de5b10"),
    "nas-bench-graph": ("be812330773e1565", "35ff43a45e6bebd0", "3cfea77c80b9f2a4"),
    "mobilenetv3": ("3a5df5ce9c022f55", "3a5df5ce9c022f55", "cdaf7e23b7ed4b05"),
    "toy_recipe.yaml": ("7919974b94b6c612", "7919974b94b6c612", "9dede59a1b788d2a"),
}
RENAMED = {"none": "zero", "skip_connect": "Identity", "absent": "zero", "skip": "Identity"}


def digest(numbers: Tensor) -> str:
    return hashlib.sha256(numbers.contiguous().numpy().tobytes()).hexdigest()[:16]


def renamed(kind: Space) -> Space:
    """The same space, without its isomorphisms, under other names."""
    variables = [
        replace(v, choices=tuple(RENAMED.get(c, c) for c in v.choices)) for v in kind.variables
    ]
    return DeclaredSpace(
        {
            "name": "renamed",
            "nodes": [f"n{i}" for i in range(len(kind.nodes))],
            "skeleton": list(kind.skeleton),
            "inputs": list(kind.inputs),
            "outputs": list(kind.outputs),
            "variables": [
                {
                    "name": v.name,
                    "choices": list(v.choices),
                    "kind": v.kind,
                    "place": list(v.place),
                    "roles": dict(zip(v.choices, v.roles, strict=True)),
                }
                for v in variables
            ],
        }
    )


@pytest.mark.parametrize("name", BEFORE)
def test_shipped_spaces_encode_as_ever(name: str) -> None:
    kind = space(name)
    x = kind.sample(200, 0)
    assert BEFORE[name] == (
        digest(PathEncoding(kind).hashes(x)),
        digest(PathEncoding(kind, computed=True).hashes(x)),
        digest(WeisfeilerLehman(kind, 2).refine(x)[2]),
    )


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "nas-bench-graph"])
def test_other_names_encode_alike(name: str) -> None:
    kind = space(name)
    other = renamed(kind)
    x = kind.sample(100, 0)
    for computed in (False, True):
        ours = PathEncoding(other, computed=computed).hashes(x)
        assert torch.equal(ours, PathEncoding(kind, computed=computed).hashes(x))
    for ours, theirs in zip(
        WeisfeilerLehman(other).refine(x), WeisfeilerLehman(kind).refine(x), strict=True
    ):
        assert torch.equal(ours, theirs)
    p = MessageGraph(kind).one_hot(x)
    for ours, theirs in zip(MessageGraph(other)(p), MessageGraph(kind)(p), strict=True):
        assert torch.equal(ours, theirs)


def test_a_product_encodes_its_parts_as_they_are_alone() -> None:
    cells = renamed(space("nasbench201"))
    pair = ProductSpace(name="pair", parts={"a": cells, "b": cells})
    x = cells.sample(50, 0)
    paths, alone = PathEncoding(pair, computed=True), PathEncoding(cells, computed=True)
    both = paths.hashes(torch.cat([x, x], 1))
    assert torch.equal((both != 0).sum(1), 2 * (alone.hashes(x) != 0).sum(1))
    # Each part has ends of its own: input, two sums, output, twice.
    level = WeisfeilerLehman(pair).refine(torch.cat([x, x], 1))[0][:, :8]
    assert torch.equal(level[:, :4], level[:, 4:])
    assert len(level[0, :4].unique()) == 3
