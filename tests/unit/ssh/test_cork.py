import asyncio
import inspect

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE

from orchestrator.ssh.cork import FLUSH_BYTES, CorkedTcp, CorkedTransport, spare
from orchestrator.ssh.profile import ENCRYPTION_ALGS
from tests.loopback import listening


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


class Connection(asyncio.Protocol):
    """What the library's connection does: an ignored packet before each packet."""

    def __init__(self):
        self.sent = []
        self.logger = asyncssh.logging.SSHLogger(context="conn=7")

    def send_packet(self, kind, *parts, handler=None):
        if kind != MSG_IGNORE:
            self.send_packet(MSG_IGNORE, b"")
        self.sent.append((kind, parts))
        (handler or self).log_sent_packet(kind, 0, parts)

    def log_sent_packet(self, *packet):
        raise AssertionError(packet)


async def test_packets_that_the_other_side_ignores_are_not_sent_and_no_packet_is_logged():
    async def hang_up(_reader, _writer):
        """Nothing is said."""

    async with listening(hang_up) as port:
        transport, connection = await CorkedTcp().create_connection(Connection, "127.0.0.1", port)
        connection.send_packet(MSG_CHANNEL_DATA, b"body", handler=connection)
        transport.close()

    assert connection.sent == [(MSG_CHANNEL_DATA, (b"body",))]


class Costly:
    def __str__(self):
        raise AssertionError


async def test_text_that_no_log_takes_is_not_put_together(caplog):
    connection = Connection()
    spare(connection)

    with caplog.at_level("ERROR", "asyncssh"):
        connection.logger.get_child(context="chan=0").info("%s", [Costly()])
        connection.logger.get_child(context="chan=0").error("%s", ["seen"])

    assert caplog.messages == ["[conn=7, chan=0] seen"]


def test_library_still_has_the_packet_and_the_method_that_are_left_out():
    """Should a newer library call it by another name, nothing breaks but the saving is gone."""
    source = inspect.getsource(asyncssh.SSHClientConnection.send_packet)

    assert "self.send_packet(MSG_IGNORE" in source
    assert "handler.log_sent_packet(" in source
    assert source.count("handler") == 4  # its parameter, its default, and nothing but the log


def test_profile_has_no_cipher_that_needs_them():
    assert all("cbc" not in name for name in ENCRYPTION_ALGS)
