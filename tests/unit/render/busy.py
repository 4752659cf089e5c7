"""A rollout in which much happened: what a report has to show at once."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from orchestrator.plan.gate import Gate, Probe, ProbeKind, Stage
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.report import ReportFacts, report_page
from orchestrator.render.report_proof import ProofFacts
from orchestrator.rollout.audit import Head, Seal
from tests.unit.render.conftest import FORWARD, START, Journal, make_plan
from tests.unit.render.told import facts_of

_SIZES = (2, 24, 214)
_LOG = """\
gatewayd[311]: starting 1.4.2
gatewayd[311]: cannot open /dev/ttyUSB0: <permission denied>
systemd[1]: gatewayd.service: main process exited, code=exited, status=1"""


def busy_plan() -> ResolvedPlan:
    """240 devices in three waves, with gates of three kinds."""
    names = [f"gw-{site}-{number:03}" for site in ("ber", "par", "osl") for number in range(80)]
    gates = (
        Gate(
            "errors per minute", Stage.BACKGROUND, Probe(ProbeKind.PROMETHEUS, url="http://m"),
            success_when="result.value < 2", fail_when="result.value > 5",
        ),
        Gate(
            "site answers", Stage.WAVE, Probe(ProbeKind.HTTP, url="http://s"),
            success_when="result.status == 200",
        ),
        Gate("latency", Stage.WAVE, Probe(ProbeKind.PROMETHEUS, url="http://m")),
    )  # fmt: skip
    plan = make_plan(names, _SIZES)
    waves = [replace(wave, max_fail_share=Fraction(1, 20)) for wave in plan.waves]
    return replace(plan, gates=(*plan.gates, *gates), waves=tuple(waves))


def busy_journal(plan: ResolvedPlan) -> Journal:
    """Approved, slow, doubted, resumed, halted by a gate, and partly back."""
    book = Journal()
    book.add("rollout_started", plan=plan.name)
    book.add("approval", what="asked", required=1)
    book.wait(240)
    book.add(
        "approval", what="given", who="cat@corp", why="seen on the bench", digest="e1" * 32,
        key="SHA256:N8Yk2p", statement="rollout-plan 1\nfleet acme-prod\n",
        signature="-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAA\n-----END SSH SIGNATURE-----",
    )  # fmt: skip
    for index, wave in enumerate(plan.waves[:2]):
        book.add("wave_started", wave=wave.name, allowed=1)
        for number, device in enumerate(wave.devices):
            detail, reason = (_LOG, "check_failed") if number == 3 else ("", "")
            if number == 3:
                book.device(device, wave.name, *FORWARD[:4])
                book.device(device, wave.name, "rolling_back", reason=reason, detail=detail)
                book.device(device, wave.name, "rolled_back", reason=reason, detail=detail)
                continue
            book.device(device, wave.name, *FORWARD, "succeeded")
        book.add("soak_started", wave=wave.name, soak_s=600)
        _soak(book, wave.name, worse=index)
        if index:
            book.add("paused", wave=wave.name, cause="gate_inconclusive", detail="gate `latency`")
            book.wait(120)
            book.add("operator", ask="resume", who="ann@ops", why="the sensor was off")
            book.add("resumed", who="ann@ops")
        book.add("wave_done", wave=wave.name, state="passed")
    _last(book, plan)
    return book


def _soak(book: Journal, wave: str, *, worse: int) -> None:
    for step in range(60):
        book.wait(10)
        value = round(1 + math.sin(step / 5) + worse * step / 30, 2)
        reading = "failed" if value > 5 else "success" if value < 2 else "inconclusive"
        sample = {"gate": "errors per minute", "reading": reading, "verdict": "open"}
        if step % 17 == 9:
            sample |= {"reading": "error", "error": "connection refused"}
        else:
            sample |= {"result.value": value}
        book.add("gate_result", wave=wave, **sample)
    answer = {"gate": "site answers", "reading": "success", "verdict": "passed"}
    book.add("gate_result", wave=wave, **answer, **{"result.status": 200})


def _last(book: Journal, plan: ResolvedPlan) -> None:
    wave = plan.waves[2]
    book.add("wave_started", wave=wave.name, allowed=10)
    for number, device in enumerate(wave.devices[:120]):
        book.wait(4 - 7)  # beside one another
        if number % 12 == 5:
            book.device(device, wave.name, "deferred", reason="unreachable", detail="no route")
        elif number % 12 == 7:
            book.device(device, wave.name, "transferring", "failed", reason="low_space",
                        detail="needs 61 MiB, has 12 MiB")  # fmt: skip
        elif number % 40 == 11:
            book.device(device, wave.name, *FORWARD[:3], "uncertain", "lost", reason="lost")
        else:
            book.device(device, wave.name, *FORWARD, "succeeded")
    sample = {"gate": "errors per minute", "reading": "failed", "verdict": "failed"}
    book.add("gate_result", wave=wave.name, **sample, **{"result.value": 7.5})
    book.add("halted", wave=wave.name, cause="gate", detail="gate `errors per minute` failed: 7.5")


def busy_page() -> str:
    """The page of that rollout."""
    plan = busy_plan()
    book = busy_journal(plan)
    seal = Seal(Head("r-7f3a", len(book.entries) - 3, "ab" * 32), START + 9000, "line 1, `engine`")
    proof = ProofFacts("8092778c80be3599", len(book.entries), "f0" * 32, "", (seal,), ())
    return report_page(ReportFacts(facts_of(plan, book.entries), book.entries, proof, "0.1.0"))
