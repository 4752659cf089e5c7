import asyncio
import hashlib

import pytest

from orchestrator.device.protocol import STDERR_BYTES_MAX, Step
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.exchange import Exchange


def reply(*lines: str, rc: int = 0) -> bytes:
    text = "".join(f"{line}\n" for line in lines).encode()
    return text + f"end {rc} {hashlib.sha256(text).hexdigest()}\n".encode()


def reason_of(exchange: Exchange) -> str:
    with pytest.raises(DeviceError) as caught:
        exchange.reply()
    return caught.value.reason


def test_complete_reply_ends_with_the_end_of_output() -> None:
    exchange = Exchange()

    exchange.data_received(reply("state none"), None)
    before = exchange.is_over
    exchange.eof_received()

    assert not before
    assert exchange.is_over
    assert exchange.reply().fields == {"state": "none"}


def test_steps_are_told_as_they_come() -> None:
    exchange, seen = Exchange(), []
    exchange.on_step = seen.append

    exchange.data_received(b"step stage 0 ok\nstep ver", None)
    exchange.data_received(b"ify 65 denied\nstep broken\n", None)

    assert seen == [Step("stage", 0, "ok"), Step("verify", 65, "denied")]


def ready(nonce: bytes, before: bytes = b"") -> bytes:
    return b"ready " + nonce + b" " + hashlib.sha256(before).hexdigest().encode() + b"\n"


def test_ready_line_gives_its_nonce_and_what_came_before_it() -> None:
    exchange = Exchange()
    said = b"state installed\n"

    exchange.data_received(said + ready(b"abcd1234", said), None)

    assert exchange.ready == "abcd1234"
    assert exchange.so_far().fields == {"state": "installed"}


def test_ready_line_that_does_not_seal_what_came_before_it_breaks_the_protocol() -> None:
    exchange = Exchange()

    exchange.data_received(b"state none\n" + ready(b"abcd1234", b"state installed\n"), None)

    assert exchange.ready is None
    assert reason_of(exchange) == Reason.PROTOCOL


def test_second_ready_line_breaks_the_protocol() -> None:
    exchange = Exchange()

    first = ready(b"abcd1234")
    exchange.data_received(first + ready(b"abcd1235", first), None)

    assert exchange.is_over
    assert reason_of(exchange) == Reason.PROTOCOL


def test_stderr_is_dropped_and_limited() -> None:
    exchange = Exchange()
    exchange.data_received(b"e" * STDERR_BYTES_MAX, 1)
    before = exchange.is_over

    exchange.data_received(b"e", 1)

    assert not before
    assert exchange.is_over
    assert reason_of(exchange) == Reason.PROTOCOL


def test_garbage_ends_the_exchange_at_once() -> None:
    exchange = Exchange()

    exchange.data_received(b"\x1b[2J\n", None)

    assert exchange.is_over
    assert reason_of(exchange) == Reason.PROTOCOL


@pytest.mark.parametrize(
    ("status", "output", "reason"),
    [
        (127, b"", Reason.NOT_ENROLLED),
        (126, b"", Reason.NOT_ENROLLED),
        (127, b"state none\n", Reason.PROTOCOL),
        (0, b"", Reason.PROTOCOL),
        (1, b"state none\n", Reason.PROTOCOL),
        (143, b"state none\n", Reason.CONNECTION_LOST),
        (None, b"state none\n", Reason.CONNECTION_LOST),
    ],
)
def test_missing_end_line_is_judged_by_the_exit_code(
    status: int | None, output: bytes, reason: Reason
) -> None:
    exchange = Exchange()
    if output:
        exchange.data_received(output, None)
    if status is not None:
        exchange.exit_status_received(status)

    exchange.connection_lost(None)

    assert exchange.is_over
    assert reason_of(exchange) == reason


def test_account_that_may_not_become_the_helpers_is_told_so() -> None:
    exchange = Exchange(prefix="sudo -n -u rollout /usr/lib/rollout/launch ")
    exchange.data_received(b"sudo: a password is required\n", 1)
    exchange.exit_status_received(1)

    exchange.connection_lost(None)

    with pytest.raises(DeviceError, match="`sudo -n -u rollout /usr/lib/rollout/launch`") as caught:
        exchange.reply()
    assert caught.value.reason == Reason.NOT_ENROLLED


def test_incomplete_output_waits_for_the_exit_code() -> None:
    exchange = Exchange()

    exchange.data_received(b"state none\n", None)
    exchange.eof_received()

    assert not exchange.is_over


async def test_writer_waits_for_room_and_is_woken() -> None:
    exchange = Exchange()
    exchange.pause_writing()
    asyncio.get_running_loop().call_soon(exchange.resume_writing)

    await exchange.room(idle_s=5)

    assert not exchange.is_over


async def test_writer_is_woken_when_the_device_ends() -> None:
    exchange = Exchange()
    exchange.pause_writing()
    asyncio.get_running_loop().call_soon(exchange.connection_lost, None)

    await exchange.room(idle_s=5)

    assert exchange.is_over


async def test_device_that_takes_nothing_times_out() -> None:
    exchange = Exchange()
    exchange.pause_writing()

    with pytest.raises(DeviceError) as caught:
        await exchange.room(idle_s=0.01)

    assert caught.value.reason == Reason.TIMEOUT
