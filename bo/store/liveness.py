"""Which processes are still there: by process id on this machine, by heartbeat on others."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["GONE", "Owner", "Watch"]

# The last heartbeat of a process that ended as it should.
GONE = -1.0


@dataclass(frozen=True)
class Owner:
    """Who evaluates: one search in one process.

    Args:
        host: Machine, boot and process namespace; process ids mean something within one only.
        pid: Process id.
        started: When the process started, so that a reused id is not taken for it.
        token: Of the search within the process.

    Example:
        >>> me = Owner.new()
        >>> Owner.parse(str(me)) == me, me.here, me.running
        (True, True, True)
    """

    host: str
    pid: int
    started: str
    token: str

    @classmethod
    def new(cls) -> Owner:
        """Returns a new owner in this process."""
        return cls(_host(), os.getpid(), _started(os.getpid()) or "", uuid.uuid4().hex[:8])

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Reads what ``str`` wrote."""
        host, pid, started, token = text.split("|")
        return cls(host, int(pid), started, token)

    def __str__(self) -> str:
        return f"{self.host}|{self.pid}|{self.started}|{self.token}"

    @property
    def here(self) -> bool:
        """Whether its process id is one of this machine's."""
        return self.host == _host()

    @property
    def running(self) -> bool:
        """Whether its process, one of this machine's, is there."""
        return _started(self.pid) == self.started


class Watch:
    """Tells the dead from the silent.

    A heartbeat only has to change; for how long it did not is told by this process's own clock, so
    that the clocks of machines need not agree.

    Args:
        grace: Seconds without a new heartbeat after which a process elsewhere counts as dead.
    """

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self._seen: dict[str, tuple[float, float]] = {}

    def dead(self, owner: str, beats: Mapping[str, float]) -> bool:
        """Whether a process will never finish what it started.

        Args:
            owner: As written by `Owner`.
            beats: Last heartbeat of every process.
        """
        beat = beats.get(owner, 0.0)
        if beat == GONE:
            return True
        who = Owner.parse(owner)
        if who.here:
            return not who.running
        last, since = self._seen.get(owner, (None, 0.0))
        if last != beat:
            self._seen[owner] = (beat, time.monotonic())
            return False
        return time.monotonic() - since > self.grace


@cache
def _host() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return f"{socket.gethostname()} {uuid.getnode():x}"
    # Containers share the boot, and perhaps the name, but not the process ids.
    namespace = Path("/proc/self/ns/pid").readlink()
    return f"{socket.gethostname()} {boot.read_text()[:8]} {namespace}"


def _started(pid: int) -> str | None:
    """Clock ticks from boot to the start of a process; None where there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name in brackets may hold spaces; state and start are fields 3 and 22.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""
