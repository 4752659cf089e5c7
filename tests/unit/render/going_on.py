"""A rollout in the middle of its second wave: what a live view and a pipeline's log have to show."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedPlan, Stage
from tests.unit.render.conftest import FORWARD, Journal, make_plan


def gated_plan() -> ResolvedPlan:
    """24 devices in three waves, and two gates that the controller asks."""
    plan = make_plan()
    gates = (
        Gate(
            "errors per minute", Stage.BACKGROUND, Probe(ProbeKind.PROMETHEUS, url="http://m"),
            success_when="result.value <= 2", fail_when="result.value > 5",
        ),
        Gate(
            "site answers", Stage.WAVE, Probe(ProbeKind.HTTP, url="http://s"),
            success_when="result.status == 200",
        ),
    )  # fmt: skip
    waves = [replace(wave, max_fail_share=Fraction(1, 5)) for wave in plan.waves]
    return replace(plan, gates=(*plan.gates, *gates), waves=tuple(waves))


def halfway(plan: ResolvedPlan) -> Journal:
    """One soaked and passed; of the second wave three are well, two failed, one is slow."""
    book = Journal()
    book.add("rollout_started", plan=plan.name)
    book.add("wave_started", wave="canary", allowed=0)
    book.device("gw-001", "canary", *FORWARD, "succeeded")
    book.add("soak_started", wave="canary", soak_s=240)
    for step in range(24):
        book.wait(10)
        sample(book, "canary", round(1 + math.sin(step / 3) * 0.8, 2))
    answer = {"gate": "site answers", "reading": "success", "verdict": "passed"}
    book.add("gate_result", wave="canary", **answer, **{"result.status": 200})
    book.add("wave_done", wave="canary", state="passed")
    book.add("wave_started", wave="early", allowed=2)
    for name in ("gw-002", "gw-003", "gw-004"):
        book.device(name, "early", *FORWARD, "succeeded")
    for number in (5, 6):
        detail = f"gw-00{number}: needs 61 MiB, has {number * 2} MiB"
        book.device(
            f"gw-00{number}", "early", "transferring", "failed", reason="low_space", detail=detail
        )
        sample(book, "early", 0.4)
    book.device("gw-007", "early", *FORWARD[:3])
    book.add("gate_result", wave="early", gate="errors per minute", reading="error",
             verdict="open", error="no answer")  # fmt: skip
    book.wait(48)
    return book


def sample(book: Journal, wave: str, value: float) -> None:
    reading = "success" if value <= 2 else "inconclusive"
    said = {"gate": "errors per minute", "reading": reading, "verdict": "open"}
    book.add("gate_result", wave=wave, **said, **{"result.value": value})
