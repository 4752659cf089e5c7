"""From a plan file to a resolved plan: the first half of `apply`, all of `preview`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.api.commits import commit_of
from orchestrator.api.deltas import differences_save
from orchestrator.api.evidence import planned_evidence
from orchestrator.api.gates import probes_of
from orchestrator.api.hooks import refuse_hooks
from orchestrator.api.joining import Inputs, find_elder
from orchestrator.api.plan_artifacts import planned_artifact
from orchestrator.api.plan_circles import circle_beside
from orchestrator.api.project import inventory_sources, load_inventory, read_file
from orchestrator.api.saved import choice_digest, inventory_digest
from orchestrator.api.signers import refuse_inside
from orchestrator.api.stored import load_stored, plan_of
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.surveys import (
    OnSurvey,
    refuse_restored,
    silent,
    survey_devices,
    without_foreign,
    without_unsigned,
)
from orchestrator.api.values import PlanRequest, Prepared, Settings, Source
from orchestrator.device.model import DeviceId
from orchestrator.errors import PlanError, TrustError, Where

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.inventory.model import Inventory
    from orchestrator.plan.difference import Since
    from orchestrator.plan.model import Plan
    from orchestrator.plan.resolved import PlannedCommit, ResolvedPlan


async def prepare(
    settings: Settings, request: PlanRequest, on_survey: OnSurvey = silent
) -> Prepared:
    """A plan resolved against inventory, artifact and (unless offline) what devices answer.

    A rollout under way of the same plan file, inventory and artifact comes first: its stored plan
    is what continues, and neither age nor devices are asked then. One whose fleet has grown
    continues too where its plan appends late joiners; only the new devices are asked.

    Args:
        settings: the operator's configuration.
        request: the plan, YAML or saved, and the saved one that it is compared with.
        on_survey: told how many devices have answered.

    Raises:
        PlanError: plan, inventory or variables are wrong; has all findings.
        ArtifactError: the artifact breaks a rule.
        TrustError: it is unsigned, or not signed by a trusted key; or who may sign is said by the
            repository of the plan.
        StalePlanError: a saved plan is too old or its inputs have changed.
        StoreError: the store failed, or devices know a later copy of it.
    """
    from orchestrator.plan.envelope import is_saved

    refuse_inside(settings, request.plan)
    earlier = None if request.since is None else _reviewed(request.since)
    data = read_file(request.plan)
    if is_saved(data):
        prepared = await _saved(settings, request, data)
    else:
        prepared = await _written(settings, request, data, on_survey)
    if request.since is None or earlier is None:
        return prepared
    return replace(prepared, since=_since(request.since, earlier, prepared))


def _reviewed(file: Path) -> ResolvedPlan:
    """A saved plan, however old."""
    from orchestrator.plan.envelope import from_saved

    return from_saved(read_file(file), file=str(file))


def _since(file: Path, earlier: ResolvedPlan, prepared: Prepared) -> Since:
    from orchestrator.plan.difference import Since, difference
    from orchestrator.plan.digest import digest

    return Since(str(file), digest(earlier), difference(earlier, prepared.resolved))


async def _written(
    settings: Settings, request: PlanRequest, data: bytes, on_survey: OnSurvey
) -> Prepared:
    from orchestrator.plan.joiners import joiners
    from orchestrator.plan.render_text import rendered_claims, rendered_hosts
    from orchestrator.plan.resolve import resolve_plan

    plan = _parsed(settings, request, data)
    inventory = load_inventory(settings, request.source)
    artifact = planned_artifact(settings, request, plan)
    plan_sha256 = hashlib.sha256(data).hexdigest()
    choice_sha256 = choice_digest(request.source)
    inventory_sha256 = inventory_digest(inventory, choice_sha256)
    running = await _under_way(settings, plan_sha256, inventory_sha256, artifact.sha256)
    if running is not None:
        return running
    hosts = rendered_hosts(plan, request.source.extra_vars)
    limit = request.source.limit
    devices = _reached(inventory.select(hosts, limit=limit), plan.become)
    claims = {
        wave: tuple(DeviceId(name) for name in inventory.match(pattern, limit=limit))
        for wave, pattern in rendered_claims(plan, request.source.extra_vars).items()
    }
    # Where files lie seen from the project: a rollout goes on from any working directory.
    sources = inventory_sources(settings, request.source)
    inventories = tuple(_source_from_root(settings, text) for text in sources)
    inputs = Inputs(plan_sha256, artifact.sha256, inventories, choice_sha256)
    elder = await find_elder(settings, inputs)
    known = () if elder is None else elder.amended.devices
    new = [device for device in devices if device.id not in known]
    if elder is not None and not new:
        return prepared_of(settings, elder.plan, saved=False, continues=elder.rollout_id)
    survey = None
    if not request.offline:
        found = await survey_devices(
            settings, new, plan.component, artifact.payload_type, on_survey
        )
        await refuse_restored(settings, found)
        survey = without_unsigned(settings, await without_foreign(settings, found))
    resolved = resolve_plan(
        plan,
        devices=devices,
        artifact=artifact,
        survey=survey,
        claims=claims,
        held=await _held(settings, artifact.sha256),
        set_vars=request.source.extra_vars,
        plan_sha256=plan_sha256,
        inventory_sha256=inventory_sha256,
        now=float(int(time.time())),
        tool_version=__version__,
    )
    commit, uncommitted = _committed(settings, request.plan, inventory)
    resolved = replace(
        resolved,
        commit=commit,
        plan_file=_from_root(settings, request.plan),
        inventory=inventories,
        choice_sha256=choice_sha256,
    )
    evidence, unevidenced = planned_evidence(settings, resolved)
    resolved = replace(resolved, evidence=evidence)
    _refuse_commands(settings, resolved)
    if elder is not None:
        running = prepared_of(settings, elder.plan, saved=False, continues=elder.rollout_id)
        unfit = tuple(one for one in resolved.skipped if one not in elder.amended.skipped)
        joined = joiners(elder.amended, resolved)
        return replace(running, joiners=joined, unfit=unfit, uncommitted=uncommitted)
    findings = (
        *inventory.findings(device.id for device in devices),
        *circle_beside(request.plan, plan),
    )
    prepared = prepared_of(settings, resolved, saved=False)
    return replace(prepared, uncommitted=uncommitted, unevidenced=unevidenced, findings=findings)


def _parsed(settings: Settings, request: PlanRequest, data: bytes) -> Plan:
    """The plan; where it is refused, what is wrong with the inventory is told with it."""
    from orchestrator.plan.parse import parse_plan
    from orchestrator.plan.render_text import check_variables

    try:
        plan = parse_plan(data, file=str(request.plan))
        check_variables(plan, request.source.extra_vars)
    except PlanError as error:
        try:
            error.diagnostics += load_inventory(settings, request.source).findings()
        except PlanError as of_inventory:
            error.diagnostics += of_inventory.diagnostics
        raise
    return plan


def _committed(
    settings: Settings, plan: Path, inventory: Inventory
) -> tuple[PlannedCommit | None, TrustError | None]:
    """The signed commit of the files, where one is required; or why there is none."""
    if not settings.require_signed_commit:
        return None, None
    try:
        return commit_of(settings, plan, inventory), None
    except TrustError as error:
        return None, error


async def _saved(settings: Settings, request: PlanRequest, data: bytes) -> Prepared:
    from orchestrator.plan.envelope import from_saved

    if request.source != Source():
        message = f"`{request.plan}` is a saved plan: its devices and variables are chosen already"
        hint = "leave `-i`, `-l` and `-e` out, or preview the plan again with them"
        raise PlanError(message, hint=hint, where=Where(str(request.plan)), code="P304")
    resolved = from_saved(data, file=str(request.plan))
    running = await _under_way(
        settings, resolved.plan_sha256, resolved.inventory_sha256, resolved.artifact.sha256
    )
    if running is not None:
        return running
    _refuse_commands(settings, resolved)
    return prepared_of(settings, resolved, saved=True)


async def unproven(settings: Settings, prepared: Prepared) -> tuple[str, ...]:
    """Rollouts of this artifact on these devices that are not over: it runs, and is not proven.

    Raises:
        StoreError: the store failed, or one of them cannot be read.
    """
    if not state_exists(settings):
        return ()
    resolved = prepared.resolved
    wanted = (resolved.artifact.sha256, resolved.component)
    found = []
    async with open_state(settings) as store:
        for rollout_id in await store.under_way():
            plan = plan_of(await load_stored(store, rollout_id))
            shares = not plan.devices.keys().isdisjoint(resolved.devices)
            if shares and (plan.artifact.sha256, plan.component) == wanted:
                found.append(rollout_id)
    return tuple(found)


def _reached(devices: Sequence[Device], become: str | None) -> tuple[Device, ...]:
    """The devices, reached as the plan says where the inventory does not say it."""
    if become is None:
        return tuple(devices)
    return tuple(
        replace(device, address=replace(device.address, become=device.address.become or become))
        for device in devices
    )


async def _held(settings: Settings, artifact_sha256: str) -> Mapping[DeviceId, str]:
    """Devices that failed with the artifact, or could not go back, and were not let go since."""
    from orchestrator.render.words import instant

    if not state_exists(settings):
        return {}
    async with open_state(settings) as store:
        found = await store.held(artifact_sha256)
    return {device: f"{one.text}, held since {instant(one.since)}" for device, one in found.items()}


def _from_root(settings: Settings, plan: Path) -> str:
    path = plan.resolve()
    root = settings.root.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _source_from_root(settings: Settings, text: str) -> str:
    path = settings.root / Path(text).expanduser()
    return _from_root(settings, path) if path.exists() else text  # else a list of names


async def _under_way(
    settings: Settings, plan_sha256: str, inventory_sha256: str, artifact_sha256: str
) -> Prepared | None:
    """The stored plan of a rollout of the same inputs that is not over."""
    from orchestrator.plan.digest import from_json

    if not state_exists(settings):
        return None
    async with open_state(settings) as store:
        rollout_id = await store.find_active(plan_sha256, inventory_sha256, artifact_sha256)
        stored = None if rollout_id is None else await store.load(rollout_id)
    if stored is None:
        return None
    resolved = from_json(stored.plan_json, file=stored.rollout_id)
    return prepared_of(settings, resolved, saved=False, continues=stored.rollout_id)


def prepared_of(
    settings: Settings, resolved: ResolvedPlan, *, saved: bool, continues: str | None = None
) -> Prepared:
    """What a preview of a resolved plan is made of."""
    from orchestrator.plan.digest import digest, to_json
    from orchestrator.plan.preview import preview

    plan_json = to_json(resolved)
    saves = differences_save(settings, resolved)
    facts = preview(resolved, tick_s=settings.reconcile_every_s, saves=saves)
    return Prepared(resolved, facts, plan_json, digest(resolved), saved, continues)


def _refuse_commands(settings: Settings, resolved: ResolvedPlan) -> None:
    """Refuses gates and hooks whose program or address is not allowed, before anything moves."""
    refuse_hooks(settings, resolved)
    probes = probes_of(settings)
    for gate in resolved.gates:
        for probe in (gate.probe, *gate.probes.values()):
            if why := probes.refused(probe):
                message = f"gate `{gate.name}`: {why}"
                hint = (
                    "your own configuration allows programs (`allow_commands = [...]`) and kinds "
                    "of other packages (`allow_gate_kinds = [...]`)"
                )
                raise PlanError(message, hint=hint, code="G110")
