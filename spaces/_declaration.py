"""What a YAML file may say of a space, and what is answered where it says something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from ..core.errors import UnknownNameError, UsageError
from .variable import KINDS, ROLES, Choice, Kind, Role

__all__ = ["COUNTS", "Declaration", "DeclaredVariable", "read_declaration"]

COUNTS = ("params", "macs")
# How each key is written, by level.
_OF_VARIABLE = {
    "name": "name: kernel",
    "choices": "choices: [3, 5]",
    "kind": f"kind: one of {', '.join(KINDS)}",
    "place": "place: [0] for a node, [0, 1] for an edge; leave it out for the whole graph",
    "roles": f"roles: {{zero: absent}}, with the roles {', '.join(ROLES)}",
    "params": "params: {3: 9, 5: 25}, a count for every choice; a formula goes beside `variables`",
    "macs": "macs: {3: 9, 5: 25}, a count for every choice; a formula goes beside `variables`",
}
_OF_SPACE = {
    "name": "name: cell",
    "nodes": "nodes: [input, output]",
    "skeleton": "skeleton: [[0, 1]], pairs of node numbers",
    "inputs": "inputs: [0], node numbers",
    "outputs": "outputs: [1], node numbers",
    "variables": "variables: [{name: kernel, choices: [3, 5], kind: size}]",
    "params": "params: kernel**2 * width, a formula over variables",
    "macs": "macs: kernel**2 * width, a formula over variables",
}


def _choice(value: object) -> object:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("text_or_number", "expected text or a number")


def _label(value: object) -> str:
    """Takes numbers for labels; YAML's ``on`` and ``no`` are booleans and stay rejected."""
    return str(_choice(value))


Label = Annotated[str, BeforeValidator(_label)]
Given = Annotated[Any, BeforeValidator(_choice)]
Count = Annotated[str | int | float, BeforeValidator(_choice)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DeclaredVariable(_Strict):
    """A variable, as it is declared."""

    name: str
    choices: list[Given] = Field(min_length=1)
    kind: Kind
    place: list[int] = []
    roles: dict[Label, Role] = {}
    params: dict[Label, float] = {}
    macs: dict[Label, float] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The choices as text."""
        return tuple(map(str, self.choices))

    def role_of_each(self) -> tuple[Role, ...]:
        """Returns a role per choice."""
        for choice in self.roles:
            if choice not in self.labels:
                raise UnknownNameError.of(f"choice of {self.name}", choice, self.labels)
        return tuple(self.roles.get(label, "op") for label in self.labels)

    def values(self) -> tuple[Choice, ...]:
        """Returns the choices with their types; none where the labels alone say what they are."""
        typed = any(not isinstance(choice, str) for choice in self.choices)
        if not typed or self.kind in ("edge", "parent"):
            return ()
        try:
            return tuple(c if not isinstance(c, str) else float(c) for c in self.choices)
        except ValueError:
            return tuple(self.choices)


class Declaration(_Strict):
    """A space, as it is declared."""

    name: str
    nodes: list[str] = Field(min_length=1)
    skeleton: list[tuple[int, int]] = []
    inputs: list[int] = []
    outputs: list[int] = []
    variables: list[DeclaredVariable] = Field(min_length=1)
    params: Count | None = None
    macs: Count | None = None


def read_declaration(declaration: Any) -> Declaration:
    """Reads what a file says.

    Args:
        declaration: As YAML gives it.

    Raises:
        UnknownNameError: For an unknown key.
        UsageError: For anything else that does not fit, with the form that is expected.
    """
    if not isinstance(declaration, Mapping):
        raise UsageError(
            f"A space is declared by keys, got {_shown(declaration)}.",
            f"Write {_OF_SPACE['name']}, {_OF_SPACE['nodes']} and {_OF_SPACE['variables']}.",
        )
    try:
        return Declaration.model_validate(declaration)
    except ValidationError as error:
        first = error.errors()[0]
        where = first["loc"]
        inside = len(where) > 2 and where[0] == "variables"
        if first["type"] in ("extra_forbidden", "invalid_key"):
            model = DeclaredVariable if inside else Declaration
            raise UnknownNameError.of("key", str(where[-1]), model.model_fields) from error
        place = ".".join(map(str, where))
        got = "" if first["type"] == "missing" else f", got {_shown(first['input'])}"
        raise UsageError(
            f"The declaration of a space is wrong at {place}: {first['msg']}{got}.",
            _hint(declaration, where, first["input"], inside=inside),
        ) from error


def _hint(
    declaration: Mapping[str, Any], where: Sequence[int | str], value: object, *, inside: bool
) -> str:
    if isinstance(value, bool):
        return "Quote labels such as 'on' or 'no', which YAML reads as booleans."
    forms = _OF_VARIABLE if inside else _OF_SPACE
    key = str(where[2] if inside else where[0])
    if inside and key in COUNTS and isinstance(value, list):
        choices = declaration["variables"][where[1]].get("choices")
        if isinstance(choices, list) and len(choices) == len(value):
            pairs = ", ".join(f"{c}: {count}" for c, count in zip(choices, value, strict=True))
            return f"Give every choice its count by name: {key}: {{{pairs}}}."
    return f"Write {forms[key]}."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
