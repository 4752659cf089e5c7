"""The lab as people use it: up, broken, rebooted, down; and what it leaves behind."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.device.protocol import Rc, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, OrchestratorError
from orchestrator.lab import client
from orchestrator.lab.container import can_isolate
from orchestrator.lab.device import Mode
from orchestrator.lab.fleet import LabFleet
from orchestrator.lab.layout import LabOptions, Server
from tests.device.kit import directory
from tests.integration.lab_kit import Lab, Progress, changing, frames, small_lab
from tests.patience import within

pytestmark = pytest.mark.integration


@pytest.fixture
def pointer(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "lab.json"
    yield path
    client.down(pointer=path)


@pytest.fixture(params=["isolated", "plain"])
async def isolate(request: pytest.FixtureRequest) -> bool:
    if request.param == "isolated" and not await can_isolate():
        pytest.skip("bubblewrap and nsenter do not work here")
    return bool(request.param == "isolated")


def _processes(mark: str) -> list[str]:
    listed = _run(["ps", "axww", "-o", "stat=,args="])
    return [line for line in listed.stdout.splitlines() if mark in line and line[0] != "Z"]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_24_devices_are_up_in_3_seconds_and_leave_nothing(pointer: Path) -> None:
    started_at = time.monotonic()
    info = client.up(LabOptions(devices=24, port_first=26_000), pointer=pointer)
    took_s = time.monotonic() - started_at

    status = client.status(pointer=pointer)
    ended = client.down(pointer=pointer)

    assert took_s < within(3)
    assert status is not None
    assert len(status.devices) == 24
    assert ended
    assert not Path(info.directory).exists()
    assert not pointer.exists()
    assert _processes(info.directory) == []


def test_200_devices_are_up_in_15_seconds(pointer: Path) -> None:
    started_at = time.monotonic()
    client.up(LabOptions(devices=200, port_first=26_000), pointer=pointer)

    assert time.monotonic() - started_at < within(15)


def test_openssh_client_reaches_a_device_only_through_the_helper(pointer: Path) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("ssh is not installed")
    info = client.up(LabOptions(devices=1, port_first=26_000), pointer=pointer)
    inventory = Path(info.inventory).read_text("utf-8")
    port = next(line.split()[1] for line in inventory.splitlines() if "ansible_port" in line)
    command = ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    command += ["-o", "UserKnownHostsFile=/dev/null", "-i", info.controller_key, "-p", port]
    command += [f"{getpass.getuser()}@127.0.0.1"]

    hello = _run([*command, "hello nonce=a1"])
    shell = _run([*command, "id; cat /etc/passwd"])

    assert "protocol rollout-agent/1\n" in hello.stdout
    assert "nonce a1\n" in hello.stdout
    assert shell.returncode == Rc.USAGE
    assert "root:" not in shell.stdout


def test_second_lab_is_refused_while_one_runs(pointer: Path) -> None:
    client.up(LabOptions(devices=1, port_first=26_000), pointer=pointer)

    with pytest.raises(OrchestratorError, match="running already"):
        client.up(LabOptions(devices=1, port_first=26_000), pointer=pointer)


def test_killed_lab_is_cleaned_up_by_down(pointer: Path) -> None:
    info = client.up(LabOptions(devices=2, port_first=26_000), pointer=pointer)
    subprocess.run(["kill", "-9", str(info.pid)], check=True)

    client.down(pointer=pointer)

    assert not Path(info.directory).exists()
    assert _processes(info.directory) == []


def test_unknown_device_is_named(pointer: Path) -> None:
    client.up(LabOptions(devices=2, port_first=26_000), pointer=pointer)

    with pytest.raises(OrchestratorError, match="no device `lab-99`"):
        client.break_device("lab-99", Mode.CRASH, pointer=pointer)


def test_no_lab_is_no_lab(pointer: Path) -> None:
    assert client.status(pointer=pointer) is None
    assert client.down(pointer=pointer) is False
    assert client.break_device("lab-01", Mode.CRASH, pointer=pointer) is False


async def _install(lab: Lab, number: int, settings: bytes, *, deadline: str = "60") -> None:
    files = frames(directory(f"r{number}", {"service.json": settings}).frames(lab.key))
    request = changing(Verb.DELIVER, number, frames=str(len(files)), wait="20", deadline=deadline)
    async with lab.session() as session:
        reply = await session.converse(request, Progress().delivery(files), deadline_s=60)
    assert reply.rc == Rc.OK, reply


async def _check(lab: Lab, *, limit_s: int = 10) -> tuple[int, str]:
    request = Request(Verb.HEALTH, {"nonce": "a", "checks": "app", "timeout": str(limit_s)})
    (found,) = (await lab.ask(request)).checks
    return found.exit, found.output


async def _commit(lab: Lab, number: int) -> None:
    nonce = (await lab.hello())["commit-nonce"]
    assert (await lab.ask(changing(Verb.COMMIT, number, nonce=nonce))).rc == Rc.OK


async def test_health_comes_from_the_installed_release(isolate: bool, tmp_path: Path) -> None:
    async with small_lab(tmp_path, isolate=isolate) as lab:
        without = await _check(lab)
        await _install(lab, 1, b'{"version":"1.0"}')
        good = await _check(lab)
        await _commit(lab, 1)
        await _install(lab, 2, b'{"version":"2.0","healthy":false}')
        bad = await _check(lab)
        await lab.ask(changing(Verb.ROLLBACK, 2))
        back = await _check(lab)

        assert without[0] == 1
        assert good[0] == 0
        assert '"version":"1.0"' in good[1]
        assert bad[0] == 1
        assert '"version":"2.0"' in bad[1]
        assert back == good


async def test_dead_man_takes_an_unconfirmed_release_back(isolate: bool, tmp_path: Path) -> None:
    """The timer runs on after its SSH session ended, and a commit would have stopped it."""
    async with small_lab(tmp_path, isolate=isolate) as lab:
        await _install(lab, 1, b'{"version":"1.0"}')
        await _commit(lab, 1)
        await _install(lab, 2, b'{"version":"2.0"}', deadline="1")

        async with asyncio.timeout(20):
            while (fields := await lab.hello())["state"] == "probation":
                pass  # each question takes its time

        assert fields["artifact"] == "r1"
        assert "reverted" in fields


async def test_reboot_in_probation_goes_back_at_boot(isolate: bool, tmp_path: Path) -> None:
    async with small_lab(tmp_path, isolate=isolate) as lab:
        await _install(lab, 1, b'{"version":"1.0"}')
        await _commit(lab, 1)
        before = await lab.hello()
        await _install(lab, 2, b'{"version":"2.0"}', deadline="600")

        await lab.fleet.break_device("lab-01", Mode.REBOOT)
        after = await lab.hello()

        assert after["boot-id"] != before["boot-id"]
        assert after["artifact"] == "r1"
        assert "reverted" in after


async def test_reboot_that_is_wanted_after_the_answer_comes_without_another_command(
    tmp_path: Path,
) -> None:
    async with small_lab(tmp_path) as lab:
        launch = lab.root() / "usr/lib/rollout/launch"
        later = f"""(sleep 1; : >{lab.root()}/run/reboot) </dev/null >/dev/null 2>&1 &"""
        text = launch.read_text().replace("\nexec ", f"\n[ $# -gt 0 ] || {later}\nexec ", 1)
        launch.write_text(text)

        await lab.hello()

        async with asyncio.timeout(30):
            while True:
                if lab.fleet.device("lab-01").boots > 1:
                    break
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("server", [Server.SSHD, Server.DROPBEAR])
async def test_real_server_comes_back_after_a_reboot(server: Server, tmp_path: Path) -> None:
    needed = ("sshd",) if server is Server.SSHD else ("dropbear", "bwrap")
    for program in needed:
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"{program} is not installed")
    async with small_lab(tmp_path, server=server) as lab:
        before = await lab.hello()

        await lab.fleet.break_device("lab-01", Mode.REBOOT)
        after = await lab.hello()

        assert after["boot-id"] != before["boot-id"]


async def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    key = tmp_path / "missing.pem"
    fleet = LabFleet(tmp_path / "lab", LabOptions(devices=2, signing_keys=(key,)))

    with pytest.raises(OrchestratorError, match="cannot be read"):
        await fleet.__aenter__()

    assert not (tmp_path / "lab").exists()


async def test_reboot_ends_every_process_of_the_device(isolate: bool, tmp_path: Path) -> None:
    async with small_lab(tmp_path, isolate=isolate) as lab:
        await _install(lab, 1, b'{"version":"1.0"}', deadline="600")
        device = lab.fleet.device("lab-01")
        before = _processes(f"{lab.root()} deadman")

        await device.container.kill()

        assert before
        assert _processes(f"{lab.root()} deadman") == []


async def test_broken_devices_behave_as_broken_until_healed(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab:
        await _install(lab, 1, b'{"version":"1.0"}')
        await _commit(lab, 1)

        await lab.fleet.break_device("lab-01", Mode.CRASH)
        crashed = await _check(lab)
        await lab.fleet.break_device("lab-01", Mode.HEAL)
        healed = await _check(lab)
        await lab.fleet.break_device("lab-01", Mode.SLOW)
        slow = await _check(lab, limit_s=1)

        assert crashed == (1, '{"status":"down"}')
        assert healed[0] == 0
        assert slow[0] == 124


@pytest.mark.parametrize("size_bytes", [1, 100_000])
async def test_full_disk_refuses_a_release_and_keeps_the_running_one(
    tmp_path: Path, size_bytes: int
) -> None:
    async with small_lab(tmp_path) as lab:
        await _install(lab, 1, b'{"version":"1.0"}')
        await _commit(lab, 1)
        await lab.fleet.break_device("lab-01", Mode.DISK_FULL)
        files = frames(directory("r2", {"blob": b"x" * size_bytes}).frames(lab.key))

        reply = await lab.deliver(2, files, progress=Progress())
        await lab.fleet.break_device("lab-01", Mode.HEAL)

        assert reply.reason in {Reason.LOW_SPACE, Reason.IO}
        assert (await lab.hello())["artifact"] == "r1"


async def test_offline_refuses_and_hang_says_nothing(tmp_path: Path) -> None:
    async with small_lab(tmp_path) as lab:
        reasons = []
        for mode in (Mode.OFFLINE, Mode.HANG):
            await lab.fleet.break_device("lab-01", mode)
            with pytest.raises(DeviceError) as caught:
                await lab.transport.open(lab.device(), deadline_s=1)
            reasons.append(caught.value.reason)
            await lab.fleet.break_device("lab-01", Mode.HEAL)

        assert reasons == [Reason.UNREACHABLE, Reason.TIMEOUT]
        assert (await lab.hello())["artifact"] == "none"
