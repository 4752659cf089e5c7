"""The host key of a device that nobody knows yet, accepted only by its fingerprint."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import asyncssh

from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.identity import public_line
from orchestrator.ssh.transport import SshTransport

# Ed25519 and ECDSA first: an old Dropbear aborts when RSA is offered before what it has.
ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")
FIRST_CONTACT_S = 15.0


async def identify(
    transport: SshTransport,
    address: Address,
    *,
    fingerprint: str | None = None,
    confirm: Callable[[str, str], bool] | None = None,
) -> str:
    """The host key line to pin, once it is known to be right.

    Only keys are exchanged: nobody logs in, and nothing is sent that a stranger could use.

    Args:
        transport: gives the way, jump hosts too.
        address: where the device is.
        fingerprint: `SHA256:...` of one of its keys, learned over another way.
        confirm: asked with the key's type and fingerprint when no fingerprint is given.

    Raises:
        DeviceError: HOST_KEY, no key fits or nobody confirmed it; or it cannot be reached.
    """
    seen: list[str] = []
    for algorithm in ALGORITHMS:
        key = await _key(transport, address, algorithm, needed=not seen)
        if key is None:
            continue
        shown = key.get_fingerprint("sha256")
        seen.append(shown)
        if fingerprint is not None:
            if hmac.compare_digest(shown.encode(), fingerprint.encode()):
                return public_line(key)
        elif confirm is not None and confirm(key.get_algorithm(), shown):
            return public_line(key)
        else:
            break
    where = f"device at `{address.host}` port {address.port}"
    if fingerprint is None:
        message, hint = f"the host key of {where} was not confirmed", "give its `--fingerprint`"
    else:
        message = f"{where} has no host key with fingerprint `{fingerprint}`"
        hint = f"it has {', '.join(f'`{one}`' for one in seen) or 'none that we accept'}"
    raise DeviceError(message, reason=Reason.HOST_KEY, hint=hint)


async def _key(
    transport: SshTransport, address: Address, algorithm: str, *, needed: bool
) -> asyncssh.SSHKey | None:
    """The device's key of that algorithm; a server without one may just hang up."""
    try:
        return await transport.host_key(address, algorithm, deadline_s=FIRST_CONTACT_S)
    except DeviceError as error:
        if error.reason == Reason.CONNECTION_LOST and not (needed and algorithm == ALGORITHMS[-1]):
            return None
        raise
