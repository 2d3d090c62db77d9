"""Answers of ZigZag that are kept: a file of lines, whole or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....core.output import writing

__all__ = ["Answers"]


class Answers:
    """What ZigZag has answered, by the hash of all that it was asked.

    Each answer is a line of JSON, written as soon as it is known. A line that a killed process left
    unfinished is passed over. Several processes may add to a file.

    Args:
        path: Of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, dict[str, Any]] = {}
        self._torn = False
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            self._torn = bool(text) and not text.endswith("\n")
            for line in text.splitlines():
                try:
                    told = json.loads(line)
                    self._known[told.pop("key")] = told
                except (ValueError, KeyError, AttributeError):
                    continue

    @staticmethod
    def key(job: Mapping[str, Any], version: str) -> str:
        """Returns what an answer is found by.

        Args:
            job: As of `vitruvius.evaluators.hardware.zigzag.translation.job_of`.
            version: Of ZigZag.
        """
        text = json.dumps({"job": job, "zigzag": version}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> dict[str, Any] | None:
        """Returns an answer, or None where there is none.

        Args:
            key: Of the job.
        """
        return self._known.get(key)

    def add(self, key: str, answer: Mapping[str, Any]) -> None:
        """Keeps an answer.

        Args:
            key: Of the job.
            answer: Of ZigZag.

        Raises:
            OutputError: Where the file cannot be written.
        """
        self._known[key] = dict(answer)
        line = json.dumps({"key": key, **answer}) + "\n"
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + line if self._torn else line)
        self._torn = False
