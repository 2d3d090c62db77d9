import pytest

from vitruvius.core.errors import UnknownNameError
from vitruvius.spaces import DeclaredSpace, ProductSpace, space

CELLS = space("nasbench201")
TEXT = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"


def test_choices_by_name() -> None:
    cell = CELLS.architecture(TEXT)
    assert cell["op_0_1"] == "nor_conv_3x3"
    assert list(cell.choices)[:2] == ["op_0_1", "op_0_2"]
    net = space("mobilenetv3").architecture(
        "r=224;u1=k3e6,k5e4;u2=k3e3,k3e3;u3=k7e6,k3e4,k3e4;u4=k3e3,k5e6;u5=k3e6,k3e6"
    )
    assert (net["resolution"], net["depth_3"], net["kernel_1_2"]) == (224, 3, "5")
    tree = space("nas-bench-graph").architecture("[0,1,2,1]|gcn|gin|fc|cheb")
    assert (tree["parent_4"], tree["op_4"]) == (1, "cheb")


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'op_0_1'"):
        CELLS.architecture(TEXT)["op_01"]


def test_choices_are_not_changed() -> None:
    with pytest.raises(TypeError):
        CELLS.architecture(TEXT).choices["op_0_1"] = "none"  # type: ignore[index]


def test_equal_architectures_may_be_written_with_other_choices() -> None:
    one = CELLS.architecture((3, 1, 0, 1, 0, 0))
    other = CELLS.architecture(one.canonical)
    assert one == other
    assert hash(one) == hash(other)
    assert one.choices != other.choices


def test_declared_spaces_and_products_have_their_own() -> None:
    chip = DeclaredSpace(
        {
            "name": "chip",
            "nodes": ["array"],
            "variables": [{"name": "bits", "choices": [4, 8], "kind": "bits"}],
        }
    )
    assert chip.architecture("bits=8")["bits"] == 8
    pair = ProductSpace(name="pair", parts={"net": CELLS, "chip": chip})
    both = pair.architecture(f"net: {TEXT} && chip: bits=4")
    assert (both["net.op_0_1"], both["chip.bits"]) == ("nor_conv_3x3", 4)
