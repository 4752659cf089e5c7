"""Who drives a rollout: the owner's name in a lease, and whether that process still lives."""

from __future__ import annotations

import getpass
import os
import re
import socket
from pathlib import Path

_OWNER = re.compile(r"(?P<user>[^@]*)@(?P<host>[^:]*):(?P<pid>\d+):(?P<born>\d+)")
_BORN_FIELD = 19  # of /proc/PID/stat after the command's name: start time in clock ticks


def person() -> str:
    """Who asks, for the journal: `user@host`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def this_process() -> str:
    """This process as the owner of a lease."""
    pid = os.getpid()
    return f"{person()}:{pid}:{_born(pid)}"


def is_gone(owner: str) -> bool:
    """True only where it is certain: a process of this host that does not exist any more.

    Its number may be used again by another process; the start time tells them apart. Owners on
    other hosts, or where there is no /proc, are never gone by this judgement: their lease runs out.
    """
    found = _OWNER.fullmatch(owner)
    if found is None or found["host"] != socket.gethostname() or not Path("/proc/self").exists():
        return False
    return _born(int(found["pid"])) != int(found["born"])


def _born(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":  # a zombie acts no more
        return 0
    return int(fields[_BORN_FIELD])
