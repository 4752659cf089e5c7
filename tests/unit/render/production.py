"""A plan for a fleet of some size that uses most of what the language has."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.controls import LateJoiners
from orchestrator.plan.resolved import (
    Approval,
    Budget,
    Burst,
    Compare,
    CompareTest,
    CompareTo,
    Covered,
    Direction,
    Freeze,
    Gate,
    Hook,
    HookEvent,
    OnFailure,
    PlannedCommit,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    Probe,
    ProbeKind,
    Rate,
    RateIncrease,
    Requirement,
    ResolvedPlan,
    Risk,
    Schedule,
    Skipped,
    Stage,
    Window,
)
from tests.unit.render.conftest import START, make_plan

SITES = ("berlin", "lisbon", "denver")
HOUR, DAY = 3600.0, 86400.0
TRUST = PlannedTrust(2, "acme-prod", 7, 41, ("ecdsa-p256", "rsa"))
NAMES = [f"gw-{site[:3]}-{n:03}" for n in range(1, 429) for site in SITES]


def production() -> ResolvedPlan:
    """1 284 gateways at three sites, in four waves, with a ticket that opens in steps."""
    plan = make_plan(NAMES, (3, 60, 321, 900))
    lab, canary, early, broad = (
        replace(wave, name=name)
        for wave, name in zip(plan.waves, ("lab", "canary", "early", "broad"), strict=True)
    )
    devices = {
        name: replace(
            one,
            labels={"site": SITES[n % 3], "hardware": "rev-c" if n % 50 == 0 else "rev-b"},
            current=("gateway-1.3.9" if n % 20 == 7 else None if n % 200 == 9 else one.current),
            current_manifest=None if n % 200 == 9 else "5" * 64,
            keeps_previous=n % 40 != 0,
            trust=TRUST if n % 3 else replace(TRUST, security_floor=6),
            signs="ed25519" if n % 5 else "",
        )
        for n, (name, one) in enumerate(plan.devices.items())
    }
    lines = (
        PlannedOpening(5, START - HOUR),
        PlannedOpening(25, START + 2 * DAY),
        PlannedOpening(100, START + 9 * DAY),
    )
    ticket = PlannedTicket(
        "0" * 64, "1" * 64, "acme-prod", 42, START + 20 * DAY, 7, ("rpi4", "rpi5"), lines
    )
    return replace(
        plan,
        commit=PlannedCommit("3f9c1e2ab4107c55d0e1f3a9b2c4d6e8f0a1b2c3", "anna@ops", "SHA256:a1"),
        artifact=replace(plan.artifact, ticket=ticket),
        devices=devices,
        waves=(
            replace(
                lab,
                hosts="lab",
                soak_s=15 * 60.0,
                backfill_limit=0,
                notes=("claimed by its hosts `lab` before the other waves choose",),
            ),
            replace(
                canary,
                soak_s=4 * HOUR,
                backfill_limit=5,
                deadline_s=2 * DAY,
                covered=(Covered(canary.devices[-1], "hardware", "rev-c"),),
                notes=(
                    f"1 beyond its size, to cover each `hardware`: `rev-c` ({canary.devices[-1]})",
                ),
            ),
            replace(
                early,
                soak_s=DAY,
                window=Burst(3, HOUR),
                max_unreachable_share=Fraction(1, 10),
                approval=Approval(2, ("ops", "safety"), not_author=True, expires_s=DAY),
            ),
            replace(
                broad, max_parallel=400, slow_start=False, max_unreachable_share=Fraction(1, 5)
            ),
        ),
        skipped=(
            *(Skipped(DeviceId(f"gw-ber-{n}"), Reason.NOT_ENROLLED) for n in range(801, 820)),
            Skipped(
                DeviceId("gw-lis-901"), Reason.HELD, "check failed, held since 2026-11-02 08:12 UTC"
            ),
            Skipped(DeviceId("gw-den-902"), Reason.TICKET_SECURITY, "its security floor is 9"),
            Skipped(DeviceId("old-1"), Reason.INCOMPATIBLE, "device type `rpi3`"),
            Skipped(DeviceId("old-2"), Reason.INCOMPATIBLE, "device type `rpi3`"),
        ),
        gates=(
            Gate(
                "boots and serves",
                Stage.DEVICE,
                Probe(ProbeKind.CHECK, check="gatewayd"),
                success_when="result.exit == 0",
                interval_s=10.0,
                consecutive_success_limit=6,
                failure_limit=3,
            ),
            Gate(
                "no firing alerts",
                Stage.BACKGROUND,
                Probe(
                    ProbeKind.PROMETHEUS, url="http://prom:9090", query='count(ALERTS{fleet="gw"})'
                ),
                fail_when="value > 0",
                interval_s=60.0,
            ),
            Gate(
                "crash rate not worse",
                Stage.WAVE,
                Probe(
                    ProbeKind.PROMETHEUS, url="http://prom:9090", query="crashes", label="device"
                ),
                compare=Compare(
                    CompareTo.CONTROL, CompareTest.MANN_WHITNEY, 0.02, Direction.INCREASE, 1.1, 8
                ),
                waves=("canary", "early"),
            ),
        ),
        spread=("site", "hardware"),
        late_joiners=LateJoiners.APPEND,
        schedule=Schedule(
            start_at=START + HOUR,
            windows=(
                Window(
                    ("mon", "tue", "wed", "thu"),
                    "01:00",
                    4 * HOUR,
                    "Europe/Berlin",
                    must_finish=True,
                ),
            ),
            freezes=(Freeze(START + 30 * DAY, START + 40 * DAY, "year end"),),
            stage_outside_window=True,
            deadline_s=21 * DAY,
        ),
        requires=(Requirement("modem-fw", ">=7.3"),),
        max_parallel_per={"site": 2},
        rate=Rate(20, RateIncrease(2.0, 100, 200)),
        budget=Budget(25),
        approval=Approval(),
        hooks=(Hook((HookEvent.HALTED, HookEvent.INCONCLUSIVE), http="https://chat.example/hook"),),
        on_failure=OnFailure.ROLLBACK,
        risks=(
            Risk(
                "P903", "without slow start a bad release reaches `max_parallel` devices at once", 1
            ),
        ),
    )
