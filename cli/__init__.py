"""The command line: every command is one public call and a printed result.

Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 the doctor found a problem, 2 a mistake
in what was asked, 3 nothing met the target, 130 interrupted.
"""

from __future__ import annotations

from . import designing, doctoring, evaluating, exporting, reporting, searching, transferring
from ._app import app, main

__all__ = [
    "app",
    "designing",
    "doctoring",
    "evaluating",
    "exporting",
    "main",
    "reporting",
    "searching",
    "transferring",
]
