"""What a device keeps of journals: the highest number of each rollout, whatever it is handed."""

from __future__ import annotations

import random

import pytest

from orchestrator.device.protocol import Reply, Request, Verb
from orchestrator.device.witness import KEPT_MAX, Known, known_of, parameters
from tests.device.kit import Device, directory

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def gc(device: Device, rollout: str, seq: object, hash_: str = A, **more: object) -> Reply:
    return device.do("gc", 1, seq=f"{rollout}.{seq}", audit=hash_, **more)


def kept(device: Device) -> tuple[Known, ...]:
    return known_of(device.ask("status"))


def test_device_keeps_where_the_journal_stood(device: Device):
    assert kept(device) == ()

    frames = directory("r1").frames(device.key)
    assert device.deliver(1, frames, **parameters("r-1", 7, A)).rc == 0
    assert device.commit(1, **parameters("r-1", 9, B)).rc == 0
    assert gc(device, "r-2", 3, C).rc == 0

    first, second = Known("lab", "r-2", 3, C), Known("lab", "r-1", 9, B)
    assert kept(device) == (first, second)
    assert known_of(device.ask("facts")) == (first,)


def test_lower_number_does_not_replace_a_higher_one(device: Device):
    gc(device, "r-1", 9, A)

    for seq, hash_ in ((8, B), (9, C), (0, B)):
        assert gc(device, "r-1", seq, hash_, epoch=2).rc == 0

    assert kept(device) == (Known("lab", "r-1", 9, A),)


def test_refused_request_leaves_no_word_of_a_journal(device: Device):
    """An older engine, another controller: whoever may not change the device is no witness's friend."""
    gc(device, "r-1", 5, A, epoch=4)

    assert gc(device, "r-1", 6, B, epoch=3).rc == 76
    assert gc(device, "r-1", 6, B, epoch=9, controller="other").rc == 76

    assert kept(device) == (Known("lab", "r-1", 5, A),)


def test_only_the_newest_rollouts_are_kept(one: Device):
    for number in range(KEPT_MAX + 3):
        gc(one, f"r-{number}", 1)

    assert [known.rollout_id for known in kept(one)] == [
        f"r-{number}" for number in range(KEPT_MAX + 2, 2, -1)
    ]


@pytest.mark.parametrize(
    "words",
    [
        {"audit": "a" * 63},
        {"audit": "A" * 64},
        {"audit": ""},
        {"seq": "9"},
        {"seq": "r-1."},
        {"seq": ".9"},
        {"seq": "r-1.09"},
        {"seq": "r-1.9999999999999999"},
        {"seq": "r_1.9"},
        {"seq": "r" * 64 + ".1"},
    ],
    ids=str,
)
def test_nonsense_is_refused_as_a_request(one: Device, words: dict[str, str]):
    reply = one.do("gc", 1, **({"seq": "r-1.1", "audit": A} | words))

    assert (reply.rc, reply.fields["reason"]) == (64, "usage")
    assert kept(one) == ()


def test_nonsense_in_its_form_hinders_nothing(device: Device):
    """Whoever has the SSH key can hand over any head; it only stands there to be compared."""
    draw = random.Random(4)
    for _ in range(10):
        gc(
            device,
            f"r-{draw.randrange(10**8)}",
            draw.randrange(10**15),
            f"{draw.getrandbits(256):064x}",
        )

    device.release(2, directory("r2"))

    assert device.fields()["artifact"] == "r2"
    assert gc(device, "r-real", 1).rc == 0
    assert kept(device)[0].rollout_id == "r-real"


def test_head_that_cannot_be_written_hinders_nothing(device: Device):
    spool = device.root / "var/lib/rollout/spool"
    (spool / ".audit").mkdir(parents=True)

    assert gc(device, "r-1", 1).rc == 0

    assert kept(device) == ()
    assert [file.name for file in spool.iterdir() if file.name.startswith(".audit.")] == []


def test_half_a_parameter_is_no_head(one: Device):
    assert one.do("gc", 1, audit=A).rc == 0
    assert one.do("gc", 1, seq="r-1.1").rc == 0

    assert kept(one) == ()


def test_parameters_fit_the_grammar_of_helpers_that_forget_them():
    """1.2.0 took letters, digits and `._-`, at most 64 of them."""
    for value in parameters("r-0123abcd", 10**15 - 1, A).values():
        assert len(value) <= 64
        assert all(sign.isalnum() or sign in "._-" for sign in value)
        assert Request(Verb.GC, {"audit": value}).line
