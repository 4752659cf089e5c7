"""The simulated device keeps docs/reference/device-protocol.md."""

import pytest

from orchestrator.device.protocol import Rc, Request, Verb
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.transaction import Holder, Txn, bucket_of, sign, ticket_for
from orchestrator.testing.world import good_release, old_release

NEW = SimulatedArtifact.of("new")
T1, T2 = "1" * 26, "2" * 26


class Clock:
    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def device(clock):
    return SimulatedDevice("d", now=clock, installed=old_release(), releases=(good_release(),))


def request(verb, txn=T1, *, epoch=1, controller="ctl", **params):
    common = {"txn": txn, "controller": controller, "component": "main", "epoch": str(epoch)}
    return Request(verb, common | params)


def load(device, txn=T1):
    assert device.begin(request(Verb.DELIVER, txn)) is None
    for frame in NEW.frames():
        assert device.take(txn, frame.name, b"".join(frame.chunks(0)), 0)
    assert device.verify(txn) is None
    assert device.install(txn) is None


def ask(device, verb, serial=None, **params):
    serial = device.connect() if serial is None else serial
    rc, lines = device.answer(request(verb, **params), serial)
    return rc, dict(lines)


def activate(device, txn=T1, deadline=100.0):
    load(device, txn)
    return device.activate(txn, deadline)


def test_activation_starts_probation(device):
    rc, lines = activate(device)

    assert rc == Rc.OK
    assert dict(lines)["state"] == "probation"
    assert device.active == NEW.manifest_sha256


def test_repeated_activation_is_answered_from_the_record(device):
    activate(device)

    rc, _ = device.activate(T1, 100.0)

    assert rc == Rc.OK
    assert device.activations == {NEW.manifest_sha256: 1}


def test_dead_man_goes_back_when_the_deadline_passes(device, clock):
    activate(device)

    clock.at += 100.0
    _, fields = ask(device, Verb.STATUS)

    assert (fields["txn-state"], fields["reverted"]) == ("rolled-back", T1)
    assert device.active == old_release().manifest


def test_boot_hook_takes_a_probation_back(device):
    activate(device)

    device.reboot(5.0)

    assert device.active == old_release().manifest


def test_commit_needs_a_nonce_from_a_new_connection(device):
    old = device.connect()
    activate(device)
    nonce = device.commit_nonce

    ask(device, Verb.HELLO, serial=old)
    early, _ = ask(device, Verb.COMMIT, serial=old, nonce=nonce)
    ask(device, Verb.HELLO)
    wrong, _ = ask(device, Verb.COMMIT, nonce="other")
    right, _ = ask(device, Verb.COMMIT, nonce=nonce)
    again, _ = ask(device, Verb.COMMIT, nonce=nonce)

    assert (early, wrong, right, again) == (Rc.NOT_NOW, Rc.NOT_NOW, Rc.OK, Rc.OK)


def test_confirmed_device_does_not_go_back_by_itself(device, clock):
    activate(device)
    ask(device, Verb.HELLO)
    ask(device, Verb.CONFIRM, nonce=device.commit_nonce)

    clock.at += 1000.0
    device.pass_time()

    assert device.active == NEW.manifest_sha256


def test_lower_epoch_and_other_controllers_are_fenced(device):
    ask(device, Verb.GC, epoch=5)

    lower, _ = ask(device, Verb.GC, epoch=4)
    other, _ = ask(device, Verb.GC, epoch=9, controller="other")
    adopted, _ = ask(device, Verb.ADOPT, epoch=9, controller="other")

    assert (lower, other, adopted) == (Rc.FENCED, Rc.FENCED, Rc.OK)


def test_new_transaction_replaces_one_before_probation_only(device):
    load(device)
    assert device.begin(request(Verb.DELIVER, T2)) is None

    activate(device, T2)
    rc, _ = device.begin(request(Verb.DELIVER, T1))

    assert rc == Rc.WRONG_STATE


