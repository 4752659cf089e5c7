import asyncio

import pytest

from orchestrator.ssh.cork import FLUSH_BYTES, CorkedTransport


class Wire(asyncio.Transport):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = "closed"

    def abort(self) -> None:
        self.closed = "aborted"


@pytest.fixture
async def wire() -> Wire:
    return Wire()


async def test_writes_of_one_turn_are_sent_together(wire: Wire) -> None:
    corked = CorkedTransport(wire)

    corked.write(b"one ")
    corked.writelines([b"two ", b"three"])
    before = list(wire.sent)
    await asyncio.sleep(0)

    assert before == []
    assert wire.sent == [b"one two three"]


async def test_much_data_is_not_held_back(wire: Wire) -> None:
    corked = CorkedTransport(wire)

    corked.write(b"x" * FLUSH_BYTES)

    assert wire.sent == [b"x" * FLUSH_BYTES]


async def test_buffer_may_be_reused_by_the_writer(wire: Wire) -> None:
    corked, buffer = CorkedTransport(wire), bytearray(b"first")

    corked.write(buffer)
    buffer[:] = b"other"
    await asyncio.sleep(0)

    assert wire.sent == [b"first"]


async def test_close_sends_what_is_held_and_abort_drops_it(wire: Wire) -> None:
    corked = CorkedTransport(wire)
    corked.write(b"last words")
    corked.close()

    other = Wire()
    aborted = CorkedTransport(other)
    aborted.write(b"never said")
    aborted.abort()
    await asyncio.sleep(0)

    assert wire.sent == [b"last words"]
    assert wire.closed == "closed"
    assert other.sent == []
    assert other.closed == "aborted"
