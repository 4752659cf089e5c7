"""The hardened SSH profile: every option a connection is made with, and the limits around it.

Laws:
1. Host keys are always checked against keys given as objects; no configuration file, agent
   socket or key path of the user is read by the library behind our back.
2. Public-key login only; no forwarding, no terminal but that of a person (`login`), no environment,
   no compression.
3. All text is bytes until the protocol module decodes it.

Source: design "device-and-trust" B.2 (algorithms), "performance" 1c to 1e (their cost).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from orchestrator.ssh.authority import ShortLived

KEX_ALGS = ("mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org")
# The last one is for Dropbear, which has no GCM.
ENCRYPTION_ALGS = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr")
MAC_ALGS = ("hmac-sha2-256", "hmac-sha2-512")
SIGNATURE_ALGS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
WINDOW_BYTES = 128 * 1024  # a device may have this much unread output in flight, twice a reply
SUPPORTED_HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Limits of the transport; the defaults fit a fleet on a common network.

    `handshake_count_max` bounds connections being made at one time, not sessions;
    `gateway_handshake_count_max` those through one jump host (sshd's MaxStartups drops more).
    `host_authorities` are public keys whose certificates name devices that have no pin;
    `short_lived` is offered before the keys.
    """

    connect_s: float = 5.0
    login_s: float = 10.0
    idle_s: float = 30.0
    keepalive_s: float = 15.0
    handshake_count_max: int = 50
    gateway_handshake_count_max: int = 8
    connects_per_s: float = 400.0
    known_hosts: tuple[Path, ...] = ()
    default_keys: tuple[Path, ...] = ()
    agent_socket: str | None = None
    user: str = "root"  # on jump hosts that name none
    host_authorities: tuple[str, ...] = ()
    short_lived: ShortLived | None = None


def settings_of_user(home: Path, user: str, agent_socket: str | None) -> SshSettings:
    """Settings with the files an OpenSSH user has; which of them exist is looked up later."""
    ssh = home / ".ssh"
    return SshSettings(
        known_hosts=(ssh / "known_hosts", Path("/etc/ssh/ssh_known_hosts")),
        default_keys=(ssh / "id_ed25519", ssh / "id_ecdsa", ssh / "id_rsa"),
        agent_socket=agent_socket,
        user=user,
    )


def client_options(settings: SshSettings) -> asyncssh.SSHClientConnectionOptions:
    """Options shared by all connections; host, user and keys come with each."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        agent_path=None,
        agent_forwarding=False,
        client_keys=(),
        known_hosts=((), (), ()),  # nobody is trusted until a connection names its keys
        preferred_auth="publickey",
        kex_algs=KEX_ALGS,
        encryption_algs=ENCRYPTION_ALGS,
        mac_algs=MAC_ALGS,
        signature_algs=SIGNATURE_ALGS,
        compression_algs=None,
        connect_timeout=None,  # one deadline of ours spans both; a queue wait is not counted
        login_timeout=settings.login_s,
        keepalive_interval=settings.keepalive_s,
        keepalive_count_max=3,
        x11_forwarding=False,
        send_env=(),
        request_pty=False,
        encoding=None,
        gss_kex=False,
        gss_auth=False,
    )


def quiet_library() -> None:
    """Keeps asyncssh's log to errors: at its default it costs CPU and logs what devices say."""
    asyncssh.set_log_level(logging.ERROR)
