"""Drawings as PNG files, for programs that show no SVG."""

from __future__ import annotations

from ..core.errors import UsageError
from ..core.optional import optional_import

__all__ = ["png"]


def png(svg: str, *, scale: float = 2.0) -> bytes:
    """Rasterises a drawing, as a PNG file.

    Args:
        svg: What `draw`, `contact_sheet` and the like make.
        scale: Pixels of the image to one of the drawing.

    Raises:
        MissingExtraError: Without the extra ``png``.
        UsageError: For a scale that is not above 0.

    Example:
        >>> from vitruvius.spaces import DAG
        >>> from vitruvius.reports import draw_dag
        >>> png(draw_dag(DAG(("input", "output"), {(0, 1): "conv"})))[1:4]  # doctest: +SKIP
        b'PNG'
    """
    if not 0 < scale < float("inf"):
        raise UsageError(f"An image has a scale above 0, got {scale}.", "Try 2.")
    cairosvg = optional_import("cairosvg", extra="png")
    image: bytes = cairosvg.svg2png(bytestring=svg.encode("utf-8"), scale=scale)
    return image
