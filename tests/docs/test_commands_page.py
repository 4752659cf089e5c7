"""The page of commands: its block is run as it stands, by people with keys of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
from pathlib import Path

from orchestrator import api
from orchestrator.api.stores import open_state
from orchestrator.rollout.machine import Rollout
from tests.site_release import make_site_release
from tests.unit.trust.ssh_keys import SshKeys, line

PAGE = (Path(__file__).parents[2] / "docs/reference/commands.md").read_text(encoding="utf-8")
NAMESPACE = 'namespaces="rollout-plan@acme-prod"'
PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [1, rest]
approval: {required: 2, from: [ops], expires: 1h}
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


def waiting_rollout(root: Path) -> None:
    """A rollout `r-7f3a` that waits for two approvals, as `apply` stores it."""
    (root / "hosts.yml").write_text("webs: {hosts: {web1: {}, web2: {}}}\n")
    (root / "site.yml").write_text(PLAN)
    make_site_release(root)
    state, inventory = str(root / ".rollout/state.db"), (str(root / "hosts.yml"),)
    settings = api.Settings(root=root, state=state, inventory=inventory)

    async def store() -> None:
        request = api.PlanRequest(root / "site.yml", offline=True)
        prepared = await api.prepare(settings, request)
        first = Rollout.start(
            prepared.resolved, "r-7f3a", at=time.time(), author="zoe@desk", digest=prepared.digest
        )
        async with open_state(settings) as kept:
            await kept.start("r-7f3a", prepared.plan_json, first.collect())

    asyncio.run(store())


def test_approvals_are_signed_as_the_page_says(tmp_path: Path, rollout_program: Path) -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    project = tmp_path / "project"
    project.mkdir()
    ann = SshKeys(home / ".ssh").make("id_ed25519")
    bob = SshKeys(project).make("key-of-bob")
    signers = tmp_path / "allowed_signers"
    signers.write_text(line("ann@corp", ann, NAMESPACE) + line("bob@corp", bob, NAMESPACE))
    config = tmp_path / "config.toml"
    config.write_text(
        f'fleet = "acme-prod"\nallowed_signers = "{signers}"\n'
        'people = ["ann@corp=ops", "bob@corp=ops"]\n'
    )
    waiting_rollout(project)
    environment = {
        **os.environ, "HOME": str(home), "ROLLOUT_CONFIG": str(config), "NO_COLOR": "1",
        "PATH": f"{rollout_program}:{os.environ['PATH']}",
    }  # fmt: skip

    def shell(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("sh", "-euc", script), cwd=project, env=environment, timeout=120,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    unsigned = shell("rollout approve r-7f3a")
    done = shell(block)
    status = json.loads(shell("rollout status r-7f3a --format json").stdout)

    assert unsigned.returncode == 1
    assert "--print" in unsigned.stderr
    assert done.returncode == 0, done.stderr
    assert "start: 1 of 2 approved" in done.stderr
    assert "start: 2 of 2 approved" in done.stderr
    assert status["state"] == "scheduled"
