"""Reports: drawings of architectures, contact sheets, files that are whole or not there."""

from __future__ import annotations

from .contact_sheet import contact_sheet, sheet_caption
from .drawing import draw, draw_dag
from .writer import write_report, write_text

__all__ = ["contact_sheet", "draw", "draw_dag", "sheet_caption", "write_report", "write_text"]
