"""An authenticated connection to an address, directly or through jump hosts.

Laws:
1. A connection is returned only after the peer proved a trusted host key and accepted our key.
2. Every failure is a `DeviceError` with its reason; the library's exceptions end here.
3. An address that failed its host key check is not contacted again by this connector.
4. One connection per jump host is shared by all devices behind it; those devices' host keys are
   checked end to end, so a jump host sees only ciphertext.
"""

from __future__ import annotations

import asyncio

import asyncssh

from orchestrator.device.model import Address, Hop
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.cork import CorkedTcp
from orchestrator.ssh.failures import EXPECTED, connect_failure
from orchestrator.ssh.identity import HostTrust, KeyRing
from orchestrator.ssh.limits import Handshakes
from orchestrator.ssh.profile import KEX_ALGS, SshSettings, client_options, quiet_library
from orchestrator.ssh.vouched import vouching

CLOSE_S = 1.0


class Connector:
    """Makes connections; keeps keys, host keys and jump connections."""

    def __init__(self, settings: SshSettings) -> None:
        quiet_library()
        self._settings = settings
        self._options = client_options(settings)
        self._keys = KeyRing(settings)
        self._trust = HostTrust(settings.known_hosts, settings.host_authorities)
        self._handshakes = Handshakes(
            count_max=settings.handshake_count_max,
            per_gateway_max=settings.gateway_handshake_count_max,
            connects_per_s=settings.connects_per_s,
        )
        self._gateways: dict[tuple[Hop, ...], asyncssh.SSHClientConnection] = {}
        self._gateway_locks: dict[tuple[Hop, ...], asyncio.Lock] = {}
        self._distrusted: dict[Address, DeviceError] = {}

    async def connect(
        self, address: Address, *, deadline_s: float, identity: str = ""
    ) -> asyncssh.SSHClientConnection:
        """A connection to the address.

        `deadline_s` counts from the moment a handshake slot is free. `identity` is the id of the
        device that answers there, which a certificate has to name.

        Raises:
            DeviceError: UNREACHABLE, TIMEOUT, CONNECTION_LOST, HOST_KEY or AUTHENTICATION.
        """
        who = f"device at `{address.host}` port {address.port}"
        self._refuse_distrusted(address)
        gateway = _name(address.jumps) if address.jumps else None
        async with self._handshakes.slot(gateway):
            try:
                async with asyncio.timeout(deadline_s):
                    tunnel = await self._gateway(address.jumps, address.key_file)
                    return await self._trusted_handshake(address, tunnel, who, identity)
            except TimeoutError as error:
                raise connect_failure(error, who) from error

    async def host_key(
        self, address: Address, algorithm: str, *, deadline_s: float
    ) -> asyncssh.SSHKey | None:
        """The host key of that algorithm which the peer proves to have; None when it has none.

        Raises:
            DeviceError: UNREACHABLE, TIMEOUT or CONNECTION_LOST.
        """
        who = f"device at `{address.host}` port {address.port}"
        try:
            async with asyncio.timeout(deadline_s):
                tunnel = await self._gateway(address.jumps, address.key_file)
                return await asyncssh.get_server_host_key(
                    address.host,
                    address.port,
                    tunnel=tunnel,
                    config=None,
                    kex_algs=KEX_ALGS,
                    server_host_key_algs=[algorithm],
                )
        except asyncssh.KeyExchangeFailed as error:
            if "host key" in str(error):
                return None
            raise connect_failure(error, who) from error
        except EXPECTED as error:
            raise connect_failure(error, who) from error

    async def close(self) -> None:
        """Closes the jump connections and the agent; those who used them lose them."""
        for connection in self._gateways.values():
            connection.abort()
        self._gateways.clear()
        self._keys.close()

    def _refuse_distrusted(self, address: Address) -> None:
        if (earlier := self._distrusted.get(address)) is not None:
            raise DeviceError(earlier.message, reason=Reason.HOST_KEY, hint=earlier.hint)

    async def _trusted_handshake(
        self,
        address: Address,
        tunnel: asyncssh.SSHClientConnection | None,
        who: str,
        identity: str = "",
    ) -> asyncssh.SSHClientConnection:
        self._refuse_distrusted(address)
        try:
            return await self._handshake(address, tunnel, identity)
        except EXPECTED as error:
            failure = connect_failure(error, who)
            if failure.reason == Reason.HOST_KEY:
                self._distrusted[address] = failure
            raise failure from error

    async def _handshake(
        self, address: Address, tunnel: asyncssh.SSHClientConnection | None, identity: str
    ) -> asyncssh.SSHClientConnection:
        trusted = self._trust.of(address, identity)
        vouched = vouching(trusted, identity or address.host) if trusted[1] else {}
        keys = await self._keys.keys(address.key_file)
        limit_s = self._settings.connect_s + self._settings.login_s
        async with asyncio.timeout(limit_s):
            return await asyncssh.connect(
                address.host,
                address.port,
                tunnel=tunnel or CorkedTcp(),
                config=None,
                options=self._options,
                username=address.user,
                client_keys=list(keys),  # a tuple would mean (key, certificate)
                known_hosts=trusted,
                **vouched,
            )

    async def _gateway(
        self, hops: tuple[Hop, ...], key_file: str | None
    ) -> asyncssh.SSHClientConnection | None:
        """The shared connection to the last hop; built hop by hop, once."""
        if not hops:
            return None
        async with self._gateway_locks.setdefault(hops, asyncio.Lock()):
            standing = self._gateways.get(hops)
            if standing is not None and not standing.is_closed():
                return standing
            before = await self._gateway(hops[:-1], key_file)
            hop = hops[-1]
            address = Address(
                host=hop.host,
                port=hop.port,
                user=hop.user or self._settings.user,
                key_file=hop.key_file or key_file,
            )
            connection = await self._trusted_handshake(address, before, f"jump host `{hop.host}`")
            self._gateways[hops] = connection
            return connection


def _name(hops: tuple[Hop, ...]) -> str:
    return f"{hops[0].host}:{hops[0].port}"


async def disconnect(connection: asyncssh.SSHClientConnection) -> None:
    """Closes a connection; never fails and never waits longer than a second."""
    connection.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await connection.wait_closed()
    except EXPECTED:
        connection.abort()
