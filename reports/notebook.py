"""What a notebook shows of a result: a sentence, a table, a few drawings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from .contact_sheet import contact_sheet

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["notebook_html"]

# Rows of the table, and drawings: what can be taken in at a glance.
MOST_ROWS, MOST_DRAWINGS = 20, 6


def notebook_html(
    headline: str,
    frame: pd.DataFrame,
    drawings: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """Writes HTML that stands by itself; every text is escaped, and no cell is cut.

    Args:
        headline: A sentence above all.
        frame: The table; long ones are cut in the middle, empty ones left out.
        drawings: As for `contact_sheet`; the first few are shown.
        notes: Sentences below all.

    Example:
        >>> import pandas as pd
        >>> notebook_html("a < b", pd.DataFrame({"x": ["<b>"]})).splitlines()[1]
        '<p><b>a &lt; b</b></p>'
    """
    import pandas as pd

    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(
            index=False,
            border=0,
            max_rows=MOST_ROWS,
            show_dimensions=len(frame) > MOST_ROWS,
            na_rep="–",
            float_format="{:.6g}".format,
        )
    shown = drawings[:MOST_DRAWINGS]
    return "\n".join(
        [
            # A `$` in what users wrote is no formula.
            '<div class="tex2jax_ignore mathjax_ignore" style="overflow-x: auto">',
            f"<p><b>{escape(headline)}</b></p>",
            *([table] if len(frame) else []),
            *([contact_sheet(shown)] if shown else []),
            *(f"<p>{escape(note)}</p>" for note in notes),
            "</div>",
        ]
    )
