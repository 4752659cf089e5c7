"""A project on the real lab, driven by the real command line: what an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import in_process

ROLLOUT = (sys.executable, "-m", "orchestrator")
GATES = """\
gates:
  - name: service healthy
    check: app
    success_when: result.exit == 0
"""


@dataclass
class Project:
    """A directory with a key, releases, plans, a state store and (after `up`) a lab."""

    root: Path
    devices: int = 6
    env: dict[str, str] = field(default_factory=dict)

    @property
    def inventory(self) -> Path:
        """The lab's inventory."""
        return self.root / ".rollout/lab/inventory.yml"

    def command(self, *words: str | Path) -> tuple[str, ...]:
        """The words of one `rollout` command."""
        return (*ROLLOUT, *(str(word) for word in words))

    def environment(self) -> dict[str, str]:
        """Environment of commands: no colour, no CI markers, this checkout's package."""
        base = {key: value for key, value in os.environ.items() if not key.startswith("ROLLOUT_")}
        return {**base, "NO_COLOR": "1", "COLUMNS": "100", **self.env}

    def run(self, *words: str | Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Runs a command, in this process, and checks its exit code (None: any)."""
        spoken = [str(word) for word in words]
        done = in_process.completed(spoken, cwd=self.root, env=self.environment())
        if code is not None:
            assert done.returncode == code, (
                f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def up(self) -> None:
        """A key and a lab that trusts it."""
        self.run("key", "generate", "release.key")
        self.run("lab", "up", "--devices", str(self.devices), "--key", "release.key.pub")

    def down(self) -> None:
        """Ends the lab."""
        self.run("lab", "down", code=None)

    def device_root(self, device: str) -> Path:
        """The directory tree of a lab device, as the host sees it."""
        info = json.loads((self.root / ".rollout/lab/lab.json").read_text())
        return Path(info["directory"]) / "devices" / device

    def directory_release(
        self,
        version: str,
        *,
        healthy: bool = True,
        size: int = 0,
        more: Mapping[str, str] | None = None,
    ) -> Path:
        """Builds a signed release of the lab's application, and a plan for it."""
        tree = self.root / f"tree-{version}"
        tree.mkdir()
        settings = {"version": version, "healthy": healthy}
        (tree / "service.json").write_text(json.dumps(settings))
        for name, text in (more or {}).items():
            (tree / name).write_text(text)
        if size:
            (tree / "blob").write_bytes(os.urandom(size))
        self.run(
            "artifact", "build", "directory", tree, "--dest", "/opt/app", "--name", f"app-{version}",
            "--device-type", "lab", "--key", "release.key", "--out", f"app-{version}.mender",
        )  # fmt: skip
        return self.plan(f"app-{version}")

    def plan(self, artifact: str, *, waves: str = "[1, 50%, rest]", more: str = GATES) -> Path:
        """Writes `ARTIFACT.yml`."""
        path = self.root / f"{artifact}.yml"
        path.write_text(
            f"schema: 1\nname: app\nhosts: lab\nartifact: ./{artifact}.mender\n"
            f"waves: {waves}\non_failure: rollback\n{more}"
        )
        return path

    def apply(
        self, plan: Path, *more: str, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Applies a plan to the lab."""
        return self.run("apply", plan, "-i", self.inventory, "--yes", *more, code=code)

    def facts(self, pattern: str = "lab") -> dict[str, dict[str, str]]:
        """Facts of devices by name."""
        done = self.run("device", "facts", pattern, "-i", self.inventory, "--format", "json")
        answers = json.loads(done.stdout)
        rows: Sequence[dict[str, object]] = answers["devices"]
        return {str(row["device"]): dict(row["facts"]) for row in rows}  # type: ignore[call-overload]

    def events(self) -> list[dict[str, object]]:
        """The newest rollout's journal."""
        done = self.run("events", "--format", "jsonl")
        return [json.loads(line) for line in done.stdout.splitlines()]
