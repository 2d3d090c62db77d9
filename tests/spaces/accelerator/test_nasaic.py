import pytest

from vitruvius.core.errors import ArchitectureError
from vitruvius.spaces.accelerator.nasaic import NASAIC
from vitruvius.testing import SpaceContract

CHIPS = NASAIC()


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASAIC:
        return CHIPS


def test_count() -> None:
    """One array of 64 sizes, 8 bandwidths and 3 dataflows, or two that share."""
    alone = 64 * 8 * 3
    sizes = sum(64 - i for i in range(1, 64))
    bandwidths = sum(8 - i for i in range(1, 8))
    ordered = sizes * bandwidths * 9
    alike = 32 * 4 * 3
    assert CHIPS.architecture_count == alone + (ordered + alike) // 2


def test_designs_of_the_paper() -> None:
    for text in ("<dla,2112,48><shi,1984,16>", "<dla,1088,24><shi,2368,40>", "<rs,64,8><>"):
        assert str(CHIPS.architecture(text)) == text
    told = CHIPS.hardware(CHIPS.rows(["<dla,576,56><shi,1792,8>"]))
    assert (told["rows"] * told["columns"]).tolist() == [[576, 1792]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dla,576,56", "it is not two of"),
        ("<dla,576,56>", "it is not two of"),
        ("<dla,576><>", "is not <dla|shi|rs,number,number>"),
        ("<nvdla,576,56><>", "is not <dla|shi|rs,number,number>"),
        ("<dla,500,56><>", "0 to 4096 in steps of 64, got 500"),
        ("<dla,576,4><>", "8 to 64 in steps of 8, got 4"),
        ("<dla,4096,8><shi,64,8>", "breaks a constraint"),
        ("<dla,0,8><>", "breaks a constraint"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError) as error:
        CHIPS.architecture(text)
    assert why in str(error.value)
