"""Who may change the device: epochs, owners, nonces, one at a time."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from orchestrator.device.protocol import ReplyReader
from tests.device.kit import Device, directory, frame_bytes, sha, txn


def test_older_epochs_are_refused(device: Device):
    frames = directory("r1").frames(device.key)
    assert device.deliver(1, frames, epoch=5).rc == 0
    nonce = device.fields()["commit-nonce"]

    for verb in ("commit", "confirm", "rollback", "abort", "gc", "verify"):
        reply = device.do(verb, 1, epoch=4, nonce=nonce)
        assert (reply.rc, reply.fields["reason"]) == (76, "fenced"), verb
    assert device.deliver(2, frames, epoch=4).fields["reason"] == "fenced"
    assert device.do("commit", 1, epoch=7, nonce=nonce).rc == 0

    assert device.fields()["epoch"] == "7"
    assert device.do("abort", 9, epoch=6).rc == 76


def test_another_controller_must_adopt(device: Device):
    device.release(1, directory("r1"))

    reply = device.do("rollback", 1, controller="other", epoch=99)
    assert (reply.rc, reply.fields["reason"]) == (76, "fenced")
    assert device.do("adopt", 1, controller="other", epoch=2).rc == 0

    assert device.fields()["controller"] == "other"
    assert device.do("rollback", 1, epoch=99).rc == 76
    assert device.do("rollback", 1, controller="other", epoch=2).rc == 0
    assert device.do("adopt", 1, epoch=1).rc == 0
    assert device.do("adopt", 1, controller="other", epoch=1).rc == 76


@pytest.mark.parametrize("verb", ["commit", "confirm"])
def test_commit_needs_the_nonce_of_this_activation(device: Device, verb: str):
    device.deliver(1, directory("r1").frames(device.key))
    old = device.fields()["commit-nonce"]
    device.do("rollback", 1)
    device.deliver(2, directory("r2").frames(device.key))

    for more in ({}, {"nonce": ""}, {"nonce": "x"}, {"nonce": old}):
        reply = device.do(verb, 2, **more)
        assert (reply.rc, reply.fields["reason"]) == (77, "stale_nonce")

    assert device.commit(2, verb).rc == 0


def test_many_at_once_leave_one_whole_state(device: Device):
    """Twenty deliveries of one transaction: one is first, the others are busy or repeats."""
    frames = directory("r1").frames(device.key)
    line = f"deliver txn={txn(1)} controller=lab epoch=1 frames={len(frames)} wait=1 deadline=300"
    body = frame_bytes(frames)
    processes = [device.start(line) for _ in range(20)]
    for process in processes:
        assert process.stdin
        try:
            process.stdin.write(body)
            process.stdin.close()
        except BrokenPipeError:
            pass

    reasons = set()
    for process in processes:
        assert process.stdout
        reader = ReplyReader()
        reader.feed(process.stdout.read())
        reasons.add(reader.finish().fields.get("reason"))
        process.wait(30)

    assert reasons <= {"busy", "cancelled", "wrong_state"}
    assert "cancelled" in reasons
    assert device.fields()["state"] == "aborted"
    assert device.deliver(2, frames).rc == 0


def test_the_lock_is_never_held_by_two(one: Device):
    """Each holder adds one to a number without any other protection; some are killed in between."""
    script = one.root / "count.sh"
    text = (one.root / "usr/lib/rollout/helper.sh").read_text()
    script.write_text(
        text[: text.index("# --- core begin ---")]
        + f"""
ROOT={one.root} LOCKED= && clock
until lock {one.root}/lock; do sleep 0.01; done
read -r number <{one.root}/number
[ "$1" != die ] || kill -9 $$
sleep 0.005
echo $((number + 1)) >{one.root}/number
: >"$LOCKED"
"""
    )
    (one.root / "number").write_text("0\n")
    env = one.environment()

    processes = [
        subprocess.Popen(
            ["sh", str(script), "die" if i % 4 == 0 else "add"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for i in range(40)
    ]
    codes = [process.wait(60) for process in processes]

    assert codes.count(0) == 30
    assert (one.root / "number").read_text() == "30\n"


def test_a_killed_holder_does_not_keep_the_lock(device: Device):
    frames = directory("r1").frames(device.key)
    line = f"deliver txn={txn(1)} controller=lab epoch=1 frames={len(frames)}"
    process = device.start(line, frame_bytes(frames))
    assert process.stdout
    while not process.stdout.readline().startswith(b"step stage "):
        pass
    busy = device.do("stage", 1, b"", name="version", size=0, sha=sha(b""))
    assert (busy.rc, busy.fields["reason"]) == (75, "busy")

    process.kill()
    process.wait()

    assert device.deliver(1, frames).rc == 0


def test_a_delivery_that_hangs_gives_way_after_minutes(device: Device):
    """A connection that died without a word: nothing came for minutes, the process still reads."""
    frames = directory("r1").frames(device.key)
    process = device.start(f"deliver txn={txn(1)} controller=lab epoch=1 frames={len(frames)}")
    spool = device.root / "var/lib/rollout/spool/main"
    end = time.monotonic() + 20
    while not (spool / txn(1) / "data/0000").is_dir() and time.monotonic() < end:
        time.sleep(0.01)
    assert device.deliver(1, frames).fields["reason"] == "busy"
    for path in (spool, *spool.rglob("*")):
        os.utime(path, (time.time() - 600,) * 2)

    assert device.deliver(1, frames).rc == 0

    assert process.wait(20) == -9
