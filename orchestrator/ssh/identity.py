"""Who we are and whom we trust: private keys and host keys as objects, each read once.

asyncssh reads a key given as a path for every connection and parses a known_hosts file for every
connection; with objects that costs nothing (design "performance" 1c).
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.authority import CERTIFICATE_SUFFIX, PRINCIPAL
from orchestrator.ssh.profile import SshSettings
from orchestrator.trust.certificate import CertificateError, check_user, read_certificate
from orchestrator.trust.files import is_open

_REVOKED = "@revoked"
HostKeys = tuple[Sequence[asyncssh.SSHKey], Sequence[asyncssh.SSHKey], Sequence[asyncssh.SSHKey]]
Certified = tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]
ClientKeys = Sequence[asyncssh.SSHKey | asyncssh.SSHKeyPair | Certified]


class KeyRing:
    """Keys to log in with: of a file the inventory names, else the agent's, else the defaults.

    A certificate goes before them: the short-lived one, and those that lie beside a key as OpenSSH
    has them (`KEY-cert.pub`). A device that knows no certificates takes the next key. A file that
    others may read is not used; of the defaults it is left out, as OpenSSH does.
    """

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._files: dict[str, tuple[asyncssh.SSHKey | Certified, ...]] = {}
        self._agent: asyncssh.SSHAgentClient | None = None
        self._common: ClientKeys | None = None
        self._lock = asyncio.Lock()

    async def keys(self, key_file: str | None) -> ClientKeys:
        """Keys to offer.

        Raises:
            DeviceError: AUTHENTICATION, the file cannot be used or there is no key at all.
        """
        short = self._settings.short_lived
        first = () if short is None else (short.pair(time.time()),)
        if key_file is not None:
            return (*first, *self._read(key_file))
        async with self._lock:
            if self._common is None:
                self._common = await self._find_common()
        return (*first, *self._common)

    def close(self) -> None:
        """Closes the agent's socket."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    async def _find_common(self) -> ClientKeys:
        if self._settings.agent_socket:
            try:
                self._agent = await asyncssh.connect_agent(self._settings.agent_socket)
                if found := await self._agent.get_keys():
                    return tuple(found)
            except (OSError, ValueError):
                pass  # an agent that is gone is the same as none; the message below names both
        files = [path for path in self._settings.default_keys if path.is_file()]
        closed = [path for path in files if not is_open(path)]
        keys = [key for path in closed for key in self._read(str(path))]
        if not keys and self._settings.short_lived is None:
            if files:
                raise _too_open(files[0])
            raise DeviceError(
                "there is no key to log in with",
                reason=Reason.AUTHENTICATION,
                hint="set `ansible_ssh_private_key_file` in the inventory or add a key to your agent",
            )
        return tuple(keys)

    def _read(self, path: str) -> tuple[asyncssh.SSHKey | Certified, ...]:
        if (known := self._files.get(path)) is not None:
            return known
        if is_open(Path(path).expanduser()):
            raise _too_open(Path(path))
        try:
            key = asyncssh.read_private_key(Path(path).expanduser())
        except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            hint = "look at `ansible_ssh_private_key_file` of this device"
            if "passphrase" in str(error).lower():
                hint = "add it to your agent and leave the file out of the inventory"
            message = f"private key `{path}` cannot be read: {error}"
            raise DeviceError(message, reason=Reason.AUTHENTICATION, hint=hint) from error
        certificate = _certificate_beside(Path(path).expanduser())
        self._files[path] = (key,) if certificate is None else ((key, certificate), key)
        return self._files[path]


def _too_open(path: Path) -> DeviceError:
    return DeviceError(
        f"private key `{path}` is not used: others may read it",
        reason=Reason.AUTHENTICATION,
        hint=f"`chmod 600 {path}`, as OpenSSH wants it too; and make a new key if somebody did",
    )


