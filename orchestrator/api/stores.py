"""The state store of a project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.values import Settings
from orchestrator.errors import ExitCode, StoreError

if TYPE_CHECKING:
    from orchestrator.store.sql import SqlStore


def shown_state(url: str) -> str:
    """A state store's path or address as it may be shown: without its password.

    Raises:
        StoreError: it cannot be told which part of the address is the password.
    """
    scheme, is_address, _rest = url.partition("://")
    if not is_address:
        return url
    if scheme not in {"postgres", "postgresql"}:
        return f"{scheme}://..."  # no store of ours: where its password stands is not known
    from orchestrator.store.address import without_password

    return without_password(url)


def state_exists(settings: Settings) -> bool:
    """Whether anything was ever stored; reading commands create no file."""
    if "://" in settings.state:
        return True
    try:
        return Path(settings.state).exists()
    except OSError:  # in a directory that we may not look into: opening it says so
        return True


@asynccontextmanager
async def open_state(settings: Settings) -> AsyncIterator[SqlStore]:
    """The store, created where there is none.

    Raises:
        StoreError: it cannot be opened, or is of a newer version.
    """
    from orchestrator.store.sql import open_store

    store = await open_store(settings.state)
    try:
        yield store
    finally:
        await store.close()


async def rollout_id_of(store: SqlStore, text: str | None) -> str:
    """The rollout that a person means: an id, the beginning of one, or (None) the newest.

    Raises:
        StoreError: there is none, or there are several.
    """
    if text is not None:
        return await store.resolve_id(text)
    newest = await store.latest()
    if newest is None:
        raise no_rollouts()
    return newest.rollout_id


def no_rollouts() -> StoreError:
    """There is nothing to look at yet."""
    error = StoreError("no rollout was started here yet", hint="start one: `rollout apply PLAN`")
    error.exit_code = ExitCode.REFUSED
    return error
