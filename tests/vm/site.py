"""A machine and the project that keeps it up to date, by the command line that an operator has."""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import asyncssh

from tests.integration.project import Project
from tests.vm.image import Factory
from tests.vm.machine import Machine

FIRST = "system-1"
NAME = "vm1"
ANSWER_S_MAX = 180.0
CHECK = '#!/bin/sh\nread -r state </etc/health && [ "$state" = well ]\n'
INVENTORY = """\
vms:
  hosts:
    {name}: {{ansible_host: 127.0.0.1, ansible_port: {port}, ansible_ssh_private_key_file: login}}
  vars: {{ansible_user: rollout, device_type: vm}}
"""
PLAN = """\
schema: 1
name: system
hosts: vms
artifact: "./{{ image }}.mender"
waves: [rest]
on_failure: rollback
gates:
  - {name: system well, check: system, success_when: result.exit == 0, interval: 1s, consecutive_success_limit: 2, timeout: 20s}
timeouts: {connect: 30s, reboot: 3m}
retries: {count: 20, delay: 3s, backoff: 1}
"""


class Site:
    """The machine runs `system-1`, which brings the helper; a context manager that switches it on.

    With `small` its kernel is not part of a system, so that an update takes half the time.
    """

    def __init__(self, place: Path, *, small: bool = False) -> None:
        self.project = Project(place)
        self._write("system", CHECK).chmod(0o755)
        self._write("plan.yml", PLAN)
        self._write("rollout.toml", 'inventory = ["inventory"]\n')
        login = asyncssh.generate_private_key("ssh-ed25519")
        login.write_private_key(place / "login")
        login.write_public_key(place / "login.pub")
        (place / "login").chmod(0o600)
        self.project.run("key", "generate", "release.key")
        self.project.run(
            *f"device bundle bundle --key release.key.pub --login-key login.pub -t vm --boot init"
            f" --check system --device-id {NAME}".split()
        )
        self.factory = Factory(place, place / "bundle", small=small)
        self.fingerprint = self.factory.host_key()
        self.machine = Machine(self.factory.disk(self.factory.system(FIRST)))

    def __enter__(self) -> Self:
        self.machine.power_on()
        try:
            self.machine.until(f"booted {FIRST}")
            self._enrol()
        except BaseException:
            self.machine.power_cut()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.machine.power_cut()

    def _enrol(self) -> None:
        """Its image brought everything but the proof of its host key."""
        (self.project.root / "inventory").mkdir()
        self._write("inventory/vms.yml", INVENTORY.format(name=NAME, port=self.machine.port))
        self.project.run(
            *f"device pin {NAME} --fingerprint {self.fingerprint} --pins inventory/pins.yml".split()
        )

    def release(
        self, name: str, *, health: str = "well", without: str = "", packed: bool = True
    ) -> None:
        """Builds a system and the signed artifact for it."""
        image = self.factory.system(name, health=health, without=without)
        if packed:
            content = gzip.compress(image.read_bytes(), 1)
            image = image.with_suffix(".img.gz")
            image.write_bytes(content)
        self.project.run(
            *f"artifact build module rootfs-image -t vm --key release.key --file {image.name}"
            f" -n {name} -o {name}.mender".split()
        )

    def apply(self, image: str, *, code: int) -> str:
        """Rolls it out; gives what was said."""
        words = ("apply", "plan.yml", "-e", f"image={image}", "--yes")
        done = self.project.run(*words, code=code)
        return done.stdout + done.stderr

    @contextmanager
    def applying(self, image: str) -> Iterator[subprocess.Popen[str]]:
        """The same in a process of its own, which says each event on its stdout; ended with the block."""
        words = ("apply", "plan.yml", "-e", f"image={image}", "--yes", "--events", "-")
        with subprocess.Popen(
            self.project.command(*words), cwd=self.project.root, env=self.project.environment(),
            text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as engine:  # fmt: skip
            try:
                yield engine
            finally:
                engine.kill()

    def facts(self) -> dict[str, str]:
        """What the machine says of itself, when it comes to it: beside others it is slow to answer."""
        words = ("device", "facts", NAME, "--format", "json")
        end_at = time.monotonic() + ANSWER_S_MAX
        while (done := self.project.run(*words, code=None)).returncode:
            assert time.monotonic() < end_at, done.stdout + done.stderr
        found: dict[str, str] = json.loads(done.stdout)["devices"][0]["facts"]
        return found

    def _write(self, name: str, text: str) -> Path:
        path = self.project.root / name
        path.write_text(text)
        return path
