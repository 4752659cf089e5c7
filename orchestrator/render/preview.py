"""What would happen, for people; ends by saying that nothing did."""

from __future__ import annotations

from orchestrator.device.reason import TRUST_REASONS, Reason
from orchestrator.plan.difference import Since
from orchestrator.plan.preview import Preview, WavePreview
from orchestrator.plan.resolved import COMPONENT_DEFAULT, Order
from orchestrator.render.evidence_lines import evidence_lines
from orchestrator.render.gate_lines import gate_lines
from orchestrator.render.limit_lines import labelled, limit_lines, percent, percent_at_most
from orchestrator.render.names import fold_line, fold_lines
from orchestrator.render.risk_lines import risk_lines
from orchestrator.render.schedule_lines import approval_words, schedule_lines
from orchestrator.render.since import since_lines
from orchestrator.render.table import Cell, Column, table
from orchestrator.render.text import (
    Look,
    Style,
    Symbol,
    cells,
    escape,
    first_painted,
    number,
    pad,
    plural,
    wrap,
)
from orchestrator.render.ticket_lines import opening_words, ticket_words, trust_words
from orchestrator.render.words import commit_words, reason_words
from orchestrator.units import format_duration, format_size

DIGEST_CHARS = 12
CURRENT_MAX = 5
NAME_LINES_MAX = 3  # of a wave; more devices are counted, and all there with -v
EXPLAINED_MAX = 5
_EXPLAINED = (TRUST_REASONS - {Reason.HOST_KEY, Reason.DENIED, Reason.NO_TICKET}) | {Reason.HELD}
_COLUMNS = (
    Column("wave", flex=True),
    Column("devices", right=True),
    Column("total", right=True, drop=1),
    Column("soak", right=True, drop=2),
    Column("may fail", right=True),
    Column("at risk", right=True),
    Column("proves", right=True, drop=3),
    Column("gates", flex=True, drop=4),
)


def text(
    preview: Preview,
    digest: str,
    look: Look,
    *,
    all_names: bool = False,
    since: Since | None = None,
) -> str:
    """The preview of a plan; ends by saying that nothing was changed.

    Args:
        preview: the facts.
        digest: of the resolved plan; what `apply` will run.
        look: width, colours and signs.
        all_names: every device by name, however many.
        since: what changed since a plan that was reviewed.
    """
    shown = body(preview, digest, look, all_names=all_names, since=since)
    *lines, counts = shown.split("\n")
    return "\n".join([*lines, *wrap(f"{counts} Nothing was changed.", look.width)]) + "\n"


def body(
    preview: Preview,
    digest: str,
    look: Look,
    *,
    all_names: bool = False,
    since: Since | None = None,
) -> str:
    """The preview without its last words, for those who are about to change something."""
    lines = [*head_lines(preview, digest, look), "", *_waves(preview, look), ""]
    lines += device_lines(preview, look, all_names=all_names)
    if preview.has_changes:
        lines += ["", *rule_lines(preview, look)]
    if preview.skipped:
        lines += ["", *skipped_lines(preview, look, all_names=all_names)]
    if since is not None:
        lines += ["", *since_lines(since, digest, look)]
    lines += risk_lines(preview, look)
    return "\n".join([*lines, "", look.paint(f"{counts_words(preview)}.", Style.BOLD)])


def rule_lines(preview: Preview, look: Look) -> list[str]:
    """Gates, times and limits."""
    lines = [*gate_lines(preview, look), *schedule_lines(preview, look)]
    return [*lines, *limit_lines(preview, look)]


def _short(digest: str, look: Look) -> str:
    return f"sha256:{escape(digest[:DIGEST_CHARS])}{look.sign(Symbol.ELLIPSIS)}"


