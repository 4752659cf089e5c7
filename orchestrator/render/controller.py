"""Where a controller stands that follows a branch of git: its lines, and the document for pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from orchestrator.gitops.plans import Trouble
from orchestrator.gitops.standing import Part, RolloutStanding, Standing
from orchestrator.render.documents import FORMAT_VERSION
from orchestrator.render.standing import waits_words
from orchestrator.render.text import escape
from orchestrator.render.words import frozen_words
from orchestrator.rollout.around import FleetFreeze

_NAME_CHARACTERS = 12


def lines(standing: Standing, *, before: Standing | None = None) -> tuple[str, ...]:
    """What a person should know, one fact a line; the same fact is always the same line.

    That trouble `before` is over is a fact of one pass.
    """
    if standing.part in (Part.STOPPED, Part.DONE):
        return ()
    if standing.part is Part.STANDBY and standing.trouble is None:
        return (f"standing by: {escape(standing.holder)} acts",)
    found = [_branch(standing)] if standing.record.taken else []
    if standing.refusal:
        found.append(escape(standing.refusal))
    if standing.trouble is not None:
        found.append(f"the branch is not followed: {_trouble(standing.trouble)}")
    elif before is not None and before.trouble is not None:
        found.append("the branch is followed again")
    if standing.unplanned:
        found.append(
            f"no file there is a plan, by `{escape(standing.unplanned)}`: nothing is applied"
        )
    if standing.frozen is not None:
        found.append(frozen_words(standing.frozen))
    found += [
        f"{escape(file)}: not applied: {_trouble(one)}" for file, one in standing.plans.items()
    ]
    return (*found, *map(_rollout, standing.rollouts))


def document(standing: Standing) -> Mapping[str, object]:
    """`reconcile.v1`."""
    record = standing.record
    return {
        "format_version": FORMAT_VERSION,
        "kind": "reconcile",
        "at": standing.at,
        "health": standing.health.value,
        "part": standing.part.value,
        "holder": standing.holder,
        "source": record.source,
        "branch": record.branch,
        "commit": {
            "taken": record.taken,
            "signer": record.signer,
            "offered": standing.offered,
            "refusal": standing.refusal,
        },
        "trouble": _trouble_row(standing.trouble),
        "passed_at": standing.passed_at,
        "frozen": None if standing.frozen is None else _frozen_row(standing.frozen),
        "plans": [
            {
                "plan": file,
                "commit": "" if one is None else one.commit,
                "rollout": "" if one is None else one.rollout_id,
                "trouble": _trouble_row(standing.plans.get(file)),
            }
            for file in sorted({*record.applied, *standing.plans})
            for one in [record.applied.get(file)]
        ],
        "rollouts": [_rollout_row(one) for one in standing.rollouts],
        "notes": [
            {
                "at": one.at, "what": one.what.value, "commit": one.commit, "plan": one.plan,
                "detail": one.detail,
            }
            for one in record.notes
        ],
    }  # fmt: skip


def _branch(standing: Standing) -> str:
    record = standing.record
    signed = f", signed by {escape(record.signer)}" if record.signer else ""
    name = record.taken[:_NAME_CHARACTERS]
    return f"{escape(record.source)} {escape(record.branch)} is at {name}{signed}"


def _trouble(trouble: Trouble) -> str:
    return f"{escape(trouble.error)}; again after {_time(trouble.retry_at)}"


def _time(at: float) -> str:
    """To the second: the first pauses are shorter than a minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _rollout(one: RolloutStanding) -> str:
    of = f" of {escape(one.plan)}" if one.plan else ""
    head = f"{one.rollout_id} {escape(one.name)}{of}"
    told = " and ".join(waits_words(one.waits_for, one.until))
    waits = f", waits for {told}" if told else ""
    error = f": not advanced: {escape(one.error)}" if one.error else ""
    return f"{head}: {one.state.replace('_', ' ')}{waits}{error}"


def _trouble_row(trouble: Trouble | None) -> Mapping[str, object] | None:
    if trouble is None:
        return None
    return {
        "error": trouble.error, "exit_code": trouble.exit_code, "failures": trouble.failures,
        "retry_at": trouble.retry_at,
    }  # fmt: skip


def _frozen_row(freeze: FleetFreeze) -> Mapping[str, object]:
    return {
        "reason": freeze.reason, "who": freeze.who, "at": freeze.at, "until_at": freeze.until_at,
    }  # fmt: skip


def _rollout_row(one: RolloutStanding) -> Mapping[str, object]:
    return {
        "rollout": one.rollout_id, "name": one.name, "plan": one.plan, "state": one.state,
        "exit_code": int(one.exit_code), "waits_for": list(one.waits_for),
        "until": dict(one.until), "error": one.error,
    }  # fmt: skip
