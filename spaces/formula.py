"""Formulas over choices: counts of a space that is declared, without running code."""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UnknownNameError, UsageError
from .variable import Choice, Variable

__all__ = ["Formula"]

LONGEST = 2_000
GRAMMAR = (
    "A formula is made of numbers, names of variables, + - * / // **, min(…), max(…) and "
    "parentheses, e.g. kernel**2 * width."
)
_TWO: dict[type[ast.operator], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}
_ONE: dict[type[ast.unaryop], Callable[[Tensor], Tensor]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_MANY = {"min": torch.minimum, "max": torch.maximum}
# A name may be a word of Python (`in`, `is`), and in quotes it may be anything.
_NAMES = re.compile(r"'([^']*)'|\"([^\"]*)\"|(?<![\w.])([^\W\d]\w*)(?!\w|\s*\()")
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


class Formula:
    """A count of every architecture, computed from the numbers that it chose.

    The text is parsed to a tree of which only arithmetic is admitted; nothing is run.

    Args:
        text: Numbers and names of variables, joined by ``+ - * / // **``, ``min`` and ``max``. A
            name that is no word stands in quotes.
        variables: Of the space. Those that are named have numbers as choices.
        name: What is counted.

    Raises:
        UsageError: For text that is no such formula, or a variable whose choices are no numbers.
        UnknownNameError: For a variable that there is not.

    Example:
        >>> sizes = Variable("kernel", ("3", "5"), "size"), Variable("out", ("8", "16"), "size")
        >>> weights = Formula("kernel**2 * 3 * out", sizes, "params")
        >>> weights(torch.tensor([[0, 0], [1, 1]])).tolist()
        [216.0, 1200.0]
    """

    def __init__(self, text: str, variables: Sequence[Variable], name: str) -> None:
        self.text, self.name = text, name
        self._variables = {variable.name: variable for variable in variables}
        self._columns = {variable.name: column for column, variable in enumerate(variables)}
        self._names: list[str] = []
        self._tables: dict[str, Float[Tensor, " C"]] = {}
        written = _NAMES.sub(self._placeholder, text.strip())
        if len(text) > LONGEST:
            raise self._refused(f"it is longer than {LONGEST} characters")
        try:
            with warnings.catch_warnings(action="ignore"):
                self._tree = ast.parse(f"({written}\n)", mode="eval").body
            self._value(self._tree, torch.zeros(0, len(variables), dtype=torch.long))
        except UsageError:
            raise
        except _UNREADABLE as error:
            why = error.msg if isinstance(error, SyntaxError) else "it is nested or large"
            raise self._refused(f"it cannot be read ({why})") from error

    def __call__(self, x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """Computes the count of architectures.

        Args:
            x: Choice indices.

        Raises:
            UsageError: Where it is negative or not finite.
        """
        counts = self._value(self._tree, x)
        wrong = ~(counts.isfinite() & (counts >= 0))
        if bool(wrong.any()):
            first = int(wrong.nonzero()[0])
            chosen = {
                each: self._tables[each][int(x[first, self._columns[each]])].item()
                for each in dict.fromkeys(self._names)
            }
            at = ", ".join(f"{each}={value:g}" for each, value in chosen.items())
            raise UsageError(
                f"The formula of {self.name}, {self.text!r}, gives {float(counts[first]):g}"
                f"{f' at {at}' if at else ''}.",
                "Counts are finite and not negative: bound it with max(0, …).",
            )
        return counts

    def _placeholder(self, match: re.Match[str]) -> str:
        self._names.append(next(group for group in match.groups() if group is not None))
        return f" _{len(self._names) - 1} "

    def _value(self, node: ast.AST, x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _TWO:
                return _TWO[type(op)](self._value(left, x), self._value(right, x))
            case ast.UnaryOp(op=one, operand=operand) if type(one) in _ONE:
                return _ONE[type(one)](self._value(operand, x))
            case ast.Call(func=ast.Name(id=name), args=[first, *others], keywords=[]) if (
                name in _MANY
            ):
                value = self._value(first, x)
                for other in others:
                    value = _MANY[name](value, self._value(other, x))
                return value
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return torch.full((len(x),), float(number), dtype=torch.float64)
            case ast.Name(id=name) if re.fullmatch(r"_\d+", name):
                named = self._names[int(name[1:])]
                return self._table(named)[x[:, self._columns[named]]]
            case ast.BinOp(op=ast.BitXor()):
                raise self._refused("it has ^ in it; a power is **")
            case ast.Call(func=ast.Name(id=name)):
                raise self._refused(f"{name}(…) is not known there, with what is given to it")
        raise self._refused(f"it has in it what is no arithmetic ({type(node).__name__})")

    def _table(self, name: str) -> Float[Tensor, " C"]:
        if name not in self._variables:
            raise UnknownNameError.of(
                f"variable in the formula of {self.name}", name, self._variables
            )
        if name not in self._tables:
            variable = self._variables[name]
            numbers = [
                _number(value, label)
                for value, label in zip(variable.values, variable.choices, strict=True)
            ]
            if not all(map(math.isfinite, numbers)):
                raise UsageError(
                    f"The formula of {self.name} reckons with {name!r}, whose choices are not all "
                    f"numbers: {', '.join(variable.choices)}.",
                    "Give numbers as its choices, or a table: "
                    f"{self.name}: {{{variable.choices[0]}: 9, …}}.",
                )
            self._tables[name] = torch.tensor(numbers, dtype=torch.float64)
        return self._tables[name]

    def _refused(self, why: str) -> UsageError:
        shown = self.text if len(self.text) <= 80 else f"{self.text[:77]}…"
        return UsageError(f"The formula of {self.name}, {shown!r}, is none: {why}.", GRAMMAR)


def _number(value: Choice, label: str) -> float:
    """A choice as a number, NaN where it is none."""
    try:
        return float(label if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return math.nan
