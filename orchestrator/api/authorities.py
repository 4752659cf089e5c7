"""OpenSSH authorities: make one, vouch for hosts and for who logs in, and use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.owners import person
from orchestrator.api.project import read_file
from orchestrator.api.trust_values import Unlock
from orchestrator.errors import PlanError, TrustError, system_reason

if TYPE_CHECKING:
    from orchestrator.ssh.authority import Authority, ShortLived

HostCertifier = Callable[[str, str, str], bytes]
FILE_BYTES_MAX = 64 * 1024
SHORT_LIVED_S = 3600  # renewed while a rollout goes on


def ca_init(path: Path, passphrase: bytes | None) -> str:
    """Makes an authority, `path` and `path.pub`; gives its public line.

    Raises:
        TrustError: a file is there already, or cannot be written.
    """
    from orchestrator.ssh.authority import make_authority

    return make_authority(path, passphrase)


@dataclass(frozen=True, slots=True)
class Vouching:
    """Who vouches, for how long, and into which file (beside the key, unless given)."""

    ca: Path
    unlock: Unlock
    valid_s: int
    out: Path | None = None


def ca_sign_host(vouching: Vouching, host_key: Path, device: str) -> Path:
    """Vouches for a host's public key with the device's id; gives the certificate's file.

    Raises:
        PlanError: a file cannot be read, or the certificate not be written.
        TrustError: the authority or the key cannot be used, or it is no device's name: a pattern or
            nothing would be every device's, for whoever reads such a certificate as OpenSSH does.
    """
    from orchestrator.inventory.names import host_name_problem
    from orchestrator.ssh.authority import sign_host
    from orchestrator.trust.errors import TrustRule, refuse

    if problem := host_name_problem(device):
        hint = "a certificate is for one device, by its name in the inventory"
        raise refuse(TrustRule.AUTHORITY, f"{problem}: there is no such device", hint=hint)
    line = _line(host_key)
    authority = _authority(vouching.ca, vouching.unlock)
    data = sign_host(authority, line, device, now_s=int(time.time()), valid_s=vouching.valid_s)
    return _written(vouching.out or _beside(host_key), data)


def ca_sign_user(
    vouching: Vouching, public_key: Path, key_id: str | None, sources: Sequence[str] = ()
) -> Path:
    """Vouches for who may reach the helpers; gives the certificate's file.

    Args:
        vouching: who vouches.
        public_key: of the key that will log in.
        key_id: stands in the devices' logs; the person's name if None.
        sources: networks that it may be used from, as `192.0.2.0/24`; none means all.

    Raises:
        PlanError: a file cannot be read, or the certificate not be written.
        TrustError: the authority, the key or a source cannot be used.
    """
    from orchestrator.ssh.authority import sign_user

    line = _line(public_key)
    authority, now_s = _authority(vouching.ca, vouching.unlock), int(time.time())
    named = key_id or person()
    data = sign_user(authority, line, named, now_s=now_s, valid_s=vouching.valid_s, sources=sources)
    return _written(vouching.out or _beside(public_key), data)


def host_authorities(path: Path | None) -> tuple[str, ...]:
    """Public keys of the authorities whose certificates name devices, one a line.

    Raises:
        PlanError: the file cannot be read.
        TrustError: a line is no such key.
    """
    if path is None:
        return ()
    from orchestrator.ssh.authority import public_line_of

    lines = read_file(path, FILE_BYTES_MAX).decode("utf-8", errors="replace").split("\n")
    found = [line for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        message = f"`{path}` names no authority"
        raise PlanError(message, hint="put the line of its `.pub` file there", code="D119")
    return tuple(public_line_of(line) for line in found)


def host_certifier(vouching: Vouching | None) -> HostCertifier | None:
    """Makes the line of a host's certificate of a device's id, host key and the one that it holds.

    Raises:
        TrustError: the authority cannot be used. Of the function: the host's key cannot.
    """
    if vouching is None:
        return None
    from orchestrator.ssh.authority import renewed_host

    authority, valid_s = _authority(vouching.ca, vouching.unlock), vouching.valid_s

    def certify(device: str, host_key: str, held: str) -> bytes:
        now_s = int(time.time())
        return renewed_host(authority, host_key, device, held, now_s=now_s, valid_s=valid_s)

    return certify


def user_authority(path: Path | None) -> str | None:
    """The public line of the authority of those who log in, from beside its private key.

    Raises:
        PlanError: there is no such file.
        TrustError: it is no such key.
    """
    if path is None:
        return None
    from orchestrator.ssh.authority import public_line_of

    return public_line_of(_line(path.with_name(f"{path.name}.pub")))


def short_lived(path: Path | None, purpose: str) -> ShortLived | None:
    """What a command logs in with where there is an authority for it.

    Raises:
        TrustError: the authority cannot be used.
    """
    if path is None:
        return None
    from orchestrator.ssh.authority import ShortLived

    key_id = f"{purpose} {person()}".strip()
    return ShortLived(_authority(path, None), key_id, valid_s=SHORT_LIVED_S)


def _authority(path: Path, unlock: Unlock | None) -> Authority:
    from orchestrator.api.signing import passphrase
    from orchestrator.ssh.authority import load_authority
    from orchestrator.trust.errors import TrustRule

    def ask() -> bytes:
        if unlock is None:
            message = f"the authority `{path}` is encrypted, and nobody is asked at work"
            hint = "make certificates beforehand, with `rollout ca sign-user`"
            raise TrustError(message, hint=hint, code=TrustRule.AUTHORITY)
        return passphrase(f"passphrase of {path}", unlock)

    return load_authority(path, ask)


def _line(path: Path) -> str:
    return read_file(path, FILE_BYTES_MAX).decode("utf-8", errors="replace").strip()


def _beside(public_key: Path) -> Path:
    return public_key.with_name(public_key.name.removesuffix(".pub") + "-cert.pub")


def _written(path: Path, data: bytes) -> Path:
    try:
        path.write_bytes(data)
    except OSError as error:
        message = f"`{path}` cannot be written: {system_reason(error)}"
        raise PlanError(message, hint="name another file with `-o`", code="D118") from error
    return path
