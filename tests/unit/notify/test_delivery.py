"""What is due is told, in order, again where it must be, and after any crash; in virtual time."""

import asyncio
import itertools
import random

import pytest

from orchestrator.engine.ports import Changes
from orchestrator.errors import StoreError
from orchestrator.notify import delivery
from orchestrator.notify.delivery import (
    AGE_S,
    ATTEMPTS,
    ATTEMPTS_IN_ALL,
    QUEUE_MAX,
    Teller,
)
from orchestrator.notify.notifiers import shown
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import Hook, HookEvent, ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.clock import EPOCH_S, VirtualClock, run_virtual
from orchestrator.testing.notifier import BROKEN, SILENT, SimulatedNotifier
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.store import MemoryStore

R = "r-told"
ALL = tuple(HookEvent)
CHAT = Hook(ALL, http="http://chat.example/T0/password")
PAGER = Hook((HookEvent.HALTED, HookEvent.FAILED), email="ops@example.org")
STORY = (
    ("rollout_started", {}),
    ("wave_started", {}),
    ("wave_done", {"state": "passed"}),
    ("device_state", {"to": "failed", "reason": "timeout"}),
    ("halted", {"cause": "budget", "detail": "1 failure, 0 allowed"}),
    ("operator", {"ask": "rollback", "who": "ann@desk"}),
    ("rollback_started", {"who": "ann@desk"}),
    ("rollout_done", {"state": "rolled_back"}),
)
TOLD = ["started", "wave_passed", "halted", "rolling_back", "rolled_back"]


def journal(story=STORY, *, at=EPOCH_S):
    return [
        JournalEntry(seq, at, kind, "canary", "dev-0001" if "device" in kind else "", data)
        for seq, (kind, data) in enumerate(story, 1)
    ]


class World:
    """A store with a rollout and its whole journal, and who is told."""

    def __init__(self, *hooks, fails=lambda _hook, _notice: "", story=STORY, at=EPOCH_S):
        waves = [ResolvedWave("canary", "1", device_ids(1))]
        self.plan = make_plan(waves, hooks=hooks or (CHAT,))
        self.store = MemoryStore()
        self.notifier = SimulatedNotifier(fails)
        self.clock = VirtualClock()
        self.entries = journal(story, at=at)

    async def stored(self, count=None):
        entries = self.entries if count is None else self.entries[:count]
        await self.store.create(R, to_json(self.plan), Changes({"state": "x"}, {}, entries))

    def teller(self, outbox=None):
        return Teller(
            self.plan, R, self.notifier, outbox or self.store.outbox,
            clock=self.clock, jitter=random.Random(1).random,
        )  # fmt: skip

    async def told_by_a_new_process(self, within_s=600.0):
        await self.teller().finish(within_s=within_s)

    def events(self, hook=CHAT):
        return [notice.event.value for one, notice in self.notifier.told if one == hook]


async def commit(world, first, last):
    """Entries `first` to `last` are committed; gives them as an engine does."""
    lease = await world.store.acquire(R, "me", ttl_s=1.0, now=world.clock.now())
    made = [entry for entry in world.entries if first <= entry.seq <= last]
    await world.store.commit(lease, [Changes({"state": "x"}, {}, made)])
    return made


def test_each_hook_is_told_of_its_events_in_order():
    async def work():
        world = World(CHAT, PAGER)
        await world.stored()
        await world.told_by_a_new_process()

        assert world.events() == TOLD
        assert world.events(PAGER) == ["halted"]
        assert await world.store.outbox.untold() == []

    run_virtual(work())


def test_broken_glass_is_told_to_every_hook_whatever_it_listens_to():
    story = [("rollout_started", {}), *[("break_glass", {"what": w}) for w in ("broken", "used")]]

    async def work():
        world = World(PAGER, story=story)
        await world.stored()
        await world.told_by_a_new_process()

        assert world.events(PAGER) == ["break_glass"]
        assert await world.store.outbox.untold() == []

    run_virtual(work())


def test_entries_are_told_as_they_are_committed():
    async def work():
        world = World()
        await world.stored(1)
        teller = world.teller()
        for seq in range(2, 6):
            teller.take(await commit(world, seq, seq))
            await asyncio.sleep(0.01)
        live = world.events()
        teller.take(await commit(world, 6, 8))
        await teller.finish(within_s=5.0)

        assert live == TOLD[:3]
        assert world.events() == TOLD

    run_virtual(work())


