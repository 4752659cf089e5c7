"""Devices as witnesses: where a journal stood when they were last changed for it.

Laws:
1. Each mutating request of a rollout says where its journal stood, in two parameters that helpers
   before 1.3.0 took and forgot.
2. A device keeps of each of `KEPT_MAX` rollouts the highest number; it decides nothing by that.
3. What a device says is a word of one witness: a line that is not written as it should be is none.

Source: design "device-and-trust" B.1, audit log; docs/reference/device-protocol.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.device.protocol import DIGITS_MAX, Reply

KEPT_MAX = 64  # rollouts, on each device
_KNOWN = re.compile(
    r"(?P<controller>[a-z0-9-]{1,64}) (?P<rollout>[A-Za-z0-9-][A-Za-z0-9.-]{0,63}) "
    rf"(?P<seq>[0-9]{{1,{DIGITS_MAX}}}) (?P<hash>[0-9a-f]{{64}})"
)


@dataclass(frozen=True, slots=True)
class Known:
    """Where the journal of a rollout stood: the hash of its entry `seq`."""

    controller_id: str
    rollout_id: str
    seq: int
    hash: str


def parameters(rollout_id: str, seq: int, hash_: str) -> Mapping[str, str]:
    """What a request says of a journal."""
    return {"seq": f"{rollout_id}.{seq}", "audit": hash_}


def known_of(reply: Reply) -> tuple[Known, ...]:
    """What a device knows of journals; nothing where its helper is older."""
    found = (_KNOWN.fullmatch(value) for value in reply.all("audit")[:KEPT_MAX])
    return tuple(
        Known(one["controller"], one["rollout"], int(one["seq"]), one["hash"])
        for one in found
        if one is not None
    )
