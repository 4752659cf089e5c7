"""Requests, dead-men and reboots that meet: each comes whole, or is told to come again."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.device.helper_kit import Updated
from tests.device.kit import Device, Release, directory, frame_bytes, nonce_of_ready, txn

NEXT_BOOT = "22222222-0000-0000-0000-000000000002"
WAIT_S = 20


def place(device: Device, name: str, body: str) -> None:
    program = device.root / name
    program.parent.mkdir(parents=True, exist_ok=True)
    first = (device.root / "usr/lib/rollout/modules/script").read_text().split("\n")[0]
    program.write_text(f"{first}\n{body}\n")
    program.chmod(0o755)


def wants_reboot(device: Device, **more: object) -> None:
    place(
        device,
        "usr/lib/rollout/modules/system",
        'echo "$1" >>"$ROLLOUT_ROOT/calls"\n'
        "case $1 in SupportsRollback) echo Yes ;; NeedsArtifactReboot) echo Automatic ;; esac",
    )
    release = Release(kind="system", payload={"x": b"x"})
    assert device.deliver(1, release.frames(device.key), **more).rc == 0


def calls(device: Device) -> list[str]:
    return (device.root / "calls").read_text().split()


def hold_lock(device: Device) -> Path:
    """This process is a core at work; gives what ends that."""
    lock = device.root / "run/rollout/lock"
    newest = max(int(path.name[2:]) for path in lock.glob("g.*")) + 1
    stat = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()
    boot = (device.root / "proc/sys/kernel/random/boot_id").read_text().strip()
    (lock / f"g.{newest}").write_text(f"{os.getpid()} {stat[19]} {boot}\n")
    return lock / f"done.{newest}"


@pytest.mark.parametrize("verb", ["commit", "confirm"])
def test_nothing_is_proven_before_the_reboot_that_was_asked_for(one: Device, verb: str):
    wants_reboot(one)
    state = next(iter((one.root / "var/lib/rollout/component/main").glob("state.?"))).read_text()
    nonce = state.partition("\nnonce ")[2].split()[0]

    assert "commit-nonce" not in one.fields()
    assert one.do(verb, 1, nonce=nonce).fields["reason"] == "stale_nonce"

    assert one.fields()["state"] == "probation"
    assert "ArtifactCommit" not in calls(one)


def test_a_delivery_whose_helper_is_gone_meanwhile_changes_nothing(once: Updated):
    once.release(1, directory("r1"))
    assert once.new(2, "9.9.9").rc == 0
    frames = directory("r2").frames(once.key)
    line = f"deliver txn={txn(3)} controller=lab epoch=1 frames={len(frames)} wait=20"
    process = once.start(line, frame_bytes(frames))
    nonce = nonce_of_ready(process)
    assert once.settle(2, "rollback").rc == 0
    assert once.cleaned()
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"go " + nonce + b"\n")
    process.stdin.flush()
    process.wait(WAIT_S)

    assert b"\nreason busy\n" in process.stdout.read()
    assert (once.fields()["state"], once.fields()["active"]) == ("installed", "yes")
    assert once.do("activate", 3).rc == 0
    assert once.commit(3).rc == 0


def hurried(device: Device) -> None:
    """Whoever waits there waits a hundredth of a second; busybox has a sleep of its own."""
    place(device, "bin/sleep", f"exec {shutil.which('sleep')} 0.01")
    path = f"{device.root}/bin:{device.shell.path}"
    device.shell = dataclasses.replace(device.shell, path=path)


def until(device: Device, count: int, *, after: str = "Download") -> None:
    """The system was asked to reboot so often since that state."""
    end = time.monotonic() + WAIT_S
    while (device.root / "calls").read_text().partition(after)[2].count("rebooted") < count:
        assert time.monotonic() < end, calls(device)
        time.sleep(0.01)


def test_a_reboot_waits_for_another_core_at_work(one: Device):
    hurried(one)
    wants_reboot(one)
    place(one, "sbin/reboot", 'echo rebooted >>"$ROLLOUT_ROOT/calls"')
    done = hold_lock(one)
    waiting = subprocess.Popen([*one.argv, "restart", txn(1)], env=one.environment())

    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.8)  # a core waits 25 times, and gives up then
    assert "rebooted" not in calls(one)
    done.touch()

    assert waiting.wait(WAIT_S) == 0
    until(one, 1)


def test_the_boot_hook_waits_for_a_request_at_work(one: Device):
    hurried(one)
    assert one.deliver(1, directory("r1").frames(one.key)).rc == 0
    one.close()
    one.boot(NEXT_BOOT)
    done = hold_lock(one)
    waiting = subprocess.Popen([*one.argv, "boot"], env=one.environment())

    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.8)
    done.touch()

    assert waiting.wait(WAIT_S) == 0
    assert one.fields()["reverted"] == txn(1)


def test_a_dead_man_asks_again_for_a_reboot_that_does_not_come(one: Device):
    hurried(one)
    place(one, "sbin/reboot", 'echo rebooted >>"$ROLLOUT_ROOT/calls"')
    wants_reboot(one, deadline=1)
    until(one, 1, after="ArtifactRollback")
    step = one.root / f"var/lib/rollout/component/main/txn/{txn(1)}/step"
    words, uptime_s, _ = step.read_text().split("\n")
    step.write_text(f"{words}\n{int(uptime_s) - 400}\n")

    until(one, 2, after="ArtifactRollback")

    one.close()
    one.boot(NEXT_BOOT)
    assert one.hook("boot").returncode == 0
    assert one.fields()["state"] == "rolled-back"
    assert one.fields()["reverted"] == txn(1)
    assert calls(one).count("ArtifactRollback") == 1


def test_the_boot_hook_leaves_a_dead_man_where_a_reboot_has_to_come_again(one: Device):
    place(one, "sbin/reboot", 'echo rebooted >>"$ROLLOUT_ROOT/calls"')
    wants_reboot(one)
    until(one, 1)
    one.close()
    place(
        one,
        "usr/lib/rollout/modules/system",
        'echo "$1" >>"$ROLLOUT_ROOT/calls"\n'
        "case $1 in SupportsRollback) echo Yes ;; NeedsArtifactReboot) echo Automatic ;;"
        " *Verify*) exit 1 ;; esac",
    )
    for boot in (2, 3):  # the new system is not well, and the boot loader does not leave it at once
        one.close()
        (one.root / "run/rollout/deadman.main").unlink()
        one.boot(f"{boot}{NEXT_BOOT[1:]}")
        assert one.hook("boot").returncode == 0
        until(one, boot)
    pid = int((one.root / "run/rollout/deadman.main").read_text().split()[0])

    assert Path(f"/proc/{pid}").exists()


def test_the_time_to_prove_a_part_that_rebooted_begins_after_that(one: Device):
    place(
        one,
        "usr/lib/rollout/modules/system",
        "case $1 in SupportsRollback | NeedsArtifactReboot) echo Yes ;;"
        ' ArtifactReboot) sleep 1.1; read -r up _ </proc/uptime; echo "$up" >"$ROLLOUT_ROOT/up" ;; esac',
    )
    place(one, "sbin/reboot", "exit 1")
    release = Release(kind="system", payload={"x": b"x"})
    assert one.deliver(1, release.frames(one.key), deadline=300).rc == 0
    end = time.monotonic() + WAIT_S
    while "commit-nonce" not in one.fields() and time.monotonic() < end:
        time.sleep(0.02)

    copies = (one.root / "var/lib/rollout/component/main").glob("state.?")
    newer = max((path.read_text() for path in copies), key=lambda text: int(text.split()[1]))
    up_s = int(float((one.root / "up").read_text()))
    assert int(newer.partition("\ndeadline ")[2].split()[0]) >= up_s + 300


@pytest.mark.night  # a second for each deadline
@pytest.mark.parametrize("rival", ["commit", "rollback", "abort"])
def test_a_dead_man_and_a_request_at_the_same_moment_leave_one_whole_version(
    device: Device, rival: str
):
    device.release(1, directory("r1"))
    for number in range(2, 5):
        assert (
            device.deliver(number, directory(f"r{number}").frames(device.key), deadline=1).rc == 0
        )
        done, before = hold_lock(device), device.fields()
        time.sleep(1.1)  # both wait for the lock from now on
        line = (
            f"{rival} txn={txn(number)} controller=lab epoch=1 nonce={before.get('commit-nonce')}"
        )
        asked = device.start(line)
        time.sleep(0.1 * number)
        done.touch()
        asked.wait(WAIT_S)
        fields = device.fields()
        while fields["state"] == "probation":
            time.sleep(0.05)
            fields = device.fields()

        new = fields["state"] == "committed"
        assert new or fields["state"] == "rolled-back"
        assert not new or rival == "commit"
        assert fields["active"] == "yes"
        version = (device.root / "opt/app/version.txt").read_text().strip()
        assert version == fields["artifact"]
        assert (version == f"r{number}") == new