def test_entries_of_which_nobody_is_told_cost_the_store_no_write():
    async def work():
        quiet = [("rollout_started", {}), *[("device_state", {"to": "queued"})] * 50]
        world = World(PAGER, story=quiet)
        await world.stored(1)
        writes = []
        outbox = world.store.outbox
        settle = outbox.settle

        async def settled(rollout_id, seq):
            writes.append(seq)
            await settle(rollout_id, seq)

        outbox.settle = settled
        teller = world.teller()
        for seq in range(2, len(quiet) + 1):
            teller.take(await commit(world, seq, seq))
            await asyncio.sleep(0.01)
        during = list(writes)
        await teller.finish(within_s=5.0)

        assert during == []
        assert writes == [len(quiet)]

    run_virtual(work())


def test_entries_that_another_process_committed_meanwhile_are_told_too():
    async def work():
        world = World()
        await world.stored(2)
        teller = world.teller()
        teller.take(await commit(world, 3, 3))
        await asyncio.sleep(0.01)
        await commit(world, 4, 6)
        teller.take(await commit(world, 7, 8))
        await teller.finish(within_s=5.0)

        assert world.events() == TOLD

    run_virtual(work())


def test_more_entries_than_wait_in_memory_are_read_from_the_store(monkeypatch):
    async def work():
        world = World()
        await world.stored(1)
        teller = world.teller()
        teller.take(await commit(world, 2, 8))
        await teller.finish(within_s=5.0)

        assert world.events() == TOLD

    monkeypatch.setattr(delivery, "INBOX_MAX", 3)
    run_virtual(work())


def test_what_was_told_is_not_told_again_by_the_next_process():
    async def work():
        world = World()
        await world.stored()
        await world.told_by_a_new_process()
        await world.told_by_a_new_process()

        assert world.events() == TOLD

    run_virtual(work())


def test_notice_is_tried_again_with_growing_pauses_and_one_id():
    async def work():
        at = []
        world = World(story=STORY[:1])
        world.notifier._fails = lambda *_: at.append(world.clock.now()) or "503"
        await world.stored()
        await world.told_by_a_new_process()

        assert len(at) == ATTEMPTS
        pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
        assert all(
            0.5 * most <= pause <= most for pause, most in zip(pauses, [1, 2, 4, 8], strict=True)
        )
        assert len({notice.id for _, notice in world.notifier.tries}) == 1
        [made] = (await world.store.outbox.told(R)).deliveries
        assert (made.attempts, made.delivered, made.detail) == (ATTEMPTS, False, "503")
        assert made.to == shown(CHAT) == "http://chat.example"

    run_virtual(work())


def test_notice_that_nobody_took_is_tried_by_later_processes_until_it_is_given_up():
    async def work():
        world = World(Hook(ALL, http=BROKEN), story=STORY[:1])
        await world.stored()
        while await world.store.outbox.untold():
            await world.told_by_a_new_process()

        assert len(world.notifier.tries) == ATTEMPTS_IN_ALL

    run_virtual(work())


def test_new_process_tries_at_once_and_goes_on_with_the_pauses():
    async def work():
        at = []
        world = World(story=STORY[:1])
        world.notifier._fails = lambda *_: at.append(world.clock.now()) or "503"
        await world.stored()
        await world.told_by_a_new_process()
        before = len(at)
        for _ in range(20):  # as a cron job that starts again and again
            now = world.clock.now()
            await world.told_by_a_new_process(within_s=6.0)
            assert at[-1] == now

        assert len(at) == before + 20

    run_virtual(work())


def test_old_news_is_given_up():
    async def work():
        world = World(at=EPOCH_S - AGE_S - 1)
        await world.stored()
        await world.told_by_a_new_process()

        assert world.notifier.tries == []
        assert await world.store.outbox.untold() == []

    run_virtual(work())


def test_one_notice_that_is_not_taken_keeps_no_later_one():
    async def work():
        world = World(fails=lambda _, notice: "no" if notice.event == "halted" else "")
        await world.stored()
        await world.told_by_a_new_process()
        first = world.events()
        world.notifier._fails = lambda *_: ""
        await world.told_by_a_new_process()

        assert first == [event for event in TOLD if event != "halted"]
        assert world.events() == [*first, "halted"]

    run_virtual(work())


