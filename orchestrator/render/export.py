"""A rollout as JSON lines that stand for themselves: plan, snapshot, journal, and a seal.

Laws:
1. A reader can verify it without this program: `plan_sha256` is the SHA-256 of the plan's text as
   it stands in the line, and the last line has the SHA-256 of all lines of the rollout before it.
2. The journal is gapless from 1 to `last_seq`, and a file that was cut has no last line.
3. Bodies are written as they are stored; within a major version fields are only added
   (schemas/export.v1.json).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.rollout.events import JournalEntry

EXPORT_VERSION = "1.1"


class Export:
    """The lines of one rollout, in order: `head`, `devices`, `entries` (by pages), `end`.

    Of the journal of acts they are `head_of_acts`, `entries` and `end`.
    """

    def __init__(self, rollout_id: str) -> None:
        self._rollout_id = rollout_id
        self._sha256 = hashlib.sha256()
        self._count = 0

    def head(
        self,
        *,
        tool: str,
        controller: str,
        plan_json: bytes,
        row: Mapping[str, object],
        last_seq: int,
    ) -> Iterator[str]:
        """Version, plan and the rollout's own row."""
        yield self._line(
            {
                "type": "version",
                "export": EXPORT_VERSION,
                "tool": tool,
                "rollout": self._rollout_id,
                "controller": controller,
                "plan_sha256": hashlib.sha256(plan_json).hexdigest(),
            }
        )
        yield self._line({"type": "plan", "json": plan_json.decode()})
        yield self._line({"type": "rollout", "last_seq": last_seq, "row": dict(row)})

    def head_of_acts(self, *, tool: str, controller: str, last_seq: int, last_hash: str) -> str:
        """What follows is the journal of acts, up to the entry with this hash."""
        return self._line(
            {
                "type": "acts",
                "export": EXPORT_VERSION,
                "tool": tool,
                "controller": controller,
                "last_seq": last_seq,
                "hash": last_hash,
            }
        )

    def devices(self, rows: Mapping[DeviceId, Mapping[str, object]]) -> Iterator[str]:
        """The snapshot row of each device."""
        for device, row in rows.items():
            yield self._line({"type": "device", "device": device, "row": dict(row)})

    def entries(self, journal: Iterable[JournalEntry]) -> Iterator[str]:
        """Entries of the journal."""
        for entry in journal:
            yield self._line(
                {
                    "type": "entry",
                    "seq": entry.seq,
                    "at": entry.at,
                    "entry": entry.type,
                    "wave": entry.wave,
                    "device": entry.device,
                    "data": dict(entry.data),
                }
            )

    def end(self) -> str:
        """The seal: how many lines stood before it, and their SHA-256."""
        return _text({"type": "end", "lines": self._count, "sha256": self._sha256.hexdigest()})

    def _line(self, document: Mapping[str, object]) -> str:
        line = _text(document)
        self._sha256.update(line.encode())
        self._count += 1
        return line


def _text(document: Mapping[str, object]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"
