"""An OpenSSH certificate authority: makes one, and vouches for hosts and for who logs in.

Certificates are OpenSSH's; `ssh-keygen -s` makes the same. The private key is a file, which may be
encrypted (in PKCS #8 then, which ssh-keygen does not read for Ed25519). Dropbear knows no certificates.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncssh

from orchestrator.device.model import HELPER_USER
from orchestrator.errors import TrustError, system_reason
from orchestrator.ssh.placed import LIB
from orchestrator.trust.certificate import (
    AUTHORITIES,
    CertificateError,
    check_host,
    read_certificate,
)
from orchestrator.trust.errors import TrustRule
from orchestrator.trust.files import is_open

PRINCIPAL = HELPER_USER  # the role that every device lets in; which devices, the network says
EARLY_S = 60  # for clocks that are a little behind
CERTIFICATE_SUFFIX = "-cert.pub"
_MODE = 0o600
Authority = asyncssh.SSHKey


def make_authority(path: Path, passphrase: bytes | None) -> str:
    """Makes a key pair, `path` and `path.pub`; gives the public line.

    Raises:
        TrustError: a file is there already, or cannot be written.
    """
    key = asyncssh.generate_private_key("ssh-ed25519", comment=path.name)
    public = path.with_name(f"{path.name}.pub")
    try:
        if public.exists():
            raise FileExistsError
        # OpenSSH's own encrypted form would need one dependency more
        form = "openssh" if passphrase is None else "pkcs8-pem"
        text = key.export_private_key(form, passphrase=passphrase)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        public.write_bytes(key.export_public_key())
    except FileExistsError as error:
        message = f"`{path}` or `{public}` exists already"
        raise TrustError(
            message, hint="keys are never replaced", code=TrustRule.AUTHORITY
        ) from error
    except OSError as error:
        message = f"`{path}` cannot be written: {system_reason(error)}"
        raise TrustError(message, code=TrustRule.AUTHORITY) from error
    return key.export_public_key().decode("ascii").strip()


def load_authority(path: Path, passphrase: Callable[[], bytes | None]) -> Authority:
    """The private key of an authority; a passphrase is asked for when there is one.

    Raises:
        TrustError: it cannot be read, others may read it, or it is of a kind that vouches for
            nobody here.
    """
    if is_open(path):
        message = f"the authority `{path}` is not used: others may read it"
        raise TrustError(message, hint=f"`chmod 600 {path}`", code=TrustRule.AUTHORITY)
    try:
        data = path.read_bytes()
        try:
            key = asyncssh.import_private_key(data)
        except asyncssh.KeyImportError as error:
            if "assphrase" not in str(error):
                raise
            key = asyncssh.import_private_key(data, passphrase())
    except OSError as error:
        message = f"the authority `{path}` cannot be read: {system_reason(error)}"
        raise TrustError(message, code=TrustRule.AUTHORITY) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        message = f"the authority `{path}` cannot be used: {error}"
        raise TrustError(message, code=TrustRule.AUTHORITY) from error
    if key.get_algorithm() not in AUTHORITIES:
        message = f"the authority `{path}` is a key of the kind `{key.get_algorithm()}`"
        raise TrustError(message, hint="use Ed25519 or ECDSA P-256", code=TrustRule.AUTHORITY)
    return key


def sign_host(
    authority: Authority, host_key: str, device: str, *, now_s: int, valid_s: int
) -> bytes:
    """A host's certificate with the device's id as its one principal.

    Raises:
        TrustError: the host's key cannot be used.
    """
    certificate = authority.generate_host_certificate(
        _public(host_key),
        key_id=device,
        serial=secrets.randbits(63),
        principals=[device],
        valid_after=now_s - EARLY_S,
        valid_before=now_s + valid_s,
    )
    return certificate.export_certificate("openssh")


def renewed_host(
    authority: Authority, host_key: str, device: str, held: str, *, now_s: int, valid_s: int
) -> bytes:
    """The line of a host's certificate: the one it `held` where that does, else a new one.

    It does when this authority gave it to this key and device, and it is good for half of
    `valid_s` still.

    Raises:
        TrustError: the host's key cannot be used.
    """
    if held and _still_does(authority, host_key, device, held, now_s + valid_s // 2):
        return f"{held}\n".encode("ascii")
    made = sign_host(authority, host_key, device, now_s=now_s, valid_s=valid_s)
    return b" ".join(made.split()[:2]) + b"\n"


def _still_does(authority: Authority, host_key: str, device: str, held: str, until_s: int) -> bool:
    try:
        certificate = asyncssh.import_certificate(held)  # which looks at the signature, too
        check_host(read_certificate(certificate.public_data), device, until_s)
    except (asyncssh.KeyImportError, CertificateError, ValueError):
        return False
    if not isinstance(certificate, asyncssh.public_key.SSHOpenSSHCertificate):
        return False
    by_us = certificate.signing_key.public_data == authority.public_data
    return by_us and certificate.key.public_data == _public(host_key).public_data


def sign_user(
    authority: Authority,
    public_key: str,
    key_id: str,
    *,
    now_s: int,
    valid_s: int,
    sources: Sequence[str] = (),
) -> bytes:
    """A certificate that reaches the helper and nothing else.

    Raises:
        TrustError: the key or a source address cannot be used.
    """
    try:
        certificate = _user_certificate(
            authority, _public(public_key), key_id, now_s=now_s, valid_s=valid_s, sources=sources
        )
    except ValueError as error:
        message = f"the certificate cannot be made: {error}"
        raise TrustError(
            message, hint="addresses are as 192.0.2.0/24", code=TrustRule.AUTHORITY
        ) from error
    return certificate.export_certificate("openssh")


class ShortLived:
    """A key of this process alone with a certificate that ends soon; made anew before it does."""

    def __init__(self, authority: Authority, key_id: str, *, valid_s: int) -> None:
        self._authority = authority
        self._key_id = key_id
        self._valid_s = valid_s
        self._renew_at_s = 0.0
        self._pair: tuple[asyncssh.SSHKey, asyncssh.SSHCertificate] | None = None

    def pair(self, now_s: float) -> tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]:
        """The key and its certificate, good for at least half of their life."""
        if self._pair is None or now_s >= self._renew_at_s:
            key = asyncssh.generate_private_key("ssh-ed25519")
            certificate = _user_certificate(
                self._authority, key, self._key_id, now_s=int(now_s), valid_s=self._valid_s
            )
            self._pair = (key, certificate)
            self._renew_at_s = now_s + self._valid_s / 2
        return self._pair


def _user_certificate(
    authority: Authority,
    key: asyncssh.SSHKey,
    key_id: str,
    *,
    now_s: int,
    valid_s: int,
    sources: Sequence[str] = (),
) -> asyncssh.SSHCertificate:
    return authority.generate_user_certificate(
        key,
        key_id=key_id,
        serial=secrets.randbits(63),
        principals=[PRINCIPAL],
        valid_after=now_s - EARLY_S,
        valid_before=now_s + valid_s,
        force_command=f"{LIB}/launch",  # as on the device: sshd refuses two different ones
        source_address=list(sources) or None,
        permit_x11_forwarding=False,
        permit_agent_forwarding=False,
        permit_port_forwarding=False,
        permit_pty=False,
        permit_user_rc=False,
    )


def public_line_of(line: str) -> str:
    """A public key's line as type and base64.

    Raises:
        TrustError: it is none of the kinds that are used here.
    """
    return " ".join(_public(line).export_public_key().decode("ascii").split()[:2])


def _public(line: str) -> asyncssh.SSHKey:
    try:
        key = asyncssh.import_public_key(line)
    except asyncssh.KeyImportError as error:
        message = f"the key to vouch for cannot be read: {error}"
        raise TrustError(message, code=TrustRule.AUTHORITY) from error
    if key.get_algorithm() not in AUTHORITIES:
        message = f"the key to vouch for is of the kind `{key.get_algorithm()}`"
        raise TrustError(message, hint="use Ed25519 or ECDSA P-256", code=TrustRule.AUTHORITY)
    return key
