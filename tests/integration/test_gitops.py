"""A controller that follows a branch: a real git server over ssh, signed commits, and the real lab.

One story, as its parts need what was before: a commit that the fleet follows, a bad one that is halted and
taken back, one that nobody signed, a history that was written anew, and the end by SIGTERM.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.integration.project import GATES, Project
from tests.integration.sshd import SSHD, sshd
from tests.loopback import free_port
from tests.unit.trust.git_repository import GitRepository

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.skipif(SSHD is None or shutil.which("git") is None, reason="needs sshd and git"),
]


class Desk(GitRepository):
    """Where ann writes plans and pushes them to the server."""

    def __init__(self, directory: Path, project: Project) -> None:
        super().__init__(directory)
        self.project = project
        self.bare = directory / "fleet.git"
        self.git("init", "-q", "--bare", "-b", "main", str(self.bare))
        self.git("remote", "add", "origin", str(self.bare))
        (self.root / "plans").mkdir()
        (self.root / "hosts.yml").write_text(project.inventory.read_text())
        (self.root / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')

    def plan(self, artifact: str) -> None:
        (self.root / "plans/app.yml").write_text(
            f"schema: 1\nname: app\nhosts: lab\nartifact: {self.project.root}/{artifact}.mender\n"
            f"waves: [1, rest]\non_failure: rollback\n{GATES}"
        )

    def push(self, *options: str, sign: bool = True) -> str:
        name = self.commit(sign=sign)
        self.git("push", "-q", *options, "origin", "main")
        return name


class Controller:
    """`rollout reconcile` as a process; what it prints is what is waited for."""

    def __init__(self, desk: Desk, url: str, ssh: str = "false", name: str = "status") -> None:
        self.project = desk.project
        user = desk.outside / "config.toml"
        user.write_text(f'require_signed_commit = true\nallowed_signers = "{desk.allowed}"\n')
        self.project.env |= {"ROLLOUT_CONFIG": str(user), "GIT_SSH_COMMAND": ssh}
        self.file = self.project.root / f"{name}.json"
        self.words = ("reconcile", "--git", url, "--status", self.file, "--checkout", name)
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            self.project.command(*self.words, "--interval", "1s", "--listen", "127.0.0.1:0"),
            cwd=self.project.root, env=self.project.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def until(self, pattern: str) -> str:
        """The next line that has this in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError("".join(self.seen))

    def status(self) -> dict[str, object]:
        return dict(json.loads(self.file.read_text()))

    def page(self, path: str) -> str:
        (port,) = re.findall(r"listening on port (\d+)", "".join(self.seen))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.read().decode()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.seen.append(self.process.communicate(timeout=60)[0])
        return self.process.returncode


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "project").mkdir()
    found = Project(tmp_path / "project", devices=2)
    found.up()
    try:
        yield found
    finally:
        found.down()


@pytest.fixture
def desk(tmp_path: Path, project: Project) -> Desk:
    (tmp_path / "desk").mkdir()
    return Desk(tmp_path / "desk", project)


@pytest.fixture
def controller(desk: Desk) -> Iterator[Controller]:
    """Follows the desk's branch over ssh."""
    outside, port = desk.outside, free_port()
    (outside / "authorized").write_text(desk.keys.public("bob") + "\n")
    with asyncio.Runner() as runner:
        server = sshd(outside, {"AuthorizedKeysFile": str(outside / "authorized")}, port=port)
        up = runner.run(server.__aenter__())
        (outside / "known_hosts").write_text(up.known_hosts_line)
        ssh = (
            f"ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -i {desk.keys.path('bob')} "
            f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={outside}/known_hosts"
        )
        found = Controller(desk, f"ssh://{getpass.getuser()}@127.0.0.1:{port}{desk.bare}", ssh)
        try:
            yield found
        finally:
            if found.process.poll() is None:
                found.end()
            runner.run(server.__aexit__(None, None, None))


def runs(project: Project) -> set[str]:
    return {one["artifact"] for one in project.facts().values()}


def test_fleet_follows_a_branch_and_refuses_what_is_not_its_history(
    controller: Controller, desk: Desk, project: Project
) -> None:
    project.directory_release("1.0")
    project.directory_release("2.0", healthy=False)
    controller.until("the branch is not followed: git: fatal: couldn't find remote ref")

    # a good commit
    desk.plan("app-1.0")
    good = desk.push()
    controller.until(r"app of plans/app.yml: succeeded")
    assert runs(project) == {"app-1.0"}
    status = controller.status()
    assert (status["health"], status["commit"]["taken"]) == ("healthy", good)  # type: ignore[index]
    assert status["commit"]["signer"] == "ann@corp"  # type: ignore[index]

    # a bad one is halted, taken back and not tried again
    desk.plan("app-2.0")
    bad = desk.push()
    controller.until(r"app of plans/app.yml: rolled back")
    assert runs(project) == {"app-1.0"}

    # one that nobody signed, and a history that was written anew
    desk.plan("app-1.0")
    desk.push(sign=False)
    controller.until("is not signed")
    desk.git("reset", "-q", "--hard", good)
    desk.plan("app-2.0")
    desk.push("--force")
    controller.until("history was written anew")

    figures, health = controller.page("/metrics"), json.loads(controller.page("/healthz"))
    code = controller.end()
    after = controller.status()
    again = project.run(*controller.words, "--once", code=None)

    assert 'rollout_rollouts{state="rolled_back"} 1.0' in figures
    assert 'rollout_rollouts{state="succeeded"} 1.0' in figures
    assert "rollout_controller_refusals_total 2.0" in figures
    assert "lab-01" not in figures
    assert (health["alive"], health["health"], health["commit"]) == (True, "degraded", bad)
    assert (code, after["part"], after["commit"]["taken"]) == (143, "stopped", bad)  # type: ignore[index]
    assert [note["what"] for note in after["notes"]] == [  # type: ignore[attr-defined]
        "taken", "applied", "taken", "applied", "refused", "refused",
    ]  # fmt: skip
    assert again.returncode == ExitCode.ROLLED_BACK, again.stderr
    assert "history was written anew" in again.stdout
    assert "Traceback" not in "".join(controller.seen)
    assert len(project.run("status", "--all").stdout.split("r-")) == 3


@pytest.mark.night  # a second lab and two controllers; the turns themselves are tested without devices
def test_controller_that_is_killed_is_followed_by_the_one_that_stands_by(
    desk: Desk, project: Project
) -> None:
    project.directory_release("1.0")
    desk.plan("app-1.0")
    good = desk.push()
    url = f"file://{desk.bare}"
    first = Controller(desk, url, name="first")
    first.until(r"app of plans/app.yml: (scheduled|running)")
    second = Controller(desk, url, name="second")
    second.until("standing by")

    first.process.kill()
    first.process.communicate(timeout=60)
    second.until(r"app of plans/app.yml: succeeded")
    status, code = second.status(), second.end()

    assert (status["part"], status["health"], code) == ("active", "healthy", 143)
    assert status["commit"]["taken"] == good  # type: ignore[index]
    assert runs(project) == {"app-1.0"}
    assert len(project.run("status", "--all").stdout.split("r-")) == 2
