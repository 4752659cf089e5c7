"""What every `Notifier` must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from orchestrator.engine.ports import Notifier
from orchestrator.outward.failure import TEXT_MAX, OutwardError
from orchestrator.plan.resolved import Hook, HookEvent
from orchestrator.rollout.notices import Notice
from orchestrator.testing.refusal import refused

NOTICE = Notice(
    rollout_id="r-contract", seq=7, at=1_800_000_000.25, event=HookEvent.HALTED, plan="gateway\n",
    release="7.3", wave="canary", device="", devices=20, counts={"pending": 19, "rolled_back": 1},
    reasons={"check_failed": 1}, cause="budget",
    detail="1 failure, 0 allowed\r\nBcc: all@example.org\x1b[2J\u202e.\n.\n", who="",
)  # fmt: skip
DEADLINE_S = 0.4
GRACE_S = 3.0  # of a slow machine


@dataclass(frozen=True, slots=True)
class NotifierCase:
    """A notifier and whom it can tell.

    `good` takes everything, and `taken` gives the ids of what it took, in order; `broken` takes
    nothing; `silent` never answers; `forbidden` is never told.
    """

    notifier: Notifier
    taken: Callable[[], Sequence[str]]
    good: Hook
    broken: Hook
    silent: Hook
    forbidden: Hook


class NotifierContract:
    """For implementations of `Notifier`."""

    def make(self) -> AbstractAsyncContextManager[NotifierCase]:
        """A notifier with whom it tells, gone at the end."""
        raise NotImplementedError

    async def test_notice_arrives_with_its_id(self) -> None:
        """The same id each time: the receiver knows what it has already."""
        async with self.make() as case:
            await case.notifier.tell(case.good, NOTICE, deadline_s=10.0)
            await case.notifier.tell(case.good, NOTICE, deadline_s=10.0)

            assert list(case.taken()) == [NOTICE.id, NOTICE.id]

    async def test_what_was_not_taken_is_trouble_in_printable_words(self) -> None:
        """Then it is tried again; what the other side says reaches no terminal unescaped."""
        async with self.make() as case:
            work = case.notifier.tell(case.broken, NOTICE, deadline_s=10.0)
            text = str(await refused(work, OutwardError))

            assert 0 < len(text) <= TEXT_MAX
            assert text.isascii()
            assert text.isprintable()

    async def test_silence_is_trouble_at_the_deadline(self) -> None:
        """One that hangs costs its own time and no more."""
        async with self.make() as case:
            loop = asyncio.get_running_loop()
            begun = loop.time()

            await refused(
                case.notifier.tell(case.silent, NOTICE, deadline_s=DEADLINE_S), OutwardError
            )

            assert loop.time() - begun < DEADLINE_S + GRACE_S

    async def test_telling_can_be_cancelled(self) -> None:
        """A process that ends waits for nobody."""
        async with self.make() as case:
            work = asyncio.ensure_future(case.notifier.tell(case.silent, NOTICE, deadline_s=60.0))
            await asyncio.sleep(0.05)
            work.cancel()
            await asyncio.wait([work], timeout=GRACE_S)

            assert work.cancelled()

    async def test_one_that_hangs_holds_up_no_other(self) -> None:
        """Hooks are told at the same time."""
        async with self.make() as case:
            slow = asyncio.ensure_future(case.notifier.tell(case.silent, NOTICE, deadline_s=60.0))
            other = replace(NOTICE, seq=8)
            await case.notifier.tell(case.good, other, deadline_s=10.0)
            slow.cancel()
            await asyncio.wait([slow], timeout=GRACE_S)

            assert list(case.taken()) == [other.id]

    async def test_what_is_forbidden_is_refused_in_advance_and_never_told(self) -> None:
        """A preview says so before anything moves."""
        async with self.make() as case:
            assert case.notifier.refused(case.good) is None
            assert case.notifier.refused(case.forbidden)

            await refused(case.notifier.tell(case.forbidden, NOTICE, deadline_s=10.0), OutwardError)
            assert list(case.taken()) == []
