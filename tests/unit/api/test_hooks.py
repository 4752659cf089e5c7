"""What is due of rollouts is told by whoever comes next, unless somebody drives them now."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from orchestrator.api.hooks import deliveries, refuse_hooks, tell_due
from orchestrator.api.owners import this_process
from orchestrator.api.values import Settings
from orchestrator.engine.ports import Changes
from orchestrator.errors import PlanError
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import Hook, HookEvent, ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.sql import open_store
from orchestrator.testing.plans import device_ids, make_plan

WAVES = [ResolvedWave("all", "rest", device_ids(1))]


@pytest.fixture
def settings(tmp_path):
    return Settings(root=tmp_path, state=str(tmp_path / "s.db"), allow_commands=("/bin/sh",))


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def plan(*hooks):
    return make_plan(WAVES, hooks=hooks)


def writing(log):
    words = ("/bin/sh", "-c", 'cat >>"$0"; echo " $ROLLOUT_ROLLOUT" >>"$0"', str(log))
    return plan(Hook((HookEvent.STARTED,), command=words))


async def store_rollout(settings, rollout_id, plan_json, *, driven=False):
    store = await open_store(settings.state)
    now = time.time()
    await store.create(
        rollout_id, plan_json,
        Changes({"state": "running"}, {}, [JournalEntry(1, now, "rollout_started")]),
    )  # fmt: skip
    if driven:
        await store.acquire(rollout_id, this_process(), ttl_s=60, now=now)
    await store.close()


def told(log: Path):
    return [line.split(" ") for line in log.read_text().splitlines()] if log.exists() else []


async def test_what_is_due_of_rollouts_that_nobody_drives_is_told_once(settings, log):
    for rollout_id, driven in (("r-left", False), ("r-driven", True)):
        await store_rollout(settings, rollout_id, to_json(writing(log)), driven=driven)
    await store_rollout(settings, "r-other", b'{"hooks":[1],"format_version":"99.0"}')

    await tell_due(settings)
    await tell_due(settings)

    [(event, name)] = told(log)
    assert name == "r-left"
    assert json.loads(event)["id"] == "r-left/1"
    [made] = await deliveries(settings, "r-left")
    assert (made.to, made.attempts, made.delivered) == ("/bin/sh", 1, True)
    assert await deliveries(settings, "r-driven") == ()


async def test_rollout_that_is_driven_here_is_left_to_its_own(settings, log):
    await store_rollout(settings, "r-mine", to_json(writing(log)))

    await tell_due(settings, except_id="r-mine")

    assert told(log) == []


def test_without_a_store_nothing_is_made(settings):
    asyncio.run(tell_due(settings))

    assert not Path(settings.state).exists()


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ({"command": ("/bin/cat",)}, "hook to `/bin/cat`: command `/bin/cat` is not allowed"),
        ({"email": "ops@example.org"}, "names no `mail_server`"),
        ({"http": "https://me:s3cret@chat.example/T0/token"}, "must not hold a user or password"),
    ],
)
def test_hook_that_could_never_be_told_is_refused(settings, hook, words):
    with pytest.raises(PlanError) as caught:
        refuse_hooks(settings, plan(Hook((HookEvent.HALTED,), **hook)))

    assert words in caught.value.message
    assert caught.value.code == "G111"
    assert "s3cret" not in caught.value.message
    assert "token" not in caught.value.message


def test_hooks_that_can_be_told_are_not_refused(settings):
    refuse_hooks(settings, plan(Hook((HookEvent.HALTED,), http="https://chat.example/hook")))
