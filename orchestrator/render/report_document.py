"""What a report tells, as data (schemas/report.v1.json), for pages and tables of others.

Law: nothing is left out that the page has as a fact of its own, and nothing is cut; what looks like a
secret is masked as on the page. Single events stand in `rollout events`.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.evidence.masking import masked
from orchestrator.render.causes import grouped_causes
from orchestrator.render.report import ReportFacts
from orchestrator.render.report_proof import ProofFacts
from orchestrator.rollout.chronicle import Chronicle, Crowd, Track, WaveSpan, chronicle
from orchestrator.rollout.story import WaveStory

FORMAT_VERSION = "1.0"


def report_document(facts: ReportFacts) -> dict[str, object]:
    """The facts of a page as data."""
    standing = facts.standing
    story, plan = standing.story, standing.plan
    told = chronicle(plan, facts.journal)
    spans = {span.name: span for span in told.waves}
    return {
        "format_version": FORMAT_VERSION,
        "kind": "report",
        "tool": facts.tool,
        "rollout": story.rollout_id,
        "plan": plan.name,
        "plan_sha256": standing.digest,
        "artifact": {"name": plan.artifact.name, "sha256": plan.artifact.sha256},
        "state": story.state.value,
        "stops": [
            {"cause": stop.cause.value, "detail": _clean(stop.detail)} for stop in story.stops
        ],
        "at": standing.now,
        "began_at": told.began_at,
        "ended_at": told.ended_at,
        "entries": told.entries,
        "waves": [_wave(wave, spans.get(wave.name)) for wave in story.waves],
        "devices": [_crowd(crowd) for crowd in told.crowds],
        "left_out": [
            {"device": one.device, "reason": one.reason.value, "detail": _clean(one.detail)}
            for one in plan.skipped
        ],
        "causes": [
            {
                "reason": cause.reason,
                "detail": _clean(one.detail),
                "devices": list(one.devices),
                "first_s": one.first_s,
            }
            for cause in grouped_causes(story)
            for one in cause.wordings
        ],
        "gates": [_track(track) for track in told.tracks],
        "device_gates": [
            {
                "gate": one.gate,
                "wave": one.wave,
                "devices": one.devices,
                "readings": {reading.value: count for reading, count in one.readings.items()},
            }
            for one in told.checks
        ],
        "proof": _proof(facts.proof, told),
    }


def _wave(wave: WaveStory, span: WaveSpan | None) -> Mapping[str, object]:
    return {
        "name": wave.name,
        "state": wave.state.value,
        "devices": wave.devices,
        "counts": {state.value: count for state, count in wave.counts.items() if count},
        "failures": wave.failures,
        "allowed": wave.allowed,
        "begun_at": None if span is None else span.begun_at,
        "soak_at": None if span is None else span.soak_at,
        "done_at": None if span is None else span.done_at,
    }


def _crowd(crowd: Crowd) -> Mapping[str, object]:
    return {
        "wave": crowd.wave,
        "state": crowd.state.value,
        "reason": crowd.reason,
        "devices": list(crowd.devices),
        "from_at": crowd.from_at,
        "to_at": crowd.to_at,
    }


def _track(track: Track) -> Mapping[str, object]:
    return {
        "gate": track.gate,
        "wave": track.wave,
        "measure": track.measure,
        "samples": [
            {
                "at": sample.at,
                "reading": sample.reading.value,
                "verdict": sample.verdict,
                "value": sample.value,
                "words": _clean(sample.words),
            }
            for sample in track.samples
        ],
    }


def _proof(proof: ProofFacts, told: Chronicle) -> Mapping[str, object]:
    return {
        "controller": proof.controller_id,
        "holds": not proof.fault,
        "fault": proof.fault,
        "seq": proof.seq,
        "hash": proof.hash,
        "checkpoints": [
            {"seq": seal.head.seq, "made_at": seal.made_at, "by": seal.by} for seal in proof.seals
        ],
        "findings": list(proof.findings),
        "proven_devices": told.proven,
        "signed_reports": told.signed,
    }


def _clean(foreign: str) -> str:
    return masked(foreign)[0]
