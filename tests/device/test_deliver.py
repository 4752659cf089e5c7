"""The normal path, its cancels and resumes, and the single verbs."""

from __future__ import annotations

import os
import random
import re
import signal
import time

import pytest

from orchestrator.device.protocol import Reply
from tests.device.kit import (
    Device,
    Release,
    directory,
    frame_bytes,
    nonce_of_ready,
    script,
    sha,
    txn,
)


def active(device: Device) -> str:
    file = device.root / "opt/app/version.txt"
    return file.read_text() if file.exists() else ""


def idle(device: Device) -> None:
    """Nothing of a cancelled delivery is left."""
    assert not list(device.root.glob("var/lib/rollout/component/main/txn/*"))
    assert not list(device.root.glob("var/lib/rollout/spool/main/0*"))
    assert active(device) == ""


def test_release_is_delivered_committed_and_taken_back(device: Device):
    reply = device.deliver(1, directory("r1").frames(device.key))

    assert reply.rc == 0
    steps = [(step.name, step.rc, step.reason) for step in reply.steps]
    assert steps == [(name, 0, "ok") for name in ("stage", "verify", "install", "activate")]
    fields = device.fields()
    assert (fields["state"], fields["artifact"], fields["active"]) == ("probation", "r1", "yes")
    assert device.commit(1).rc == 0
    assert active(device) == "r1"

    device.release(2, directory("r2"))
    assert active(device) == "r2"
    assert device.do("rollback", 2).rc == 0

    assert active(device) == "r1"
    fields = device.fields()
    assert (fields["state"], fields["artifact"], fields["active"]) == ("rolled-back", "r1", "yes")


@pytest.mark.parametrize("answer", [b"", b"halt\n", b"go 0\n", b"go\n", b"go " + b"0" * 32 + b"\n"])
def test_without_the_right_go_nothing_changes(device: Device, answer: bytes):
    reply = device.deliver(1, directory("r1").frames(device.key), go=answer)

    assert (reply.rc, reply.fields["reason"]) == (77, "cancelled")
    assert device.fields()["state"] == "aborted"
    idle(device)


def test_a_go_that_does_not_come_cancels_in_time(device: Device):
    line = f"deliver txn={txn(1)} controller=lab epoch=1 frames=6 wait=1 deadline=60"
    process = device.start(line, frame_bytes(directory("r1").frames(device.key)))

    assert process.wait(20) == 77
    idle(device)


def test_an_abort_reaches_a_delivery_that_waits(device: Device):
    frames = directory("r1").frames(device.key)
    line = f"deliver txn={txn(1)} controller=lab epoch=1 frames={len(frames)}"
    process = device.start(line, frame_bytes(frames))
    nonce = nonce_of_ready(process)

    assert device.do("abort", 1).rc == 0
    assert process.stdin
    process.stdin.write(b"go " + nonce + b"\n")
    process.stdin.flush()

    assert process.wait(20) == 78
    idle(device)


@pytest.mark.parametrize("seed", range(4))
def test_frames_of_any_size_are_read_exactly(device: Device, seed: int):
    rng = random.Random(seed)
    sizes = (0, 1, 511, 512, 65535, 65536, 65537, 131072, rng.randrange(300_000), 3_000_000)
    names = rng.sample(range(100), 5)
    files = {f"f{n}": rng.randbytes(rng.choice(sizes)) for n in names}
    release = script(f"s{seed}")
    release.payload |= files

    assert device.deliver(1, release.frames(device.key)).rc == 0

    tree = next(device.root.glob("var/lib/rollout/component/main/txn/*/tree/files"))
    assert {name: (tree / name).read_bytes() for name in files} == files


