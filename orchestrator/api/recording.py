"""Recording what is done beside rollouts, and showing it.

Laws:
1. What cannot be recorded is not done: the entry is durable before the act begins.
2. The end is recorded whatever happens to the act; only a killed process leaves it out.
3. Whoever recorded something signs where the journal ends. What cannot be signed stops nothing: it
   is logged, and the next checkpoint vouches for it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestrator.api.owners import person
from orchestrator.api.sealing import seal
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.values import DeviceAnswer, Settings
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, OrchestratorError, StoreError
from orchestrator.log import Log
from orchestrator.rollout.acts import ACTS, OK, Act, ActKind, ActTold, End, ending

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.rollout.events import Value
    from orchestrator.store.sql import SqlStore

ACTS_COUNT_DEFAULT = 50
HOST_KEYS = "rollout_host_keys"  # among an answer's facts: by which keys the device is known now
_log = Log("audit")


class Recorder:
    """Records acts of one command in a store; used from one event loop."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.has_recorded = False
        self._who = person()

    async def begin(
        self, kind: ActKind, device: str, why: str = "", what: Mapping[str, Value] | None = None
    ) -> Doing:
        """Records that something is about to be done.

        Raises:
            StoreError: the store failed: do not do it.
        """
        act = Act(time.time(), kind, self._who, device, why, what or {})
        self.has_recorded = True
        return Doing(self.store, act, await self.store.record(act))

    def each(
        self, kind: ActKind, one: Callable[[Device], Awaitable[DeviceAnswer]]
    ) -> Callable[[Device], Awaitable[DeviceAnswer]]:
        """What is done to one device, recorded with what came of it."""

        async def recorded(device: Device) -> DeviceAnswer:
            address = f"{device.address.host}:{device.address.port}"
            doing = await self.begin(kind, device.id, what={"address": address})
            try:
                answer = await one(device)
            except BaseException as error:
                await doing.failed(error)
                raise
            result = OK if answer.ok and answer.reason == Reason.OK else str(answer.reason)
            trusted = answer.facts.get(HOST_KEYS)
            await doing.end(result, answer.detail, {HOST_KEYS: trusted} if trusted else {})
            return answer

        return recorded


class Doing:
    """An act that was begun."""

    def __init__(self, store: SqlStore, act: Act, number: int) -> None:
        self._store, self._act, self.number = store, act, number

    async def end(
        self, result: str, detail: str = "", what: Mapping[str, Value] | None = None
    ) -> None:
        """Records how it ended.

        Raises:
            StoreError: the store failed.
        """
        end = End(time.time(), result, detail, what or {})
        await self._store.record(ending(self.number, self._act, end))

    async def failed(self, error: BaseException, what: Mapping[str, Value] | None = None) -> None:
        """Records what ended it.

        Raises:
            StoreError: the store failed.
        """
        if isinstance(error, DeviceError):
            await self.end(error.reason, error.message, what)
        elif isinstance(error, OrchestratorError):
            await self.end(error.code or "refused", error.message, what)
        elif isinstance(error, Exception):
            await self.end("internal_error", type(error).__name__, what)
        else:
            await self.end(Reason.CANCELLED, "", what)


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Recorder]:
    """A store in which acts are recorded; where its journal ends is signed when all is done.

    Not where the store failed: the next act, or `audit checkpoint`, makes up for it.

    Raises:
        StoreError: the store cannot be opened.
    """
    async with open_state(settings) as store:
        recorder = Recorder(store)
        is_away = False
        try:
            yield recorder
        except StoreError:
            is_away = True  # to ask it where its journal ends would take as long again
            raise
        finally:
            if recorder.has_recorded and not is_away:
                await seal_acts(settings, store)


async def seal_acts(settings: Settings, store: SqlStore) -> None:
    """Signs where the journal of acts ends now, as far as that can be done."""
    try:
        await seal(settings, store, ACTS, controller_id=store.controller_id())
    except OrchestratorError as error:
        _log.warning("unsealed", journal=ACTS, message=error.message)


async def acts(
    settings: Settings, *, device: str | None = None, count: int = ACTS_COUNT_DEFAULT
) -> Sequence[ActTold]:
    """The newest acts, of one device or all, oldest first.

    Raises:
        StoreError: the store failed.
    """
    if not state_exists(settings):
        return ()
    async with open_state(settings) as store:
        return await store.newest_acts(count, device)
