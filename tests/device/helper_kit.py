"""A device whose helper is a release, and what may be wrong with one."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.device.protocol import Reply
from orchestrator.device.shipped import helper_version
from tests.device.kit import (
    CHECKS,
    EXECUTOR,
    HELPER,
    MODULES,
    REPORT,
    STREAMS,
    TRUST,
    Device,
    Key,
    Release,
    Shell,
)
from tests.device.test_elevate import SplitDevice

NEXT_BOOT = "22222222-0000-0000-0000-000000000002"
PLACED = helper_version()  # that of the helper which enrolment placed


def helper(name: str, version: str, shell: Shell) -> Release:
    """The helper itself, with another version."""
    files = {path.name: path for path in (HELPER, EXECUTOR, STREAMS, TRUST, CHECKS, REPORT)}
    files |= {f"module.{path.name}": path for path in MODULES.iterdir()}
    payload = {file: shell.program(path).encode() for file, path in files.items()}
    text = payload["helper.sh"]
    payload["helper.sh"] = re.sub(rb"(?m)^VERSION=.*$", b"VERSION=" + version.encode(), text)
    return Release(kind="rollout-helper", name=name, payload=payload)


class Updated(Device):
    """A device whose helper is delivered, as its component `helper`."""

    def bring(self, number: int, release: Release, **more: object) -> Reply:
        return self.deliver(number, release.frames(self.key), component="helper", **more)

    def new(self, number: int, version: str, **more: object) -> Reply:
        return self.bring(number, helper(f"h-{version}", version, self.shell), **more)

    def says(self) -> dict[str, str]:
        return self.ask("hello component=helper").fields

    def settle(self, number: int, verb: str = "commit") -> Reply:
        nonce = self.says().get("commit-nonce", "none")
        return self.do(verb, number, component="helper", nonce=nonce)

    def version(self) -> str:
        return self.says()["helper"]

    def ends_as(self, state: str, limit_s: float = 30.0) -> dict[str, str]:
        """What is said once the device has decided; a trial that hangs is asked nothing."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if not (self.place / "trial").exists() and (fields := self.says())["state"] == state:
                return fields
            time.sleep(0.05)
        raise AssertionError(sorted(path.name for path in self.place.iterdir()))

    @property
    def place(self) -> Path:
        return self.root / "var/lib/rollout/helper"

    def kept(self) -> set[str]:
        """Names of the helpers that lie there."""
        return {path.name for path in self.place.glob("*") if path.is_dir()}

    def cleaned(self, limit_s: float = 10.0) -> bool:
        """Is nothing kept, once the device has tidied up behind what it took back."""
        end = time.monotonic() + limit_s
        while self.kept() and time.monotonic() < end:
            time.sleep(0.02)
        return not self.kept()


class SplitUpdated(SplitDevice, Updated):
    """One whose core is a process of its own, as where only it is root."""


def without(*names: str) -> Callable[[Release], None]:
    return lambda release: [release.payload.pop(name) for name in names] and None


def text(name: str, old: bytes, new: bytes) -> Callable[[Release], None]:
    def change(release: Release) -> None:
        assert old in release.payload[name]
        release.payload[name] = release.payload[name].replace(old, new, 1)

    return change


# What changes something on the disk; the power goes before the call with a number.
STEPS = ("mv", "rm", "ln", "cp", "mkdir")
CUT = """#!/bin/sh
lives() {{ read -r stat </proc/$pid/stat && set -- ${{stat##*) }} && [ "${{20}}" = "$started" ]; }}
at=$(cat {state}/calls) && at=$((at + 1)) && echo $at >{state}/calls
if [ $at -eq $(cat {state}/cut) ]; then
  newest=0
  for g in {run}/lock/g.*; do n=${{g##*.}}; [ $n -lt $newest ] || newest=$n; done
  read -r pid started _ <{run}/lock/g.$newest && lives && kill -9 $pid
  for who in executor module; do read -r pid started <{run}/$who && lives && kill -9 -$pid; done 2>/dev/null
  kill -9 $$
fi
exec {program} "$@"
"""


class Cut(Updated):
    """A device whose power can be cut, and whose disk is as it was before it at each new try."""

    def __init__(self, root: Path, shell: Shell, key: Key) -> None:
        self._state = root.parent / "cut"
        self._state.mkdir()
        path = f"{self._state}:{shell.path}"
        super().__init__(root, Shell(shell.name, shell.argv, path), key)
        for name in STEPS:
            program = shutil.which(name, path=shell.path)
            text = CUT.format(state=self._state, program=program, run=root / "run/rollout")
            (self._state / name).write_text(text)
            (self._state / name).chmod(0o755)
        self._cut_before(0)

    def _cut_before(self, call: int) -> None:
        (self._state / "calls").write_text("0\n")
        (self._state / "cut").write_text(f"{call}\n")

    def cuts(self, line: str, then: str = "") -> Iterator[dict[str, str]]:
        """What the device is after each cut and after none: after a boot, or what is asked `then`."""
        self.close()
        disk, run = self.root / "var", self.root / "run"
        shutil.copytree(disk, self._state / "var")
        boot = (self.root / "proc/sys/kernel/random/boot_id").read_text().strip()
        for call in range(1, 60):
            for place in (disk, run):
                shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(self._state / "var", disk)
            self.boot(boot)
            self._cut_before(call)
            self.raw(line)
            ended = int((self._state / "calls").read_text()) < call
            self._cut_before(0)
            if then:
                assert self.ask(then).rc == 0
            else:
                self.close()  # the dead-man, too
                self.boot(NEXT_BOOT)
                shutil.rmtree(run, ignore_errors=True)
                assert self.hook("boot").returncode == 0
            yield self.says()
            if ended:
                return