@pytest.mark.parametrize("bad", [SILENT, BROKEN])
def test_hook_that_fails_holds_up_neither_others_nor_the_engine(bad):
    async def work():
        world = World(Hook(ALL, http=bad), CHAT)
        await world.stored(1)
        teller = world.teller()
        begun = world.clock.now()
        teller.take(await commit(world, 2, 8))
        await asyncio.sleep(0.01)

        assert world.events() == TOLD
        await teller.finish(within_s=3.0)
        assert world.clock.now() - begun < 3.1
        assert await world.store.outbox.untold() == [R]

    run_virtual(work())


def test_fault_of_a_notifier_is_trouble_like_any_other():
    async def work():
        world = World(Hook(ALL, http="http://bug.example"), CHAT)

        def fails(hook, _notice):
            return 1 / 0 if "bug" in hook.http else ""

        world.notifier._fails = fails
        await world.stored()
        await world.told_by_a_new_process()

        assert world.events() == TOLD
        details = {made.detail for made in (await world.store.outbox.told(R)).deliveries}
        assert "ZeroDivisionError: division by zero" in details

    run_virtual(work())


def test_more_notices_than_can_wait_are_told_by_a_later_process():
    async def work():
        many = [("paused", {"cause": "operator"})] * (QUEUE_MAX + 50)
        world = World(story=many)
        await world.stored()
        await world.told_by_a_new_process()
        first = len(world.notifier.told)
        await world.told_by_a_new_process()

        assert first == QUEUE_MAX
        assert [notice.seq for _, notice in world.notifier.told] == list(range(1, len(many) + 1))

    run_virtual(work())


def test_rollout_without_hooks_costs_nothing():
    async def work():
        world = World()
        world.plan = make_plan([ResolvedWave("canary", "1", device_ids(1))])
        teller = world.teller()
        teller.take(world.entries)
        await teller.finish(within_s=1.0)

        assert len(asyncio.all_tasks()) == 1

    run_virtual(work())


class Dying:
    """An outbox and a notifier of a process that dies at its n-th step: before, or after it."""

    def __init__(self, world, step, *, after):
        self._outbox, self._notifier = world.store.outbox, world.notifier
        self._left, self._after = step, after
        self.died = asyncio.Event()

    async def _step(self, work):
        self._left -= 1
        if self._left or self._after:
            found = await work
        else:
            work.close()
        if self._left <= 0:
            self.died.set()
            await asyncio.Event().wait()  # nothing of this process happens any more
        return found

    async def told(self, rollout_id):
        return await self._step(self._outbox.told(rollout_id))

    async def journal(self, rollout_id, *, after):
        return await self._step(self._outbox.journal(rollout_id, after=after))

    async def record(self, rollout_id, made):
        await self._step(self._outbox.record(rollout_id, made))

    async def settle(self, rollout_id, seq):
        await self._step(self._outbox.settle(rollout_id, seq))

    def refused(self, hook):
        return self._notifier.refused(hook)

    async def tell(self, hook, notice, *, deadline_s):
        await self._step(self._notifier.tell(hook, notice, deadline_s=deadline_s))


@pytest.mark.parametrize("after", [False, True])
def test_process_may_die_at_any_step_and_nothing_is_lost(after):
    async def dies_at(step):
        world = World(CHAT, PAGER)
        await world.stored()
        dying = Dying(world, step, after=after)
        teller = Teller(
            world.plan, R, dying, dying, clock=world.clock, jitter=random.Random(1).random
        )
        ended = asyncio.ensure_future(teller.finish(within_s=60.0))
        death = asyncio.ensure_future(dying.died.wait())
        await asyncio.wait({ended, death}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, death):
            task.cancel()
        await asyncio.gather(ended, death, return_exceptions=True)
        await teller.close()
        killed = dying.died.is_set()
        await world.told_by_a_new_process()

        assert list(dict.fromkeys(world.events())) == TOLD, step
        assert set(world.events(PAGER)) == {"halted"}, step
        assert len(world.notifier.told) <= len(TOLD) + 1 + 2  # one of each hook may come twice
        by_id = {}
        for hook, notice in world.notifier.told:
            assert by_id.setdefault((hook, notice.id), notice) == notice, "the same content"
        assert await world.store.outbox.untold() == []
        return killed

    step = 1
    while run_virtual(dies_at(step)):
        step += 1
    assert step > 20


def test_store_that_fails_ends_telling_and_nothing_else():
    class Failing:
        async def told(self, rollout_id):
            message = "gone"
            raise StoreError(message)

    async def work():
        world = World()
        teller = world.teller(Failing())
        teller.take(world.entries)
        await asyncio.sleep(1)
        teller.take(world.entries)
        await teller.finish(within_s=5.0)

        assert world.notifier.tries == []

    run_virtual(work())
