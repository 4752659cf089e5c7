"""Errors of the library and the network as `DeviceError` with the right reason.

The text of a device or of the library about a device is untrusted; it is cut short here and
escaped by the renderers.
"""

from __future__ import annotations

import errno
import os

import asyncssh

from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.vouched import CertificateRefusedError

TEXT_MAX = 200  # characters of a foreign error text that we keep
EXPECTED = (
    asyncssh.Error,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
)
"""What a peer can make the library raise: it hands on whatever its parser stumbled over.

Found with damaged packets: `PacketDecodeError` and `UnicodeDecodeError`, both ValueErrors.
"""


def connect_failure(error: BaseException, who: str) -> DeviceError:
    """The error of an attempt to connect to `who`."""
    if isinstance(error, DeviceError):
        return error
    if isinstance(error, CertificateRefusedError):
        return _host_key(who, _text(error))
    if isinstance(error, asyncssh.HostKeyNotVerifiable) and "CA key" in str(error):
        return _host_key(who, "its certificate is of an authority that is not ours")
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key(who, "its host key is not the pinned one")
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error):
        # It has no key of any pinned type, so it cannot be the device we know.
        return _host_key(who, "it has no host key of a pinned type")
    reason, template, hint = _kind_of(error)
    return DeviceError(template.format(who=who, text=_text(error)), reason=reason, hint=hint)


def _kind_of(error: BaseException) -> tuple[Reason, str, str]:
    """Reason, text and hint; the order matters, since the network's errors form a family."""
    late = (Reason.TIMEOUT, "{who} did not answer in time", "")
    login = (
        Reason.AUTHENTICATION,
        "{who} refused the login: {text}",
        "look at the user, the key file and the device's authorized_keys",
    )
    match error:
        case TimeoutError():
            found = late
        case asyncssh.ConnectionLost() if "timeout" in str(error).lower():
            found = late
        case asyncssh.PermissionDenied() | asyncssh.IllegalUserName():
            found = login
        case asyncssh.DisconnectError() if "authentication failures" in str(error):
            found = login  # OpenSSH hangs up when an agent offers more keys than it takes
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError() | EOFError():
            found = (Reason.CONNECTION_LOST, "{who} closed the connection", "")
        case OSError() | asyncssh.ChannelOpenError():  # the latter: a jump host says so
            found = (Reason.UNREACHABLE, "{who} is unreachable: {text}", "")
        case _:
            found = (Reason.CONNECTION_LOST, "connection to {who} failed: {text}", "")
    return found


def exchange_failure(error: BaseException, *, connected: bool) -> DeviceError:
    """The error of a request over a connection that stood when it began."""
    match error:
        case DeviceError():
            return error
        case TimeoutError():
            return DeviceError("device did not answer in time", reason=Reason.TIMEOUT)
        case asyncssh.ChannelOpenError() | asyncssh.ProtocolError() if connected:
            message = f"device broke the protocol: {_text(error)}"
            return DeviceError(message, reason=Reason.PROTOCOL)
        case _:
            return DeviceError(
                f"connection to the device was lost: {_text(error)}", reason=Reason.CONNECTION_LOST
            )


def _host_key(who: str, why: str) -> DeviceError:
    return DeviceError(
        f"{who} is not trusted: {why}",
        reason=Reason.HOST_KEY,
        hint="find out why it changed; then pin the new key with `rollout device enroll`",
    )


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno).lower()  # without Python's numbers, names and tuples
    return str(error)[:TEXT_MAX] or type(error).__name__
