"""docs/first-host.md, word for word, against a real host; then a power cut in mid-rollout."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.project import GATES, ROLLOUT
from tests.integration.real_host import OPERATOR, RealHost, why_not

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
]
PAGE = Path(__file__).parents[2] / "docs/first-host.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (\d+)\. ", re.MULTILINE)
PROVING = """\
    interval: 1s
    consecutive_success_limit: 60
    timeout: 5s
"""


def sections() -> dict[int, list[str]]:
    """Shell blocks of the page by the number of their section."""
    parts = _SECTION.split(PAGE.read_text())[1:]
    return {
        int(number): _BLOCK.findall(text)
        for number, text in zip(parts[::2], parts[1::2], strict=True)
    }


class Desk:
    """An operator's shell, with the page's names replaced by those of the test's host."""

    def __init__(self, host: RealHost, place: Path, program: Path) -> None:
        self.host, self.place = host, place
        repository = str(Path(__file__).parents[2])
        self.environment = {
            **os.environ,
            "PATH": f"{program}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": repository,
            "HOME": str(place),
            "NO_COLOR": "1",
        }
        self.words = {
            "web1.example.net": "127.0.0.1",
            "ansible_port: 22": f"ansible_port: {host.port}",
            "~/.ssh/id_ed25519": str(host.directory / "operator"),
            "SHA256:FINGERPRINT": host.host_key.get_fingerprint("sha256"),
            "--login admin": f"--login {OPERATOR}",
            "ansible_user: admin": f"ansible_user: {OPERATOR}",
        }

    def shell(self, text: str) -> str:
        """Runs one block; gives what it printed on stdout."""
        for word, here in self.words.items():
            text = text.replace(word, here)
        start = "" if text.startswith("mkdir -p first-host") else "cd first-host\n"
        done = subprocess.run(
            ["sh", "-euc", start + text], cwd=self.place, env=self.environment,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def facts(self) -> dict[str, str]:
        """What the host says of itself."""
        found = json.loads(self.shell("rollout device facts web1 --format json"))
        facts: dict[str, str] = found["devices"][0]["facts"]
        return facts


async def blocks(desk: Desk, number: int) -> None:
    for text in sections()[number]:
        await asyncio.to_thread(desk.shell, text)


async def test_page_holds_on_a_real_host_and_power_cut_takes_it_back(
    tmp_path: Path, rollout_program: Path
) -> None:
    async with RealHost() as host:
        desk = Desk(host, tmp_path, rollout_program)
        untouched = set(host.written())

        for number in (1, 2, 3, 4):
            await blocks(desk, number)
        assert host.path("/opt/site/index.html").read_text() == "hello 1.0\n"
        assert desk.facts()["artifact"] == "site-1.0"

        await blocks(desk, 5)
        facts = desk.facts()
        assert (facts["artifact"], facts["active"]) == ("site-1.0", "yes")
        assert host.path("/opt/site/index.html").read_text() == "hello 1.0\n"

        await blocks(desk, 6)
        assert host.path("/etc/motd").read_text() == "Managed by rollout.\n"
        assert desk.facts()["artifact"] == "motd-1"

        await blocks(desk, 7)
        assert desk.facts()["artifact"] == "site-1.0"

        await power_cut_in_mid_rollout(desk)

        await blocks(desk, 8)
        left = set(host.written()) - untouched
        assert "rollout:" not in host.path("/etc/passwd").read_text()
        assert not [name for name in left if name.startswith(("/etc/rollout", "/usr/lib/rollout"))]
        assert host.path("/opt/site/index.html").read_text() == "hello 1.0\n"


@pytest.mark.night
@pytest.mark.skipif(shutil.which("doas") is None, reason="doas is not installed")
@pytest.mark.parametrize("become", ["doas", "doas-alone"])
async def test_page_holds_where_the_operator_has_doas(
    tmp_path: Path, rollout_program: Path, become: str
) -> None:
    """With `doas-alone` the helper's own step to root goes through it as well."""
    async with RealHost(become=become) as host:
        desk = Desk(host, tmp_path, rollout_program)
        rules = host.path("/etc/doas.conf").read_text()
        desk.words |= {"--become sudo": "--become doas", "become: sudo": "become: doas"}

        for number in (1, 2, 3, 4, 7):
            await blocks(desk, number)
        assert "become: doas" in desk.shell("cat as-admin-plan.yml")
        assert desk.facts()["artifact"] == "site-1.0"
        assert host.run("su", OPERATOR, "-c", "sudo -n true").returncode != 0
        step = host.path("/etc/doas.conf").read_text().removeprefix(rules)
        alone = "permit nopass rollout as root cmd /usr/lib/rollout/core\n"
        assert step == (alone if become == "doas-alone" else "")

        await blocks(desk, 8)
        assert host.path("/etc/doas.conf").read_text() == rules
        assert "rollout:" not in host.path("/etc/passwd").read_text()


async def power_cut_in_mid_rollout(desk: Desk) -> None:
    """A release on probation, the controller killed, the host's power cut: the old version."""
    before = desk.facts()
    desk.shell(
        "mkdir site-1.2 && echo well >site-1.2/state && echo 'hello 1.2' >site-1.2/index.html\n"
        "rollout artifact build directory site-1.2 --dest /opt/site --name site-1.2"
        " --device-type debian --key release.key --out site-1.2.mender"
    )
    plan = desk.place / "first-host/slow.yml"
    gates = GATES.replace("check: app", "check: site") + PROVING
    plan.write_text(
        f"schema: 1\nname: slow\nhosts: webs\nartifact: ./site-1.2.mender\nwaves: [rest]\n{gates}"
    )
    during = killed_on_probation(desk, plan.parent)

    await desk.host.power_cut()
    await desk.host.boot()
    after = desk.facts()

    assert (during["state"], during["artifact"]) == ("probation", "site-1.2")
    assert after["boot-id"] != before["boot-id"]
    assert after["artifact"] == before["artifact"] == "site-1.0"
    assert after["reverted"] == during["txn"]
    assert desk.host.path("/opt/site/index.html").read_text() == "hello 1.0\n"


def killed_on_probation(desk: Desk, place: Path) -> dict[str, str]:
    """Kills an `apply` once its device runs the new version; gives the facts of that moment."""
    engine = subprocess.Popen(
        [*ROLLOUT, "apply", "slow.yml", "--yes", "--events", "-"],
        cwd=place, env=desk.environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with engine:
        assert engine.stdout is not None
        for line in engine.stdout:
            if json.loads(line).get("data", {}).get("to") == "verifying":
                break
        during = desk.facts()
        os.killpg(engine.pid, signal.SIGKILL)
    return during
