"""Driving a stored rollout: what is said, and when."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.owners import this_process
from orchestrator.api.stored import CONTROLLER_LEASE
from orchestrator.api.stores import open_state
from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ClaimedError, ExitCode, LeaseError, PlanError, StoreError
from orchestrator.rollout.changes import Changes
from orchestrator.rollout.events import Ask, EngineStarted, JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.hand import Hand
from tests.site_release import make_site_release

PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [1, rest]
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


class Heard:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def started(self, run: api.Run) -> None:
        self.told.append(f"started {run.rollout_id}")

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        self.told.extend(entry.type for entry in entries)

    def waits(self, found: object) -> None: ...

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None: ...

    def tick(self, now: float) -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> api.Settings:
    (tmp_path / "hosts.yml").write_text("webs: {hosts: {web1: {ansible_host: 127.0.0.1}}}\n")
    (tmp_path / "site.yml").write_text(PLAN)
    make_site_release(tmp_path)
    return api.Settings(
        root=tmp_path, state=str(tmp_path / "state.db"), inventory=(str(tmp_path / "hosts.yml"),)
    )


async def stored(settings: api.Settings) -> str:
    request = api.PlanRequest(settings.root / "site.yml", offline=True)
    prepared = await api.prepare(settings, request)
    first = Rollout.start(prepared.resolved, "r-1", at=time.time()).collect()
    async with open_state(settings) as store:
        return await store.start("r-1", prepared.plan_json, first)


async def begun(settings: api.Settings) -> None:
    """`r-1`, which works on its devices, as an engine would have left it."""
    request = api.PlanRequest(settings.root / "site.yml", offline=True)
    prepared = await api.prepare(settings, request)
    rollout = Rollout.start(prepared.resolved, "r-1", at=time.time())
    changes = rollout.apply(EngineStarted(time.time(), 1))
    async with open_state(settings) as store:
        await store.create("r-1", prepared.plan_json, changes)


async def test_nothing_is_said_of_a_rollout_that_another_engine_drives(
    settings: api.Settings,
) -> None:
    rollout_id = await stored(settings)
    heard = Heard()
    async with open_state(settings) as store:
        await store.acquire(rollout_id, "ann@elsewhere:1:1", ttl_s=60, now=time.time())

        with pytest.raises(LeaseError):
            await api.run(settings, rollout_id, observer=heard, drain=asyncio.Event())

    assert heard.told == []


async def test_status_names_the_controller_that_comes_by(settings: api.Settings) -> None:
    await begun(settings)
    here = this_process()
    async with open_state(settings) as store:
        lease = await store.acquire(CONTROLLER_LEASE, here, ttl_s=15, now=time.time())
        followed = await api.status(settings, "r-1")
        await store.release(lease)
    left = await api.status(settings, "r-1")

    assert (followed.engine, followed.controller) == ("", here)
    assert left.controller == ""


async def test_what_is_said_begins_with_the_rollout(settings: api.Settings) -> None:
    """No key of the device is known, so the engine ends soon and without a connection."""
    rollout_id = await stored(settings)
    heard = Heard()

    finished = await api.run(settings, rollout_id, observer=heard, drain=asyncio.Event())

    assert finished.status.rollout_id == rollout_id
    assert heard.told[:2] == ["started r-1", "engine_started"]


async def test_retry_of_a_halted_rollout_says_that_it_stays_halted(settings: api.Settings) -> None:
    """A device whose host key nobody knows halts its rollout."""
    rollout_id = await stored(settings)
    await api.run(settings, rollout_id, observer=Heard(), drain=asyncio.Event())
    assert (await api.status(settings, None)).story.state is RolloutState.HALTED

    asked = await api.ask(settings, api.AskRequest(None, Ask.RETRY))

    assert asked.stopped is RolloutState.HALTED
    assert "rollout resume r-1 --accept-failures" in asked.next_commands


async def test_halted_rollout_is_resumed_with_a_whole_command_in_the_hint(
    settings: api.Settings,
) -> None:
    rollout_id = await stored(settings)
    await api.run(settings, rollout_id, observer=Heard(), drain=asyncio.Event())

    with pytest.raises(PlanError) as refused:
        await api.ask(settings, api.AskRequest(None, Ask.RESUME))

    assert "`rollout resume r-1 --accept-failures`" in refused.value.hint


async def finished(settings: api.Settings, *, good: bool = True) -> str:
    """A rollout that is over, as an engine would have left it."""
    request = api.PlanRequest(settings.root / "site.yml", offline=True)
    prepared = await api.prepare(settings, request)
    hand = Hand(prepared.resolved)
    if good:
        hand.succeed("web1")
    else:
        hand.report("web1", Reason.INCOMPATIBLE, status=hand.status("web1", "none"))
        hand.ask(Ask.ABORT)
    changes = Changes(hand.rollout_row, hand.rows, tuple(hand.journal))
    async with open_state(settings) as store:
        await store.create("r-hand", prepared.plan_json, changes)
    return "r-hand"


async def test_finished_rollout_takes_the_request_to_roll_it_back(settings: api.Settings) -> None:
    rollout_id = await finished(settings)

    asked = await api.ask(settings, api.AskRequest(None, Ask.ROLLBACK, why="dark screens"))

    assert asked.needs_engine
    async with open_state(settings) as store:
        (request,) = await store.requests(rollout_id, after=0)
    assert (request.ask, request.why) == (Ask.ROLLBACK, "dark screens")


async def test_rollback_of_a_finished_rollout_needs_no_artifact(settings: api.Settings) -> None:
    """The device's host key is not known, so that it is not reached and counts as lost."""
    rollout_id = await finished(settings)
    (settings.root / "site.mender").unlink()
    await api.ask(settings, api.AskRequest(None, Ask.ROLLBACK))
    heard = Heard()

    finish = await api.run(
        settings, rollout_id, observer=heard, drain=asyncio.Event(), asked=Ask.ROLLBACK
    )

    assert finish.exit_code is ExitCode.NEEDS_HUMAN
    assert heard.told[-1] == "rollout_done"
    assert "rollback_started" in heard.told


