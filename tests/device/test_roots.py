"""A device takes the next trust root from anyone, if the old one and the new one signed it."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from orchestrator.device.protocol import Reply
from tests.device.kit import Device, Key, directory, frame_bytes
from tests.device.tickets import (
    People,
    Root,
    Signer,
    build_key,
    floor,
    signed,
    stage_ahead,
    ticketed,
)

KILLS = 12


@dataclass(frozen=True)
class Rotation:
    """The next root as it was made, before anything of it was spoilt."""

    old: Root
    new: Root
    people: People

    @property
    def good(self) -> tuple[bytes, bytes]:
        return self.resigned(self.new.text)

    def resigned(self, text: bytes) -> tuple[bytes, bytes]:
        return text, signed(text, (*self.old.root[:2], *self.new.root[:2]))

    def by(self, *signers: Signer) -> tuple[bytes, bytes]:
        return self.new.text, signed(self.new.text, signers)

    def with_values(self, **changes: object) -> tuple[bytes, bytes]:
        return self.resigned(replace(self.new, **changes).text)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def successors() -> tuple[Signer, ...]:
    return tuple(Signer() for _ in range(3))


@pytest.fixture
def rotation(root: Root, people: People, successors: tuple[Signer, ...]) -> Rotation:
    new = root.next(root=successors)
    return Rotation(root, new, people)


def send(device: Device, text: bytes, signature: bytes, **more: object) -> Reply:
    frames = {"root": text, "root.sig": signature}
    params = {"controller": "lab", "epoch": 1, "frames": len(frames)} | more
    line = " ".join(("root", *(f"{key}={value}" for key, value in params.items())))
    return device.ask(line, frame_bytes(frames))


def duplicate_key(rotation: Rotation) -> tuple[bytes, bytes]:
    """One key in two roles, of which one stands for two people."""
    line = rotation.new.root[0].key_line("release")
    text = rotation.new.text.decode()
    lines = sorted([*text.splitlines()[7:], line])
    whole = "".join(f"{part}\n" for part in [*text.splitlines()[:7], *lines])
    return rotation.resigned(whole.encode())


def without_a_valid_point(rotation: Rotation) -> tuple[bytes, bytes]:
    """A build key whose point is not on the curve: no key at all."""
    spki = bytearray(base64.b64decode(rotation.new.build[0]))
    spki[-1] ^= 1
    return rotation.with_values(build=(base64.b64encode(bytes(spki)).decode(),))


def change(old: str, new: str) -> Callable[[Rotation], tuple[bytes, bytes]]:
    def make(rotation: Rotation) -> tuple[bytes, bytes]:
        return rotation.resigned(rotation.new.text.replace(old.encode(), new.encode(), 1))

    return make


ROOTS: dict[str, tuple[Callable[[Rotation], tuple[bytes, bytes]], str]] = {
    "T24 good": (lambda it: it.good, "ok"),
    "T25 new keys only": (lambda it: it.by(*it.new.root), "root_signatures"),
    "T26 one old key": (lambda it: it.by(it.old.root[0], *it.new.root), "root_signatures"),
    "T27 skips a version": (lambda it: it.with_values(version=3), "root_version"),
    "T28 same version, other text": (lambda it: it.with_values(version=1), "root_version"),
    "T29 threshold 0": (lambda it: it.with_values(need_release=0), "root_syntax"),
    "T30 one key in two roles": (duplicate_key, "root_syntax"),
    "old keys only": (lambda it: it.by(*it.old.root), "root_own_signatures"),
    "one new key": (lambda it: it.by(*it.old.root, it.new.root[0]), "root_own_signatures"),
    "one old key twice": (
        lambda it: it.by(it.old.root[0], it.old.root[0], *it.new.root),
        "root_signatures",
    ),
    "release keys": (lambda it: it.by(*it.old.release, *it.new.root), "root_signatures"),
    "other fleet": (lambda it: it.with_values(fleet="other"), "root_fleet"),
    "threshold above the keys": (lambda it: it.with_values(need_release=4), "root_syntax"),
    "threshold 17": (lambda it: it.with_values(need_root=17), "root_syntax"),
    "version 0": (lambda it: it.with_values(version=0), "root_syntax"),
    "point not on the curve": (without_a_valid_point, "root_syntax"),
    "unknown role": (change("key build", "key audit"), "root_syntax"),
    "another algorithm's name": (change("build ecdsa-p256", "build ed25519"), "root_syntax"),
    "no issued": (change("issued 1700000000\n", ""), "root_syntax"),
    "keys unsorted": (
        lambda it: it.resigned(
            b"".join(
                it.new.text.splitlines(keepends=True)[:7]
                + it.new.text.splitlines(keepends=True)[7:][::-1]
            )
        ),
        "root_syntax",
    ),
    "signatures spoilt": (lambda it: (it.good[0], it.good[1][:-2]), "root_syntax"),
    "nothing": (lambda it: (b"", it.good[1]), "root_syntax"),
}


@pytest.mark.parametrize("case", ROOTS)
def test_a_root_that_does_not_follow_is_refused(rooted: Device, rotation: Rotation, case: str):
    """And leaves nothing behind, neither among the floors nor beside them."""
    make, reason = ROOTS[case]

    reply = send(rooted, *make(rotation))

    assert reply.fields.get("reason", "ok") == reason
    assert reply.rc == (0 if reason == "ok" else 65)
    assert rooted.fields()["root"] == ("2" if reason == "ok" else "1")
    kept = {path.name for path in (rooted.root / "var/lib/rollout").glob("floors/*")}
    assert kept == ({"root.txt", "serial"} if reason == "ok" else set())
    assert not list((rooted.root / "var/lib/rollout").glob("root*"))
    taken = rooted.root / "var/lib/rollout/floors/root.txt"
    assert taken.exists() == (reason == "ok")


@pytest.mark.parametrize(
    ("alg", "bits", "reason"),
    [("rsa", 3072, "ok"), ("rsa", 4096, "ok"), ("rsa", 2048, "root_syntax"), ("ed25519", 0, "ok")],
)
def test_keys_of_each_kind_may_stand_in_a_root(
    rooted: Device, rotation: Rotation, alg: str, bits: int, reason: str
):
    new = replace(rotation.new, release=(*rotation.new.release, Signer(alg, bits=bits)))

    assert send(rooted, *rotation.resigned(new.text)).fields.get("reason", "ok") == reason


def test_a_repeat_of_a_root_changes_nothing(rooted: Device, rotation: Rotation, people: People):
    assert send(rooted, *rotation.good).rc == 0
    frames = ticketed(directory("r1"), rooted.key, people.release, serial=9)
    assert rooted.deliver(1, frames).rc == 0

    assert send(rooted, *rotation.good).rc == 0

    assert rooted.fields()["root"] == "2"
    assert floor(rooted, "serial") == 9  # else an old root would bring old tickets back


def test_a_rotation_resets_the_serial_and_no_floor(
    rooted: Device, rotation: Rotation, people: People
):
    frames = ticketed(directory("r1"), rooted.key, people.release, serial=10**15 - 1, security=4)
    assert rooted.deliver(1, frames).rc == 0
    assert rooted.commit(1).rc == 0
    assert floor(rooted, "serial") == 10**15 - 1

    assert send(rooted, *rotation.good).rc == 0

    assert (floor(rooted, "serial"), floor(rooted, "security-floor")) == (0, 4)
    assert floor(rooted, "time-floor") > 0


def test_only_keys_of_the_newest_root_count(one_rooted: Device, rotation: Rotation, people: People):
    fresh = (Signer(), Signer())
    other = Key("ec")
    new = replace(rotation.new, release=fresh, build=(build_key(other),))
    assert send(one_rooted, *rotation.resigned(new.text)).rc == 0

    old = one_rooted.deliver(1, ticketed(directory("r1"), one_rooted.key, people.release))
    assert old.fields["reason"] == "ticket_signatures"
    old = one_rooted.deliver(2, ticketed(directory("r1"), one_rooted.key, fresh))
    assert old.fields["reason"] == "denied"
    assert one_rooted.deliver(3, ticketed(directory("r1"), other, fresh)).rc == 0


def test_a_rotation_between_install_and_activate_counts(
    one_rooted: Device, rotation: Rotation, people: People
):
    frames = ticketed(directory("r1"), one_rooted.key, people.release)
    stage_ahead(one_rooted, 1, frames)
    new = replace(rotation.new, release=(Signer(), Signer()))
    assert send(one_rooted, *rotation.resigned(new.text)).rc == 0

    reply = one_rooted.do("activate", 1, deadline=300)

    assert (reply.rc, reply.fields["reason"]) == (65, "ticket_signatures")
    assert not (one_rooted.root / "opt/app").exists()


def test_one_root_after_the_other(one_rooted: Device, rotation: Rotation, people: People):
    assert send(one_rooted, *rotation.good).rc == 0
    third = rotation.new.next(root=people.root)
    text = third.text

    assert send(one_rooted, text, signed(text, (*rotation.new.root[:2], *people.root[:2]))).rc == 0
    assert one_rooted.fields()["root"] == "3"
    assert send(one_rooted, *rotation.good).fields["reason"] == "root_version"


def test_enrolment_may_place_a_newer_root_than_the_one_taken(
    one_rooted: Device, rotation: Rotation, people: People
):
    assert send(one_rooted, *rotation.good).rc == 0
    rotation.new.next(root=people.root).place(one_rooted)

    assert one_rooted.fields()["root"] == "3"


def test_a_first_root_does_not_come_over_the_wire(device: Device, rotation: Rotation):
    reply = send(device, *rotation.resigned(rotation.old.text))

    assert (reply.rc, reply.fields["reason"]) == (65, "no_root")
    assert not (device.root / "var/lib/rollout/floors").exists()


def test_a_root_is_fenced_like_any_change(one_rooted: Device, rotation: Rotation, people: People):
    frames = ticketed(directory("r1"), one_rooted.key, people.release)
    assert one_rooted.deliver(1, frames).rc == 0

    assert send(one_rooted, *rotation.good, controller="other").fields["reason"] == "fenced"
    assert send(one_rooted, *rotation.good, epoch=0).fields["reason"] == "fenced"


@pytest.mark.parametrize("what", ["link", "fifo", "missing", "directory"])
def test_a_spool_with_something_else_than_a_root_is_refused(
    one_rooted: Device, rotation: Rotation, what: str
):
    """The core does not trust whoever may write to the spool."""
    spool = one_rooted.root / "var/lib/rollout/spool/.root"
    spool.mkdir(parents=True)
    text, signature = rotation.good
    (spool / "root.sig").write_bytes(signature)
    elsewhere = one_rooted.root / "elsewhere"
    elsewhere.write_bytes(text)
    if what == "link":
        (spool / "root").symlink_to(elsewhere)
    elif what == "fifo":
        os.mkfifo(spool / "root")
    elif what == "directory":
        (spool / "root").mkdir()

    done = one_rooted.hook("core", "root", "controller=lab", "epoch=1")

    assert done.returncode in (65, 74), done
    assert one_rooted.fields()["root"] == "1"


def test_a_rotation_killed_at_any_moment_is_done_or_can_be_repeated(
    rooted: Device, rotation: Rotation, people: People
):
    rng = random.Random("rotation")
    current, signers = rotation.old, rotation.old.root
    for _ in range(KILLS):
        new = current.next(root=people.root if signers is rotation.new.root else rotation.new.root)
        text = new.text
        signature = signed(text, (*signers[:2], *new.root[:2]))
        kill_rotation(rooted, text, signature, rng.random() * 0.15)
        assert rooted.fields()["root"] in (str(current.version), str(new.version))

        assert send(rooted, text, signature).rc == 0
        assert rooted.fields()["root"] == str(new.version)
        current, signers = new, new.root


def kill_rotation(device: Device, text: bytes, signature: bytes, after_s: float) -> None:
    process = device.start("root controller=lab epoch=1 frames=2")
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(frame_bytes({"root": text, "root.sig": signature}))
        process.stdin.flush()
    time.sleep(after_s)  # the moment is what is tested
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
