"""`prove`: read back, checks, and what follows from them in the same exec."""

import hashlib

import pytest

from orchestrator.device.protocol import ReplyReader
from tests.device.kit import TIME_LIMIT_S, Device, directory, txn

LINE = "prove nonce=n1 checks=web wait=20 controller=lab epoch=1 txn="


@pytest.fixture
def proving(device: Device) -> Device:
    """In probation with r1; its check passes."""
    check = device.root / "etc/rollout/health.d/web"
    check.write_text("#!/bin/sh\nexit 0\n")
    check.chmod(0o755)
    assert device.deliver(1, directory("r1").frames(device.key)).rc == 0
    return device


def prove(device: Device, word: str, *, number: int = 1, nonce: str | None = None, more: str = ""):
    """What was said before the word, and the whole reply."""
    process = device.start(LINE + txn(number) + more)
    reader, said = ReplyReader(), None
    while line := process.stdout.readline():
        for key, value in reader.feed(line):
            if key == "ready":
                said = reader.so_far()
                answer = f"{word} {value if nonce is None else nonce}\n" if word else ""
                process.stdin.write(answer.encode())
                process.stdin.close()
    reply = reader.finish()
    assert process.wait(TIME_LIMIT_S) == reply.rc
    return said, reply


@pytest.mark.parametrize(("word", "state"), [("commit", "committed"), ("confirm", "confirmed")])
def test_a_proven_device_is_made_permanent_in_the_same_exec(proving: Device, word, state):
    said, reply = prove(proving, word)

    assert said.fields["nonce"] == "n1"
    assert (said.fields["artifact"], said.fields["active"]) == ("r1", "yes")
    assert [(check.name, check.exit) for check in said.checks] == [("web", 0)]
    assert (reply.rc, [step.name for step in reply.steps]) == (0, [word])
    assert proving.fields()["state"] == state


@pytest.mark.parametrize(
    ("word", "nonce"), [("", None), ("commit", "0" * 32), ("abort", None), ("commit x", None)]
)
def test_without_the_right_word_nothing_changes(proving: Device, word, nonce):
    _said, reply = prove(proving, word, nonce=nonce)

    assert reply.rc == 0
    assert proving.fields()["state"] == "probation"


def test_another_transaction_has_nothing_to_commit(proving: Device):
    said, reply = prove(proving, "commit", number=2)

    assert said is None
    assert (reply.rc, reply.fields["state"]) == (0, "probation")


def test_commit_of_an_older_epoch_is_fenced(proving: Device):
    assert proving.do("adopt", 1, epoch=9).rc == 0

    _said, reply = prove(proving, "commit")

    assert (reply.rc, reply.fields["reason"]) == (76, "fenced")
    assert proving.fields()["state"] == "probation"


def test_commit_after_a_boot_in_between_is_stale(proving: Device):
    process = proving.start(LINE + txn(1))
    while not (line := process.stdout.readline()).startswith(b"ready "):
        assert line
    proving.boot("22222222-0000-0000-0000-000000000002")

    out, _ = process.communicate(b"commit " + line.split()[1] + b"\n", timeout=TIME_LIMIT_S)

    assert b"\nend 0 " not in out
    assert proving.fields()["state"] != "committed"


def test_ready_seals_what_was_said(proving: Device):
    out = proving.raw(LINE + txn(1)).stdout
    before, ready, _rest = out.partition(b"ready ")

    assert ready
    assert hashlib.sha256(before).hexdigest().encode() == out.split(b"ready ")[1].split()[1]


@pytest.mark.parametrize("missing", ["txn=" + txn(1), "controller=lab", "epoch=1"])
def test_a_proof_names_its_transaction(device: Device, missing):
    line = (LINE + txn(1)).replace(missing, "")

    assert device.ask(" ".join(line.split())).rc == 64


def test_a_device_on_the_target_takes_nothing(device: Device):
    release = directory("r1")
    device.release(1, release)
    manifest = device.fields()["manifest"]

    reply = device.deliver(2, release.frames(device.key), unless=manifest)

    assert (reply.rc, reply.fields["txn"], reply.fields["active"]) == (0, txn(1), "yes")
    assert not (device.root / "var/lib/rollout/spool/main" / txn(2)).exists()


def test_a_device_that_only_says_it_is_on_the_target_takes_it_again(device: Device):
    release = directory("r1")
    device.release(1, release)
    manifest = device.fields()["manifest"]
    (device.root / "opt/app").unlink()  # somebody removed what was active

    reply = device.deliver(2, release.frames(device.key), unless=manifest)

    assert reply.rc == 0
    assert (reply.closing.fields["state"], reply.closing.fields["txn"]) == ("probation", txn(2))


def test_a_target_in_probation_is_not_settled(proving: Device):
    manifest = proving.fields()["manifest"]

    reply = proving.deliver(2, directory("r1").frames(proving.key), unless=manifest)

    assert (reply.rc, reply.fields["reason"]) == (78, "wrong_state")
