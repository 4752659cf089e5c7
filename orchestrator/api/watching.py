"""Looking on at a rollout that another process drives, from any machine on the same store.

Law: it reads. It takes no lease, writes nothing and asks no device; leaving it changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from orchestrator.api.stored import entries_of, status_of
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Finished, Observer, Run, Settings, Status
from orchestrator.errors import ExitCode
from orchestrator.rollout.states import TERMINAL_ROLLOUT

LOOK_S = 0.25  # with a page of entries, below the second in which all other things are seen
DRIVER_S = 2.0  # between looks at who drives it: that reads the whole rollout


async def watch(
    settings: Settings,
    rollout: str | None,
    *,
    observer: Observer,
    driven: Callable[[Status], None],
    timeout_s: float | None = None,
) -> Finished:
    """Hands on what is committed until the rollout is over, or the time is.

    Args:
        settings: the operator's configuration.
        rollout: an id, its beginning, or None for the newest.
        observer: told what happens; `started` has all that happened before.
        driven: told when an engine began to drive it, or none does any more.
        timeout_s: ends it before the rollout does; the exit code then says that it waits.

    Raises:
        StoreError: there is no such rollout, or the store failed.
    """
    if not state_exists(settings):
        raise no_rollouts()
    until = None if timeout_s is None else time.monotonic() + timeout_s
    async with open_state(settings) as store:
        now = await status_of(store, await rollout_id_of(store, rollout))
        history = await entries_of(store, now.rollout_id)
        observer.started(
            Run(now.rollout_id, now.resolved, now.digest, joined=False, history=history)
        )
        if now.story.state not in TERMINAL_ROLLOUT:
            driven(now)
        last, looked_at = (history[-1].seq if history else 0), time.monotonic()
        while now.story.state not in TERMINAL_ROLLOUT:
            if until is not None and time.monotonic() >= until:
                return Finished(now.rollout_id, now.story, ExitCode.WAITING, interrupted=True)
            await asyncio.sleep(LOOK_S)
            entries = await entries_of(store, now.rollout_id, after=last)
            if entries:
                last = entries[-1].seq
                observer.journal(entries)
            observer.tick(time.time())
            over = any(entry.type == "rollout_done" for entry in entries)
            if over or time.monotonic() - looked_at >= DRIVER_S:
                before, now = now, await status_of(store, now.rollout_id)
                looked_at = time.monotonic()
                if before.engine != now.engine and now.story.state not in TERMINAL_ROLLOUT:
                    driven(now)
        rest = await entries_of(store, now.rollout_id, after=last)
        observer.journal(rest)
        return Finished(now.rollout_id, now.story, now.story.exit_code)
