# ruff: noqa: PLR2004  the numbers are probabilities of a drawing, nothing else
"""Random rollouts: what a seed draws before a simulation begins."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import (
    Gate,
    OfflinePolicy,
    OnFailure,
    Probe,
    ProbeKind,
    ResolvedPlan,
    ResolvedWave,
    Retries,
    Rollback,
    RollbackScope,
    Stage,
    Timeouts,
)
from orchestrator.testing.device import NOTHING, Release
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.transport import Faults

DEVICES_MAX = 40
HTTP_URL = "http://metrics.test/"
WAVE_URL = "http://wave.test/"

TIMES = Timeouts(
    connect_s=10, transfer_s=120, install_s=60, reboot_s=90, lost_after_s=600, drain_s=240,
    confirm_s=400,
)  # fmt: skip

_FAULTS = (
    Faults(),
    Faults(refuse=0.03, lose_request=0.01, lose_reply=0.01, cut_transfer=0.02),
    Faults(
        refuse=0.1, lose_request=0.03, lose_reply=0.05, cut_transfer=0.05, reboot=0.005,
        repeat=0.05, stall=0.02, drop_ready=0.1,
    ),
    Faults(
        refuse=0.25, lose_request=0.08, lose_reply=0.12, cut_transfer=0.1, reboot=0.02,
        repeat=0.1, stall=0.05, drop_ready=0.2,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """One drawn rollout.

    Attributes:
        release: how the new version behaves, `odd` where it behaves otherwise.
        before: what runs where it is not a healthy old version.
        crashes: number of steps of the world after which an engine dies, one per crash.
        takeovers: steps after which a second engine takes over from a living one.
        store_fails: probability that a commit fails and ends its engine.
        failing_from: when the controller-side gates turn bad, in seconds from the start.
        asks: times at which an operator does something.
        regret: once it is over, somebody wants it rolled back.
    """

    seed: int
    plan: ResolvedPlan
    release: Release
    odd: Mapping[DeviceId, Release]
    before: Mapping[DeviceId, Release]
    late: bool
    faults: Faults
    crashes: tuple[int, ...]
    takeovers: frozenset[int]
    offline: Mapping[DeviceId, tuple[float, float]]
    store_fails: float
    failing_from: float | None
    asks: tuple[float, ...]
    regret: bool

    @property
    def is_calm(self) -> bool:
        """Nothing but the release can go wrong."""
        quiet = self.faults == Faults() and not self.crashes and not self.offline
        return quiet and self.failing_from is None and not self.asks


def draw(seed: int) -> Scenario:
    """The scenario of a seed; the same on every machine."""
    rng = random.Random(seed)  # noqa: S311  scenarios, not secrets
    count = rng.choice(
        (1, 2, 3, rng.randint(4, 12), rng.randint(4, 20), rng.randint(10, DEVICES_MAX))
    )
    devices = device_ids(count)
    late = rng.random() < 0.25
    plan = make_plan(
        _waves(rng, devices),
        late=late,
        gates=_gates(rng),
        timeouts=TIMES,
        retries=Retries(count=rng.randint(0, 3), delay_s=5.0),
        rollback=Rollback(
            rng.choice((RollbackScope.WAVE, RollbackScope.ROLLOUT)), rng.choice((1, 5, 50))
        ),
        on_failure=rng.choice((OnFailure.HALT, OnFailure.ROLLBACK, OnFailure.CONTINUE)),
        offline=rng.choice((OfflinePolicy.DEFER, OfflinePolicy.DEFER, OfflinePolicy.FAIL)),
    )
    release, odd = _releases(rng, devices)
    offline = {
        device: (start, start + rng.choice((30.0, 300.0, 3000.0)))
        for device in devices
        if rng.random() < 0.05
        for start in (rng.choice((0.0, rng.random() * 60)),)
    }
    rough = rng.random()
    return Scenario(
        seed=seed,
        plan=plan,
        release=release,
        odd=odd,
        before=_before(random.Random(f"before/{seed}"), devices)  # noqa: S311  as above
        | _ahead(random.Random(f"ahead/{seed}"), plan, release, odd),  # noqa: S311  as above
        late=late,
        faults=rng.choice(_FAULTS),
        crashes=tuple(int(rng.expovariate(1 / 40)) + 1 for _ in range(rng.choice((0, 0, 1, 2, 4)))),
        takeovers=frozenset({int(rng.expovariate(1 / 60)) + 1} if rng.random() < 0.25 else ()),
        offline=offline if rough < 0.5 else {},
        store_fails=rng.choice((0.0, 0.0, 0.0, 0.02)),
        failing_from=rng.random() * 120 if rng.random() < 0.15 else None,
        asks=tuple(sorted(rng.random() * 200 for _ in range(rng.choice((0, 0, 0, 1, 3))))),
        regret=random.Random(f"regret/{seed}").random() < 0.2,  # noqa: S311  as above
    )


def _waves(rng: random.Random, devices: tuple[DeviceId, ...]) -> tuple[ResolvedWave, ...]:
    waves = []
    left = list(devices)
    for index in range(rng.randint(1, 4)):
        last = index == 3 or len(left) <= 1 or rng.random() < 0.2
        size = len(left) if last else rng.randint(1, max(1, len(left) // 2))
        taken, left = left[:size], left[size:]
        waves.append(_wave(rng, f"wave{index}", tuple(taken)))
        if not left:
            break
    if left:
        waves.append(_wave(rng, "rest", tuple(left)))
    return tuple(waves)


def _wave(rng: random.Random, name: str, devices: tuple[DeviceId, ...]) -> ResolvedWave:
    return ResolvedWave(
        name=name,
        size_text=str(len(devices)),
        devices=devices,
        soak_s=rng.choice((0.0, 0.0, 20.0, 120.0)),
        max_parallel=rng.choice((1, 3, 10, 50)),
        slow_start=rng.random() < 0.9,
        max_failures=rng.choice((None, None, 0, 1, 2)),
        max_fail_share=rng.choice((Fraction(0), Fraction(0), Fraction(1, 10), Fraction(1, 3))),
        max_unreachable_share=rng.choice((Fraction(0), Fraction(1, 5))),
        backfill_limit=rng.choice((0, len(devices))),
    )


def _gates(rng: random.Random) -> tuple[Gate, ...]:
    gates = []
    if rng.random() < 0.9:
        consecutive = rng.choice((None, None, 2))
        gates.append(
            Gate(
                "service",
                Stage.DEVICE,
                Probe(ProbeKind.CHECK, check="service"),
                success_when="result.exit == 0",
                fail_when=rng.choice((None, "result.exit > 0")),
                count=rng.choice((1, 1, 3)),
                interval_s=5.0,
                initial_delay_s=rng.choice((0.0, 0.0, 8.0)),
                consecutive_success_limit=consecutive,
                consecutive_error_limit=2,
            )
        )
    for name, stage, url in (
        ("api", Stage.DEVICE, HTTP_URL),
        ("alerts", Stage.BACKGROUND, HTTP_URL),
        ("load", Stage.WAVE, WAVE_URL),
    ):
        if rng.random() < 0.15:
            probe = Probe(ProbeKind.HTTP, url=url)
            gates.append(
                Gate(
                    name,
                    stage,
                    probe,
                    success_when="result.value > 0",
                    interval_s=10.0,
                    failure_limit=rng.choice((0, 1)),
                )
            )
    if rng.random() < 0.15:
        gates.append(
            Gate(
                "memory",
                rng.choice((Stage.WAVE, Stage.BACKGROUND)),
                Probe(ProbeKind.CHECK, check="memory"),
                success_when="result.value > 0",
                interval_s=15.0,
            )
        )
    return tuple(gates)


def _before(rng: random.Random, devices: tuple[DeviceId, ...]) -> dict[DeviceId, Release]:
    """What devices ran: mostly healthy; else unwell, without the checks, or nothing of ours."""
    manifest = SimulatedArtifact.of("old").manifest_sha256
    kinds = (
        Release("old", manifest, healthy=False),
        Release("old", manifest, silent_check=True),
        Release("old", manifest, lacks_checks=True),
        Release(NOTHING, NOTHING, healthy=False),
    )
    share = rng.choice((0.0, 0.0, 0.1, 0.5))
    return {device: rng.choice(kinds) for device in devices if rng.random() < share}


def _ahead(
    rng: random.Random, plan: ResolvedPlan, release: Release, odd: Mapping[DeviceId, Release]
) -> dict[DeviceId, Release]:
    """Devices of a whole wave that run the new version already, where it is good."""
    wave = rng.choice(plan.waves)
    if rng.random() < 0.85 or not release.is_good:
        return {}
    return {device: release for device in wave.devices if device not in odd}


def _releases(
    rng: random.Random, devices: tuple[DeviceId, ...]
) -> tuple[Release, dict[DeviceId, Release]]:
    manifest = SimulatedArtifact.of("new").manifest_sha256
    good = Release("new", manifest)
    kinds = (
        Release("new", manifest, healthy=False),
        Release("new", manifest, bricks=True),
        Release("new", manifest, install_fails=True),
        Release("new", manifest, activate_fails=True),
        Release("new", manifest, commit_fails=True),
        Release("new", manifest, healthy=False, rollback_fails=True),
        Release("new", manifest, commit_fails=True, rollback_fails=True),
        Release("new", manifest, silent_check=True),
        Release("new", manifest, corrupt=True),
    )
    draw_ = rng.random()
    if draw_ < 0.35:
        return good, {}
    if draw_ < 0.6:
        return rng.choice(kinds), {}
    share = rng.choice((0.05, 0.2, 0.5))
    return good, {device: rng.choice(kinds) for device in devices if rng.random() < share}