def test_a_cut_delivery_is_resumed_where_it_stood(device: Device):
    big = random.Random(1).randbytes(500_000)
    frames = directory("r1", {"version.txt": b"r1", "big": big}).frames(device.key)
    before = sum(len(frame_bytes({name: data})) for name, data in list(frames.items())[:4])

    reply = device.deliver(1, frames, cut=before + 300_000)
    assert (reply.rc, reply.fields["reason"]) == (74, "io")
    status = device.ask(f"status txn={txn(1)}")
    assert status.fields["txn-state"] == "staging"
    have = {w[0]: (int(w[1]), w[2]) for w in (line.split() for line in status.all("have"))}
    name = "data/0000/update.tar"
    offset, prefix = have[name]
    assert 200_000 < offset < 300_001
    assert sha(frames[name][:offset]) == prefix
    assert have["manifest"] == (len(frames["manifest"]), sha(frames["manifest"]))

    offsets = {frame: have.get(frame, (0, ""))[0] for frame in frames}
    assert device.deliver(1, frames, offsets=offsets).rc == 0
    assert (device.root / "opt/app/big").read_bytes() == big


def test_a_wrong_offset_is_told_where_to_go_on(device: Device):
    data = b"x" * 1000
    more = {"name": "version", "size": 1000, "sha": sha(data)}
    assert device.do("stage", 1, data[:400], **more).fields["reason"] == "io"

    reply = device.do("stage", 1, data[500:], offset=500, **more)

    assert reply.rc == 3
    assert reply.fields["resume-at"] == f"400 {sha(data[:400])}"
    assert reply.fields["name"] == "version"
    assert device.do("stage", 1, data[400:], offset=400, **more).rc == 0
    assert device.do("stage", 2, b"", offset=5, **more).fields["resume-at"].startswith("0 ")


def test_a_frame_that_differs_from_its_own_checksum_is_refused(device: Device):
    reply = device.do("stage", 1, b"abc", name="version", size=3, sha=sha(b"abx"))
    assert (reply.rc, reply.fields["reason"]) == (65, "denied")

    frames = directory("r1").frames(device.key)
    body = frame_bytes(frames).replace(sha(frames["version"]).encode(), b"0" * 64, 1)
    reply = device.do("deliver", 1, body, frames=len(frames))
    assert (reply.rc, reply.fields["reason"]) == (65, "denied")
    idle(device)


HEADS = (
    b"frame version 31",
    b"frame version 31 " + b"0" * 64,
    b"frame version -1 " + b"0" * 64 + b" 0",
    b"frame version 010 " + b"0" * 64 + b" 0",
    b"frame version 9999999999999999 " + b"0" * 64 + b" 0",
    b"frame version 31 " + b"0" * 63 + b" 0",
    b"frame version 31 " + b"G" * 64 + b" 0",
    b"frame version 31 " + b"0" * 64 + b" 32",
    b"frame version 31 " + b"0" * 64 + b" 0 0",
    b"frame ../version 31 " + b"0" * 64 + b" 0",
    b"frame data/0000/a/b 31 " + b"0" * 64 + b" 0",
    b"frame data/0001/a 31 " + b"0" * 64 + b" 0",
    b"frame lock/g.1 31 " + b"0" * 64 + b" 0",
    b"frame header.tar.gz 2000000 " + b"0" * 64 + b" 0",
    b"frames version 31 " + b"0" * 64 + b" 0",
    b"\x00\xff",
)


def test_malformed_frame_heads_are_refused(device: Device):
    for number, head in enumerate(HEADS):
        reply = device.do("deliver", number, head + b"\n" + b"x" * 100, frames=1)
        assert (reply.rc, reply.fields["reason"]) == (64, "usage"), head


def test_a_frame_sent_twice_is_refused(one: Device):
    frame = frame_bytes({"version": b"x"})

    assert one.do("deliver", 1, frame * 2, frames=2).fields["reason"] == "usage"


def test_the_single_verbs_lead_to_the_same_state(device: Device):
    frames = directory("r1").frames(device.key)
    for name, data in frames.items():
        assert device.do("stage", 1, data, name=name, size=len(data), sha=sha(data)).rc == 0
    states = []
    for verb in ("verify", "verify", "install", "install", "activate", "activate"):
        reply = device.do(verb, 1, deadline=60)
        assert reply.rc == 0, reply
        states.append(reply.fields["state"])

    assert states == ["verified"] * 2 + ["installed"] * 2 + ["probation"] * 2
    assert device.commit(1, "confirm").fields["state"] == "confirmed"
    assert "deadline-left" not in device.fields()
    assert device.commit(1).fields["state"] == "committed"
    assert active(device) == "r1"


