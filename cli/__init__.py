"""The command line: every command is one public call and a printed result.

Data goes to stdout, talk to stderr. Exit codes: 0 done, 2 a mistake in what was asked, 3 nothing
met the target, 130 interrupted.
"""

from __future__ import annotations

from . import designing, evaluating, exporting, searching, transferring
from ._app import app, main

__all__ = ["app", "designing", "evaluating", "exporting", "main", "searching", "transferring"]
