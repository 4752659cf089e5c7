"""Care of the state store: migrate it, export rollouts from it, make a copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Settings, StateMigrated
from orchestrator.errors import StoreError
from orchestrator.render.export import Export
from orchestrator.rollout.acts import ACTS

if TYPE_CHECKING:
    from orchestrator.store.sql import SqlStore

EXPORT_PAGE = 1000


def state_migrate(settings: Settings) -> StateMigrated:
    """Brings the store to the schema of this version; makes it where there is none.

    Raises:
        StoreError: it cannot be reached, is newer than this version, or is something else.
    """
    from orchestrator.store.migrate import migrate_store

    done = migrate_store(settings.state)
    return StateMigrated(done.place, done.before, done.after)


def state_backup(settings: Settings, target: Path) -> None:
    """Writes a consistent copy of the store to a new file, also while rollouts run.

    Raises:
        StoreError: there is nothing to copy, the file exists, or the copy failed.
    """
    from orchestrator.store.backup import back_up

    back_up(settings.state, target)


async def state_export(settings: Settings, rollout: str | None) -> AsyncIterator[str]:
    """One rollout as JSON lines (schemas/export.v1.json); the newest where none is named.

    Raises:
        StoreError: there is none, or several begin like that.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        async for line in _export(store, await rollout_id_of(store, rollout)):
            yield line


async def state_export_all(settings: Settings) -> AsyncIterator[str]:
    """Every rollout, one after the other, oldest first; then what was done beside them, if anything.

    Raises:
        StoreError: the store failed.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        for found in reversed(await store.rollouts(limit=None)):
            async for line in _export(store, found.rollout_id):
                yield line
        async for line in _export_acts(store):
            yield line


async def _export_acts(store: SqlStore) -> AsyncIterator[str]:
    head = await store.head(ACTS)
    if head is None or not head.seq:
        return
    export = Export(ACTS)
    yield export.head_of_acts(
        tool=__version__, controller=store.controller_id(), last_seq=head.seq, last_hash=head.hash
    )
    seq = 0
    while seq < head.seq:
        page = await store.acts(after=seq, limit=min(EXPORT_PAGE, head.seq - seq))
        if not page:  # its end was cut off, as `audit verify` says
            break
        for line in export.entries(page):
            yield line
        seq = page[-1].seq
    yield export.end()


async def _export(store: SqlStore, rollout_id: str) -> AsyncIterator[str]:
    stored = await store.load(rollout_id)
    if stored is None:
        message = f"there is no rollout `{rollout_id}`"
        raise StoreError(message, hint="`rollout status --all` lists them")
    export = Export(rollout_id)
    for line in export.head(
        tool=__version__,
        controller=store.controller_id(),
        plan_json=stored.plan_json,
        row=stored.rollout,
        last_seq=stored.last_seq,
    ):
        yield line
    for line in export.devices(stored.devices):
        yield line
    seq = 0
    # The journal only grows: up to `last_seq` it is what belongs to the snapshot just read.
    while seq < stored.last_seq:
        limit = min(EXPORT_PAGE, stored.last_seq - seq)
        page = await store.journal(rollout_id, after=seq, limit=limit)
        for line in export.entries(page):
            yield line
        seq = page[-1].seq
    yield export.end()
