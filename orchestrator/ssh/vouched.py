"""Hosts that prove themselves by a certificate: what the library leaves open is checked here.

asyncssh takes a certificate without principals for every host, and one without an end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypedDict

import asyncssh

from orchestrator.ssh.identity import HostKeys
from orchestrator.trust.certificate import (
    ALGORITHMS,
    AUTHORITIES,
    CertificateError,
    check_host,
    is_certificate,
    read_certificate,
)


class CertificateRefusedError(asyncssh.HostKeyNotVerifiable):
    """The host's certificate is not one for this device."""


class _Strict(asyncssh.SSHClient):
    """Judges the certificate before the library does."""

    def __init__(self, name: str, *, bare: bool) -> None:
        self._name = name
        self._bare = bare

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Puts itself before the library's own check, before keys are exchanged."""
        judge = conn.validate_server_host_key

        def validate(key_data: bytes) -> asyncssh.SSHKey:
            if is_certificate(key_data):
                try:
                    check_host(read_certificate(key_data), self._name, time.time())
                except CertificateError as error:
                    raise CertificateRefusedError(str(error)) from error
            elif not self._bare:
                message = "it shows no certificate, and no key of it is pinned"
                raise CertificateRefusedError(message)
            return judge(key_data)

        conn.validate_server_host_key = validate  # type: ignore[method-assign]


class Vouching(TypedDict, total=False):
    """Options of a connection whose host may show a certificate."""

    client_factory: Callable[[], asyncssh.SSHClient]
    host_key_alias: str
    server_host_key_algs: list[str]


def vouching(trusted: HostKeys, name: str) -> Vouching:
    """Options with which the certificate has to name `name`; bare keys count where one is trusted."""
    bare = bool(trusted[0])

    def strict() -> asyncssh.SSHClient:
        return _Strict(name, bare=bare)

    options = Vouching(client_factory=strict, host_key_alias=name)
    if not bare:  # a bare key last: its host then gets an answer, where most would just hang up
        options["server_host_key_algs"] = [*ALGORITHMS, *sorted(AUTHORITIES)]
    return options
