from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import dedent

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import Diagnostic
from orchestrator.plan.model import Plan
from orchestrator.plan.parse import check_plan, parse_plan
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import PlannedArtifact, ResolvedPlan
from orchestrator.plan.survey import Surveyed

HEAD = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\n"
GATE = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"


@pytest.fixture
def artifact() -> PlannedArtifact:
    return PlannedArtifact(
        path="a.mender",
        name="gw-1.4.2",
        sha256="0" * 64,
        manifest_sha256="1" * 64,
        payload_type="directory",
        device_types=("pi4",),
        size_bytes=2000,
        transfer_bytes=1000,
    )


@pytest.fixture
def plan() -> Callable[[str], Plan]:
    """A plan from the text that follows the four required keys."""

    def parsed(rest: str = "waves: [1, rest]\n" + GATE) -> Plan:
        return parse_plan((HEAD + dedent(rest)).encode(), file="p.yml")

    return parsed


@pytest.fixture
def findings() -> Callable[[str], tuple[Diagnostic, ...]]:
    """What is said about the text that follows the four required keys."""

    def checked(rest: str) -> tuple[Diagnostic, ...]:
        return check_plan((HEAD + dedent(rest)).encode(), file="p.yml")

    return checked


@pytest.fixture
def fleet() -> Callable[[int], list[Device]]:
    def devices(count: int) -> list[Device]:
        return [
            Device(
                DeviceId(f"gw-{number}"),
                Address(f"192.0.2.{number % 250}"),
                {"site": "ber"},
                {"site": f"s{number}", "port": 8000 + number},
                ("gateways",),
            )
            for number in range(count)
        ]

    return devices


@pytest.fixture
def resolve(
    fleet: Callable[[int], list[Device]], artifact: PlannedArtifact
) -> Callable[..., ResolvedPlan]:
    def resolved(
        plan: Plan,
        count: int = 10,
        *,
        survey: Mapping[DeviceId, Surveyed] | None = None,
        set_vars: Mapping[str, str] | None = None,
        devices: list[Device] | None = None,
        claims: Mapping[str, Sequence[str]] | None = None,
    ) -> ResolvedPlan:
        return resolve_plan(
            plan,
            devices=fleet(count) if devices is None else devices,
            artifact=artifact,
            survey=survey,
            claims={
                wave: tuple(DeviceId(name) for name in names)
                for wave, names in (claims or {}).items()
            },
            set_vars=set_vars or {},
            plan_sha256="a" * 64,
            inventory_sha256="b" * 64,
            now=1_700_000_000.25,
            tool_version="0.1.0",
        )

    return resolved
