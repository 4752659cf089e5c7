"""kill -9, time out and reboot: the device is always on one whole version, and never for ever unproven."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.device.kit import Device, Release, directory, frame_bytes, script, sha, single_file, txn

KILLS_QUICK = 10
KILLS_VERB = 6  # for each verb and module, beside the deliveries
KILLS_NIGHT = 150
NEXT_BOOT = "22222222-0000-0000-0000-000000000002"


def content(device: Device, kind: str) -> str:
    """What runs, as its user sees it: the name of a release, or nothing."""
    path = {"directory": "opt/app/version.txt", "single-file": "etc/app/app.conf"}
    file = device.root / path.get(kind, "marker")
    return file.read_text().strip() if file.exists() else ""


def release_of(kind: str, name: str) -> Release:
    if kind == "directory":
        return directory(name)
    return single_file(name, name.encode() + b"\n") if kind == "single-file" else script(name)


def lives(pid: int) -> bool:
    """A process that was killed may stay a while as a zombie, for its parent to see."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def delivery(device: Device, number: int, frames: dict[str, bytes]) -> Callable[[], None]:
    """A delivery that answers `ready` by itself; to be killed at any moment."""
    line = f"deliver txn={txn(number)} controller=lab epoch=1 frames={len(frames)} deadline=300"
    process = device.start(line, frame_bytes(frames))
    assert process.stdout
    os.set_blocking(process.stdout.fileno(), False)
    seen = b""

    def step() -> None:
        nonlocal seen
        assert process.stdin
        assert process.stdout
        seen += process.stdout.read() or b""
        if b"ready " in seen and seen.endswith(b"\n"):
            go = seen.split(b"ready ")[1].split()[0]
            seen = b""
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"go " + go + b"\n")
                process.stdin.flush()

    step.kill = lambda: kill_group(process)  # type: ignore[attr-defined]
    step.alive = lambda: process.poll() is None  # type: ignore[attr-defined]
    return step


def converge(device: Device, number: int, kind: str, frames: dict[str, bytes]) -> str:
    """What a controller does after a lost connection: repeat, read back, or begin anew."""
    state = device.fields()["state"]
    reply = device.deliver(number, frames)
    if reply.rc == 78:  # the device took it back by itself, or it had ended
        assert device.fields()["state"] in ("rolled-back", "aborted"), (state, reply)
        return device.fields()["artifact"]
    assert reply.rc == 0, (state, reply)
    assert device.fields()["active"] == "yes"
    assert device.commit(number).rc == 0
    return device.fields()["artifact"]


def kill_deliveries(device: Device, kind: str, kills: int, rng: random.Random) -> set[str]:
    device.release(0, release_of(kind, "r0"))
    start = time.monotonic()
    device.release(1, release_of(kind, "r1"))
    longest_s = (time.monotonic() - start) * 0.9
    current, seen = "r1", set()
    for number in range(2, kills + 2):
        name = f"r{number}"
        frames = release_of(kind, name).frames(device.key)
        step = delivery(device, number, frames)
        end = time.monotonic() + rng.random() * longest_s
        while time.monotonic() < end and step.alive():
            step()
            time.sleep(0.001)
        step.kill()

        fields = device.fields()
        seen.add(fields["state"])
        now = converge(device, number, kind, frames)

        assert now in (current, name)
        assert content(device, kind) == now
        assert device.fields()["active"] == "yes"
        current = now
    return seen


# each module, each shell, ten moments; all pairs run at night
@pytest.mark.parametrize(
    ("shell", "kind"),
    [("dash", "directory"), ("busybox", "single-file"), ("bash", "script")],
    indirect=["shell"],
)
def test_a_delivery_killed_at_any_moment_converges(device: Device, kind: str):
    kill_deliveries(device, kind, KILLS_QUICK, random.Random(kind))


@pytest.mark.night
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["directory", "single-file", "script"])
def test_many_deliveries_killed_at_any_moment(device: Device, kind: str):
    seen = kill_deliveries(device, kind, KILLS_NIGHT, random.Random())

    assert {"staging", "probation"} <= seen