@pytest.mark.parametrize("verb", ["verify", "install", "activate", "confirm", "commit", "rollback"])
def test_verbs_for_an_unknown_transaction_are_refused(one: Device, verb: str):
    reply = one.do(verb, 1)

    assert reply.rc == 78
    assert reply.fields["reason"] in ("wrong_state", "nothing_to_roll_back")


def test_a_repeat_of_a_finished_delivery_reads_no_stdin(device: Device):
    frames = directory("r1").frames(device.key)
    device.deliver(1, frames)
    tree = device.root / "opt/app.releases"
    before = tree.stat().st_mtime_ns

    again = device.deliver(1, {"version": frames["version"]})
    assert (again.rc, again.fields["state"], again.steps) == (0, "probation", ())
    device.commit(1)
    assert device.commit(1).rc == 0
    again = device.deliver(1, frames)

    assert (again.rc, again.fields["state"]) == (0, "committed")
    assert tree.stat().st_mtime_ns == before


def test_a_transaction_that_ended_is_not_taken_up_again(one: Device):
    frames = directory("r1").frames(one.key)
    one.deliver(1, frames)
    one.do("rollback", 1)

    reply = one.deliver(1, frames)

    assert (reply.rc, reply.fields["reason"]) == (78, "wrong_state")


def test_a_new_transaction_replaces_one_before_probation(device: Device):
    frames = directory("r1").frames(device.key)
    data = frames["manifest"]
    device.do("stage", 1, data, name="manifest", size=len(data), sha=sha(data))

    assert device.deliver(2, frames).rc == 0
    assert device.ask(f"status txn={txn(1)}").fields["txn-state"] == "aborted"
    reply = device.deliver(3, frames)

    assert (reply.rc, reply.fields["reason"]) == (78, "wrong_state")
    assert device.ask(f"status txn={txn(2)}").fields["txn-state"] == "probation"


def test_an_installed_one_is_taken_away_by_rollback_abort_or_a_new_one(one: Device):
    frames = directory("r1").frames(one.key)

    def install(number: int) -> None:
        for name, data in frames.items():
            one.do("stage", number, data, name=name, size=len(data), sha=sha(data))
        one.do("verify", number)
        assert one.do("install", number).fields["state"] == "installed"

    install(1)
    assert one.do("rollback", 1).fields["state"] == "rolled-back"
    idle(one)
    install(2)
    assert one.do("abort", 2).fields["state"] == "aborted"
    idle(one)
    install(3)
    assert one.deliver(4, frames).rc == 0
    assert len(list(one.root.glob("opt/app.releases/*"))) == 1


def test_the_device_can_say_not_now(device: Device):
    frames = directory("r1").frames(device.key)
    for place in ("etc/rollout/inhibit", "run/rollout/inhibit"):
        file = device.root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        reply = device.deliver(1, frames)
        assert (reply.rc, reply.fields["reason"]) == (77, "inhibited")
        file.unlink()

    assert device.deliver(1, frames).rc == 0


@pytest.mark.parametrize("size_bytes", [1, 100_000])
def test_low_space_is_told_before_the_bytes_come(device: Device, size_bytes: int):
    (device.root / "etc/rollout/limits").write_text("reserve 900000000000000\n")

    reply = device.deliver(1, directory("r1", {"a": bytes(size_bytes)}).frames(device.key))

    assert (reply.rc, reply.fields["reason"]) == (74, "low_space")
    assert re.search(r"9[0-9]{14} bytes .*, [0-9]+ bytes are", reply.fields["detail"])


def test_the_end_of_a_connection_before_the_go_cancels(device: Device):
    """sshd closes the pipes; the helper gets no signal that it could act on."""
    frames = directory("r1").frames(device.key)
    process = device.start(f"deliver txn={txn(1)} controller=lab epoch=1 frames={len(frames)}")
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    process.stdin.write(frame_bytes(frames))
    process.stdin.close()

    process.wait(20)
    assert device.fields()["state"] == "aborted"
    idle(device)


