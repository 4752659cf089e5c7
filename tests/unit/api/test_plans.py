"""Preparing plans offline, saved plans, and what makes them stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.saved import SAVED_PLAN_S, refuse_stale
from orchestrator.api.stores import open_state
from orchestrator.device.model import DeviceId
from orchestrator.errors import PlanError, StalePlanError, TrustError
from orchestrator.plan.digest import digest_of, to_json
from orchestrator.plan.envelope import to_saved
from orchestrator.rollout.machine import Rollout

PLAN = """\
schema: 1
name: site
hosts: webs
artifact: ./site.mender
waves: [1, rest]
gates:
  - name: well
    check: site
    success_when: result.exit == 0
"""
COMMAND_GATE = """\
  - name: asked
    command: [ask-them]
    success_when: result.exit == 0
"""
INVENTORY = "webs:\n  hosts:\n    web[1:3]: {}\n"


class Place:
    """A project directory with a signed artifact."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = api.Settings(
            root=root, state=str(root / "state.db"), inventory=(str(root / "hosts.yml"),)
        )
        (root / "hosts.yml").write_text(INVENTORY)
        self.plan = root / "site.yml"
        self.plan.write_text(PLAN)
        api.key_generate(root / "release.key")
        self.build("site-1.0")

    def build(self, name: str, *, key: str | None = "release.key") -> None:
        tree = self.root / name
        tree.mkdir()
        (tree / "index.html").write_text(name)
        (self.root / "site.mender").unlink(missing_ok=True)
        request = api.BuildRequest(
            kind="directory", out=self.root / "site.mender", name=name, device_types=("web",),
            source=tree, dest="/opt/site", sign_key=self.root / key if key else None,
        )  # fmt: skip
        api.artifact_build(request)

    async def prepare(self, plan: Path | None = None, **changed: object) -> api.Prepared:
        settings = replace(self.settings, **changed)
        request = api.PlanRequest(plan or self.plan, api.Source(), offline=True)
        return await api.prepare(settings, request)

    async def saved(self, *, age_s: float = 0.0) -> api.Prepared:
        resolved = (await self.prepare()).resolved
        path = self.root / "saved.plan"
        made = replace(resolved, made_at=resolved.made_at - age_s)
        path.write_bytes(to_saved(to_json(made)))
        return await self.prepare(path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_preview_warns_of_what_nobody_asks_between_passes_of_reconcile(place: Place) -> None:
    watched = (
        "{name: pages, stage: background, http: {url: 'http://m/', value: /count}, interval: 1m, "
    )
    watched += "success_when: result.value == 0}"
    place.plan.write_text(PLAN.replace("gates:\n", f"gates:\n  - {watched}\n"))

    every_hour = await place.prepare(reconcile_every_s=3600.0)
    unsaid = await place.prepare()

    warning = "gate `pages` is to be asked every 1m, and while the rollout waits an engine comes"
    assert any(one.message.startswith(warning) for one in every_hour.preview.risks)
    assert not any("pages" in one.message for one in unsaid.preview.risks)
    assert replace(every_hour.resolved, made_at=unsaid.resolved.made_at) == unsaid.resolved


async def test_offline_plan_names_every_device_and_asks_none(place: Place) -> None:
    prepared = await place.prepare()

    assert sorted(prepared.resolved.devices) == ["web1", "web2", "web3"]
    assert not prepared.resolved.surveyed
    assert not prepared.saved
    assert prepared.continues is None
    assert not (place.root / "state.db").exists()


async def test_plan_file_is_noted_as_seen_from_the_project(place: Place) -> None:
    prepared = await place.prepare()

    assert prepared.resolved.plan_file == "site.yml"


async def test_review_of_a_preview_carries_over_to_the_next_one_of_the_same(place: Place) -> None:
    reviewed, again = await place.saved(age_s=3600.0), await place.prepare()
    place.plan.write_text(PLAN.replace("[1, rest]", "[2, rest]"))
    changed = await place.prepare()

    assert again.resolved.made_at > reviewed.resolved.made_at
    assert again.digest == reviewed.digest
    assert again.plan_json != reviewed.plan_json
    assert changed.digest != reviewed.digest


async def test_same_plan_may_be_previewed_and_applied_anew_but_one_file_only_once(
    place: Place,
) -> None:
    first, again = await place.saved(age_s=3600.0), await place.saved()
    async with open_state(place.settings) as store:
        rows = Rollout.start(first.resolved, "r-1", at=1.0, digest=first.digest).collect()
        await store.create("r-1", first.plan_json, rows)
        found = [await store.of_digest(digest_of(one.plan_json)) for one in (first, again)]

    assert again.digest == first.digest
    assert [one is not None for one in found] == [True, False]


async def test_saved_plan_is_the_same_plan(place: Place) -> None:
    first = await place.prepare()

    again = await place.saved()

    assert again.saved
    assert again.digest == first.digest
    assert replace(again.resolved, made_at=first.resolved.made_at) == first.resolved
    refuse_stale(place.settings, again)


async def test_saved_plan_is_stale_once_its_plan_file_changed(place: Place) -> None:
    saved = await place.saved()
    place.plan.write_text(PLAN.replace("[1, rest]", "[2, rest]"))

    with pytest.raises(StalePlanError, match="has changed since it was saved"):
        refuse_stale(place.settings, saved)


async def test_saved_plan_is_stale_once_its_artifact_changed(place: Place) -> None:
    saved = await place.saved()
    place.build("site-1.1")

    with pytest.raises(StalePlanError, match="artifact"):
        refuse_stale(place.settings, saved)


async def test_saved_plan_is_stale_after_a_day(place: Place) -> None:
    saved = await place.saved()
    old = replace(saved.resolved, made_at=saved.resolved.made_at - SAVED_PLAN_S - 60)

    with pytest.raises(StalePlanError, match="hours old"):
        refuse_stale(place.settings, replace(saved, resolved=old))


async def test_saved_plan_is_stale_once_its_inventory_changed(place: Place) -> None:
    saved = await place.saved()
    (place.root / "hosts.yml").write_text(INVENTORY + "    web9: {}\n")

    with pytest.raises(StalePlanError, match="inventory has changed"):
        refuse_stale(place.settings, saved)


async def test_saved_plan_with_limit_and_variables_is_held_against_the_same_choice(
    place: Place,
) -> None:
    place.plan.write_text(PLAN + "vars: {token: open}\n")
    source = api.Source(limit="web1", extra_vars={"token": "hush"})
    first = await api.prepare(place.settings, api.PlanRequest(place.plan, source, offline=True))
    path = place.root / "saved.plan"
    path.write_bytes(first.saved_file)

    again = await place.prepare(path)

    assert b"hush" not in first.plan_json
    assert [*again.resolved.devices] == ["web1"]
    refuse_stale(place.settings, again)


async def test_saved_plan_takes_no_other_devices_or_variables(place: Place) -> None:
    path = place.root / "saved.plan"
    path.write_bytes((await place.prepare()).saved_file)

    for source in (
        api.Source(limit="web1"),
        api.Source(inventory=("other.yml",)),
        api.Source(extra_vars={"a": "b"}),
    ):
        with pytest.raises(PlanError, match="chosen already"):
            await api.prepare(place.settings, api.PlanRequest(path, source))


async def test_saved_plan_that_no_yaml_could_have_made_is_refused(place: Place) -> None:
    first = await place.prepare()
    wave = replace(first.resolved.waves[0], devices=(DeviceId("stranger"),))
    path = place.root / "saved.plan"
    path.write_bytes(to_saved(to_json(replace(first.resolved, waves=(wave,)))))

    with pytest.raises(PlanError, match="stranger"):
        await place.prepare(path)


async def test_unsigned_artifact_is_refused(place: Place) -> None:
    place.build("unsigned", key=None)

    with pytest.raises(TrustError, match="not signed"):
        await place.prepare()


async def test_saved_plan_is_stale_once_a_ticket_came(place: Place) -> None:
    saved = await place.saved()
    (place.root / "site.ticket").write_text("fleet-release 1\n")
    (place.root / "site.ticket.sig").write_text("")

    with pytest.raises(StalePlanError) as caught:
        refuse_stale(place.settings, saved)

    assert caught.value.code == "P316"


async def test_artifact_of_an_untrusted_key_is_refused(place: Place) -> None:
    api.key_generate(place.root / "other.key")

    with pytest.raises(TrustError):
        await place.prepare(trusted_keys=(place.root / "other.key.pub",))


async def test_trusted_key_is_named_in_the_plan(place: Place) -> None:
    key = api.key_show(place.root / "release.key.pub")

    prepared = await place.prepare(trusted_keys=(place.root / "release.key.pub",))

    assert key.fingerprint[:16] in prepared.resolved.artifact.signed_by


async def test_program_that_nobody_allowed_is_refused_before_anything_moves(place: Place) -> None:
    place.plan.write_text(PLAN + COMMAND_GATE)

    with pytest.raises(PlanError, match="asked") as caught:
        await place.prepare()

    assert "allow_commands" in caught.value.hint


async def test_variables_and_limit_are_part_of_what_identifies_a_rollout(place: Place) -> None:
    whole = await place.prepare()
    request = api.PlanRequest(place.plan, api.Source(limit="web1"), offline=True)

    limited = await api.prepare(place.settings, request)

    assert list(limited.resolved.devices) == ["web1"]
    assert limited.resolved.inventory_sha256 != whole.resolved.inventory_sha256