def head_lines(preview: Preview, digest: str, look: Look) -> list[str]:
    """What would be rolled out, and what devices run now."""
    plan, artifact = preview.plan, preview.plan.artifact
    name = escape(plan.name)
    release = f" {escape(plan.release)}" if plan.release != artifact.name else ""
    signed = "signature is checked by the devices, not here"
    if artifact.signed_by:
        signed = f"signed by {escape(artifact.signed_by)} {look.sign(Symbol.DONE)}"
    types = ", ".join(escape(kind, limit=40) for kind in artifact.device_types)
    part = "" if plan.component == COMPONENT_DEFAULT else f", component {escape(plan.component)}"
    size = format_size(artifact.size_bytes)
    after = ""
    if artifact.follows:
        names = [escape(each, limit=60) for each in artifact.follows[:CURRENT_MAX]]
        left = len(artifact.follows) - len(names)
        after = f"; follows {' or '.join(names)}{f' or {left} more' if left else ''}"
    lines = labelled(
        "Plan", f"{name}{release} ({escape(plan.plan_file)}), {_short(digest, look)}", look
    )
    if plan.commit is not None:
        lines += labelled("Commit", commit_words(plan.commit), look)
    lines += labelled(
        "Artifact",
        f"{escape(artifact.name)}, {size}, {_short(artifact.sha256, look)}, {signed}; "
        f"{escape(artifact.payload_type, limit=40)} for {types}{part}{after}",
        look,
    )
    lines += labelled("Ticket", ticket_words(artifact.ticket, preview.zone), look)
    lines += evidence_lines(plan, look)
    if trust := trust_words(preview.trust):
        lines += labelled("Trust", trust, look)
    if preview.unsigned_count:
        lines += labelled("Reports", f"unsigned: {plural(preview.unsigned_count, 'device')}", look)
    lines += labelled("Now", _current(preview, look), look)
    lines += labelled("Order", _order(preview), look)
    return lines + labelled("Transfer", _transfer(preview), look)


def _transfer(preview: Preview) -> str:
    """How much is sent to how many, and to how many at once."""
    words = f"{format_size(preview.transfer_bytes)} to {plural(preview.update_count, 'device')}"
    changed = ((wave, wave.devices_count - wave.unchanged_count) for wave in preview.waves)
    peak_count = max(min(wave.max_parallel, count) for wave, count in changed)
    if peak_count > 1:
        words += f", at most {number(peak_count)} at once"
    return words + differences(preview)


def differences(preview: Preview) -> str:
    """What is sent where devices take differences; empty where none could."""
    if not preview.difference_count:
        return ""
    takers = number(preview.difference_count)
    return f"; {format_size(preview.least_bytes)} where {takers} of them take the difference"


def _order(preview: Preview) -> str:
    """Why devices stand where they stand."""
    plan, ticket = preview.plan, preview.plan.artifact.ticket
    words = {
        Order.HASH: f"by hash of {escape(plan.seed)}",
        Order.INVENTORY: "as in the inventory",
        Order.REVERSE_INVENTORY: "as in the inventory, from its end",
        Order.SORTED: "by name",
        Order.REVERSE_SORTED: "by name, from the end",
    }[plan.order]
    if ticket is not None and ticket.openings:
        words = f"by the ticket's buckets, then {words}"
    elif plan.sticky and plan.order is Order.HASH:
        words += ", the same in every release"
    if plan.spread:
        words += f", spread over {' and '.join(escape(label) for label in plan.spread)}"
    return words


def _current(preview: Preview, look: Look) -> str:
    if not preview.plan.surveyed:
        return "devices were not asked (offline)"
    counts: dict[str | None, int] = {}
    for wave in preview.waves:
        for name, count in wave.current:
            counts[name] = counts.get(name, 0) + count
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    parts = [f"{_artifact_word(name)} ({number(count)})" for name, count in ordered[:CURRENT_MAX]]
    if len(ordered) > CURRENT_MAX:
        parts.append(f"{look.sign(Symbol.ELLIPSIS)} {len(ordered) - CURRENT_MAX} more")
    return ", ".join(parts) or "no device takes part"


def _artifact_word(name: str | None) -> str:
    if name is None:
        return "unknown, no answer"
    return escape(name, limit=60) if name else "nothing of ours"


def _waves(preview: Preview, look: Look) -> list[str]:
    rows = [_wave_row(wave) for wave in preview.waves]
    return table(_COLUMNS, rows, look, indent=" ")


def _wave_row(wave: WavePreview) -> list[Cell | str]:
    gates = ", ".join(escape(gate.name, limit=30) for gate in wave.gates)
    risk = Cell(number(wave.worst_case_count), Style.PLAIN if wave.slow_start else Style.WARN)
    proves = f"< {percent_at_most(wave.upper_bound)}" if wave.upper_bound < 1 else "-"
    return [
        Cell(escape(wave.name, limit=40), Style.BOLD),
        number(wave.devices_count),
        percent(float(wave.cumulative_share)),
        format_duration(wave.soak_s) if wave.soak_s else "-",
        number(wave.allowed_failures_count),
        risk,
        proves,
        gates or "-",
    ]


