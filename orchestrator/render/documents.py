"""Machine formats: JSON documents and JSON lines. Nothing is escaped or shortened here.

Laws:
1. Every document begins with `format_version`; within a major version fields are only added
   (schemas/*.v1.json).
2. A line of events stands alone; the first one names the version.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from orchestrator.plan.difference import Since
from orchestrator.plan.digest import to_document
from orchestrator.plan.preview import Preview, WavePreview
from orchestrator.plan.resolved import (
    Approval,
    Burst,
    Gate,
    Hook,
    PlannedArtifact,
    PlannedCommit,
    PlannedTicket,
)
from orchestrator.plan.trust_groups import TrustGroup
from orchestrator.render.since import since_document
from orchestrator.render.standing import Facts, commands
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.notices import Delivery
from orchestrator.secret_names import shown_url

FORMAT_VERSION = "1.0"
EVENTS_VERSION = "1.0"


def events_head(rollout_id: str, tool_version: str, plan_sha256: str) -> str:
    """The first line of an events stream."""
    return _line(
        {
            "type": "version",
            "events": EVENTS_VERSION,
            "tool": tool_version,
            "rollout": rollout_id,
            "plan_sha256": plan_sha256,
        }
    )


def event_line(entry: JournalEntry, rollout_id: str) -> str:
    """One journal entry as a line; `data` keeps the journal's own keys."""
    return _line(
        {
            "type": entry.type,
            "seq": entry.seq,
            "ts": entry.at,
            "rollout": rollout_id,
            **({"wave": entry.wave} if entry.wave else {}),
            **({"device": entry.device} if entry.device else {}),
            "data": dict(entry.data),
        }
    )


def standing_line(facts: Facts) -> str:
    """Where a watched rollout stands; it is no entry of the journal and has no number."""
    story = facts.story
    return _line(
        {
            "type": "standing",
            "ts": story.at,
            "rollout": story.rollout_id,
            "wave": story.wave,
            "data": {
                "state": str(story.state),
                "engine": facts.engine,
                "waits_for": list(story.waits_for),
                "next_at": story.next_at,
                "held_up": list(story.held_up),
                "next_commands": commands(facts),
                "exit": int(story.exit_code),
            },
        }
    )


def delivery_line(delivery: Delivery, rollout_id: str) -> str:
    """What came of telling a hook, as a line beside the journal's; it has no number of its own."""
    return _line(
        {
            "type": "notification",
            "ts": delivery.at,
            "rollout": rollout_id,
            "data": {
                "id": f"{rollout_id}/{delivery.seq}",
                "event": delivery.event,
                "hook": delivery.hook + 1,
                "to": delivery.to,
                "attempts": delivery.attempts,
                "delivered": delivery.delivered,
                "detail": delivery.detail,
            },
        }
    )


def _line(document: Mapping[str, object]) -> str:
    # ASCII only: a line must survive U+2028 and every terminal, pager and log collector
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"


def preview_document(
    preview: Preview, digest: str, since: Since | None = None
) -> dict[str, object]:
    """The preview as data (schemas/preview.v1.json)."""
    plan = preview.plan
    return {
        "format_version": FORMAT_VERSION,
        "kind": "preview",
        "digest": digest,
        "plan": {
            "name": plan.name,
            "release": plan.release,
            "component": plan.component,
            "file": plan.plan_file,
            "sha256": plan.plan_sha256,
            "seed": plan.seed,
        },
        "commit": commit_document(plan.commit),
        "evidence": None if plan.evidence is None else to_document(plan.evidence),
        "inventory_sha256": plan.inventory_sha256,
        "made_at": plan.made_at,
        "tool_version": plan.tool_version,
        "surveyed": plan.surveyed,
        "artifact": _artifact(plan.artifact),
        "counts": {
            "devices": preview.devices_count,
            "update": preview.update_count,
            "unchanged": preview.unchanged_count,
            "unknown": preview.unknown_count,
            "reports_unsigned": preview.unsigned_count,
            "skipped": len(plan.skipped),
        },
        "has_changes": preview.has_changes,
        "waves": [_wave(preview, wave) for wave in preview.waves],
        "gates": [_gate(gate) for gate in plan.gates],
        "skipped": [
            {"device": each.device, "reason": str(each.reason), "detail": each.detail}
            for each in plan.skipped
        ],
        "order": {
            "by": str(plan.order),
            "sticky": plan.sticky,
            "spread": list(plan.spread),
            "late_joiners": str(plan.late_joiners),
        },
        "schedule": _schedule(preview),
        "limits": {
            "budget_count": preview.budget_count,
            "budget_window": _burst(plan.budget.window),
            "max_parallel_per": dict(plan.max_parallel_per),
            "rate": None if plan.rate is None else dataclasses.asdict(plan.rate),
            "offline": str(plan.offline),
            "offline_for_s": plan.offline_for_s,
        },
        "requires": [
            {"plan": each.plan, "release": each.release, "per": str(each.per)}
            for each in plan.requires
        ],
        "approval": _approval(plan.approval),
        "priority": plan.priority,
        "on_conflict": str(plan.on_conflict),
        "hooks": [
            {"events": [str(event) for event in hook.events], "to": _told(hook)}
            for hook in plan.hooks
        ],
        "target_set_sha256": preview.target_set_sha256,
        "on_failure": str(plan.on_failure),
        "rollback_scope": str(plan.rollback.scope),
        "rollback": {
            "scope": str(plan.rollback.scope),
            "order": str(plan.rollback.order),
            "respect_windows": plan.rollback.respect_windows,
            "respect_freezes": plan.rollback.respect_freezes,
            "max_parallel": plan.rollback.max_parallel,
        },
        "trust": [_trust(group) for group in preview.trust],
        "time_zone": preview.zone,
        "transfer_bytes": preview.transfer_bytes,
        "least_transfer_bytes": preview.least_bytes,
        "difference_count": preview.difference_count,
        "earliest_end_s": preview.earliest_end_s,
        "earliest_end_at": preview.earliest_end_at,
        "confirm_s": preview.confirm_s,
        "warnings": [risk.message for risk in preview.risks],
        "risks": [dataclasses.asdict(risk) for risk in preview.risks],
        **({} if since is None else {"diff": since_document(since, digest)}),
    }