def _certificate_beside(key: Path) -> asyncssh.SSHCertificate | None:
    """The certificate of a key that lets it reach helpers; others are none of ours.

    Raises:
        DeviceError: AUTHENTICATION, it is one of ours and is over, or allows too much.
    """
    path = key.with_name(key.name + CERTIFICATE_SUFFIX)
    if not path.is_file():
        return None
    try:
        found = asyncssh.read_certificate(path)
        certificate = read_certificate(found.public_data)
        if PRINCIPAL not in certificate.principals:
            return None
        check_user(certificate, PRINCIPAL, time.time())
    except (OSError, asyncssh.KeyImportError, CertificateError) as error:
        message = f"`{path}` cannot be used: {error}"
        hint = "get another one, or take it away to log in with the key alone"
        raise DeviceError(message, reason=Reason.AUTHENTICATION, hint=hint) from error
    return found


def public_line(key: asyncssh.SSHKey | asyncssh.SSHKeyPair | Certified) -> str:
    """The public half as it stands in authorized_keys: type and base64, without a comment."""
    if isinstance(key, tuple):
        key = key[0]
    if isinstance(key, asyncssh.SSHKey):
        return " ".join(key.export_public_key().decode("ascii").split()[:2])
    blob = base64.b64encode(key.public_data).decode("ascii")
    return f"{key.algorithm.decode('ascii')} {blob}"


class HostTrust:
    """Host keys a connection must prove: pinned in the inventory, else in known_hosts files.

    A device that has no pin may prove itself by a certificate of one of the `authorities`, which
    come from the operator. What known_hosts has as `@revoked` counts for no device, pinned or not.
    There is no answer that means "any key".
    """

    def __init__(self, known_hosts: Sequence[Path], authorities: Sequence[str] = ()) -> None:
        self._paths = known_hosts
        self._authorities = tuple(asyncssh.import_public_key(line) for line in authorities)
        self._text: str | None = None
        self._known: asyncssh.SSHKnownHosts | None = None
        self._pinned: dict[tuple[str, ...], HostKeys] = {}

    def of(self, address: Address, identity: str = "") -> HostKeys:
        """Trusted keys, trusted authorities and revoked keys of an address.

        `identity` is the device's id; jump hosts have none, and no authority of ours.

        Raises:
            DeviceError: HOST_KEY, nothing is known of this host: it is not contacted.
        """
        port = address.port if address.port != asyncssh.DEFAULT_PORT else None
        if address.host_keys:
            pinned = self._parse(address.host_keys)
            if _REVOKED not in self._read():  # the files are often long, and seldom revoke
                return pinned
            return pinned[0], pinned[1], self._files().match(address.host, "", port)[2]
        matched = self._files().match(address.host, "", port)
        if identity and self._authorities:
            return (), self._authorities, matched[2]
        if not matched[0] and not matched[1]:
            raise DeviceError(
                f"no host key is known for `{address.host}` port {address.port}",
                reason=Reason.HOST_KEY,
                hint="pin it with `rollout device enroll` or in `rollout_host_keys`",
            )
        return matched[0], matched[1], matched[2]

    def _parse(self, lines: tuple[str, ...]) -> HostKeys:
        if (known := self._pinned.get(lines)) is not None:
            return known
        try:
            keys = tuple(asyncssh.import_public_key(line) for line in lines)
        except asyncssh.KeyImportError as error:
            raise DeviceError(
                f"pinned host key cannot be read: {error}",
                reason=Reason.HOST_KEY,
                hint="write it as `ssh-ed25519 AAAA...` in `rollout_host_keys`",
            ) from error
        self._pinned[lines] = (keys, (), ())
        return self._pinned[lines]

    def _read(self) -> str:
        if self._text is None:
            text = []
            for path in self._paths:
                try:
                    text.append(path.read_text("utf-8", errors="replace"))
                except OSError:
                    continue  # a file that is not there knows nobody
            self._text = "\n".join(text)
        return self._text

    def _files(self) -> asyncssh.SSHKnownHosts:
        if self._known is None:
            try:
                self._known = asyncssh.import_known_hosts(self._read())
            except ValueError as error:
                raise DeviceError(
                    f"known_hosts cannot be read: {error}",
                    reason=Reason.HOST_KEY,
                    hint=f"look at {', '.join(f'`{path}`' for path in self._paths)}",
                ) from error
        return self._known
