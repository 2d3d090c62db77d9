"""Another Python that has ZigZag, and jobs run by it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Event, Timer
from typing import Any

from ....core.errors import UsageError

__all__ = ["Interpreter"]

RUNNER = Path(__file__).with_name("runner.py")
# Seconds to start in, for ZigZag is slow to import.
START_S = 60.0
HINT = (
    "Install it on its own: `python -m venv zigzag`, `zigzag/bin/pip install zigzag-dse six`, "
    "then `zigzag:python=zigzag/bin/python`."
)


class Interpreter:
    """A Python with ZigZag in it, which shares nothing with this one.

    Args:
        python: Its path or name.
        limit_s: Seconds that one job may take.

    Raises:
        UsageError: Where there is no such program.
    """

    def __init__(self, python: str | Path, limit_s: float) -> None:
        found = shutil.which(Path(python).expanduser())
        if found is None:
            raise UsageError(f"There is no Python {str(python)!r} to run ZigZag in.", HINT)
        # Links are not followed: a virtual environment is where its link lies.
        self.python, self.limit_s = Path(found).absolute(), limit_s

    @cached_property
    def version(self) -> str:
        """Of ZigZag.

        Raises:
            UsageError: Where it is not installed there.
        """
        told = subprocess.run(
            [self.python, "-I", RUNNER, "--version"], capture_output=True, text=True, check=False
        )
        if told.returncode or not told.stdout.strip():
            raise self._missing(told.stderr)
        return told.stdout.strip()

    def answers(self, jobs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Runs jobs and yields an answer to each as soon as it is there.

        A job that takes too long, or with which the process dies, is answered with the reason, and
        those after it are run by a new process.

        Args:
            jobs: As of `vitruvius.evaluators.hardware.zigzag.translation.job_of`.

        Raises:
            UsageError: Where ZigZag cannot be imported there.
        """
        done = 0
        while done < len(jobs):
            for told in self._some(jobs[done:]):
                done += 1
                yield told

    def _some(self, jobs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Answers until one is missing, which is said last."""
        with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+") as noise:
            asked.writelines(json.dumps(job) + "\n" for job in jobs)
            asked.seek(0)
            process = subprocess.Popen(
                [self.python, "-I", RUNNER],
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=noise,
                text=True,
            )
            try:
                # One line says that it is ready.
                for number in range(-1, len(jobs)):
                    limit = self.limit_s if number >= 0 else max(self.limit_s, START_S)
                    line, late = _line(process, limit)
                    if not line.endswith("\n"):
                        noise.seek(0)
                        said = noise.read()
                        if number < 0 and not late:
                            raise self._missing(said)
                        reason = f"took longer than {self.limit_s:g} s" if late else _last(said)
                        yield {"reason": reason, "limit_s": self.limit_s if late else 0.0}
                        return
                    if number >= 0:
                        yield json.loads(line)
            finally:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()

    def _missing(self, said: str) -> UsageError:
        return UsageError(f"{self.python} cannot run ZigZag: {_last(said)}.", HINT)


def _line(process: subprocess.Popen[str], limit_s: float) -> tuple[str, bool]:
    """The next line, and whether it was waited for too long."""
    late = Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = Timer(limit_s, stop)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        return process.stdout.readline(), late.is_set()
    finally:
        timer.cancel()


def _last(said: str) -> str:
    """The last line of what a process said before it died."""
    lines = said.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it ended without a word"
