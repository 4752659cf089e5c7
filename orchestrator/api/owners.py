"""Who drives a rollout: the owner's name in a lease, and whether that process still lives."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import socket
from pathlib import Path

_OWNER = re.compile(r"[^@]*@[^:]*:(?P<pid>\d+):(?P<born>\d+):(?P<world>[0-9a-f]+)")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")
_BORN_FIELD = 19  # of /proc/PID/stat after the command's name: start time in clock ticks


def person() -> str:
    """Who asks, for the journal and for roles: `user@host`.

    The account's name as the system has it, never what the environment says of it: LOGNAME is
    whatever the caller likes. An account without a name is its number.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return f"{name}@{socket.gethostname()}"


def this_process() -> str:
    """This process as the owner of a lease."""
    pid = os.getpid()
    return f"{person()}:{pid}:{_born(pid)}:{_world()}"


def is_gone(owner: str) -> bool:
    """True only where it is certain: a process of this machine that does not exist any more.

    Its number may be used again by another process; the start time tells them apart. Owners on
    other machines, or where there is no /proc, are never gone by this judgement: their lease runs
    out. A host's name does not tell machines apart that share a store: clones and containers often
    have the same.
    """
    found = _OWNER.fullmatch(owner)
    if found is None or found["world"] != _world() or found["world"] == _NO_WORLD:
        return False
    return _born(int(found["pid"])) != int(found["born"])


def owner_words(owner: str) -> str:
    """An owner as people name it: `ann@ops, process 812`; as it is where it has no such form."""
    found = _OWNER.fullmatch(owner)
    return owner if found is None else f"{owner[: found.start('pid') - 1]}, process {found['pid']}"


_NO_WORLD = "0"


def _world() -> str:
    """Among which processes a number means one: this boot of this machine, this container."""
    try:
        world = f"{_BOOT_ID.read_text('ascii')} {_PROCESSES.stat().st_ino}"
    except OSError:
        return _NO_WORLD
    return hashlib.sha256(world.encode()).hexdigest()[:8]


def _born(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":  # a zombie acts no more
        return 0
    return int(fields[_BORN_FIELD])
