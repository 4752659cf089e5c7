"""A rollout to a real host that has signify or usign alone, by the command line; and what it refuses there."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.project import Project
from tests.integration.real_host import OPERATOR, RealHost, why_not

SIGNIFY = "signify-openbsd"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.night,  # a dozen commands; by day tests/device and test_enroll.py have the parts
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
    pytest.mark.skipif(shutil.which(SIGNIFY) is None, reason=f"{SIGNIFY} is not installed"),
]
_PLAN = """\
schema: 1
name: {name}
hosts: web1
artifact: ./{name}.mender
waves: [rest]
gates: [{{name: it ran, check: web, success_when: result.exit == 0}}]
"""
ED25519 = ("root", "release", "build")  # and an ECDSA key signs artifacts


def with_tool(host: RealHost, tool: str) -> None:
    """Leaves the host one program that checks signatures; usign takes the arguments of signify."""
    signify = Path(str(shutil.which(SIGNIFY))).read_bytes()
    for name in ("openssl", "ssh-keygen", "usign", "signify", SIGNIFY):
        if (found := shutil.which(name)) and name != tool:
            assert host.run("mount", "--bind", "/dev/null", found).returncode == 0
    if tool != SIGNIFY and shutil.which(tool) is None:
        host.path(f"/usr/local/bin/{tool}").write_bytes(signify)
        host.path(f"/usr/local/bin/{tool}").chmod(0o755)


class Operator:
    """Who has a fleet of that host alone."""

    def __init__(self, host: RealHost, place: Path) -> None:
        self.host, self.project = host, Project(place)
        (place / "rooted.toml").write_text('trust_root = "root-1.txt"\n')
        (place / "hosts.json").write_text(
            json.dumps(
                {
                    "webs": {
                        "hosts": {
                            "web1": {
                                "ansible_host": "127.0.0.1",
                                "ansible_port": host.port,
                                "ansible_user": "rollout",
                                "ansible_ssh_private_key_file": str(host.directory / "operator"),
                                "rollout_host_keys": [host.host_key_line],
                                "device_type": "edge",
                            }
                        }
                    }
                }
            )
        )
        (place / "web").write_text("#!/bin/sh\nexit 0\n")

    async def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(
            subprocess.run, self.project.command(*words), cwd=self.project.root,
            env=self.project.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip
        assert code in (None, done.returncode), f"{words}: {done.stdout}{done.stderr}"
        return done

    def keys(self) -> None:
        for name in ED25519:
            self.project.run("key", "generate", f"{name}.key", "--kind", "ed25519")
        self.project.run("key", "generate", "ecdsa.key")

    def root(self, *build: str) -> None:
        """The first root, with these keys in its role build; it replaces another one."""
        for name in ("root-1.txt", "root-1.txt.sig"):
            (self.project.root / name).unlink(missing_ok=True)
        given = [word for name in build for word in ("--build-key", f"{name}.key.pub")]
        self.project.run(
            "root", "init", "acme", "--root-key", "root.key.pub", "--release-key",
            "release.key.pub", *given, "--key", "root.key",
        )  # fmt: skip

    async def enroll(self, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        return await self.run(
            "device", "enroll", "web1", "-i", "hosts.json", "--root", "root-1.txt",
            "--login", OPERATOR, "--become", "sudo", "--check", "web", code=code,
        )  # fmt: skip

    def build(self, name: str) -> None:
        """An artifact that the ECDSA key signed, its ticket by the release key, and a plan."""
        tree = self.project.root / name
        tree.mkdir()
        (tree / "version.txt").write_text(name)
        (self.project.root / f"{name}.yml").write_text(_PLAN.format(name=name))
        self.project.run(
            "artifact", "build", "directory", tree, "--dest", "/opt/web", "--name", name,
            "--device-type", "edge", "--key", "ecdsa.key", "--out", f"{name}.mender",
        )  # fmt: skip
        given = ("--root", "root-1.txt", "--key", "release.key")
        self.project.run("release", "create", f"{name}.mender", *given)

    def sign(self, name: str, key: str) -> subprocess.CompletedProcess[str]:
        """That build key signs beside the ticket."""
        given = ("--root", "root-1.txt", "--key", f"{key}.key")
        return self.project.run("release", "sign", f"{name}.ticket", *given)

    async def apply(
        self, name: str, *more: str, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        return await self.run("apply", f"{name}.yml", "-i", "hosts.json", "--yes", *more, code=code)


@pytest.mark.parametrize("tool", [SIGNIFY, "usign"])
async def test_a_plan_goes_out_where_signify_alone_checks_it(tmp_path: Path, tool: str) -> None:
    """With an Ed25519 build key's signature beside the ticket, and not without: not even forced."""
    async with RealHost() as host:
        with_tool(host, tool)
        operator = Operator(host, tmp_path)
        operator.keys()

        operator.root("ecdsa")
        unfit = await operator.enroll(code=None)
        operator.root("ecdsa", "build")
        fit = await operator.enroll()

        operator.build("web-1")
        by_ecdsa = operator.sign("web-1", "ecdsa")
        foreseen = await operator.apply("web-1", "--config", "rooted.toml", code=None)
        untouched = not host.path("/opt/web").exists()
        by_build = operator.sign("web-1", "build")
        await operator.apply("web-1", "--config", "rooted.toml")
        ran = host.path("/opt/web/version.txt").read_text()

        operator.build("web-2")
        operator.sign("web-2", "ecdsa")
        forced = await operator.apply("web-2", code=None)  # nobody counts before the device does

        told = " ".join(unfit.stdout.split() + unfit.stderr.split())
        assert unfit.returncode != 0
        assert "too few Ed25519 keys of the role build" in told
        assert "an Ed25519 build key must sign" in " ".join(fit.stdout.split())
        assert "no build key: not with usign" in " ".join(by_ecdsa.stdout.split())
        assert "no Ed25519 build key signed beside the ticket" in " ".join(
            foreseen.stdout.split() + foreseen.stderr.split()
        )
        assert untouched
        assert "a build key: good with usign" in " ".join(by_build.stdout.split())
        assert ran == "web-1"
        assert forced.returncode != 0
        assert "denied" in forced.stdout + forced.stderr
        assert host.path("/opt/web/version.txt").read_text() == "web-1"
