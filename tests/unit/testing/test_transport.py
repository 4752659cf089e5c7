import pytest

from orchestrator.device.model import Address, Device
from orchestrator.device.protocol import ReplyReader, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.plans import device_ids
from orchestrator.testing.transport import Faults, SimulatedTransport, encode_reply
from orchestrator.testing.world import make_fleet

[A] = device_ids(1)
DEVICE = Device(A, Address("127.0.0.1"))
HELLO = Request(Verb.HELLO)


def ask(request=HELLO, *, wire=True, **faults):
    async def work():
        transport = SimulatedTransport(
            make_fleet((A,), VirtualClock()), faults=Faults(**faults), wire=wire
        )
        session = await transport.open(DEVICE, deadline_s=10.0)
        return await session.ask(request, deadline_s=10.0)

    return run_virtual(work())


def test_reply_is_the_same_on_the_wire_and_off_it():
    facts = Request(Verb.HEALTH, {"checks": "service", "nonce": "n"})

    assert ask(facts, wire=True) == ask(facts, wire=False)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"refuse": 1.0}, Reason.UNREACHABLE),
        ({"lose_request": 1.0}, Reason.CONNECTION_LOST),
        ({"lose_reply": 1.0}, Reason.CONNECTION_LOST),
        ({"latency_s": 100.0}, Reason.TIMEOUT),
    ],
)
def test_faults_are_device_errors(fault, reason):
    with pytest.raises(DeviceError) as raised:
        ask(**fault)

    assert raised.value.reason is reason


def test_lost_reply_means_the_request_was_carried_out():
    async def work():
        fleet = make_fleet((A,), VirtualClock())
        transport = SimulatedTransport(fleet, faults=Faults(lose_reply=1.0))
        session = await transport.open(DEVICE, deadline_s=10.0)
        params = {"txn": "T", "controller": "c", "component": "main", "epoch": "3"}
        with pytest.raises(DeviceError):
            await session.ask(Request(Verb.GC, params), deadline_s=10.0)
        return fleet[A].epoch

    assert run_virtual(work()) == 3


def test_request_outside_the_grammar_is_never_sent():
    with pytest.raises(DeviceError):
        ask(Request(Verb.HELLO, {"nonce": "two words"}))


def test_connection_ends_with_a_reboot():
    async def work():
        fleet = make_fleet((A,), VirtualClock())
        transport = SimulatedTransport(fleet)
        session = await transport.open(DEVICE, deadline_s=10.0)
        fleet[A].reboot(0.0)
        await session.ask(HELLO, deadline_s=10.0)

    with pytest.raises(DeviceError, match="was lost"):
        run_virtual(work())


def test_encoded_reply_is_what_the_reader_takes():
    reader = ReplyReader()
    reader.feed(encode_reply(69, [("reason", "io"), ("detail", "a b%\n")]))

    reply = reader.finish()

    assert (reply.rc, reply.detail) == (69, "a b%\n")