def test_rollback_works_also_after_the_commit(device):
    activate(device)
    ask(device, Verb.HELLO)
    ask(device, Verb.COMMIT, nonce=device.commit_nonce)

    rc, _ = ask(device, Verb.ROLLBACK)
    again, _ = ask(device, Verb.ROLLBACK)

    assert (rc, again) == (Rc.OK, Rc.OK)
    assert device.active == old_release().manifest


def test_nothing_to_roll_back_is_said(device):
    rc, fields = ask(device, Verb.ROLLBACK)

    assert (rc, fields["reason"]) == (Rc.WRONG_STATE, "nothing_to_roll_back")


def test_flipped_bit_is_denied(device):
    device.begin(request(Verb.DELIVER))
    for frame in NEW.frames():
        data = bytearray(b"".join(frame.chunks(0)))
        if frame.name.startswith("data"):
            data[0] ^= 1
        device.take(T1, frame.name, bytes(data), 0)

    rc, _ = device.verify(T1)

    assert rc == Rc.DENIED


@pytest.mark.parametrize(
    ("lines", "behind_s", "reason"),
    [
        ([], 0.0, None),
        ([(100, 50.0)], 0.0, None),
        ([(100, 150.0)], 0.0, "not_open_yet"),
        ([(100, 50.0)], 60.0, "not_open_yet"),
        ([(bucket_of(7, "d"), 50.0)], 0.0, "not_open_yet"),
        ([(bucket_of(7, "d") + 1, 50.0)], 0.0, None),
        ([(1 + bucket_of(7, "d"), 150.0), (100, 50.0)], 0.0, None),
    ],
)
def test_device_with_a_root_judges_the_lines_of_a_ticket_by_its_own_clock(lines, behind_s, reason):
    holder = Holder("d", rooted=True, clock_at=100.0 - behind_s)
    ticket = ticket_for(NEW.manifest, 7, lines)
    txn = Txn(T1)
    for name, data in (("ticket", ticket), ("ticket.sig", sign(ticket))):
        txn.take(name, data, 0)
    for frame in NEW.frames():
        txn.take(frame.name, b"".join(frame.chunks(0)), 0)

    refusal = txn.verify(holder)

    assert (refusal and refusal[1]) == (None if reason is None else [("reason", reason)])


@pytest.mark.parametrize(
    ("ticket", "signature", "reason"),
    [
        (None, None, "no_ticket"),
        (ticket_for(NEW.manifest), b"", "ticket_signatures"),
        (ticket_for(b"x"), sign(ticket_for(b"x")), "ticket_manifest"),
        (ticket_for(NEW.manifest), sign(ticket_for(NEW.manifest)), None),
    ],
)
def test_device_with_a_root_wants_a_signed_ticket_for_the_manifest(
    clock, ticket, signature, reason
):
    device = SimulatedDevice(
        "d", now=clock, installed=old_release(), releases=(good_release(),), rooted=True
    )
    device.begin(request(Verb.DELIVER))
    for name, data in (("ticket", ticket), ("ticket.sig", signature)):
        assert data is None or device.take(T1, name, data, 0)
    for frame in NEW.frames():
        device.take(T1, frame.name, b"".join(frame.chunks(0)), 0)

    refusal = device.verify(T1)

    assert refusal == (None if reason is None else (Rc.DENIED, [("reason", reason)]))
    assert dict(device.state_fields())["fleet"] == "sim"
    assert device.active == old_release().manifest


def test_bytes_at_another_offset_are_refused(device):
    device.begin(request(Verb.DELIVER))
    device.take(T1, "manifest", b"abc", 0)

    assert not device.take(T1, "manifest", b"def", 2)
    assert device.take(T1, "manifest", b"def", 3)


def test_state_has_the_fields_of_the_protocol(device):
    _, fields = ask(device, Verb.FACTS, nonce="n1")

    assert list(fields)[:8] == [
        "protocol", "helper", "nonce", "device-type", "boot-id", "uptime", "state", "artifact",
    ]  # fmt: skip
    assert fields["module"] == "directory+keeps-previous"
