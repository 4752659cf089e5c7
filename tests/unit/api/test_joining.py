"""Devices that joined the fleet of a rollout under way: who is found, asked for and taken in."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.stores import open_state
from orchestrator.device.model import DeviceId
from orchestrator.errors import PlanError
from orchestrator.plan.digest import to_json
from orchestrator.rollout.events import Ask
from orchestrator.rollout.machine import Rollout
from tests.site_release import make_site_release

PLAN = """\
schema: 1
name: site
hosts: webs
artifact: ./site.mender
late_joiners: append
waves: [1, rest]
gates: [{name: well, check: "site-{{ inventory_hostname }}", success_when: result.exit == 0}]
"""


def fleet(count: int) -> str:
    return f"webs:\n  hosts:\n    web[1:{count}]: {{}}\n"


class Place:
    """A project whose plan is under way on two devices."""

    def __init__(self, root: Path) -> None:
        self.root, self.plan, self.hosts = root, root / "site.yml", root / "hosts.yml"
        self.settings = api.Settings(
            root=root, state=str(root / "state.db"), inventory=(str(self.hosts),)
        )
        self.plan.write_text(PLAN)
        self.hosts.write_text(fleet(2))
        make_site_release(root)

    async def begin(self) -> None:
        prepared = await self.prepare()
        first = Rollout.start(
            prepared.resolved, "r-1", at=time.time(), digest=prepared.digest
        ).collect()
        async with open_state(self.settings) as store:
            await store.start("r-1", prepared.plan_json, first)

    async def prepare(self, **source: object) -> api.Prepared:
        request = api.PlanRequest(self.plan, api.Source(**source), offline=True)  # type: ignore[arg-type]
        return await api.prepare(self.settings, request)

    async def join(self, prepared: api.Prepared) -> api.Asked:
        assert prepared.continues is not None
        return await api.join(self.settings, prepared.continues, prepared.joiners)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    await found.begin()
    return found


async def test_fleet_that_has_not_grown_adds_nobody(place: Place) -> None:
    prepared = await place.prepare()

    assert (prepared.continues, prepared.joiners) == ("r-1", {})


async def test_new_device_of_the_same_inventory_is_found(place: Place) -> None:
    place.hosts.write_text(fleet(3))

    prepared = await place.prepare()

    assert prepared.continues == "r-1"
    assert sorted(prepared.joiners) == ["web3"]
    assert sorted(prepared.resolved.devices) == ["web1", "web2"]  # as it was approved


async def test_inventory_that_only_changed_otherwise_adds_nobody(place: Place) -> None:
    place.hosts.write_text(fleet(2) + "    web1: {site: x}\n")

    prepared = await place.prepare()

    assert (prepared.continues, prepared.joiners) == ("r-1", {})


async def test_plan_that_ignores_joiners_starts_another_rollout(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.plan.write_text(PLAN.replace("append", "ignore"))
    await place.begin()
    place.hosts.write_text(fleet(3))

    prepared = await place.prepare()

    assert prepared.continues is None
    assert len(prepared.resolved.devices) == 3


async def test_another_inventory_or_choice_joins_nothing(place: Place) -> None:
    (place.root / "staging.yml").write_text(fleet(3))
    place.hosts.write_text(fleet(3))

    other = await place.prepare(inventory=(str(place.root / "staging.yml"),))
    limited = await place.prepare(limit="web3")

    assert (other.continues, limited.continues) == (None, None)


async def test_joined_device_is_in_the_stored_rollout_and_joins_once(place: Place) -> None:
    place.hosts.write_text(fleet(3))

    asked = await place.join(await place.prepare())
    again = await place.prepare()

    assert (asked.answer, asked.detail) == ("done", "1 device in wave `wave-2`")
    assert (again.continues, again.joiners) == ("r-1", {})
    status = await api.status(place.settings, None)
    assert status.story.devices == 3
    shown = await api.plan_shown(place.settings, None)
    assert (shown.joined_count, sorted(shown.prepared.resolved.devices)) == (1, ["web1", "web2"])
    assert status.digest == again.digest  # the plan's own stays
    probes = status.resolved.gates[0].probes
    assert probes[DeviceId("web3")].check == "site-web3"


async def test_device_of_another_rollout_is_left_out(place: Place) -> None:
    place.hosts.write_text(fleet(4))
    prepared = await place.prepare()
    other = replace(
        prepared.resolved, plan_sha256="f" * 64, name="other", waves=(
            replace(prepared.resolved.waves[0], devices=(DeviceId("web3"),)),
        ), devices={DeviceId("web3"): prepared.joiners[DeviceId("web3")].device},
    )  # fmt: skip
    first = Rollout.start(other, "r-2", at=time.time()).collect()
    async with open_state(place.settings) as store:
        await store.create("r-2", to_json(other), first)

    asked = await place.join(prepared)

    left = "`web3` left out, as another rollout has them"
    assert asked.detail == f"1 device in wave `wave-2`; {left}"
    assert sorted((await place.prepare()).joiners) == ["web3"]


async def test_request_to_join_twice_is_answered_as_already_so(place: Place) -> None:
    place.hosts.write_text(fleet(3))
    prepared = await place.prepare()
    await place.join(prepared)

    assert (await place.join(prepared)).answer == "already"


async def test_joined_device_can_be_named_by_verbs(place: Place) -> None:
    place.hosts.write_text(fleet(3))
    await place.join(await place.prepare())

    with pytest.raises(PlanError) as unknown:
        await api.ask(place.settings, api.AskRequest(None, Ask.RETRY, devices=("web9",)))
    await api.why(place.settings, None, "web3")

    assert "`web9` not in this rollout" in unknown.value.message


async def test_rollout_that_was_aborted_takes_nobody(place: Place) -> None:
    place.hosts.write_text(fleet(3))
    prepared = await place.prepare()
    await api.ask(place.settings, api.AskRequest(None, Ask.PAUSE))
    await api.ask(place.settings, api.AskRequest(None, Ask.HALT))

    with pytest.raises(PlanError, match="it is halted: nobody joins any more"):
        await place.join(prepared)


async def test_resume_finds_the_plan_that_the_rollout_was_made_of(place: Place) -> None:
    found = await api.grown(place.settings, None)

    assert found is not None
    rollout_id, request = found
    assert (rollout_id, request.plan, request.source.inventory) == (
        "r-1", place.plan, ("hosts.yml",)
    )  # fmt: skip
    place.hosts.write_text(fleet(3))
    prepared = await api.prepare(place.settings, replace(request, offline=True))
    assert (prepared.continues, sorted(prepared.joiners)) == ("r-1", ["web3"])


@pytest.mark.parametrize("what", ["changed plan", "no plan", "no state"])
async def test_resume_looks_for_nobody_where_the_plan_cannot_be_repeated(
    place: Place, what: str
) -> None:
    match what:
        case "changed plan":
            place.plan.write_text(PLAN + "\n")
        case "no plan":
            place.plan.unlink()
        case _:
            (place.root / "state.db").unlink()

    assert await api.grown(place.settings, None) is None


async def test_resume_looks_for_nobody_where_the_choice_is_unknown(tmp_path: Path) -> None:
    place = Place(tmp_path)
    prepared = await place.prepare(limit="web1")
    first = Rollout.start(prepared.resolved, "r-1", at=time.time()).collect()
    async with open_state(place.settings) as store:
        await store.start("r-1", prepared.plan_json, first)

    assert await api.grown(place.settings, "r-1") is None
