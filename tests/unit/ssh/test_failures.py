import socket

import asyncssh
import pytest

from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.failures import TEXT_MAX, connect_failure, exchange_failure

KEX = "No matching server host key algorithm found, sent ssh-ed25519 and received ssh-rsa"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), Reason.TIMEOUT),
        (asyncssh.ConnectionLost("Login timeout expired"), Reason.TIMEOUT),
        (asyncssh.ConnectionLost("Connection lost"), Reason.CONNECTION_LOST),
        (asyncssh.HostKeyNotVerifiable("no"), Reason.HOST_KEY),
        (asyncssh.KeyExchangeFailed(KEX), Reason.HOST_KEY),
        (asyncssh.KeyExchangeFailed("No matching encryption algorithm"), Reason.CONNECTION_LOST),
        (asyncssh.PermissionDenied("no"), Reason.AUTHENTICATION),
        (asyncssh.ProtocolError("Too many authentication failures"), Reason.AUTHENTICATION),
        (asyncssh.ProtocolError("bad"), Reason.CONNECTION_LOST),
        (ConnectionRefusedError(111, "refused"), Reason.UNREACHABLE),
        (ConnectionResetError(104, "reset"), Reason.CONNECTION_LOST),
        (socket.gaierror(-2, "unknown name"), Reason.UNREACHABLE),
        (asyncssh.ChannelOpenError(2, "connect failed"), Reason.UNREACHABLE),
    ],
)
def test_error_while_connecting_has_its_reason(error: Exception, reason: Reason) -> None:
    assert connect_failure(error, "device").reason == reason


def test_error_of_the_network_is_told_in_words_of_people() -> None:
    error = ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 22)")

    assert connect_failure(error, "gw-1").message == "gw-1 is unreachable: connection refused"


@pytest.mark.parametrize(
    ("error", "connected", "reason"),
    [
        (TimeoutError(), True, Reason.TIMEOUT),
        (asyncssh.ChannelOpenError(1, "prohibited"), True, Reason.PROTOCOL),
        (asyncssh.ChannelOpenError(2, "SSH connection closed"), False, Reason.CONNECTION_LOST),
        (asyncssh.ConnectionLost("gone"), False, Reason.CONNECTION_LOST),
        (BrokenPipeError(), True, Reason.CONNECTION_LOST),
    ],
)
def test_error_of_a_request_has_its_reason(
    error: Exception, connected: bool, reason: Reason
) -> None:
    assert exchange_failure(error, connected=connected).reason == reason


def test_our_own_error_stays_as_it_is() -> None:
    error = DeviceError("x", reason=Reason.NOT_ENROLLED)

    assert connect_failure(error, "device") is error
    assert exchange_failure(error, connected=True) is error


def test_text_of_a_stranger_is_cut_short() -> None:
    error = connect_failure(asyncssh.ProtocolError("x" * 100_000), "device")

    assert len(error.message) < TEXT_MAX + 100