def _artifact(artifact: PlannedArtifact) -> dict[str, object]:
    return {
        "path": artifact.path,
        "name": artifact.name,
        "sha256": artifact.sha256,
        "manifest_sha256": artifact.manifest_sha256,
        "payload_type": artifact.payload_type,
        "device_types": list(artifact.device_types),
        "size_bytes": artifact.size_bytes,
        "transfer_bytes": artifact.transfer_bytes,
        "signed_by": artifact.signed_by,
        "follows": list(artifact.follows),
        "ticket": None if artifact.ticket is None else _ticket(artifact.ticket),
    }


def _trust(group: TrustGroup) -> dict[str, object]:
    trust = group.trust
    said = None if trust is None else {**dataclasses.asdict(trust), "kinds": list(trust.kinds)}
    return {"root": said, "device_count": len(group.devices), "devices": list(group.devices)}


def _ticket(ticket: PlannedTicket) -> dict[str, object]:
    lines = [dataclasses.asdict(line) for line in ticket.openings]
    types = list(ticket.device_types)
    return {**dataclasses.asdict(ticket), "openings": lines, "device_types": types}


def _schedule(preview: Preview) -> dict[str, object]:
    schedule = preview.plan.schedule
    return {
        "start_at": schedule.start_at,
        "windows": [
            {**dataclasses.asdict(window), "days": list(window.days)} for window in schedule.windows
        ],
        "freezes": [dataclasses.asdict(freeze) for freeze in schedule.freezes],
        "stage_outside_window": schedule.stage_outside_window,
        "deadline_s": schedule.deadline_s,
        "deadline_action": str(schedule.deadline_action),
        "needs_s": preview.needs_s,
        "first_start_at": preview.starts_at,
    }


def _burst(burst: Burst | None) -> dict[str, object] | None:
    return None if burst is None else {"failures": burst.failures, "in_s": burst.in_s}


def _approval(approval: Approval | None) -> dict[str, object] | None:
    if approval is None:
        return None
    return {
        "required": approval.required,
        "from": list(approval.roles),
        "not_author": approval.not_author,
        "expires_s": approval.expires_s,
    }


def _told(hook: Hook) -> str:
    return shown_url(hook.http) or hook.email or " ".join(hook.command)


def _wave(preview: Preview, wave: WavePreview) -> dict[str, object]:
    planned = preview.plan.devices
    target = preview.plan.artifact.name
    return {
        "name": wave.name,
        "size": wave.size_text,
        "device_count": wave.devices_count,
        "cumulative_count": wave.cumulative_count,
        "cumulative_percent": round(float(wave.cumulative_share * 100), 2),
        "unchanged_count": wave.unchanged_count,
        "unknown_count": wave.unknown_count,
        "allowed_failures_count": wave.allowed_failures_count,
        "allowed_unreachable_count": wave.allowed_unreachable_count,
        "worst_case_count": wave.worst_case_count,
        "slow_start": wave.slow_start,
        "max_parallel": wave.max_parallel,
        "failure_rate_upper_bound": wave.upper_bound,
        "soak_s": wave.soak_s,
        "earliest_end_s": wave.earliest_end_s,
        "cannot_go_back_count": wave.final_count,
        "gates": [gate.name for gate in wave.gates],
        "notes": list(wave.notes),
        "hosts": wave.hosts or None,
        "capped": wave.capped,
        "covered": [
            {"device": each.device, "label": each.label, "value": each.value}
            for each in wave.covered
        ],
        "backfill_limit": wave.backfill_limit,
        "window": _burst(wave.window),
        "approval": _approval(wave.approval),
        "deadline_s": wave.deadline_s,
        "deadline_action": str(wave.deadline_action),
        "openings": [
            {
                "percent": each.percent,
                "opens_at": each.opens_at,
                "stops": each.stops,
                "device_count": len(each.devices),
                "devices": list(each.devices),
            }
            for each in wave.openings
        ],
        "devices": [
            {"device": device, "current": planned[device].current, "target": target}
            for device in wave.devices
        ],
    }


def _gate(gate: Gate) -> dict[str, object]:
    return {
        "name": gate.name,
        "stage": str(gate.stage),
        "kind": str(gate.probe.kind),
        "success_when": gate.success_when,
        "fail_when": gate.fail_when,
        "compare": None if gate.compare is None else dataclasses.asdict(gate.compare),
        "count": gate.count,
        "interval_s": gate.interval_s,
        "timeout_s": gate.timeout_s,
        "failure_limit": gate.failure_limit,
        "inconclusive_limit": gate.inconclusive_limit,
        "consecutive_error_limit": gate.consecutive_error_limit,
        "consecutive_success_limit": gate.consecutive_success_limit,
        "on_no_data": str(gate.on_no_data),
        "waves": list(gate.waves),
        "dry_run": gate.dry_run,
    }


def commit_document(commit: PlannedCommit | None) -> dict[str, str] | None:
    """A signed commit as data."""
    return None if commit is None else {"id": commit.id, "signer": commit.signer, "key": commit.key}
