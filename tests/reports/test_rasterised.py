import sys
from io import BytesIO

import pytest
from PIL import Image

from vitruvius.core.errors import MissingExtraError, UsageError
from vitruvius.reports import draw_dag, png
from vitruvius.spaces import DAG

DRAWING = draw_dag(DAG(("input", "output"), {(0, 1): "conv_3x3"}), caption="a < b")


def test_images_are_as_large_as_told() -> None:
    pytest.importorskip("cairosvg")
    small, large = (Image.open(BytesIO(png(DRAWING, scale=scale))) for scale in (1.0, 3.0))
    assert small.format == "PNG"
    assert large.size == pytest.approx([3 * side for side in small.size], abs=3)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(MissingExtraError) as caught:
        png(DRAWING)
    assert "vitruvius[png]" in caught.value.hint


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scales(scale: float) -> None:
    with pytest.raises(UsageError, match="scale above 0"):
        png(DRAWING, scale=scale)
