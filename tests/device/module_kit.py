"""What every update module has to bear, whatever it installs: the machinery of `test_module_contract`."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.device.executor_kit import Executor
from tests.device.kit import MODULES, Shell

# What modules call, and what may thus be the last thing that they do.
CALLED = (
    *(
        "awk",
        "blockdev",
        "cat",
        "chgrp",
        "chmod",
        "chown",
        "cmp",
        "cp",
        "cut",
        "dd",
        "find",
        "grep",
    ),
    *("head", "ln", "ls", "mkdir", "mkfifo", "mv", "readlink", "rm", "rmdir", "sed", "setfattr"),
    *("sha256sum", "sleep", "sort", "stat", "sync", "tail", "tar", "touch", "tr", "wc"),
    *("bootctl", "docker", "dpkg", "dpkg-deb", "dpkg-query", "fw_printenv", "fw_setenv"),
    *("grub-editenv", "mender", "mender-update", "rauc", "reboot", "swupdate"),
)
# Ends module and executor at the Nth call, as a loss of power does, before the call has any effect.
# A query is in a group of its own, and may live on for a moment: nothing that it calls does anything.
TRIPWIRE = """#!/bin/sh
at=$ROLLOUT_ROOT/acts
if read -r left 2>/dev/null <"$at/left"; then
  [ "$left" -gt 0 ] || exit 137
  echo $((left - 1)) >"$at/left"
  if [ "$left" -eq 1 ]; then
    for who in module executor; do
      read -r pid _ <"$ROLLOUT_ROOT/run/rollout/$who" && kill -9 "-$pid"
    done
  fi
fi
exec "REAL" "$@"
"""
ENDLESS = 1_000_000
# The helper's own, the test's, and what the kernel shows.
NOT_THE_DEVICE = ("acts", "proc", "programs", "run", "usr/lib/rollout", "var/lib/rollout/component")


@dataclass(frozen=True)
class Subject:
    """A module with something to install.

    Attributes:
        kind: the payload's type.
        payload: the files of the release of that name.
        running: the name of the release that runs on a device; empty when none does.
        prepare: makes of an empty root a device that the module can work on.
        programs: stand-ins for programs of the device, by their name.
        breaks: makes of a payload one that fails to install.
        own: paths (of files, or with a slash of directories) that may differ after going back.
        needs: programs that have to be the system's own.
        boots: what the boot loader does.
        name: of the case, where a module has several.
        reboots: whether a release runs only after a boot.
        final: whether a commit ends the way back.
    """

    kind: str
    payload: Callable[[str], Mapping[str, bytes]]
    running: Callable[[Path], str]
    breaks: Callable[[Mapping[str, bytes]], Mapping[str, bytes]]
    prepare: Callable[[Path], None] = lambda root: None
    programs: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    boots: Callable[[Path], None] = lambda root: None
    reboots: bool = False
    final: bool = False
    name: str = ""


class Bench:
    """One device, and releases on it, each driven as the root core drives them."""

    def __init__(self, root: Path, shell: Shell, subject: Subject) -> None:
        self.root, self.subject = root, subject
        for name in subject.needs:
            if not shutil.which(name) or shell.name == "busybox":
                pytest.skip(f"{name} is not installed, or busybox has one of its own inside")
        programs = root / "programs"
        programs.mkdir(parents=True)
        for name, body in subject.programs.items():
            _program(programs / f"real-{name}", body)
        for name in CALLED:
            stand_in = programs / f"real-{name}"
            real = stand_in if stand_in.exists() else shutil.which(name, path=shell.path)
            if real:
                _program(programs / name, TRIPWIRE.replace("REAL", str(real)))
        self._path = shell.path
        self._shell = Shell(shell.name, shell.argv, f"{programs}:{shell.path}")
        self._count = 0
        self.counted: dict[str, int] = {}
        subject.prepare(root)

    def release(self, name: str, *, bad: bool = False) -> Executor:
        """A verified release, not yet given to its module."""
        self._count += 1
        module = (MODULES / self.subject.kind).read_text()
        made = Executor(
            self.root, self._shell, self.subject.kind, module, f"01TEST{self._count:020d}"
        )
        # what keeps the log works beside them all, and touches nothing else
        streams = self.root / "usr/lib/rollout/streams.sh"
        keep = f"  keep) PATH={self._path} && keep"
        streams.write_text(streams.read_text().replace("  keep) keep", keep))
        payload = self.subject.payload(name)
        made.payload(dict(self.subject.breaks(payload) if bad else payload))
        for file in ("header-info", "type-info", "meta-data"):
            (made.tree / "header" / file).write_text("{}")
        return made

    def do(self, release: Executor, *verbs: str) -> None:
        """Steps that succeed; after one that wants it, the device boots, and the release is verified."""
        for verb in verbs:
            rc, said = release.run(verb)
            while rc == 3 or said in ("Yes", "Automatic"):
                if verb == "activate":
                    assert release.run("reboot")[0] == 3
                self.boot(release)
                rc, said = release.run("verify" if verb == "activate" else verb)
            assert rc == 0, f"{verb}: {said}\n{(release.work / 'log').read_text()}"

    def boot(self, release: Executor) -> None:
        self.subject.boots(self.root)
        release.boot()

    def first(self) -> None:
        """Installs and commits r1, and counts what that calls."""
        release = self.release("r1")
        self.counted = {
            verb: self.calls(release, verb) for verb in ("install", "activate", "commit")
        }

    @property
    def running(self) -> str:
        return self.subject.running(self.root)

    def calls(self, release: Executor, verb: str) -> int:
        """How many programs a step calls that succeeds."""
        (self.root / "acts/left").write_text(f"{ENDLESS}\n")
        self.do(release, verb)
        left = int((self.root / "acts/left").read_text())
        (self.root / "acts/left").unlink()
        return ENDLESS - left

    def cut(self, release: Executor, verb: str, call: int) -> bool:
        """A step that loses power at that call; whether it makes so many."""
        (self.root / "acts/left").write_text(f"{call}\n")
        release.run(verb)
        left = int((self.root / "acts/left").read_text() or 0)  # empty: killed while it counted
        (self.root / "acts/left").unlink()
        return left <= 0

    def picture(self) -> dict[str, tuple[object, ...]]:
        """Everything on the device but what is not its own, to the byte."""
        found = {}
        for directory, names, files in os.walk(self.root):
            place = Path(directory)
            for name in (*names, *files):
                path = place / name
                key = str(path.relative_to(self.root))
                if not _within(key, (*NOT_THE_DEVICE, *self.subject.own)):
                    found[key] = _seen(path)
        return found


def _within(key: str, places: tuple[str, ...]) -> bool:
    return any(key == place or key.startswith(f"{place.rstrip('/')}/") for place in places)


def _seen(path: Path) -> tuple[object, ...]:
    at = path.lstat()
    what: tuple[object, ...] = (stat.filemode(at.st_mode), at.st_uid, at.st_gid)
    if path.is_symlink():
        return (*what, str(path.readlink()))
    marks = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    if not path.is_file():
        return (*what, marks)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return (*what, marks, at.st_mtime_ns, digest)


def _program(file: Path, body: str) -> None:
    file.write_text(body)
    file.chmod(0o755)