@pytest.mark.parametrize("ask", [Ask.PAUSE, Ask.RESUME, Ask.ABORT, Ask.RETRY])
async def test_finished_rollout_takes_no_other_request(settings: api.Settings, ask: Ask) -> None:
    await finished(settings)

    with pytest.raises(PlanError) as refused:
        await api.ask(settings, api.AskRequest(None, ask))

    assert refused.value.code == "S201"


async def test_rollback_of_what_never_ran_is_refused(settings: api.Settings) -> None:
    await finished(settings, good=False)

    with pytest.raises(PlanError) as refused:
        await api.ask(settings, api.AskRequest(None, Ask.ROLLBACK))

    assert refused.value.code == "S205"


async def test_rollback_waits_for_another_rollout_on_the_same_devices(
    settings: api.Settings,
) -> None:
    await finished(settings)
    await begun(settings)

    with pytest.raises(PlanError) as refused:
        await api.ask(settings, api.AskRequest("r-hand", Ask.ROLLBACK))

    assert refused.value.code == "S206"
    assert refused.value.message == "rollout `r-1` is under way on `web1`"


async def test_status_says_what_a_rollback_would_take_back(settings: api.Settings) -> None:
    await finished(settings)

    found = await api.status(settings, None)

    wave = found.resolved.waves[0].name
    assert found.concerned(wave=None, devices=()) == {"web1"}
    assert found.concerned(wave=wave, devices=("web1",)) == {"web1"}
    assert found.concerned(wave="other", devices=()) == set()
    assert found.concerned(wave=None, devices=("web2",)) == set()


async def test_rollouts_that_cannot_be_read_do_not_hide_the_others(settings: api.Settings) -> None:
    await finished(settings)
    await stored(settings)
    spoil(settings, "UPDATE rollouts SET plan_json = CAST('{}' AS BLOB) WHERE id = 'r-hand'")

    found = {one.rollout_id: one for one in await api.rollouts(settings)}

    assert isinstance(found["r-1"], api.Status)
    spoilt = found["r-hand"]
    assert isinstance(spoilt, api.Unreadable)
    assert (spoilt.plan_name, spoilt.state) == ("site", "succeeded")
    assert "`r-hand` is no saved plan of format" in spoilt.why


async def test_snapshot_of_another_version_is_an_error_of_the_store(settings: api.Settings) -> None:
    rollout_id = await finished(settings)
    spoil(settings, """UPDATE rollouts SET body = replace(body, '"succeeded"', '"paused2"')""")

    with pytest.raises(StoreError, match=r"rollout `r-hand` cannot be read: .*paused2"):
        await api.status(settings, rollout_id)


def spoil(settings: api.Settings, statement: str) -> None:
    with sqlite3.connect(settings.state) as connection:
        connection.execute(statement)
    connection.close()


async def applied(settings: api.Settings, more: str) -> tuple[api.Finished, Heard]:
    """Another plan for the same device, applied."""
    (settings.root / "other.yml").write_text(PLAN.replace("name: site\n", "name: other\n") + more)
    request = api.PlanRequest(settings.root / "other.yml", offline=True)
    prepared = await api.prepare(settings, request)
    heard = Heard()
    return await api.apply(settings, prepared, observer=heard, drain=asyncio.Event()), heard


