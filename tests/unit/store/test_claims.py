"""Devices that several rollouts want: real processes on one database, and what kills leave behind."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest

from orchestrator.errors import ClaimedError
from orchestrator.rollout.held import Held
from orchestrator.store.sql import LeaseClock
from orchestrator.store.sql import open_store as open_any
from tests.unit.store.samples import PLAN, REPOSITORY, changes, entry

DEVICES = {"dev-1": {"state": "pending"}, "dev-2": {"state": "pending"}}
RIVALS = ("r-1", "r-2", "r-3")
ARTIFACT = "a" * 64


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    return str(request.getfixturevalue("path" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
async def store(url):
    store = await open_any(url, lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


async def start(url, rollout_id):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.store.claimer", url, rollout_id),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )


async def test_of_processes_that_begin_at_once_one_does_and_keeps_it_over_kill_9(url, store):
    for rollout_id in RIVALS:
        await store.create(rollout_id, PLAN, changes(entry(1), state="scheduled", devices=DEVICES))
    processes = [await start(url, rollout_id) for rollout_id in RIVALS]
    for process in processes:
        assert await process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"go\n")
    said = [(await process.stdout.readline()).decode().strip() for process in processes]
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()

    winner = RIVALS[said.index("began")]
    refused = f"rollout `{winner}` of plan `web` goes first on `dev-1` and 1 more"
    assert sorted(said) == sorted(["began", refused, refused])

    loser = next(one for one in RIVALS if one != winner)
    lease = await store.acquire(loser, "later", ttl_s=15, now=100)
    begin = replace(changes(entry(2)), claims=True)
    with pytest.raises(ClaimedError):
        await store.commit(lease, [begin])

    taken_over = await store.acquire(winner, "later", ttl_s=15, now=100)
    await store.commit(taken_over, [changes(entry(3), state="aborted")])
    await store.commit(lease, [begin])
    assert (await store.summary(loser)).state == "running"


async def test_apply_that_wants_to_be_alone_stores_nothing_beside_another(store):
    await store.create("r-1", PLAN, changes(entry(1), devices=DEVICES))
    plan = PLAN.replace(b"999", b"888")

    with pytest.raises(ClaimedError) as refused:
        await store.start("r-2", plan, changes(entry(1), devices=DEVICES), alone=True)

    assert (refused.value.code, refused.value.exit_code) == ("S211", 8)
    assert await store.summary("r-2") is None


async def committed(store, *rows, rollout_id="r-1", seq=2):
    """Commits rows of `dev-1`, one after the other."""
    lease = await store.acquire(rollout_id, "me", ttl_s=15, now=0)
    for number, row in enumerate(rows, seq):
        await store.commit(lease, [changes(entry(number), devices={"dev-1": row})])


FAILED = {"state": "failed", "reason": "check_failed", "since": 7.0}


class TestHeld:
    @pytest.mark.parametrize(
        ("rows", "held"),
        [
            ([FAILED], True),
            ([{"state": "rolled_back", "since": 7.0}], True),
            ([{"state": "rolled_back", "since": 7.0, "excused": True}], False),
            ([{"state": "rollback_failed", "since": 7.0}], True),
            ([{"state": "failed", "reason": "host_key", "since": 7.0}], False),
            ([{"state": "failed", "reason": "timeout", "since": 7.0}], False),
            ([{"state": "lost", "since": 7.0}], False),
            ([{"state": "skipped", "since": 7.0}], False),
            ([{"state": "cancelled", "since": 7.0}], False),
            ([FAILED, {"state": "queued"}], False),
            ([FAILED, {"state": "queued"}, FAILED | {"since": 9.0}], True),
            ([{"state": "rolled_back", "since": 7.0}, {"state": "succeeded"}], False),
        ],
    )
    async def test_what_holds_a_device(self, store, rows, held):
        await store.create("r-1", PLAN, changes(entry(1), devices=DEVICES))

        await committed(store, *rows)

        assert (list(await store.held(ARTIFACT)) == ["dev-1"]) is held

    async def test_pair_is_of_one_artifact_and_quarantine_of_all(self, store):
        await store.create("r-1", PLAN, changes(entry(1), devices=DEVICES))
        await committed(store, FAILED)
        others = [await store.held("b" * 64)]

        await committed(store, {"state": "rollback_failed", "since": 9.0}, seq=3)
        others.append(await store.held("b" * 64))

        assert others == [{}, {"dev-1": Held("dev-1", 9.0, "rollback failed", "r-1", True)}]

    async def test_device_is_let_go_by_hand_and_held_again_by_the_next_failure(self, store):
        await store.create("r-1", PLAN, changes(entry(1), devices=DEVICES))
        await committed(store, FAILED)
        before = await store.held(ARTIFACT)

        freed = await store.unhold(["dev-1", "dev-2"], who="ann", why="new modem", at=8.0)
        await committed(store, FAILED, seq=3)  # the same end, written once more
        between = await store.held(ARTIFACT)
        await committed(store, FAILED | {"since": 9.0}, seq=4)

        assert before == {"dev-1": Held("dev-1", 7.0, "failed (check_failed)", "r-1", False)}
        assert (freed, between) == (["dev-1"], {})
        assert (await store.held(ARTIFACT))["dev-1"].since == 9.0

    async def test_who_let_it_go_and_why_is_kept(self, store):
        await store.create("r-1", PLAN, changes(entry(1), devices=DEVICES))
        await committed(store, FAILED)

        await store.unhold(["dev-1"], who="ann", why="new modem", at=8.0)

        query = "SELECT freed_by, freed_why, freed_at FROM held"
        found = await store._writer.read(lambda c: c.exec_driver_sql(query).one())
        assert tuple(found) == ("ann", "new modem", 8.0)

    async def test_success_of_another_rollout_frees_nothing_of_a_quarantine(self, store):
        await store.create("r-1", PLAN, changes(entry(1), devices=DEVICES))
        await store.create("r-2", PLAN, changes(entry(1), devices=DEVICES))
        await committed(store, {"state": "rollback_failed", "since": 7.0})

        await committed(store, {"state": "succeeded"}, rollout_id="r-2")

        assert list(await store.held(ARTIFACT)) == ["dev-1"]
