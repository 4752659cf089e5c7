"""The journal of acts on both databases: written in order, and whoever changes it is found out."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.errors import LeaseError, StoreError
from orchestrator.rollout.acts import ACTS, Act, ActKind, End, ending
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.audit import Fault, Seal
from orchestrator.store import acts
from orchestrator.store.sql import LeaseClock, open_store
from tests.unit.store.samples import PLAN, changes, entry

WHY = 'a "reason"\n\u2028\x00\ud800'


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    name = "path" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def store(url):
    store = await open_store(url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


def enrol(device="dev-1", at=1000.1234567):
    return Act(at, ActKind.DEVICE_ENROLL, "ann@desk", device, WHY, {"login": "admin"})


async def ended(store, act, result="ok"):
    number = await store.record(act)
    return await store.record(ending(number, act, End(act.at + 60, result, what={"bytes": 7})))


async def tamper(store, *statements):
    def work(connection):
        for statement in statements:
            connection.exec_driver_sql(statement)

    await store._writer.write(work)


async def found(store, *seals):
    audit = await store.audit(seals)
    return [(one.fault, one.rollout_id, one.seq) for one in audit.findings]


async def test_act_is_read_back_with_its_end(store):
    await ended(store, enrol(), "timeout")

    (told,) = await store.newest_acts(10)

    assert (told.number, told.kind, told.device, told.who) == (
        1, "device_enroll", "dev-1", "ann@desk",
    )  # fmt: skip
    assert (told.why, told.at, told.what) == (WHY, 1000.1234567, {"login": "admin"})
    assert told.end == End(told.at + 60, "timeout", what={"bytes": 7})


async def test_act_without_an_end_is_open(store):
    await store.record(enrol())

    (told,) = await store.newest_acts(10)

    assert told.is_open


async def test_newest_acts_are_those_of_a_device_oldest_first(store):
    for number in range(4):
        await ended(store, enrol(f"dev-{number % 2}", at=1000.0 + number))

    assert [one.number for one in await store.newest_acts(3)] == [3, 5, 7]
    assert [one.number for one in await store.newest_acts(3, "dev-1")] == [3, 7]
    assert all(one.end for one in await store.newest_acts(1, "dev-0"))
    assert await store.newest_acts(3, "dev-9") == ()


async def test_entries_are_numbered_without_gaps_whoever_writes_at_once(store, url):
    other = await open_store(url, lease_clock=LeaseClock.CALLER)

    await asyncio.gather(
        *(one.record(enrol(at=float(n))) for n in range(10) for one in (store, other))
    )
    await other.close()

    assert [one.seq for one in await store.acts()] == list(range(1, 21))
    assert [one.seq for one in await store.acts(after=7, limit=2)] == [8, 9]
    assert await found(store) == []


async def test_freeze_and_its_end_are_acts(store):
    frozen = FleetFreeze("storm", "ann@desk", 5.0, 50.0)
    await store.freeze(frozen)
    await store.freeze(replace(frozen, lifted_at=9.0, lifted_by="bob@desk", lifted_why="sun"))

    first, second = await store.newest_acts(10)

    assert (first.kind, first.who, first.why, first.what) == (
        "freeze", "ann@desk", "storm", {"until_at": 50.0},
    )  # fmt: skip
    assert (second.kind, second.at, second.who, second.why) == ("unfreeze", 9.0, "bob@desk", "sun")
    assert not first.is_open


async def test_unhold_is_an_act_for_each_device_that_was_held(store):
    await store.create("r-1", PLAN, changes(entry(1)))
    lease = await store.acquire("r-1", "me", ttl_s=15, now=0)
    row = {"state": "failed", "reason": "check_failed", "class": "health"}
    await store.commit(lease, [changes(entry(2), devices={"dev-1": row})])

    freed = await store.unhold(["dev-1", "dev-2"], who="ann@desk", why="mended", at=8.0)

    kept = [(one.kind, one.device, one.why) for one in await store.newest_acts(10)]
    assert kept == [("device_unhold", name, "mended") for name in freed]


async def test_what_a_controller_found_is_recorded_under_its_lease_alone(store):
    refused = Act(3.0, ActKind.COMMIT_REFUSED, "ann@desk", what={"commit": "0" * 40})
    lease = await store.acquire("gitops", "me", ttl_s=15, now=0)
    await store.follow(lease, "a", "one", [refused])
    await store.acquire("gitops", "you", ttl_s=15, now=20)

    with pytest.raises(LeaseError):
        await store.follow(lease, "a", "two", [refused])
    assert [one.kind for one in await store.newest_acts(10)] == ["commit_refused"]


async def test_write_in_doubt_is_not_done_twice(store):
    act = enrol()
    first = await store.record(act)

    again = await store._writer.write(lambda c: acts.record_in_doubt(c, (act,)))
    later = await store._writer.write(lambda c: acts.record_in_doubt(c, (enrol(at=2.0),)))

    assert (first, again, later) == (1, 1, 2)


async def test_empty_journal_has_a_head_and_holds(store):
    head = await store.head(ACTS)

    audit = await store.audit([Seal(head, 1.0, "the checkpoint")])

    assert (head.seq, audit.findings, audit.act_count, audit.seal_count) == (0, (), 0, 1)


async def test_what_was_written_holds_and_is_counted_beside_the_rollouts(store):
    await store.create("r-1", PLAN, changes(entry(1)))
    await ended(store, enrol())
    head = await store.head(ACTS)
    await store.record(enrol("dev-2"))

    audit = await store.audit([Seal(head, 1.0, "the checkpoint")])

    assert (audit.findings, audit.rollout_count) == ((), 1)
    assert (audit.entry_count, audit.act_count, audit.unsealed_count) == (4, 3, 2)


async def test_changed_act_is_named(store):
    """The last one first: the first that does not fit is the one that is named."""
    changes_ = ["at = at + 1", "type = 'freeze'", "device = 'dev-2'", "data = '{}'", "hash = ''"]
    for number in range(len(changes_)):
        await store.record(enrol(at=float(number)))

    for seq, change in reversed(list(enumerate(changes_, 1))):
        await tamper(store, f"UPDATE acts SET {change} WHERE seq = {seq}")
        assert await found(store) == [(Fault.CHANGED, ACTS, seq)]


@pytest.mark.parametrize(
    "data", ["no json", "[1]", "[" * 100_000], ids=["text", "a list", "too deep"]
)
async def test_act_that_cannot_be_read_any_more_is_refused_with_what_to_do(store, data):
    await store.record(enrol())
    await tamper(store, f"UPDATE acts SET data = '{data}'")

    with pytest.raises(StoreError, match="entry 1 of a journal is not what was written") as caught:
        await store.newest_acts(10)

    assert "`rollout audit verify`" in caught.value.hint


async def test_end_that_was_cut_off_is_found_by_a_checkpoint(store):
    await ended(store, enrol())
    seal = Seal(await store.head(ACTS), 1.0, "the checkpoint")
    await tamper(
        store,
        "DELETE FROM acts WHERE seq = 2",
        "UPDATE meta SET value = '1' WHERE key = 'last_act'",
    )

    assert await found(store) == []
    assert await found(store, seal) == [(Fault.CUT, ACTS, 2)]


async def test_end_that_was_cut_off_is_missed_without_one_where_the_row_knows(store):
    await ended(store, enrol())
    await tamper(store, "DELETE FROM acts WHERE seq = 2")

    assert await found(store) == [(Fault.CUT, ACTS, 2)]
    await store.record(enrol())  # acting goes on, and the gap stays
    assert await found(store) == [(Fault.MISSING, ACTS, 2)]


async def test_whole_journal_that_was_removed_is_found(store):
    await ended(store, enrol())
    seal = Seal(await store.head(ACTS), 1.0, "the checkpoint")
    await tamper(store, "DELETE FROM acts", "DELETE FROM meta WHERE key = 'last_act'")

    assert await found(store, seal) == [(Fault.CUT, ACTS, 1)]