@pytest.mark.parametrize("kind", ["directory", "single-file", "script"])
@pytest.mark.parametrize("verb", ["commit", "rollback"])
def test_commit_and_rollback_killed_at_any_moment_converge(one: Device, kind: str, verb: str):
    rng = random.Random(kind + verb)
    one.release(0, release_of(kind, "r0"))
    current = "r0"
    for number in range(1, KILLS_VERB):
        name = f"r{number}"
        assert one.deliver(number, release_of(kind, name).frames(one.key)).rc == 0
        nonce = one.fields()["commit-nonce"]
        line = f"{verb} txn={txn(number)} controller=lab epoch=1 nonce={nonce}"
        process = one.start(line)
        time.sleep(rng.random() * 0.06)
        kill_group(process)

        reply = one.do(verb, number, nonce=nonce)
        assert reply.rc == 0, reply

        current = name if verb == "commit" else current
        assert content(one, kind) == current
        fields = one.fields()
        assert fields["artifact"] == current
        assert fields["state"] == ("committed" if verb == "commit" else "rolled-back")


@pytest.mark.parametrize("kind", ["directory", "single-file", "script"])
def test_a_device_killed_while_it_switches_is_right_after_the_boot(one: Device, kind: str):
    rng = random.Random(kind)
    one.release(0, release_of(kind, "r0"))
    for number in range(1, KILLS_VERB):
        frames = release_of(kind, f"r{number}").frames(one.key)
        for name, data in frames.items():
            one.do("stage", number, data, name=name, size=len(data), sha=sha(data))
        one.do("verify", number)
        one.do("install", number)
        process = one.start(f"activate txn={txn(number)} controller=lab epoch=1 deadline=300")
        time.sleep(rng.random() * 0.08)
        kill_group(process)
        one.close()  # a power cut takes the dead-man too

        one.boot(f"33333333-0000-0000-0000-{number:012d}")
        assert one.hook("boot").returncode == 0

        fields = one.fields()
        assert fields["state"] in ("installed", "rolled-back")
        assert (fields["artifact"], fields["active"]) == ("r0", "yes")
        assert content(one, kind) == "r0"
        if fields["state"] == "rolled-back":
            assert fields["reverted"] == txn(number)
        one.do("rollback", number)


def test_the_dead_man_takes_back_what_is_not_committed_in_time(device: Device):
    device.release(1, directory("r1"))

    device.deliver(2, directory("r2").frames(device.key), deadline=1)
    assert content(device, "directory") == "r2"
    fields = device.wait_state("rolled-back")

    assert fields["state"] == "rolled-back"
    assert (fields["artifact"], fields["active"], fields["reverted"]) == ("r1", "yes", txn(2))
    assert content(device, "directory") == "r1"
    assert device.do("commit", 2, nonce="x").fields["reason"] == "wrong_state"


@pytest.mark.parametrize("verb", ["commit", "confirm"])
def test_the_dead_man_goes_when_the_release_is_proven(device: Device, verb: str):
    device.deliver(1, directory("r1").frames(device.key), deadline=2)
    pid = int((device.root / "run/rollout/deadman.main").read_text().split()[0])
    assert lives(pid)

    assert device.commit(1, verb).rc == 0

    end = time.monotonic() + 5
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not lives(pid)
    assert content(device, "directory") == "r1"


def test_the_dead_man_holds_no_stream_and_survives_the_group(device: Device):
    frames = directory("r1").frames(device.key)
    device.deliver(1, frames, deadline=2)  # returns: nobody holds its stdout open
    process = device._open[-1]
    pid = int((device.root / "run/rollout/deadman.main").read_text().split()[0])

    assert os.getpgid(pid) != process.pid
    targets = {Path(f"/proc/{pid}/fd/{fd}").readlink() for fd in (0, 1, 2)}
    assert targets == {Path("/dev/null")}
    assert device.wait_state("rolled-back")["state"] == "rolled-back"


