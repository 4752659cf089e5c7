"""Asking things of a rollout from several connections to one store."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api import asking
from orchestrator.api.stores import open_state
from orchestrator.errors import ExitCode, PlanError
from orchestrator.rollout.events import Ask, EngineStarted, OperatorAsked, TakeBack
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from tests.patience import within
from tests.site_release import make_site_release

PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [1, rest]
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""
APPROVAL = "approval: {required: 2, from: [ops], not_author: true, expires: 1h}\n"


@pytest.fixture
def settings(tmp_path: Path) -> api.Settings:
    (tmp_path / "hosts.yml").write_text(
        "webs: {hosts: {web1: {ansible_host: 127.0.0.1}, web2: {}}}\n"
    )
    make_site_release(tmp_path)
    return api.Settings(
        root=tmp_path, state=str(tmp_path / "state.db"), inventory=(str(tmp_path / "hosts.yml"),),
        people=("ann=ops,night", "bob=ops", "cat=sales", "zoe=ops"),
    )  # fmt: skip


@pytest.fixture
def sit_down(monkeypatch):
    """Another person sits down at the keyboard."""

    def at(who: str) -> None:
        monkeypatch.setattr(asking, "person", lambda: who)

    at("ann@desk")
    return at


async def stored(
    settings: api.Settings, *, more: str = "", name: str = "site", begun: bool = False
) -> str:
    """A rollout of a plan, as `apply` of zoe stores it before an engine begins, or after that."""
    plan = settings.root / f"{name}.yml"
    plan.write_text(PLAN.replace("name: site\n", f"name: {name}\n") + more)
    prepared = await api.prepare(settings, api.PlanRequest(plan, offline=True))
    first = Rollout.start(
        prepared.resolved, f"r-{name}", at=time.time(), author="zoe@desk", digest=prepared.digest
    )
    if begun:
        first.handle(EngineStarted(time.time(), 1))
    async with open_state(settings) as store:
        return await store.start(f"r-{name}", prepared.plan_json, first.collect())


@contextlib.asynccontextmanager
async def engine(settings: api.Settings, rollout_id: str) -> AsyncIterator[None]:
    """An engine elsewhere, that does nothing but answer what is asked."""
    async with open_state(settings) as store:
        lease = await store.acquire(rollout_id, "eve@elsewhere:1:1", ttl_s=60, now=time.time())

        async def answer() -> None:
            while True:
                found = await asking._find(settings, store, rollout_id)
                rollout = Rollout.restore(
                    found.plan, rollout_id, found.stored.rollout, found.stored.devices
                )
                rollout.attend()
                after = rollout.ledger.last_request
                asked = await store.requests(rollout_id, after=after)
                await store.commit(lease, [rollout.apply_all(asked)])
                await asyncio.sleep(0.05)

        task = asyncio.ensure_future(answer())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await store.release(lease)


async def ask(settings: api.Settings, ask: Ask, **choices: object) -> api.Asked:
    return await api.ask(settings, api.AskRequest(None, ask, **choices))  # type: ignore[arg-type]


async def state(settings: api.Settings) -> RolloutState:
    return (await api.status(settings, None)).story.state


@pytest.mark.parametrize(
    ("verb", "expected"), [(Ask.PAUSE, RolloutState.PAUSED), (Ask.HALT, RolloutState.HALTED)]
)
@pytest.mark.parametrize("driven", [False, True])
async def test_stopping_takes_effect_at_once_with_and_without_an_engine(
    settings, sit_down, verb, expected, driven
) -> None:
    rollout_id = await stored(settings)
    if driven:
        async with engine(settings, rollout_id):
            before = time.monotonic()
            first = await ask(settings, verb, why="smoke")
            took_s = time.monotonic() - before
            second = await ask(settings, verb)
    else:
        first = await ask(settings, verb, why="smoke")
        took_s = 0.0
        second = await ask(settings, verb)

    assert (first.answer, second.answer) == ("done", "already")
    assert took_s < within(1.0)
    assert await state(settings) is expected
    async with open_state(settings) as store:
        assert [(one.who, one.why) for one in await store.requests(rollout_id, after=0)] == [
            ("ann@desk", "smoke")
        ]
        told = [one for one in await store.journal(rollout_id) if one.type == "operator"]
    assert [(line.data["who"], line.data["why"]) for line in told] == [("ann@desk", "smoke")]
    assert any("resume" in command for command in first.next_commands)


async def test_what_does_not_fit_is_refused_and_recorded_nowhere(settings, sit_down) -> None:
    rollout_id = await stored(settings)

    with pytest.raises(PlanError) as refused:
        await ask(settings, Ask.PROMOTE)

    assert (refused.value.code, refused.value.exit_code) == ("S207", ExitCode.REFUSED)
    assert "no wave waits for its time" in refused.value.message
    async with open_state(settings) as store:
        assert await store.requests(rollout_id, after=0) == ()


async def test_what_was_asked_before_and_is_not_answered_yet_counts(settings, sit_down) -> None:
    """A pause that the engine has not seen: a resume after it is no idle request."""
    rollout_id = await stored(settings)
    async with open_state(settings) as store:
        await store.ask(rollout_id, OperatorAsked(time.time(), Ask.PAUSE, "bob@desk"))

    asked = await ask(settings, Ask.RESUME)

    assert asked.answer != "already"
    assert asked.needs_engine


async def test_answer_of_an_engine_that_is_silent_is_not_made_up(
    settings, sit_down, monkeypatch
) -> None:
    rollout_id = await stored(settings, begun=True)
    monkeypatch.setattr(asking, "ANSWER_S", 0.1)
    async with open_state(settings) as store:
        await store.acquire(rollout_id, "eve@elsewhere:1:1", ttl_s=60, now=time.time())

        asked = await ask(settings, Ask.PAUSE)

    assert (asked.answer, asked.engine) == ("", "eve@elsewhere:1:1")
    assert await state(settings) is RolloutState.RUNNING


@pytest.mark.parametrize("verb", [Ask.RESUME, Ask.ABORT, Ask.ROLLBACK])
async def test_what_takes_devices_is_left_to_whoever_drives(settings, sit_down, verb) -> None:
    await stored(settings, begun=True)

    asked = await ask(settings, verb)

    assert asked.needs_engine


async def test_choices_reach_the_store(settings, sit_down) -> None:
    rollout_id = await stored(settings)
    await ask(settings, Ask.ABORT, take_back=TakeBack.WAVE)

    async with open_state(settings) as store:
        (request,) = await store.requests(rollout_id, after=0)

    assert request.take_back is TakeBack.WAVE


async def test_two_people_approve_from_their_own_places(settings, sit_down) -> None:
    await stored(settings, more=APPROVAL)
    assert await state(settings) is RolloutState.AWAITING_APPROVAL

    first = await ask(settings, Ask.APPROVE)
    again = await ask(settings, Ask.APPROVE)
    sit_down("bob@phone")
    second = await ask(settings, Ask.APPROVE, why="looks good")

    assert (first.answer, again.answer, second.answer) == ("done", "already", "done")
    assert (first.detail, second.detail) == ("start: 1 of 2 approved", "start: 2 of 2 approved")
    assert await state(settings) is RolloutState.SCHEDULED


@pytest.mark.parametrize(
    ("who", "code"),
    [("dan@desk", "S208"), ("cat@desk", "S207"), ("zoe@phone", "S207")],
    ids=["unknown", "without the role", "author"],
)
async def test_who_may_not_approve_is_refused(settings, sit_down, who, code) -> None:
    await stored(settings, more=APPROVAL)
    sit_down(who)

    with pytest.raises(PlanError) as refused:
        await ask(settings, Ask.APPROVE)

    assert refused.value.code == code
    assert await state(settings) is RolloutState.AWAITING_APPROVAL


async def test_without_people_in_the_configuration_nobody_approves(settings, sit_down) -> None:
    await stored(settings, more=APPROVAL)

    with pytest.raises(PlanError) as refused:
        await ask(dataclasses.replace(settings, people=()), Ask.APPROVE)

    assert refused.value.code == "S208"
    assert "people" in refused.value.hint


async def test_approval_may_be_tied_to_a_digest(settings, sit_down) -> None:
    await stored(settings, more=APPROVAL)
    digest = (await api.status(settings, None)).digest

    with pytest.raises(PlanError, match="of another plan"):
        await ask(settings, Ask.APPROVE, digest="0" * 64)
    assert (await ask(settings, Ask.APPROVE, digest=digest[:12])).answer == "done"


async def test_denial_rejects_and_says_so_the_second_time(settings, sit_down) -> None:
    await stored(settings, more=APPROVAL)

    first = await ask(settings, Ask.DENY, why="not on a Friday")
    second = await ask(settings, Ask.DENY)

    assert (first.answer, second.answer) == ("done", "already")
    assert await state(settings) is RolloutState.REJECTED
    assert (await api.status(settings, None)).story.exit_code is ExitCode.REFUSED


async def reconcile(settings: api.Settings) -> dict[str, api.Reconciled]:
    found = await api.reconcile(settings, drain=asyncio.Event(), parallel=2)
    return {one.rollout_id: one for one in found}


async def test_reconcile_advances_what_waits_and_leaves_what_wants_a_person(
    settings, sit_down
) -> None:
    """No host key is known: whatever starts halts at once, and so shows that it was advanced."""
    await stored(settings, name="approved", more=APPROVAL)
    await ask(settings, Ask.APPROVE)
    sit_down("bob@desk")
    await ask(settings, Ask.APPROVE)
    await stored(settings, name="waiting", more=APPROVAL)
    await stored(settings, name="paused")
    await ask(settings, Ask.PAUSE)

    found = await reconcile(settings)

    assert {name: (one.state, one.exit_code) for name, one in found.items()} == {
        "r-approved": ("halted", ExitCode.ROLLED_BACK),
        "r-waiting": ("awaiting_approval", ExitCode.WAITING),
    }
    assert found["r-waiting"].waits_for == ("approval",)
    assert list(await reconcile(settings)) == ["r-waiting"]


async def test_reconcile_lets_the_engine_of_another_machine_be(settings, sit_down) -> None:
    rollout_id = await stored(settings)
    async with engine(settings, rollout_id):
        found = await reconcile(settings)

    assert found[rollout_id].engine == "eve@elsewhere:1:1"
    assert found[rollout_id].exit_code is ExitCode.DONE


async def test_trouble_with_one_rollout_keeps_no_other_from_going_on(settings, sit_down) -> None:
    await stored(settings, name="waiting", more=APPROVAL)
    await stored(settings, name="broken")
    with contextlib.closing(sqlite3.connect(settings.state)) as connection, connection:
        connection.execute(
            "UPDATE rollouts SET plan_json = CAST('{}' AS BLOB) WHERE id = 'r-broken'"
        )

    found = await reconcile(settings)

    assert "cannot be read" in found["r-broken"].error
    assert found["r-broken"].exit_code is not ExitCode.DONE
    assert (found["r-waiting"].state, found["r-waiting"].error) == ("awaiting_approval", "")


async def test_reconcile_of_no_store_is_nothing(settings) -> None:
    assert await reconcile(settings) == {}
