from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from vitruvius.bo.store.liveness import GONE, Owner, Watch


def test_a_process_lives_until_it_ends() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    me = Owner.new()
    # The same start as the child's, as only `/proc` tells it.
    started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    other = replace(me, pid=child.pid, started=started)
    assert other.running
    assert not Watch(60.0).dead(str(other), {})
    child.kill()
    # A zombie has ended, though its id is still there.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not other.running
    child.wait()
    assert Watch(60.0).dead(str(other), {str(other): 1.0})


def test_a_reused_process_id_is_not_taken_for_the_process() -> None:
    me = Owner.new()
    assert me.running
    assert Watch(60.0).dead(str(replace(me, started="1")), {})


def test_who_has_said_goodbye_is_gone() -> None:
    me = Owner.new()
    assert Watch(60.0).dead(str(me), {str(me): GONE})
