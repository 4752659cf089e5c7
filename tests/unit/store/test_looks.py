"""When requests are looked for, and how they are heard of."""

import asyncio

import pytest

from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.store.looks import LISTEN_AGAIN_S, LOOK_S, Looks
from orchestrator.store.sql import LeaseClock, open_store
from orchestrator.testing.clock import run_virtual
from tests.unit.store.samples import PLAN, changes, entry

PAUSE = OperatorAsked(1.0, Ask.PAUSE, "ann")


class Ear:
    """A listener that hears what it is told to."""

    def __init__(self, *, works=True):
        self._works = works
        self.is_listening = False
        self.opened = 0

    def open(self):
        self.opened += 1

    def start(self, heard):
        self.is_listening = self._works
        self.hear = heard

    def close(self):
        self.is_listening = False


async def at_once(call):
    call()


def test_without_a_listener_each_look_asks():
    async def looked():
        looks = Looks(None)
        return [await looks.is_due("r", 0, at_once) for _ in range(3)]

    assert run_virtual(looked()) == [True, True, True]


def test_after_a_look_that_found_nothing_none_is_due_until_one_is_heard_of():
    async def looked():
        ear = Ear()
        looks = Looks(ear)
        due = [await looks.is_due("r", 0, at_once)]
        looks.found_nothing("r", 0)
        due.append(await looks.is_due("r", 0, at_once))
        ear.hear("other")
        due.append(await looks.is_due("r", 0, at_once))
        ear.hear("r")
        due.append(await looks.is_due("r", 0, at_once))
        return due

    assert run_virtual(looked()) == [True, False, False, True]


def test_look_is_due_after_a_while_though_nothing_was_heard():
    async def looked():
        looks = Looks(Ear())
        await looks.is_due("r", 0, at_once)
        looks.found_nothing("r", 0)
        await asyncio.sleep(LOOK_S * 0.9)
        early = await looks.is_due("r", 0, at_once)
        await asyncio.sleep(LOOK_S * 0.2)
        return early, await looks.is_due("r", 0, at_once)

    assert run_virtual(looked()) == (False, True)


def test_look_from_another_number_is_due():
    async def looked():
        looks = Looks(Ear())
        await looks.is_due("r", 5, at_once)
        looks.found_nothing("r", 5)
        return await looks.is_due("r", 4, at_once)

    assert run_virtual(looked())


def test_listener_that_does_not_hear_is_tried_again_later():
    async def looked():
        ear = Ear(works=False)
        looks = Looks(ear)
        due = [await looks.is_due("r", 0, at_once) for _ in range(3)]
        looks.found_nothing("r", 0)
        first = ear.opened
        await asyncio.sleep(LISTEN_AGAIN_S)
        due.append(await looks.is_due("r", 0, at_once))
        return due, first, ear.opened

    assert run_virtual(looked()) == ([True] * 4, 1, 2)


@pytest.fixture
async def store(postgres_url):
    store = await open_store(postgres_url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


@pytest.fixture
async def operator(postgres_url):
    """The store as another process has it."""
    store = await open_store(postgres_url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


async def listening(store):
    """Looks once, so that the store begins to listen."""
    await store.requests("r-1", after=0)
    assert await store.requests("r-1", after=0) == ()
    assert store._looks._listener.is_listening


def questions(store):
    asked = []
    read = store._writer.read

    async def counted(work):
        asked.append(1)
        return await read(work)

    store._writer.read = counted
    return asked


async def test_request_of_another_process_is_heard_of(store, operator, rollout):
    await listening(store)
    heard = asyncio.Event()
    forget = store._looks.heard
    store._looks._listener._heard = lambda rollout_id: (forget(rollout_id), heard.set())

    await operator.ask("r-1", PAUSE)
    await asyncio.wait_for(heard.wait(), 5)

    assert [one.who for one in await store.requests("r-1", after=0)] == ["ann"]


async def test_looks_between_requests_ask_the_server_nothing(store, rollout):
    await listening(store)
    asked = questions(store)

    for _ in range(20):
        await store.requests("r-1", after=0)

    assert len(asked) <= 1  # none, or one where this machine took LOOK_S for it


async def test_own_request_is_seen_at_once(store, rollout):
    await listening(store)

    await store.ask("r-1", PAUSE)

    assert len(await store.requests("r-1", after=0)) == 1


async def test_request_that_was_not_taken_up_is_seen_again(store, rollout):
    await store.ask("r-1", PAUSE)

    first = await store.requests("r-1", after=0)

    assert await store.requests("r-1", after=0) == first != ()


async def test_listener_that_the_server_ends_is_done_without(store, operator, rollout, postgres):
    await listening(store)
    ended = asyncio.Event()
    socket = store._looks._listener._socket
    loop = asyncio.get_running_loop()
    with postgres.admin() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        )
    read = store._looks._listener._read
    loop.remove_reader(socket)
    loop.add_reader(socket, lambda: (read(), ended.set()))
    await asyncio.wait_for(ended.wait(), 5)

    await operator.ask("r-1", PAUSE)

    assert not store._looks._listener.is_listening
    assert len(await store.requests("r-1", after=0)) == 1


async def test_file_is_looked_into_each_time(tmp_path):
    path = str(tmp_path / "state.db")
    store, operator = await open_store(path), await open_store(path)
    await store.create("r-1", PLAN, changes(entry(1)))
    assert await store.requests("r-1", after=0) == ()

    await operator.ask("r-1", PAUSE)

    assert len(await store.requests("r-1", after=0)) == 1
    await store.close()
    await operator.close()
