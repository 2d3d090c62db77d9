import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.spaces import Variable
from vitruvius.spaces.formula import Formula

VARIABLES = (
    Variable("kernel", ("3", "5"), "op", (0,)),
    Variable("in", ("8", "16"), "size"),
    Variable("out-1", ("8", "16"), "size"),
    Variable("act", ("relu", "silu"), "recipe"),
    Variable("skip", ("0", "1"), "edge", (0, 1)),
)
LAST = torch.tensor([[1, 1, 0, 1, 1]])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("kernel**2 * in * 'out-1' + skip", 5**2 * 16 * 8 + 1),
        ("kernel\n  * in", 80),
        ("max(kernel // 2, 1, -in) * 1e3", 2000),
        ("min (in, 9) / 2", 4.5),
        ("-(kernel - in) + 2 ** -1", 11.5),
        ("12", 12),
    ],
)
def test_arithmetic(text: str, count: float) -> None:
    assert Formula(text, VARIABLES, "params")(LAST).tolist() == [count]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kernel^2", r"a power is \*\*"),
        ("kernel % 2", "no arithmetic"),
        ("", "no arithmetic"),
        ("kernel, in", "no arithmetic"),
        ("in[0]", "no arithmetic"),
        ("in.real", "no arithmetic"),
        ("1j", "no arithmetic"),
        ("(lambda: 1)()", "cannot be read"),
        ("__import__('os')", "not known there"),
        ("max()", "not known there"),
        ("min(1, key=in)", "not known there"),
        ("in in in", "cannot be read"),
        ("3 × in", "cannot be read"),
        ("-" * 1500 + "1", "cannot be read"),
        ("9" * 400, "cannot be read"),
        ("1 + " * 1000 + "1", "longer than"),
        ("2 * act", "relu, silu"),
    ],
)
def test_what_is_no_formula_is_refused_and_not_run(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Formula(text, VARIABLES, "params")


@pytest.mark.parametrize("text", ["kernal * 2", "True * kernel", "_0"])
def test_unknown_variables_are_named(text: str) -> None:
    with pytest.raises(UnknownNameError, match="variable in the formula of macs"):
        Formula(text, VARIABLES, "macs")


@pytest.mark.parametrize("text", ["kernel - 9", "1 / (kernel - 5)", "9**9**9**9", "1e400 - 1e400"])
def test_counts_are_finite_and_not_negative(text: str) -> None:
    with pytest.raises(UsageError, match="gives"):
        Formula(text, VARIABLES, "params")(LAST)
