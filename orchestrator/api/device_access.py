"""A person on a device beside all rollouts: a shell, one command, one file.

Laws:
1. Off unless the operator's own configuration allows it, and a role where there are roles.
2. Never through the account that enrolment made: that one has the helper and nothing else.
3. Recorded before the device is contacted, and at the end, with why. What is typed and shown is not.
4. The host key is proven as for every other connection.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.api.admin_values import Accessed, AccessRequest, Fetched, FetchRequest
from orchestrator.api.arriving import Arriving, target_of
from orchestrator.api.connections import open_transport
from orchestrator.api.devices import CONNECT_S
from orchestrator.api.recording import recording
from orchestrator.api.roles import require_role
from orchestrator.api.selecting import devices_of
from orchestrator.api.values import Settings
from orchestrator.device.model import HELPER_USER
from orchestrator.errors import PlanError
from orchestrator.rollout.acts import OK, ActKind

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.rollout.events import Value
    from orchestrator.ssh.channel import Piece
    from orchestrator.ssh.login import Ended, Login, Take, Terminal

OUTPUT_BYTES_MAX = 64 * 1024 * 1024  # of a command; more is a file to fetch
COMMAND_CHARS_MAX = 1000  # of a command in the journal
# Its exit codes are those of `arriving.REFUSED`.
_FETCH = '[ -e "$1" ] || exit 81; [ -f "$1" ] || exit 82; [ -r "$1" ] || exit 83; exec cat <"$1"'


async def device_shell(settings: Settings, request: AccessRequest, terminal: Terminal) -> Accessed:
    """A shell on one device, on the person's terminal, until either ends it.

    Raises:
        PlanError: it is not allowed, or the device or its account is none for it.
        DeviceError: the device cannot be reached, or the connection broke.
        StoreError: it cannot be recorded.
    """
    require_role(settings, "device shell")
    _require_allowed(settings, "shell")
    device = _device(settings, request)
    async with _access(settings, request, device, ActKind.DEVICE_SHELL, {}) as access:
        access.ended = await access.login.shell(terminal)
    return access.told()


async def device_run(
    settings: Settings,
    request: AccessRequest,
    words: Sequence[str],
    take: Take,
    *,
    deadline_s: float,
) -> Accessed:
    """Runs one command on a device without a terminal; `take` gets what it writes.

    Raises:
        PlanError, DeviceError, StoreError: as `device_shell`.
    """
    require_role(settings, "device shell")
    _require_allowed(settings, "shell")
    device = _device(settings, request)
    what: dict[str, Value] = {"command": shlex.join(words)[:COMMAND_CHARS_MAX]}
    async with _access(settings, request, device, ActKind.DEVICE_SHELL, what) as access:
        access.ended = await access.login.run(
            words, take, deadline_s=deadline_s, limit_bytes=OUTPUT_BYTES_MAX
        )
    return access.told()


async def device_fetch(settings: Settings, request: FetchRequest) -> Fetched:
    """Copies one file of a device to here: whole or not at all.

    Raises:
        PlanError: as `device_shell`; or there is a file already, or none can be written.
        DeviceError: the device cannot be reached, has no such file, or it is too large.
        StoreError: it cannot be recorded.
    """
    require_role(settings, "device fetch")
    _require_allowed(settings, "fetch")
    device = _device(settings, request.access)
    target = target_of(request)
    root = () if request.become is None else (request.become, "-n")
    words = (*root, "sh", "-c", _FETCH, "sh", request.path)
    what: dict[str, Value] = {"path": request.path, "become": request.become or "none"}
    async with _access(settings, request.access, device, ActKind.DEVICE_FETCH, what) as access:
        with Arriving(target, request.limit_bytes) as arriving:

            async def take(piece: Piece) -> bool:
                return arriving.take(piece)  # a file has room, or is an error

            access.ended = await access.login.run(
                words, take, deadline_s=request.deadline_s,
                limit_bytes=request.limit_bytes + OUTPUT_BYTES_MAX,
            )  # fmt: skip
            arriving.judge(request, access.ended)
            arriving.publish(force=request.force)
        access.what |= {"size_bytes": arriving.size_bytes, "sha256": arriving.sha256}
    return Fetched(device.id, target, arriving.size_bytes, arriving.sha256)


def _require_allowed(settings: Settings, what: str) -> None:
    if what not in settings.allow_device_access:
        message = f"`device {what}` is not allowed here"
        hint = (
            "whoever answers for this fleet can allow it in the operator's own configuration: "
            f'`allow_device_access = ["{what}"]`; docs/security.md says what that means'
        )
        raise PlanError(message, hint=hint, code="D120")


def _device(settings: Settings, request: AccessRequest) -> Device:
    """The device as it is reached for a person.

    Raises:
        PlanError: it is not one device, or its account is the helper's.
    """
    found = devices_of(settings, request.source, request.device)
    if len(found) != 1:
        message = f"`{request.device}` is {len(found)} devices"
        raise PlanError(message, hint="name one device", code="D122")
    device = found[0]
    user = request.login or device.address.user
    if user == HELPER_USER:
        raise _restricted(user, device.id)
    return replace(device, address=replace(device.address, user=user))


def _restricted(user: str, device: str) -> PlanError:
    message = f"the account `{user}` of `{device}` leads to the helper and gives nothing else"
    hint = (
        "name an ordinary account of yours there: `--login USER`; enrolment gives none on purpose"
    )
    return PlanError(message, hint=hint, code="D121")


@dataclass
class _Access:
    """A login under way; `what` is recorded at its end."""

    device: str
    login: Login
    what: dict[str, Value] = field(default_factory=dict)
    ended: Ended | None = None
    began_s: float = field(default_factory=time.monotonic)

    def told(self) -> Accessed:
        """What came of it."""
        assert self.ended is not None, "it ended without an error"
        took_s = time.monotonic() - self.began_s
        return Accessed(self.device, self.ended.exit_code, self.ended.signal, took_s)

    def recorded(self) -> dict[str, Value]:
        """What the journal has of its end."""
        found: dict[str, Value] = {"received_bytes": self.login.received_bytes}
        if self.login.sent_bytes:
            found["sent_bytes"] = self.login.sent_bytes
        if self.ended is not None and self.ended.exit_code is not None:
            found["exit_code"] = self.ended.exit_code
        if self.ended is not None and self.ended.signal:
            found["signal"] = self.ended.signal
        return {**found, **self.what}


@asynccontextmanager
async def _access(
    settings: Settings,
    request: AccessRequest,
    device: Device,
    kind: ActKind,
    what: dict[str, Value],
) -> AsyncIterator[_Access]:
    """A login whose beginning and end are recorded."""
    from orchestrator.ssh.login import RestrictedError

    address = device.address
    place: dict[str, Value] = {"address": f"{address.host}:{address.port}", "login": address.user}
    async with recording(settings) as recorder:
        doing = await recorder.begin(kind, device.id, request.reason, {**place, **what})
        access: _Access | None = None
        try:
            async with open_transport(settings, f"{kind.value} {device.id}") as transport:
                login = await transport.log_in(address, deadline_s=CONNECT_S, identity=device.id)
                access = _Access(device.id, login)
                try:
                    yield access
                except RestrictedError as error:
                    raise _restricted(address.user, device.id) from error
                finally:
                    await login.close()
        except BaseException as error:
            await doing.failed(error, access.recorded() if access else {})
            raise
        await doing.end(OK, "", access.recorded())
