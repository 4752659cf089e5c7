"""docs/how-to/enroll.md: a device made from a bundle is pinned at its first contact and updated."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import asyncssh
import pytest

from tests.in_process import empty_project, run
from tests.integration.real_host import RealHost, why_not

pytestmark = pytest.mark.integration
PAGE = Path(__file__).parents[2] / "docs/how-to/enroll.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
PLAN = """\
schema: 1
name: app
hosts: gateways
artifact: ./app-1.mender
waves: [rest]
"""


class Desk:
    """An operator's shell in a project of one gateway."""

    def __init__(self, host: RealHost, place: Path, program: Path) -> None:
        self.host, self.place = host, place
        (place / "rollout.toml").write_text('inventory = ["inventory"]\n')
        (place / "inventory").mkdir()
        address = {
            "ansible_host": "127.0.0.1",
            "ansible_port": host.port,
            "ansible_ssh_private_key_file": str(host.directory / "operator"),
            "device_type": "edge",
        }
        listed = {"gateways": {"hosts": {"gw-001": address}}}
        (place / "inventory/hosts.json").write_text(json.dumps(listed))
        fingerprint = host.host_key.get_fingerprint()
        (place / "factory.txt").write_text(f"gw-001 {fingerprint}\ngw-002 {fingerprint}\n")
        self.environment = {
            **os.environ,
            "PATH": f"{program}:{os.environ['PATH']}",
            "HOME": str(place),
            "NO_COLOR": "1",
        }

    async def shell(self, text: str, code: int = 0) -> str:
        done = await asyncio.to_thread(
            subprocess.run, ["sh", "-euc", text], cwd=self.place, env=self.environment,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}")
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
async def test_device_of_an_image_is_pinned_then_updated(
    tmp_path: Path, rollout_program: Path
) -> None:
    made, pinned, *_ = BLOCKS
    async with RealHost() as host:
        desk = Desk(host, tmp_path, rollout_program)
        await desk.shell(
            made.replace("-t edge", f"-t edge --login-key {host.directory}/operator.pub")
        )
        (package,) = (tmp_path / "image").glob("*.deb")
        shutil.copy(package, host.directory / "device.deb")
        packed = host.run("dpkg", "--force-depends", "-i", str(host.directory / "device.deb"))
        assert packed.returncode == 0, packed.stderr
        stood = host.written()

        await desk.shell("rollout device check gateways", code=3)
        await desk.shell(pinned)
        again = await desk.shell("rollout device pin gateways")
        await desk.shell(
            "mkdir app && echo 1 >app/version.txt\n"
            "rollout artifact build directory app --dest /opt/app --name app-1 -t edge"
            " --key release.key --out app-1.mender"
        )
        (tmp_path / "app.yml").write_text(PLAN)
        touched = {name for name, content in host.written().items() if stood.get(name) != content}
        await desk.shell("rollout apply app.yml --yes")

        assert again.startswith("✓ gw-001")
        assert not {name for name in touched if name.startswith(("/etc", "/usr"))}
        assert host.path("/opt/app/version.txt").read_text() == "1\n"
        assert "rollout:" in host.path("/etc/passwd").read_text()


@pytest.mark.parametrize(("number", "key"), [(2, "ssh_host_ed25519_key"), (3, "login")])
def test_certificates_are_made_as_the_page_says(
    number: int,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty_project(tmp_path, monkeypatch)
    asyncssh.generate_private_key("ssh-ed25519").write_public_key(tmp_path / f"{key}.pub")

    for line in BLOCKS[number].splitlines():
        assert run(capsys, line.removeprefix("rollout "))[0] == 0
    text = (tmp_path / f"{key}-cert.pub").read_text()

    assert text.startswith("ssh-ed25519-cert-v01@openssh.com ")
    assert run(capsys, BLOCKS[number].splitlines()[0].removeprefix("rollout "))[0] == 1
    assert run(capsys, f"ca sign-host gw {key}.pub --ca none")[0] == 1
