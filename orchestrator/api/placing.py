"""What enrolment and bundles need of files and people before they place anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.admin_values import EnrollRequest, PinRequest
from orchestrator.api.connections import ssh_settings
from orchestrator.api.pins import read_fingerprints
from orchestrator.api.project import read_file
from orchestrator.api.signed_files import read_root_file
from orchestrator.api.values import Settings
from orchestrator.errors import PlanError

if TYPE_CHECKING:
    from orchestrator.device.model import Address, DeviceId
    from orchestrator.ssh.placed import PlacedRoot
    from orchestrator.ssh.transport import SshTransport
    from orchestrator.trust.root import Root

FILE_BYTES_MAX = 1024 * 1024  # a key or a health check is a page of text


@dataclass(frozen=True, slots=True)
class Expected:
    """How a host key is known to be right that is not pinned.

    `fingerprint` was given for this device alone and goes before a pin; `told` is from a list of
    many. Without both a certificate has to show it where hosts are `certified`, else
    `accept(device, fingerprint)` asks a person.
    """

    fingerprint: str | None
    told: str | None
    accept: Callable[[str, str], bool]
    certified: bool = False


def expectations(
    settings: Settings, request: EnrollRequest | PinRequest
) -> Callable[[DeviceId], Expected]:
    """What a request says of each device's host key.

    Raises:
        PlanError: the file of fingerprints is wrong.
    """
    told = read_fingerprints(request.fingerprints) if request.fingerprints else {}
    certified = settings.host_ca is not None
    return lambda device: Expected(
        request.fingerprint, told.get(device), request.accept_host_key, certified
    )


async def identified(
    transport: SshTransport, device: DeviceId, address: Address, expected: Expected
) -> Address:
    """The address with the host key that is known to be right.

    Raises:
        DeviceError: HOST_KEY, none is; or it cannot be reached.
    """
    from orchestrator.ssh.first_contact import identify

    fingerprint = expected.fingerprint or expected.told
    if expected.fingerprint is None and (
        address.host_keys or (expected.certified and not fingerprint)
    ):
        return address

    def confirm(_algorithm: str, fingerprint: str) -> bool:
        return expected.accept(device, fingerprint)

    line = await identify(transport, address, fingerprint=fingerprint, confirm=confirm)
    return replace(address, host_keys=(line,))


async def login_key(settings: Settings, key_file: str | None) -> str:
    """The public half of the key that will log in: of that file, else the one SSH would use.

    Raises:
        DeviceError: AUTHENTICATION, there is none.
    """
    from orchestrator.ssh.identity import KeyRing, public_line

    ring = KeyRing(replace(ssh_settings(settings), short_lived=None))
    try:
        return public_line((await ring.keys(key_file))[0])
    finally:
        ring.close()


def verified_by(
    keys: Sequence[Path], trust_root: Path | None
) -> tuple[dict[str, bytes], PlacedRoot | None]:
    """What a device checks releases with: keys by their names, and a root.

    Raises:
        PlanError: there is neither, a file is missing, or two keys have one name.
        TrustError: a key cannot be used, or the root is not signed by its own keys.
    """
    found, root = _signing_keys(keys), placed_root(trust_root)
    if not found and root is None:
        message = "a device needs a key to verify releases with, or a trust root"
        hint = "give `--key PUB`, or `--root FILE`"
        raise PlanError(message, hint=hint, code="D114")
    return found, root


def health_checks(paths: Sequence[Path]) -> dict[str, bytes]:
    """Health checks to place, by their names.

    Raises:
        PlanError: a file cannot be read.
    """
    return {path.name: read_file(path, FILE_BYTES_MAX) for path in paths}


def _signing_keys(paths: Sequence[Path]) -> dict[str, bytes]:
    from orchestrator.trust.keys import load_public_key

    found: dict[str, bytes] = {}
    for path in paths:
        name = Path(path.name.removesuffix(".pub")).stem
        if name in found:
            message = f"two keys are called `{name}`"
            raise PlanError(message, hint="rename one of the files", code="D112")
        found[name] = load_public_key(path).pem
    return found


def placed_root(path: Path | None) -> PlacedRoot | None:
    """The root of a file, signed by its own root keys; the signatures stand beside it.

    Raises:
        PlanError: a file cannot be read.
        TrustError: it is no root, or too few of its own keys signed it.
    """
    if path is None:
        return None
    from orchestrator.ssh.placed import PlacedRoot

    found = read_root_file(path)
    root = found.root
    return PlacedRoot(
        found.text,
        root.fleet,
        root.version,
        needs_ed25519=_needs_ed25519(root),
        ed25519_lacks=_ed25519_lacks(root),
    )


def _needs_ed25519(root: Root) -> bool:
    """Whether a device without Ed25519 could not count enough keys of a role."""
    from orchestrator.trust.root import Role

    return any(
        len(root.of(role)) - root.ed25519_count(role) < root.threshold(role)
        for role in (Role.ROOT, Role.RELEASE)
    )


def _ed25519_lacks(root: Root) -> tuple[str, ...]:
    """The roles of which a device with Ed25519 alone could not count enough keys."""
    from orchestrator.trust.root import Role

    return tuple(str(role) for role in Role if root.ed25519_count(role) < root.threshold(role))
