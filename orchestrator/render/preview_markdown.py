"""A preview as a comment on the change that it belongs to: what decides first, the rest folded.

Laws:
1. A hidden line names the plan: who posts comments finds the last one by it and replaces it.
2. It fits into a comment of GitHub, a note of GitLab and a step summary, whatever the fleet.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import Diagnostic, Severity
from orchestrator.plan.difference import Since
from orchestrator.plan.preview import Preview, WavePreview
from orchestrator.render.limit_lines import percent, percent_at_most
from orchestrator.render.markdown import (
    COMMENT_BYTES_MAX,
    Fold,
    code,
    document,
    prose,
    table,
)
from orchestrator.render.preview import (
    counts_words,
    device_lines,
    differences,
    head_lines,
    rule_lines,
    skipped_lines,
)
from orchestrator.render.since import since_lines, summary
from orchestrator.render.text import Look, number, plural
from orchestrator.units import format_duration, format_size

FOLD_LOOK = Look(width=100)
WAVES_MAX = 40
FINDINGS_MAX = 20
GATES_CELLS_MAX = 120
_HEADS = ("wave", "devices", "total", "soak", "may fail", "at risk", "proves", "gates")


def markdown(
    preview: Preview,
    digest: str,
    findings: Sequence[Diagnostic],
    *,
    since: Since | None = None,
    link: str = "",
) -> str:
    """The comment, with its marker.

    Args:
        preview: the facts.
        digest: of the resolved plan.
        findings: what speaks against the plan, errors first.
        since: what changed since a plan that was reviewed.
        link: of the job that made it, where all is to be seen; "" for none.
    """
    head = [
        marker(preview.plan.name),
        f"### Rollout of {code(preview.plan.artifact.name)} by plan {code(preview.plan.name)}",
        "",
        " · ".join(
            (
                f"**{counts_words(preview)}**",
                f"{format_size(preview.transfer_bytes)} to send{differences(preview)}",
                f"digest {code(digest)}",
            )
        ),
        "",
        *_refusals(findings),
        *_since(since, digest),
        *_waves(preview),
        "",
        *_risks(findings),
    ]
    more = f"see {link}" if link else "`rollout preview` shows all"
    foot = "Nothing was changed." + (f" [Log of this job]({link})" if link else "")
    return document(
        head, _folds(preview, digest, since), foot, more=more, limit_bytes=COMMENT_BYTES_MAX
    )


def refused_markdown(plan: str, findings: Sequence[Diagnostic], *, link: str = "") -> str:
    """The comment where there is no preview: it takes the place of an older one, and says so."""
    head = [
        marker(plan),
        f"### Rollout by plan {code(plan)}: no preview",
        "",
        "**This plan has no preview**, and nothing was changed. What was shown before is out of date.",
        "",
        *(f"- {_finding(one)}" for one in findings[:FINDINGS_MAX]),
    ]
    if len(findings) > FINDINGS_MAX:
        head.append(f"- and {plural(len(findings) - FINDINGS_MAX, 'more finding')}")
    foot = f"[Log of this job]({link})" if link else "`rollout preview` shows it in full."
    return document(head, (), foot, more="", limit_bytes=COMMENT_BYTES_MAX)


def marker(plan: str) -> str:
    """The hidden first line; the name of a plan has neither blanks nor `>`."""
    return f"<!-- rollout:preview:{plan} -->"


def _refusals(findings: Sequence[Diagnostic]) -> list[str]:
    errors = [one for one in findings if one.severity is Severity.ERROR][:FINDINGS_MAX]
    lines = [f"- `rollout apply` **would refuse this**: {_finding(one)}" for one in errors]
    return [*lines, ""] if lines else []


def _since(since: Since | None, digest: str) -> list[str]:
    if since is None:
        return []
    if since.digest == digest:
        words = "nothing has changed, the digest is the same; its review carries over"
    else:
        words = summary(since.difference)
    return [f"**Since {code(since.file)}**: {words}", ""]


def _waves(preview: Preview) -> list[str]:
    rows = [_row(wave) for wave in preview.waves[:WAVES_MAX]]
    if len(preview.waves) > WAVES_MAX:
        left = preview.waves[WAVES_MAX:]
        count = number(sum(wave.devices_count for wave in left))
        rows.append([plural(len(left), "more wave"), count, *[""] * (len(_HEADS) - 2)])
    return table(_HEADS, rows)


def _row(wave: WavePreview) -> list[str]:
    gates = ", ".join(gate.name for gate in wave.gates)
    return [
        code(wave.name, limit=64),
        number(wave.devices_count),
        percent(float(wave.cumulative_share)),
        format_duration(wave.soak_s) if wave.soak_s else "-",
        number(wave.allowed_failures_count),
        number(wave.worst_case_count),
        f"&lt; {percent_at_most(wave.upper_bound)}" if wave.upper_bound < 1 else "-",
        code(gates, limit=GATES_CELLS_MAX) if gates else "-",
    ]


def _risks(findings: Sequence[Diagnostic]) -> list[str]:
    found = [one for one in findings if one.severity is Severity.WARNING]
    if not found:
        return []
    lines = [f"- {_finding(one)}" for one in found[:FINDINGS_MAX]]
    if len(found) > FINDINGS_MAX:
        lines.append(f"- and {plural(len(found) - FINDINGS_MAX, 'more warning')}")
    return [f"**{plural(len(found), 'warning')}**", "", *lines]


def _finding(one: Diagnostic) -> str:
    place = f" ({code(str(one.where), limit=100)})" if one.where.line else ""
    return f"`{one.code}` {prose(one.message)}{place}"


def _folds(preview: Preview, digest: str, since: Since | None) -> list[Fold]:
    found: list[tuple[str, list[str]]] = []
    if since is not None and since.digest != digest:
        found.append(("What changed since", since_lines(since, digest, FOLD_LOOK)))
    found.append(("Artifact, ticket and order", head_lines(preview, digest, FOLD_LOOK)))
    found.append(("Devices of each wave", device_lines(preview, FOLD_LOOK, all_names=False)))
    if preview.has_changes:
        found.append(("Gates, times and limits", rule_lines(preview, FOLD_LOOK)))
    if preview.skipped:
        left_out = sum(count for _, count in preview.skipped)
        title = f"{plural(left_out, 'device')} left out"
        found.append((title, skipped_lines(preview, FOLD_LOOK, all_names=False)))
    return [Fold(title, tuple(lines)) for title, lines in found]