def test_a_killed_activation_is_taken_back_by_the_dead_man(one: Device):
    """The controller never comes back: the record and the dead-man are enough."""
    one.release(0, script("r0"))
    release = script("r1")
    release.payload["install"] = b'#!/bin/sh\necho r1 >"$ROLLOUT_ROOT/marker"\nsleep 30\n'
    release.payload["rollback"] = b'#!/bin/sh\necho r0 >"$ROLLOUT_ROOT/marker"\n'
    frames = release.frames(one.key)
    step = delivery(one, 1, dict(frames))
    end = time.monotonic() + 20
    while content(one, "script") != "r1" and time.monotonic() < end:
        step()
        time.sleep(0.005)
    step.kill()
    module = int((one.root / "run/rollout/module").read_text().split()[0])

    reply = one.do("abort", 1)

    assert reply.rc == 78
    assert content(one, "script") == "r0"
    assert not lives(module)
    assert one.fields()["reverted"] == txn(1)


def test_the_boot_hook_takes_back_at_once(device: Device):
    device.release(1, directory("r1"))
    device.deliver(2, directory("r2").frames(device.key))
    nonce = device.fields()["commit-nonce"]
    device.close()
    device.boot(NEXT_BOOT)
    assert "commit-nonce" not in device.fields()

    assert device.hook("boot").returncode == 0

    fields = device.fields()
    assert (fields["boot-id"], fields["state"]) == (NEXT_BOOT, "rolled-back")
    assert (fields["artifact"], fields["active"], fields["reverted"]) == ("r1", "yes", txn(2))
    assert device.do("commit", 2, nonce=nonce).rc == 78


def test_a_device_without_hook_takes_back_when_it_is_asked(one: Device):
    one.release(1, directory("r1"))
    one.deliver(2, directory("r2").frames(one.key))
    nonce = one.fields()["commit-nonce"]
    one.close()
    one.boot(NEXT_BOOT)

    assert one.do("commit", 2, nonce=nonce).rc == 78

    assert content(one, "directory") == "r1"


def test_the_boot_hook_leaves_the_rest_alone(device: Device):
    device.release(1, directory("r1"))
    assert device.hook("boot").returncode == 0
    device.boot(NEXT_BOOT)
    assert device.hook("boot").returncode == 0
    assert device.fields()["state"] == "committed"

    device.deliver(2, directory("r2").frames(device.key))
    old = device.fields()["commit-nonce"]
    assert device.commit(2, "confirm").rc == 0
    device.boot("44444444-0000-0000-0000-000000000004")
    assert device.hook("boot").returncode == 0

    fields = device.fields()
    assert (fields["state"], fields["artifact"]) == ("confirmed", "r2")
    assert fields["commit-nonce"] != old
    assert device.do("commit", 2, nonce=old).fields["reason"] == "stale_nonce"
    assert device.commit(2).rc == 0


def test_the_boot_hook_starts_a_lost_dead_man_again(one: Device):
    one.deliver(1, directory("r1").frames(one.key), deadline=3)
    one.close()  # the dead-man is killed, the boot stays

    assert one.hook("boot").returncode == 0

    assert one.wait_state("rolled-back")["reverted"] == txn(1)


def test_a_torn_state_file_falls_back_to_the_other_copy(device: Device):
    device.release(1, directory("r1"))
    copies = sorted(
        device.root.glob("var/lib/rollout/component/main/state.?"),
        key=lambda path: int(path.read_text().split()[1]),
    )
    older, newer = copies
    whole = newer.read_bytes()

    for spoilt in (b"", whole[: len(whole) // 2], whole.replace(b"r1", b"r9"), b"\xff" * 900):
        newer.write_bytes(spoilt)
        assert device.fields()["artifact"] == "r1"
    older.write_bytes(b"seq x\n")
    reply = device.ask("hello")

    assert (reply.rc, reply.fields["reason"]) == (74, "io")


def test_a_reserve_for_a_full_disk_is_laid_by(one: Device):
    one.release(1, directory("r1"))

    assert (one.root / "var/lib/rollout/reserve").stat().st_size == 65536