def test_a_hang_up_does_not_stop_what_is_under_way(device: Device):
    frames = directory("r1").frames(device.key)
    line = f"deliver txn={txn(1)} controller=lab epoch=1 frames={len(frames)}"
    process = device.start(line, frame_bytes(frames))
    assert process.stdout
    assert process.stdout.readline() == b"protocol rollout-agent/1\n"
    os.killpg(process.pid, signal.SIGHUP)
    nonce = nonce_of_ready(process)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.stdin
    process.stdin.write(b"go " + nonce + b"\n")
    process.stdin.close()

    assert process.wait(20) == 0
    assert active(device) == "r1"


def rollback(device: Device, number: int) -> Reply:
    return device.do("rollback", number)


def test_rollback_needs_somewhere_to_go(one: Device):
    one.release(1, directory("r1"))
    one.release(2, directory("r2"))
    one.release(3, directory("r3"))

    assert rollback(one, 2).fields["reason"] == "nothing_to_roll_back"
    assert rollback(one, 3).rc == 0
    assert active(one) == "r2"
    assert "previous" not in one.fields()
    assert rollback(one, 2).fields["reason"] == "nothing_to_roll_back"
    assert rollback(one, 3).rc == 0
    assert active(one) == "r2"


def test_rollback_of_the_first_release_leaves_nothing(device: Device):
    device.release(1, directory("r1"))
    assert device.fields()["previous"] == "none"

    assert rollback(device, 1).rc == 0

    assert not (device.root / "opt/app").exists()
    assert device.fields()["artifact"] == "none"


def test_the_rollback_window_ends(one: Device):
    one.release(1, directory("r1"))
    (one.root / "etc/rollout/limits").write_text("reserve 1024\nrollback-window 0\n")
    end = time.time() + 10
    while int(time.time()) <= int((one.root / "opt/app.releases").stat().st_mtime) + 1:
        assert time.time() < end

    assert rollback(one, 1).fields["reason"] == "nothing_to_roll_back"
    assert active(one) == "r1"


def test_after_a_rollback_the_one_before_can_still_go_back(one: Device):
    one.release(1, directory("r1"))
    one.release(2, directory("r2"))
    one.deliver(3, directory("r3").frames(one.key))
    assert rollback(one, 3).rc == 0
    assert active(one) == "r2"

    assert rollback(one, 2).rc == 0

    assert active(one) == "r1"


def test_gc_keeps_what_runs_and_the_previous(device: Device):
    for number in (1, 2, 3):
        device.release(number, directory(f"r{number}"))
    component = device.root / "var/lib/rollout/component/main"
    left = component / "txn" / txn(9)
    (left / "tree").mkdir(parents=True)
    (device.root / "var/lib/rollout/spool/main" / txn(8)).mkdir()

    assert device.do("gc", 3).rc == 0

    assert {path.name for path in (component / "txn").iterdir()} == {txn(2), txn(3)}
    assert not (device.root / "var/lib/rollout/spool/main" / txn(8)).exists()
    assert {p.name for p in device.root.glob("opt/app.releases/*")} == {txn(2), txn(3)}
    assert active(device) == "r3"


def test_components_do_not_touch_each_other(one: Device):
    def other(name: str) -> Release:
        release = directory(name)
        release.payload["dest_dir"] = b"/opt/other"
        return release

    one.release(1, directory("r1"))
    assert one.deliver(2, other("o1").frames(one.key), component="other").rc == 0
    nonce = one.ask("hello component=other").fields["commit-nonce"]
    assert one.do("commit", 2, nonce=nonce, component="other").rc == 0

    assert one.fields()["artifact"] == "r1"
    assert one.ask("hello component=other").fields["artifact"] == "o1"
    assert one.do("gc", 2, component="other").rc == 0
    assert rollback(one, 1).rc == 0
    assert (one.root / "opt/other/version.txt").read_text() == "o1"