async def test_apply_queues_behind_a_rollout_on_the_same_devices(settings: api.Settings) -> None:
    await begun(settings)

    finish, heard = await applied(settings, "")

    assert finish.exit_code is ExitCode.WAITING
    assert finish.status.story.held_up == ("rollout `r-1` of plan `site` works on `web1`",)
    assert "waiting" in heard.told


async def test_status_names_no_rollout_that_is_over_meanwhile(settings: api.Settings) -> None:
    await begun(settings)
    finish, _ = await applied(settings, "")
    run = finish.status.rollout_id
    before = await api.status(settings, run)
    await asyncio.to_thread(
        spoil, settings, """UPDATE rollouts SET state = 'aborted' WHERE id = 'r-1'"""
    )

    now = await api.status(settings, run)

    assert (before.story.waits_for, before.story.rivals) == (("rollout",), ("r-1",))
    assert (now.story.waits_for, now.story.held_up, now.story.rivals) == (("start",), (), ())


async def test_apply_with_fail_stores_nothing(settings: api.Settings) -> None:
    await begun(settings)

    with pytest.raises(ClaimedError) as refused:
        await applied(settings, "on_conflict: fail\n")

    assert refused.value.message == "rollout `r-1` of plan `site` goes first on `web1`"
    assert [one.rollout_id for one in await api.rollouts(settings)] == ["r-1"]


async def test_apply_ends_what_it_supersedes_where_nobody_drives_that(
    settings: api.Settings,
) -> None:
    await begun(settings)

    finish, heard = await applied(settings, "on_conflict: supersede\n")

    old = await api.status(settings, "r-1")
    assert old.story.state is RolloutState.SUPERSEDED
    assert "superseding" in heard.told
    assert (
        finish.status.story.state is RolloutState.HALTED
    )  # it began, and knows no key of the device


async def test_apply_ends_an_older_one_that_would_begin_later(settings: api.Settings) -> None:
    """Otherwise that would put its older release on the devices when its time comes."""
    later = 'start_at: "2099-01-01T00:00:00Z"\n'
    (settings.root / "old.yml").write_text(PLAN.replace("name: site\n", "name: old\n") + later)
    request = api.PlanRequest(settings.root / "old.yml", offline=True)
    prepared = await api.prepare(settings, request)
    first = Rollout.start(prepared.resolved, "r-old", at=time.time()).collect()
    async with open_state(settings) as store:
        await store.create("r-old", prepared.plan_json, first)

    finish, _heard = await applied(settings, "on_conflict: supersede\n")

    assert (await api.status(settings, "r-old")).story.state is RolloutState.SUPERSEDED
    assert (
        finish.status.story.state is RolloutState.HALTED
    )  # it began, and knows no key of the device


async def test_freeze_keeps_a_new_rollout_from_beginning_and_is_told(
    settings: api.Settings,
) -> None:
    await api.freeze(settings, reason="incident 4711", until="1h")

    finish, heard = await applied(settings, "")
    seen = await api.status(settings, finish.status.rollout_id)
    ended = await api.unfreeze(settings, reason="is over")
    again = await api.run(settings, finish.status.rollout_id, observer=heard, drain=asyncio.Event())

    assert finish.exit_code is ExitCode.WAITING
    assert finish.status.story.waits_for == ("freeze",)
    assert seen.frozen is not None
    assert seen.frozen.reason == "incident 4711"
    assert ended == seen.frozen
    assert await api.unfreeze(settings) is None
    assert again.status.story.state is RolloutState.HALTED


@pytest.mark.parametrize("until", ["noon", "2027-01-02T06:00", "2020-01-02T06:00+01:00"])
async def test_freeze_wants_a_time_to_come_with_its_zone(
    settings: api.Settings, until: str
) -> None:
    with pytest.raises(PlanError) as refused:
        await api.freeze(settings, reason="x", until=until)

    assert refused.value.code == "S212"


async def test_held_device_is_left_out_with_since_and_why_until_it_is_let_go(
    settings: api.Settings,
) -> None:
    await finished(settings)
    async with open_state(settings) as store:
        lease = await store.acquire("r-hand", "me", ttl_s=15, now=time.time())
        row = {"state": "failed", "reason": "check_failed", "since": 1_800_000_000.0}
        last = (await store.journal("r-hand"))[-1].seq
        entry = JournalEntry(last + 1, time.time(), "device_state")
        state = {"state": "succeeded_with_exceptions"}
        await store.commit(lease, [Changes(state, {DeviceId("web1"): row}, (entry,))])
    request = api.PlanRequest(settings.root / "site.yml", offline=True)

    with pytest.raises(PlanError) as nobody:
        await api.prepare(settings, request)
    freed = await api.device_unhold(settings, ["web1"], reason="new disk")

    assert "1 held" in nobody.value.hint
    assert list(freed) == ["web1"]
    assert (await api.prepare(settings, request)).resolved.skipped == ()
