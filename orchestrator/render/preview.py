"""What would happen, for people; ends by saying that nothing did."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plan.preview import Preview, WavePreview
from orchestrator.plan.resolved import Gate, OnFailure, Probe, ProbeKind, RollbackScope
from orchestrator.render.names import fold_line
from orchestrator.render.table import Cell, Column, table
from orchestrator.render.text import Look, Style, Symbol, cells, escape, number, pad, plural, wrap
from orchestrator.render.words import reason_words
from orchestrator.units import format_duration, format_size

DIGEST_CHARS = 12
LABEL_CELLS = 11
CURRENT_MAX = 5
WARNINGS_MAX = 20
RUNS_MAX = 6  # limits of more waves than this are in the JSON form
_COLUMNS = (
    Column("wave", flex=True),
    Column("devices", right=True),
    Column("total", right=True),
    Column("soak", right=True),
    Column("may fail", right=True),
    Column("at risk", right=True),
    Column("proves", right=True, drop=1),
    Column("gates", flex=True, drop=2),
)


def text(preview: Preview, digest: str, look: Look, *, all_names: bool = False) -> str:
    """The preview of a plan; ends by saying that nothing was changed.

    Args:
        preview: the facts.
        digest: of the resolved plan; what `apply` will run.
        look: width, colours and signs.
        all_names: every device by name, however many.
    """
    shown = body(preview, digest, look, all_names=all_names)
    return f"{shown} Nothing was changed.\n"


def body(preview: Preview, digest: str, look: Look, *, all_names: bool = False) -> str:
    """The preview without its last words, for those who are about to change something."""
    lines = [*_head(preview, digest, look), "", *_waves(preview, look), ""]
    lines += _members(preview, look, all_names=all_names)
    if preview.has_changes:
        lines += ["", *_gates(preview, look), *_limits(preview, look)]
    lines += _skipped(preview, look, all_names=all_names)
    lines += _warnings(preview, look)
    return "\n".join([*lines, "", _end(preview, look)])


def _labelled(label: str, words: str, look: Look) -> list[str]:
    indent = " " * LABEL_CELLS
    lines = wrap(words, look.width, first=pad(label, LABEL_CELLS), indent=indent)
    lines[0] = look.paint(pad(label, LABEL_CELLS), Style.BOLD) + lines[0][LABEL_CELLS:]
    return lines


def _short(digest: str, look: Look) -> str:
    return f"sha256:{escape(digest[:DIGEST_CHARS])}{look.sign(Symbol.ELLIPSIS)}"


def _head(preview: Preview, digest: str, look: Look) -> list[str]:
    plan, artifact = preview.plan, preview.plan.artifact
    name = escape(plan.name)
    release = f" {escape(plan.release)}" if plan.release != artifact.name else ""
    signed = "signature is checked by the devices, not here"
    if artifact.signed_by:
        signed = f"signed by {escape(artifact.signed_by)} {look.sign(Symbol.DONE)}"
    types = ", ".join(escape(kind, limit=40) for kind in artifact.device_types)
    size = format_size(artifact.size_bytes)
    lines = _labelled(
        "Plan", f"{name}{release} ({escape(plan.plan_file)}), {_short(digest, look)}", look
    )
    lines += _labelled(
        "Artifact",
        f"{escape(artifact.name)}, {size}, {_short(artifact.sha256, look)}, {signed}; "
        f"{escape(artifact.payload_type, limit=40)} for {types}",
        look,
    )
    lines += _labelled("Now", _current(preview, look), look)
    transfer = f"{format_size(preview.transfer_bytes)} to {plural(preview.update_count, 'device')}"
    return lines + _labelled("Transfer", transfer, look)


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
    proves = f"< {_percent(wave.upper_bound)}" if wave.upper_bound < 1 else "-"
    return [
        Cell(escape(wave.name, limit=40), Style.BOLD),
        number(wave.devices_count),
        _percent(float(wave.cumulative_share)),
        format_duration(wave.soak_s) if wave.soak_s else "-",
        number(wave.allowed_failures_count),
        risk,
        proves,
        gates or "-",
    ]


def _percent(share: float) -> str:
    percent = share * 100
    digits = 1 if 0 < percent < 10 and percent != int(percent) else 0  # noqa: PLR2004  one digit
    return f"{percent:.{digits}f} %"


def _members(preview: Preview, look: Look, *, all_names: bool) -> list[str]:
    lines = [look.paint("Devices", Style.BOLD)]
    width = max((cells(escape(wave.name, limit=40)) for wave in preview.waves), default=0)
    for wave in preview.waves:
        first = f"  {pad(escape(wave.name, limit=40), width)}  "
        room = look.width - cells(first)
        if all_names:
            names = _names(preview, wave)
            lines += wrap(names, look.width, first=first, indent=" " * cells(first))
        else:
            lines.append(first + fold_line(wave.devices, room, look))
        for note in wave.notes:
            mark = f"{' ' * cells(first)}{look.sign(Symbol.WARNING)} "
            lines += wrap(escape(note), look.width, first=mark, indent=" " * (cells(first) + 2))
    return lines


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


def _gates(preview: Preview, look: Look) -> list[str]:
    gates = preview.plan.gates
    if not gates:
        return []
    lines = [look.paint("Gates", Style.BOLD)]
    for gate in gates:
        lines += wrap(_gate(gate), look.width, first="  ", indent="    ")
    return [*lines, ""]


def _gate(gate: Gate) -> str:
    parts = [f"{escape(gate.name)} ({gate.stage}): {_probe(gate.probe)}"]
    if gate.success_when is not None:
        parts.append(f"passes when {escape(gate.success_when)}")
    if gate.fail_when is not None:
        parts.append(f"fails when {escape(gate.fail_when)}")
    parts.append(_samples(gate))
    if gate.waves:
        parts.append(f"in {', '.join(escape(wave) for wave in gate.waves)}")
    if gate.dry_run:
        parts.append("dry run: decides nothing")
    return ", ".join(parts)


def _samples(gate: Gate) -> str:
    count = gate.consecutive_success_limit or gate.count
    row = " in a row" if gate.consecutive_success_limit else ""
    if count == 1:
        return f"1 sample, {plural(gate.failure_limit, 'failure')} allowed"
    every = format_duration(gate.interval_s)
    return f"{count} samples{row} every {every}, {plural(gate.failure_limit, 'failure')} allowed"


def _probe(probe: Probe) -> str:
    match probe.kind:
        case ProbeKind.CHECK:
            return f"check {escape(probe.check)} on the device"
        case ProbeKind.HTTP:
            return f"http {escape(probe.url)}"
        case ProbeKind.COMMAND:
            return f"command {escape(' '.join(probe.argv))}"
        case ProbeKind.TCP:
            return f"tcp {escape(probe.host)}:{probe.port}"
        case ProbeKind.PROMETHEUS:
            per = f" per {escape(probe.label)}" if probe.label else ""
            return f"prometheus {escape(probe.query)}{per}"
        case ProbeKind.STATS:
            return f"stats {escape(probe.stat)}"


def _limits(preview: Preview, look: Look) -> list[str]:
    plan = preview.plan
    lines = _labelled("Halts when", "more devices of a wave fail than may, or a gate fails", look)
    lines += _labelled("Then", _then(preview), look)
    lines += _labelled("Pauses if", _pauses(preview), look)
    first = next((wave for wave in preview.waves if wave.upper_bound < 1), None)
    if first is not None:
        worst = plural(first.worst_case_count, "device")
        words = f"a release that breaks every device breaks {worst} before it is stopped"
        if not first.slow_start:
            words += " (slow_start is off)"
        proves = _percent(first.upper_bound)
        lines += _labelled("At worst", words, look)
        lines += _labelled(
            "Canary",
            f"0 failures of {plural(_base(first), 'device')} in {escape(first.name)} prove "
            f"a failure rate below {proves} (95 % confidence)",
            look,
        )
    final = sum(wave.final_count for wave in preview.waves)
    back = "devices keep what they run now and can go back"
    if final:
        back = f"{plural(final, 'device')} cannot go back once their wave has passed"
    lines += _labelled("Way back", back, look)
    dead_man = format_duration(plan.timeouts.confirm_s)
    lines += _labelled(
        "Dead-man", f"a device not confirmed within {dead_man} goes back by itself", look
    )
    if preview.earliest_end_s:
        took = format_duration(preview.earliest_end_s)
        lines += _labelled("Takes", f"at least {took} of soak and gates", look)
    return lines


def _pauses(preview: Preview) -> str:
    """The limits of unreachable devices, runs of waves with the same one together."""
    runs: list[tuple[int, str, str]] = []
    for wave in preview.waves:
        count, name = wave.allowed_unreachable_count, escape(wave.name, limit=40)
        if runs and runs[-1][0] == count:
            runs[-1] = (count, runs[-1][1], name)
        else:
            runs.append((count, name, name))
    parts = [
        f"{number(count)} in {first if first == last else f'{first} to {last}'}"
        for count, first, last in runs[:RUNS_MAX]
    ]
    more = f", and so on in {len(runs) - RUNS_MAX} more" if len(runs) > RUNS_MAX else ""
    return f"more devices stay unreachable than may: {', '.join(parts)}{more}"


def _base(wave: WavePreview) -> int:
    return wave.devices_count - wave.unchanged_count


def _then(preview: Preview) -> str:
    plan = preview.plan
    match plan.on_failure:
        case OnFailure.HALT:
            return "stops and waits for a person"
        case OnFailure.CONTINUE:
            return "records the failed wave and goes on"
        case OnFailure.ROLLBACK:
            whole = plan.rollback.scope is RollbackScope.ROLLOUT
            scope = "every device of the rollout" if whole else "the wave"
            return f"rolls {scope} back, newest first, and reads every device back"


def _skipped(preview: Preview, look: Look, *, all_names: bool) -> list[str]:
    if not preview.skipped:
        return []
    lines = ["", look.paint("Skipped", Style.BOLD)]
    for reason, count in preview.skipped:
        names = [each.device for each in preview.plan.skipped if each.reason is reason]
        first = f"  {number(count)} {reason_words(reason)}: "
        if all_names:
            lines += wrap(
                " ".join(escape(name) for name in names), look.width, first=first, indent="    "
            )
        else:
            lines.append(first + fold_line(names, max(16, look.width - cells(first)), look))
    return lines


def _warnings(preview: Preview, look: Look) -> list[str]:
    warnings: Sequence[str] = preview.warnings
    lines = [""] if warnings else []
    for warning in warnings[:WARNINGS_MAX]:
        mark = f"{look.sign(Symbol.WARNING)} "
        first, *more = wrap(escape(warning, limit=800), look.width, first=mark, indent="  ")
        lines += [look.paint(first, Style.WARN), *(look.paint(line, Style.WARN) for line in more)]
    if len(warnings) > WARNINGS_MAX:
        lines.append(f"{look.sign(Symbol.ELLIPSIS)} {len(warnings) - WARNINGS_MAX} more warnings")
    return lines


def _end(preview: Preview, look: Look) -> str:
    skipped = sum(count for _, count in preview.skipped)
    parts = [f"{number(preview.update_count)} to update"]
    parts += [f"{number(preview.unchanged_count)} unchanged"] if preview.unchanged_count else []
    parts += [f"{number(skipped)} skipped"] if skipped else []
    return look.paint(", ".join(parts) + ".", Style.BOLD)
