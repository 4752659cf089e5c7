"""Deliveries of the difference alone: the device makes the payload file of what it runs, and a patch.

Laws:
1. Whatever goes wrong here, the delivery that follows sends what the device lacks, the whole file
   if need be. So nothing of it is ever a failure of the device.
2. Nobody believes a patch: the device checks what it makes as it checks what is sent to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from orchestrator.device.protocol import Frame, Reply, Request, Verb
from orchestrator.engine.ports import Dialogue, Session
from orchestrator.errors import DeviceError

TOOL = "xdelta3"  # what a device must name among its facts
FACTS_S = 30.0


@dataclass(frozen=True, slots=True)
class Delta:
    """A patch that makes the file `name` of the artifact to be delivered.

    `size_bytes` and `sha256` are that file's; `old_size_bytes` and `old_sha256` those of the file
    that it is made of, which is part of the artifact with the manifest `old_manifest`.
    """

    old_manifest: str
    old_size_bytes: int
    old_sha256: str
    name: str
    size_bytes: int
    sha256: str
    patch: Frame

    def is_needed(self, looked: Reply, held: Mapping[str, tuple[int, str]]) -> bool:
        """Whether the device runs what this is for, and has not yet got the file."""
        fields = looked.fields
        runs = (fields.get("manifest"), fields.get("active")) == (self.old_manifest, "yes")
        return runs and held.get(self.name) != (self.size_bytes, self.sha256)

    def request(self, mutation: Request) -> Request:
        """The request for it, with all that a mutating request carries."""
        words = {
            "name": self.name,
            "size": str(self.size_bytes),
            "sha": self.sha256,
            "from": self.old_sha256,
            "had": str(self.old_size_bytes),
            "frames": "1",
        }
        return Request(Verb.REBUILD, {**mutation.params, **words})


async def rebuilt(
    session: Session,
    delta: Delta,
    *,
    by: Request,
    limit_s: float,
    reopen: Callable[[], Awaitable[Session]],
) -> Session:
    """Has the device make the file, where it can; how that ended its `status` says.

    Args:
        session: an open connection.
        delta: what it is made of.
        by: has all that a mutating request carries.
        limit_s: how long that may take.
        reopen: gives another connection.

    Returns:
        The connection to go on with: another one where this one did not outlive it.

    Raises:
        DeviceError: the device cannot be reached again.
    """
    facts = Request(Verb.FACTS, {"component": by.params["component"]})
    try:
        told = await session.ask(facts, deadline_s=FACTS_S)
        if TOOL in told.fields.get("delta", "").split():
            dialogue = Dialogue((delta.patch,), _nothing_to_decide)
            await session.converse(delta.request(by), dialogue, deadline_s=limit_s)
    except* DeviceError:
        session = await reopen()
    return session


async def _nothing_to_decide(_said: Reply) -> str:
    return ""