def device_lines(preview: Preview, look: Look, *, all_names: bool) -> list[str]:
    """Who is in which wave, and what holds for that wave alone."""
    lines = [look.paint("Devices", Style.BOLD)]
    width = max((cells(escape(wave.name, limit=40)) for wave in preview.waves), default=0)
    for wave in preview.waves:
        name = escape(wave.name, limit=40)
        first = f"  {pad(name, width)}  "
        indent = " " * cells(first)
        if all_names:
            named = wrap(_names(preview, wave), look.width, first=first, indent=indent)
        else:
            named = fold_lines(
                wave.devices, look, first=first, indent=indent, lines_max=NAME_LINES_MAX
            )
        lines += [first_painted(named[0], name, look), *named[1:]]
        terms = _terms(wave, is_last=wave is preview.waves[-1])
        for note in (*wave.notes, *terms, *opening_words(wave, preview.zone)):
            mark = f"{indent}{look.sign(Symbol.DOT)} "
            lines += wrap(escape(note, limit=800), look.width, first=mark, indent=f"{indent}  ")
    return lines


def _terms(wave: WavePreview, *, is_last: bool) -> list[str]:
    """What holds for this wave alone."""
    terms = []
    if wave.approval is not None:
        terms.append(f"starts after {approval_words(wave.approval)}")
    if wave.window is not None:
        allowed = plural(wave.window.failures, "failure")
        terms.append(f"stops at more than {allowed} within {format_duration(wave.window.in_s)}")
    if wave.deadline_s is not None:
        after = format_duration(wave.deadline_s)
        terms.append(f"{wave.deadline_action}s if it is not over {after} after its start")
    if not (wave.hosts or is_last) and wave.backfill_limit < wave.devices_count:
        if wave.backfill_limit:
            count = plural(wave.backfill_limit, "unreachable device")
            terms.append(f"at most {count} replaced by devices of later waves")
        else:
            terms.append("unreachable devices are not replaced by devices of later waves")
    return terms


def _names(preview: Preview, wave: WavePreview) -> str:
    """Every device of a wave, with what it runs now where that was asked."""
    if not preview.plan.surveyed:
        return " ".join(escape(device) for device in wave.devices)
    groups: dict[str | None, list[str]] = {}
    for device in wave.devices:
        groups.setdefault(preview.plan.devices[device].current, []).append(escape(device))
    return "; ".join(
        f"{' '.join(names)} (now {_artifact_word(current)})" for current, names in groups.items()
    )


def skipped_lines(preview: Preview, look: Look, *, all_names: bool) -> list[str]:
    """Devices that are left out, with the reasons."""
    lines = [look.paint("Skipped", Style.BOLD)]
    for reason, count in preview.skipped:
        names = [each.device for each in preview.plan.skipped if each.reason is reason]
        first = f"  {number(count)} {reason_words(reason)}: "
        if all_names:
            lines += wrap(
                " ".join(escape(name) for name in names), look.width, first=first, indent="    "
            )
        else:
            lines.append(first + fold_line(names, max(16, look.width - cells(first)), look))
        if reason in _EXPLAINED:
            lines += _explained(preview, reason, look, all_names=all_names)
    return lines


def _explained(preview: Preview, reason: Reason, look: Look, *, all_names: bool) -> list[str]:
    """What each device has against it: since when it is held, or which floor it is below."""
    held = [each for each in preview.plan.skipped if each.reason is reason]
    shown = held if all_names else held[:EXPLAINED_MAX]
    lines = []
    for each in shown:
        text = f"{escape(each.device)}: {escape(each.detail)}"
        lines += wrap(text, look.width, first="    ", indent="      ")
    if len(held) > len(shown):
        lines.append(f"    {look.sign(Symbol.ELLIPSIS)} and {number(len(held) - len(shown))} more")
    return lines


def counts_words(preview: Preview) -> str:
    """`24 to update, 3 skipped`."""
    skipped = sum(count for _, count in preview.skipped)
    parts = [f"{number(preview.update_count)} to update"]
    parts += [f"{number(preview.unchanged_count)} unchanged"] if preview.unchanged_count else []
    parts += [f"{number(skipped)} skipped"] if skipped else []
    return ", ".join(parts)
