# ruff: noqa: PLR2004  the numbers are probabilities of a drawing, nothing else
"""Random plans, as text of the plan language: parsed and resolved like an operator's own."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import PlanError
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.survey import Surveyed
from orchestrator.plan.tickets import PlannedTicket
from orchestrator.testing.drawn_controls import (
    claims_of,
    draw_claims,
    draw_controls,
    draw_place,
    draw_rollback,
    draw_wave_controls,
    labels_of,
)
from orchestrator.testing.drawn_gates import HTTP_URL, draw_gates
from orchestrator.testing.drawn_tickets import TRUST
from orchestrator.testing.plans import SimulatedArtifact

WAVE_URL = "http://wave.test/"
PROGRAM = "probe"
OLD = "old"  # what devices run that say what they do
TRIES_MAX = 50  # most draws are plans; some combinations of limits the language refuses

_Drawn = dict[str, object]


@dataclass(frozen=True, slots=True)
class Draws:
    """Where choices come from, each apart, so that the others stay what they are.

    Attributes:
        plan: sizes, gates, limits.
        controls: hours, approvals, rates.
        place: the place among other plans, and the own hosts of waves.
    """

    plan: random.Random
    controls: random.Random
    place: random.Random


@dataclass(frozen=True, slots=True)
class Known:
    """What a plan is made with beside its text.

    Attributes:
        asked: devices that said what they run, and whether they have a trust root.
        late: the devices' module cannot go back after commit.
        ticket: what lies beside the artifact.
        rooted: devices with a trust root.
    """

    asked: Collection[DeviceId]
    late: bool = False
    ticket: PlannedTicket | None = None
    rooted: Collection[DeviceId] = ()

    def survey(self, device: DeviceId) -> Surveyed:
        """What a device said."""
        if device not in self.asked:
            return Surveyed(reachable=False)
        return Surveyed(
            reachable=True,
            device_type="sim",
            artifact=OLD,
            manifest=SimulatedArtifact.of(OLD).manifest_sha256,
            keeps_previous=not self.late,
            trust=TRUST if device in self.rooted else None,
        )


def draw_plan(
    draws: Draws,
    devices: Sequence[DeviceId],
    artifact: str,
    *,
    known: Known,
    keys: _Drawn | None = None,
) -> tuple[str, ResolvedPlan]:
    """A plan's text, and the plan that it resolves to.

    Args:
        draws: where choices come from.
        devices: the fleet.
        artifact: name of the simulated artifact that it brings.
        known: what was known of the devices, and the ticket.
        keys: what the plan says beside what is drawn; it requires nothing of its own name.

    Raises:
        PlanError: the language refused every draw.
    """
    refused: PlanError | None = None
    for _ in range(TRIES_MAX):
        drawn = _plan(draws.plan, artifact) | (keys or {})
        if drawn["name"] in (one["plan"] for one in _listed(drawn.get("requires"))):
            del drawn["requires"]
        drawn = _controlled(draws.controls, drawn)
        drawn |= draw_place(draws.place) | {"waves": draw_claims(draws.place, _waves_of(drawn))}
        text = json.dumps(drawn, indent=1)  # JSON is YAML
        try:
            return text, resolve(text, devices, artifact, known)
        except PlanError as error:
            refused = error
    assert refused is not None
    raise refused


def _waves_of(plan: _Drawn) -> list[object]:
    waves = plan["waves"]
    assert isinstance(waves, list)
    return waves


def _listed(value: object) -> list[_Drawn]:
    return value if isinstance(value, list) else []


def resolve(text: str, devices: Sequence[DeviceId], artifact: str, known: Known) -> ResolvedPlan:
    """The plan of a text, for a simulated fleet; devices that were not asked may run anything.

    Raises:
        PlanError: the language refuses it.
    """
    return resolve_plan(
        parse_plan(text.encode(), file="drawn.yml"),
        devices=[Device(name, Address("127.0.0.1"), labels_of(name)) for name in devices],
        artifact=SimulatedArtifact.of(artifact).planned(known.ticket),
        claims=claims_of(json.loads(text)["waves"], devices),
        survey={name: known.survey(name) for name in devices},
        set_vars={},
        plan_sha256="0" * 64,
        inventory_sha256="0" * 64,
        now=0.0,
        tool_version="0",
    )


def _controlled(rng: random.Random, plan: _Drawn) -> _Drawn:
    """The plan with controls; drawn apart, so that the rest of it stays what it is."""
    drawn = draw_controls(rng)
    rollback, waves = plan["rollback"], _waves_of(plan)
    assert isinstance(rollback, dict)
    drawn["rollback"] = rollback | draw_rollback(rng, drawn)
    approved = "approval" in drawn
    drawn["waves"] = [_controlled_wave(rng, wave, approved=approved) for wave in waves]
    gates = plan["gates"]
    assert isinstance(gates, list)
    drawn["gates"] = [*gates, *draw_gates(rng, [_name(*each) for each in enumerate(waves, 1)])]
    return plan | drawn


def _name(number: int, wave: object) -> str:
    named = wave.get("name") if isinstance(wave, dict) else None
    return str(named or f"wave-{number}")


def _controlled_wave(rng: random.Random, wave: object, *, approved: bool) -> object:
    own = draw_wave_controls(rng, approved=approved)
    if not own:
        return wave
    before: _Drawn = dict(wave) if isinstance(wave, dict) and "size" in wave else {"size": wave}
    return before | own


def _plan(rng: random.Random, artifact: str) -> _Drawn:
    waves, names = _waves(rng)
    plan: _Drawn = {
        "schema": 1,
        "name": rng.choice(("simulated", "fleet", "gw")),
        "hosts": "all",
        "artifact": f"{artifact}.mender",
        "waves": waves,
        "timeouts": {
            "connect": "10s", "transfer": "2m", "install": "1m", "reboot": "90s", "drain": "4m",
        },
        "retries": {"count": rng.randint(0, 3), "delay": "5s", "backoff": rng.choice((1, 2))},
        "gates": _gates(rng, names),
        "on_failure": rng.choice(("halt", "rollback", "continue")),
        "rollback": {
            "scope": rng.choice(("wave", "rollout")), "max_parallel": rng.choice((1, 5, 50))
        },
        **_limits(rng, often=0.6),
    }  # fmt: skip
    plan["offline"] = _offline(rng)
    return plan


def _offline(rng: random.Random) -> _Drawn:
    offline: _Drawn = {
        "policy": rng.choice(("defer", "defer", "wait", "fail")),
        "for": rng.choice(("2m", "10m", "1h", "4h")),
    }
    if rng.random() < 0.5:
        offline["max_unreachable_percentage"] = rng.choice((0, 2.5, 20, 100))
    return offline


def _limits(rng: random.Random, *, often: float) -> _Drawn:
    """What a plan says for all waves, and a wave for itself."""
    choices: _Drawn = {
        "soak": rng.choice(("0s", "20s", "2m", "10m")),
        "max_parallel": rng.choice((1, 3, 10, 50)),
        "slow_start": rng.random() < 0.8,
        "max_failures": rng.choice((0, 1, 2)),
        "max_fail_percentage": rng.choice((0, 5, 10, 33.4)),
    }
    return {key: value for key, value in choices.items() if rng.random() < often}


def _waves(rng: random.Random) -> tuple[list[object], list[str]]:
    sizes = _sizes(rng)
    waves: list[object] = []
    names = []
    for index, size in enumerate(sizes):
        if rng.random() < 0.5:
            waves.append(size)
            names.append(f"wave-{index + 1}")
        else:
            names.append(f"w{index}")
            waves.append({"name": names[-1], "size": size, **_limits(rng, often=0.3)})
    return waves, names


def _sizes(rng: random.Random) -> list[object]:
    if rng.random() < 0.15:
        return list(rng.choice((("1%", "9%", "90%"), ("50%", "50%"), ("29%", "71%"), ("100%",))))
    return [*(_size(rng) for _ in range(rng.randint(0, 3))), "rest"]


def _size(rng: random.Random) -> object:
    most = {"percent": 10, "min": rng.randint(1, 3), "max": rng.randint(3, 20)}
    return rng.choice((1, 2, 5, "1%", "10%", "25%", most))


def _gates(rng: random.Random, waves: Sequence[str]) -> list[_Drawn]:
    gates = []
    if rng.random() < 0.9:
        gates.append(_service(rng))
    for name, stage, probe, field in (
        ("api", "device", {"http": {"url": HTTP_URL, "value": "/up"}}, "value"),
        ("alerts", "background", {"http": {"url": HTTP_URL, "value": "/up"}}, "value"),
        ("load", "wave", {"http": {"url": WAVE_URL, "value": "/up"}}, "value"),
        ("program", "wave", {"command": [PROGRAM]}, "value"),
        ("memory", rng.choice(("wave", "background")), {"check": "memory"}, "value"),
    ):
        if rng.random() < 0.12:
            gate: _Drawn = {
                "name": name,
                "stage": stage,
                **probe,
                "success_when": f"result.{field} > 0",
                "interval": "10s",
                "timeout": "20s",
                "failure_limit": rng.choice((0, 0, 1)),
                "consecutive_error_limit": rng.choice((0, 2, 4)),
            }
            if gate["failure_limit"]:
                gate["count"] = 3  # of fewer samples no two can fail, and the others be more
            if rng.random() < 0.2:
                gate["waves"] = [rng.choice(waves)]
            if rng.random() < 0.1:
                gate["dry_run"] = True
            gates.append(gate)
    return gates


def _service(rng: random.Random) -> _Drawn:
    gate: _Drawn = {
        "name": "service",
        "check": "service",
        "success_when": "result.exit == 0",
        "count": rng.choice((1, 1, 3)),
        "interval": "5s",
        "timeout": "20s",
        "initial_delay": rng.choice(("0s", "0s", "8s")),
        "consecutive_error_limit": 2,
        "on_no_data": rng.choice(("inconclusive", "fail")),
    }
    if rng.random() < 0.4:
        gate["fail_when"] = "result.exit > 0"
    if rng.random() < 0.2:
        gate |= {"count": 3, "consecutive_success_limit": 2}
    return gate
