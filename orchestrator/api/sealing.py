"""Checkpoints of the journals that are written here: signed, in a file of their own.

Laws:
1. What cannot be signed or kept stops no rollout and no way back: it is said at the end.
2. Whoever appends to a journal signs its head when it leaves, and every `EVERY_COUNT` entries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.engine.ports import Audited
    from orchestrator.rollout.events import JournalEntry

EVERY_COUNT = 1000  # entries without a checkpoint at most, while an engine runs


@dataclass(frozen=True, slots=True)
class Places:
    """Where the key and the checkpoints are; `is_own_key`: nobody named one, so it may be made."""

    key: Path
    checkpoints: Path
    is_own_key: bool


def places(settings: Settings) -> Places:
    """As configured; else beside the state, or in the project where that is on a server."""
    is_file = "://" not in settings.state
    here = Path(settings.state).parent if is_file else settings.root / ".rollout"
    return Places(
        settings.audit_key or here / "audit.key",
        settings.audit_checkpoints or here / "checkpoints",
        settings.audit_key is None,
    )


class Sealer:
    """Signs the head of one rollout's journal.

    Attributes:
        trouble: why the newest head has no checkpoint; empty where it has one.
    """

    def __init__(
        self, settings: Settings, store: Audited, rollout_id: str, *, controller_id: str
    ) -> None:
        self._settings = settings
        self._store = store
        self._rollout_id = rollout_id
        self._controller_id = controller_id
        self._count = 0  # entries since the last checkpoint
        self._work: asyncio.Task[None] | None = None
        self.trouble = ""

    def take(self, journal: Sequence[JournalEntry]) -> None:
        """Entries were committed; returns at once."""
        self._count += len(journal)
        if self._count >= EVERY_COUNT and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._seal(), name="checkpoint")

    async def finish(self) -> None:
        """Signs what was not signed yet."""
        if self._work is not None:
            await self._work
        if self._count:
            await self._seal()

    async def _seal(self) -> None:
        self._count = 0
        try:
            await seal(
                self._settings, self._store, self._rollout_id, controller_id=self._controller_id
            )
            self.trouble = ""
        except OrchestratorError as error:
            self.trouble = error.message


async def seal(settings: Settings, store: Audited, rollout_id: str, *, controller_id: str) -> None:
    """Signs where the journal of a rollout ends now, and keeps that.

    Raises:
        TrustError: the key or the file cannot be used.
        StoreError: the store failed.
    """
    from orchestrator.trust.checkpoint import Checkpoint
    from orchestrator.trust.checkpoint_file import append

    head = await store.head(rollout_id)
    if head is None:
        return
    fleet = settings.fleet or controller_id
    checkpoint = Checkpoint(fleet, controller_id, head, int(time.time()))
    at = places(settings)
    await asyncio.to_thread(append, checkpoint, at.key, at.checkpoints, may_make_key=at.is_own_key)
