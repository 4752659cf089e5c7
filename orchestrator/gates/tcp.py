"""Samples of `tcp` gates: whether a port takes a connection.

Laws:
1. Nothing is sent and nothing is read; the connection is closed at once.
2. Refused is an answer (`open` is false). Silence, no route and no name are errors: they may as well
   be the controller's own trouble, and R9 takes a timeout for an error.
3. A name is looked up under the rules of `http` gates: no link-local or metadata address.
"""

from __future__ import annotations

import asyncio

from orchestrator.device.check import Scalar
from orchestrator.gates.failure import ProbeError
from orchestrator.outward import http


async def connect(host: str, port: int, *, deadline_s: float) -> dict[str, Scalar]:
    """The field `open` of one attempt.

    Raises:
        OutwardError: it cannot be told whether the port is open.
    """
    try:
        async with asyncio.timeout(deadline_s):
            return {"open": await _is_open(host, port)}
    except TimeoutError as error:
        message = f"`{host}` port {port} did not answer within {deadline_s:g} s"
        raise ProbeError(message) from error


async def _is_open(host: str, port: int) -> bool:
    trouble: OSError | None = None
    for address in await http.addresses(host, port):
        try:
            _, writer = await asyncio.open_connection(address, port)
        except ConnectionRefusedError:
            continue
        except OSError as error:
            trouble = error
        else:
            writer.transport.abort()  # no lingering: what the peer sends is not ours to read
            return True
    if trouble is not None:
        message = f"`{host}` port {port}: {trouble.strerror or trouble}"
        raise ProbeError(message) from trouble
    return False
