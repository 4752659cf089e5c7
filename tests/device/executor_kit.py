"""The executor of a device, called as the root core calls it, with a module that writes down its calls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.device.kit import EXECUTOR, STREAMS, Shell

TIME_LIMIT_S = 60
KILLED = -9

# Takes what it is called by from its first argument, or as a script from its own name.
ACTOR = """#!/bin/sh
at=$ROLLOUT_ROOT/acts
case $0 in */scripts/*) name=${0##*/} ;; *) name=$1 ;; esac
[ ! -f "$at/say.$name" ] || cat "$at/say.$name"
case $name in SupportsRollback | NeedsArtifactReboot | FilesAtDownload) ;; *) echo "$name" >>"$at/log" ;; esac
[ ! -f "$at/kill.$name" ] || {
  [ -f "$at/forever" ] || rm "$at/kill.$name"
  read -r pid _ <"$ROLLOUT_ROOT/run/rollout/executor"
  kill -9 "-$pid"
  exit 1
}
[ ! -f "$at/hang.$name" ] || exec sleep 100
[ ! -f "$at/fail.$name" ] || {
  [ -f "$at/forever" ] || rm "$at/fail.$name"
  exit 1
}
[ ! -f "$at/do.$name" ] || . "$at/do.$name"
"""
STATES = (
    "Download",
    "ArtifactInstall",
    "ArtifactReboot",
    "ArtifactCommit",
    "ArtifactRollback",
    "ArtifactRollbackReboot",
    "ArtifactFailure",
)


class Executor:
    """One release on one device root."""

    def __init__(
        self, root: Path, shell: Shell, kind: str = "log", module: str = ACTOR, txn: str = "T1"
    ) -> None:
        self.root, self._path, self._kind, self._txn = root, shell.path, kind, txn
        words = " ".join((str(shutil.which(shell.argv[0])), *shell.argv[1:]))
        for program in (STREAMS, EXECUTOR):
            self._program = self._place(
                f"usr/lib/rollout/{program.name}", program.read_text(), words
            )
        self.work = root / f"var/lib/rollout/component/main/txn/{txn}"
        self.tree = self.work / "tree"
        self.acts = root / "acts"
        for directory in ("tree/header", "tree/tmp", "payload", "in", "scripts"):
            (self.work / directory).mkdir(parents=True)
        for place in (self.acts, root / "etc/rollout/scripts", root / "run/rollout/lock"):
            place.mkdir(parents=True, exist_ok=True)
        self.module = self._place(f"usr/lib/rollout/modules/{kind}", module, words)
        self._actor = ACTOR.replace("#!/bin/sh", f"#!{words}")
        self.boots = 0
        self.boot()
        if kind == "log":
            self.payload({"one": b"1\n"})

    def _place(self, name: str, body: str, words: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!{words}\n" + body.partition("\n")[2])
        file.chmod(0o755)
        return file

    def payload(self, files: dict[str, bytes]) -> None:
        """What was verified, in the order of the manifest."""
        lines = "".join(f"{'0' * 64}  data/0000/{name}\n" for name in files)
        (self.work / "in/manifest").write_text(f"{'0' * 64}  version\n{lines}")
        for name, data in files.items():
            (self.work / "payload" / name).write_bytes(data)

    def scripts(self) -> None:
        """One of each state and moment: of Download on the device, of the others in the release."""
        for state in STATES:
            for moment in ("Enter", "Leave", "Error"):
                self.script(f"{state}_{moment}_00", of_device=state == "Download")

    def script(self, name: str, *, of_device: bool = False) -> Path:
        place = self.root / "etc/rollout/scripts" if of_device else self.work / "scripts"
        (place / name).write_text(self._actor)
        (place / name).chmod(0o755)
        return place / name

    def act(self, what: str, name: str, text: str = "") -> None:
        """`fail`, `kill` or `hang` once at that name; `say` or `do` always."""
        (self.acts / f"{what}.{name}").write_text(text)

    def limit(self, name: str, number: int) -> None:
        with (self.root / "etc/rollout/limits").open("a") as limits:
            limits.write(f"{name} {number}\n")

    def boot(self) -> None:
        self.boots += 1
        file = self.root / "proc/sys/kernel/random/boot_id"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{self.boots}\n")

    def run(self, verb: str) -> tuple[int, str]:
        """Exit code (`KILLED` when it was) and the words of one call."""
        lock = self.root / "run/rollout/lock/done.1"
        done = subprocess.run(
            [self._program, verb, self._txn, self.work, self._kind, lock],
            env={"PATH": self._path, "ROLLOUT_ROOT": str(self.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
            text=True,
            start_new_session=True,
        )
        return done.returncode, done.stdout.strip()

    def answer(self, query: str) -> str:
        """What the module says itself."""
        done = subprocess.run(
            [self.module, query, self.tree],
            cwd=self.tree,
            env={"PATH": self._path, "ROLLOUT_ROOT": str(self.root), "ROLLOUT_TXN": self._txn},
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    @property
    def log(self) -> list[str]:
        file = self.acts / "log"
        return file.read_text().split() if file.exists() else []
