"""The orchestrator is the attacker: it has the login key, the store, and all that was ever delivered.

It may send whatever it likes, in any order; here it has the build key, too, and one release key.
What the device runs stays released, opened for it, and not below its floor. Going back to the
version that the device keeps is the one thing that is always allowed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.device.bucket import bucket
from tests.device.kit import Device, Key, Release, Shell, directory, frame_bytes, sha
from tests.device.tickets import (
    DAY_S,
    People,
    Root,
    Signer,
    Ticket,
    at,
    floor,
    signed,
    ticketed,
    with_ticket,
)

Frames = Mapping[str, bytes]
TAKES_NONCE = ("confirm", "commit")
VERBS = ("verify", "install", "activate", *TAKES_NONCE)
SERIAL, SECURITY = 6, 3
OPS = 40
PARTS = 4  # of the attacks; what they meet takes as long to make as one of them


@dataclass(frozen=True)
class Stolen:
    """What the attacker has: a device that runs r2 and keeps r1, and what was delivered to it."""

    device: Device
    people: People
    old: Frames  # r1, with its ticket
    now: Frames  # r2, with its ticket

    @property
    def ticket(self) -> tuple[bytes, bytes]:
        """The ticket of what runs, with good signatures."""
        return self.now["ticket"], self.now["ticket.sig"]

    def release(self, **values: object) -> Frames:
        """A release that the releasers did sign, for whatever these values say."""
        key, signers = self.device.key, self.people.release
        whole = {"serial": SERIAL + 1, "security": SECURITY} | values
        return ticketed(evil(), key, signers, **whole)

    def signed_by(self, *signers: Signer) -> Frames:
        """A release whose ticket is signed by these."""
        frames = evil().frames(self.device.key)
        ticket = Ticket(frames["manifest"], serial=SERIAL + 1, security=99, artifact="evil")
        return with_ticket(frames, ticket.text, signed(ticket.text, signers))


def evil() -> Release:
    """What the attacker wants to run."""
    return directory("evil")


@pytest.fixture
def stolen(one_rooted: Device, people: People) -> Stolen:
    deliveries = [
        ticketed(
            directory(f"r{number}"),
            one_rooted.key,
            people.release,
            serial=SERIAL - 2 + number,
            security=SECURITY,
            issued=int(time.time()) - 3600,
        )
        for number in (1, 2)
    ]
    for number, frames in enumerate(deliveries, 1):
        assert one_rooted.deliver(number, frames).rc == 0
        assert one_rooted.commit(number).rc == 0
    return Stolen(one_rooted, people, *deliveries)


def spoilt_payload(it: Stolen) -> Frames:
    """All of r2 that is signed, and other bytes."""
    return {**it.now, "data/0000/update.tar": evil().payload["update.tar"]}


def never_open(it: Stolen) -> Frames:
    place = bucket(SERIAL + 1, "dev-0001")
    return it.release(opens=((place, 0),))  # one place short of the device


ATTACKS: dict[str, tuple[Callable[[Stolen], Frames], str]] = {
    "unsigned": (lambda it: replace(evil(), signature=b"").frames(it.device.key), "no_ticket"),
    "unsigned under a real ticket": (
        lambda it: with_ticket(
            replace(evil(), signature=b"").frames(it.device.key), *it.ticket
        ),
        "ticket_manifest",
    ),
    "signed by a key of its own": (
        lambda it: with_ticket(evil().frames(Key("ec")), *it.ticket),
        "ticket_manifest",
    ),
    "built, not released": (lambda it: evil().frames(it.device.key), "no_ticket"),
    "ticket by keys of its own": (lambda it: it.signed_by(Signer(), Signer()), "ticket_signatures"),
    "ticket by one stolen release key": (
        lambda it: it.signed_by(it.people.release[0], it.people.release[0], Signer()),
        "ticket_signatures",
    ),
    "ticket by root keys": (lambda it: it.signed_by(*it.people.root), "ticket_signatures"),
    "ticket for another release": (
        lambda it: with_ticket(evil().frames(it.device.key), *it.ticket),
        "ticket_manifest",
    ),
    "payload exchanged": (spoilt_payload, "denied"),
    "an older release again": (lambda it: it.old, "ticket_serial"),
    "below the floor": (lambda it: it.release(security=SECURITY - 1), "ticket_security"),
    "expired": (
        lambda it: it.release(issued=1_700_000_000, expires=1_700_000_001), "ticket_expired",
    ),
    "too early": (lambda it: it.release(opens=((100, int(time.time()) + DAY_S),)), "not_open_yet"),
    "never open for it": (never_open, "not_open_yet"),
    "for another fleet": (lambda it: it.release(fleet="acme-test"), "ticket_fleet"),
    "for other devices": (lambda it: it.release(device_types=("other",)), "ticket_device_type"),
}  # fmt: skip


def seen(device: Device) -> tuple[str, tuple[int, ...]]:
    """What a device runs, byte by byte, and its floors."""
    names = ("serial", "time-floor", "security-floor")
    place = device.root / "opt/app"
    files = sorted(path for path in place.rglob("*") if path.is_file())
    content = "".join(f"{path.name} {sha(path.read_bytes())}\n" for path in files)
    return content, tuple(floor(device, name) for name in names)


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_not_released_for_it_never_runs(stolen: Stolen, part: int):
    """One attack after the other on the same device, since none of them changes it."""
    before = seen(stolen.device)
    for place, (attack, (make, reason)) in enumerate(list(ATTACKS.items())[part::PARTS], 1):
        frames = make(stolen)

        reply = stolen.device.deliver(10 * place, frames)

        assert reply.fields["reason"] == reason, attack
        assert reply.rc == (77 if reason == "not_open_yet" else 65), attack
        assert seen(stolen.device) == before, attack
        for number, order in enumerate((VERBS, VERBS[::-1]), 10 * place + 1):
            for verb in step_by_step(stolen.device, number, frames, order):
                assert seen(stolen.device) == before, (attack, verb)
    fields = stolen.device.fields()
    assert (fields["artifact"], fields["active"]) == ("r2", "yes")


def step_by_step(
    device: Device, number: int, frames: Frames, order: Sequence[str]
) -> Iterator[str]:
    """A delivery in single requests, with whatever nonce it finds; each that was refused."""
    for name, data in frames.items():
        device.do("stage", number, data, name=name, size=len(data), sha=sha(data))
    for verb in order:
        more = {"deadline": 300} if verb == "activate" else {}
        if verb in TAKES_NONCE:
            more = {"nonce": device.fields().get("commit-nonce", "0" * 32)}
        assert device.do(verb, number, **more).rc != 0, verb
        yield verb


def test_it_can_take_a_device_back_to_what_it_keeps_and_no_further(stolen: Stolen):
    device = stolen.device

    assert device.do("rollback", 2).rc == 0
    again = device.do("rollback", 1)

    assert (device.root / "opt/app/version.txt").read_text() == "r1"
    assert again.fields["reason"] == "nothing_to_roll_back"
    assert device.deliver(3, stolen.now).rc == 0  # r2 was released, and still is


def test_it_cannot_give_the_device_another_root(stolen: Stolen, root: Root):
    """Neither by the verb, nor among the frames of a delivery."""
    device, mine = stolen.device, Signer()
    before = seen(device)
    for keys in ((Signer(), Signer(), Signer()), stolen.people.root):
        new = root.next(root=keys, release=(mine,), need_release=1, need_root=1)
        frames = {"root": new.text, "root.sig": signed(new.text, (mine, *keys[:1]))}

        reply = device.ask("root controller=lab epoch=1 frames=2", frame_bytes(frames))
        smuggled = device.deliver(10, {**frames, **stolen.signed_by(mine)})

        assert reply.fields["reason"] == "root_signatures"
        assert smuggled.rc != 0
        assert device.fields()["root"] == "1"
        assert seen(device) == before


@pytest.mark.parametrize("seed", [1, 2])
def test_no_row_of_requests_leads_anywhere_else(stolen: Stolen, root: Root, seed: int):
    """Random programs over everything that it has, with pieces of releases mixed at will."""
    device, rng = stolen.device, random.Random(seed)
    materials = [make(stolen) for make, _ in ATTACKS.values()]
    names = sorted({name for frames in materials for name in frames})
    forged = root.next(release=(Signer(),), need_release=1).text
    allowed = {
        "".join(f"version.txt {sha(name.encode())}\n" for name in (release,))
        for release in ("r1", "r2")
    }
    floors = seen(device)[1]
    for step in range(OPS):
        number, kind = rng.randint(1, 6), rng.random()
        if kind < 0.5:
            name = rng.choice(names)
            data = rng.choice([frames[name] for frames in materials if name in frames])
            device.do("stage", number, data, name=name, size=len(data), sha=sha(data))
        elif kind < 0.8:
            nonce = device.fields().get("commit-nonce", "0" * 32)
            verb = rng.choice((*VERBS, "rollback", "abort", "gc", "adopt"))
            device.do(verb, number, **({"nonce": nonce} if verb in TAKES_NONCE else {}))
        elif kind < 0.9:
            device.deliver(number, rng.choice(materials))
        elif kind < 0.95:
            frames = {"root": forged, "root.sig": signed(forged, (stolen.people.root[0],))}
            device.ask("root controller=lab epoch=1 frames=2", frame_bytes(frames))
        else:
            device.boot(f"{step:08d}-0000-0000-0000-00000000000{seed}")
            device.hook("boot")

        content, now = seen(device)
        assert content in allowed, (seed, step)
        assert all(new >= old for new, old in zip(now, floors, strict=True)), (seed, step)
        floors = now


def test_a_device_waits_for_its_line_and_for_a_second_ticket(
    tmp_path: Path, one_shell: Shell, key: Key, root: Root, people: People
):
    """Attacks 5 and 6: whoever holds the orchestrator delivers to every device at once.

    The first ticket opens a few devices now, more in an hour, and the others never; its releasers
    sign a second one for these when the first did well.
    """
    hour = int(time.time()) + 3600
    opens = ((10, 0), (50, hour))
    names = {
        turn: next(name for n in range(500) if low <= bucket(42, name := f"dev-{n}") < high)
        for turn, low, high in (("now", 0, 10), ("later", 10, 50), ("never", 50, 100))
    }
    first = ticketed(directory("r1"), key, people.release, opens=opens)
    second = ticketed(directory("r1"), key, people.release, serial=43, opens=((100, 0),))
    devices = {turn: Device(tmp_path / turn, one_shell, key) for turn in names}
    try:
        for turn, device in devices.items():
            root.place(device, names[turn])
            answers = [device.deliver(1, first)]
            for number, now in enumerate((hour - 1, hour, hour + DAY_S // 2), 2):
                if answers[-1].rc:
                    assert seen(device)[0] == "", turn
                    answers.append(at(device, now).deliver(number, first))
            told = [(each.rc, each.fields.get("reason")) for each in answers]
            early = (77, "not_open_yet")
            assert told[:-1] == [early] * (len(told) - 1), turn
            assert len(told) == {"now": 1, "later": 3, "never": 4}[turn], turn
            assert told[-1] == early if turn == "never" else told[-1][0] == 0, (turn, told)
        assert devices["never"].deliver(9, second).rc == 0
        assert {one.fields()["artifact"] for one in devices.values()} == {"r1"}
    finally:
        for device in devices.values():
            device.close()
