import pytest
from torch import nn

from vitruvius.core.errors import UsageError
from vitruvius.spaces.cnn.darts import OPERATIONS
from vitruvius.spaces.operation import Operation, all_operations, name_with, operation


@operation()
def mine(width: int, out: int, stride: int) -> nn.Module:
    return nn.Conv2d(width, out, 1, stride)


def test_a_function_is_an_operation() -> None:
    assert (mine.name, mine.role) == ("mine", "op")
    nothing = operation("zero", role="absent")(lambda width, out, stride: nn.Identity())
    assert (nothing.name, nothing.role) == ("zero", "absent")


def test_a_name_is_a_word() -> None:
    with pytest.raises(UsageError, match="cannot name an operation"):
        Operation("a b", mine.build)


def test_the_order_is_one() -> None:
    given = (mine, *reversed(OPERATIONS))
    assert all_operations(given, OPERATIONS) == (*OPERATIONS, mine)


def test_names_tell_what_is_more_and_less() -> None:
    assert name_with("darts", OPERATIONS, OPERATIONS) == "darts"
    assert name_with("darts", (*OPERATIONS, mine), OPERATIONS) == "darts+mine"
    assert name_with("darts", (*OPERATIONS[1:], mine), OPERATIONS) == "darts+mine-max_pool_3x3"


def test_names_are_given_once() -> None:
    again = Operation("sep_conv_3x3", mine.build)
    for wrong in ((*OPERATIONS, again), (again,), (mine, mine)):
        with pytest.raises(UsageError, match="Two operations are called"):
            all_operations(wrong, OPERATIONS)
    with pytest.raises(UsageError, match="got none"):
        all_operations((), OPERATIONS)
