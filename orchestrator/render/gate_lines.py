"""Gates of a preview, for people."""

from __future__ import annotations

from orchestrator.plan.power import POWER
from orchestrator.plan.powered import assumption, what_it_finds
from orchestrator.plan.preview import Preview
from orchestrator.plan.resolved import Compare, CompareTest, CompareTo, Gate, Probe, ProbeKind
from orchestrator.render.text import Look, Style, escape, first_painted, plural, wrap
from orchestrator.secret_names import shown_url
from orchestrator.units import format_duration


def gate_lines(preview: Preview, look: Look) -> list[str]:
    """Every gate: what it asks, when it passes, how often it is asked, and where."""
    gates = preview.plan.gates
    if not gates:
        return []
    lines = [look.paint("Gates", Style.BOLD)]
    for gate in gates:
        first, *more = wrap(_gate(gate), look.width, first="  ", indent="    ")
        lines += [first_painted(first, escape(gate.name), look), *more]
        lines += _finds(preview, gate, look)
    return [*lines, ""]


def _gate(gate: Gate) -> str:
    parts = [f"{escape(gate.name)} ({gate.stage}): {_probe(gate.probe)}"]
    if gate.success_when is not None:
        parts.append(f"passes when {escape(gate.success_when)}")
    if gate.fail_when is not None:
        parts.append(f"fails when {escape(gate.fail_when)}")
    if gate.compare is not None:
        parts.append(_compare(gate.compare))
    parts.append(_samples(gate))
    if gate.waves:
        parts.append(f"in {', '.join(escape(wave) for wave in gate.waves)}")
    if gate.dry_run:
        parts.append("dry run: decides nothing")
    return ", ".join(parts)


def _finds(preview: Preview, gate: Gate, look: Look) -> list[str]:
    """What a comparison can find with the devices of its waves (R11)."""
    found = what_it_finds(preview.plan, gate)
    if gate.compare is None or not found:
        return []
    parts = [
        f"{'nothing' if each.effect is None else f'{each.effect:.3g} times'} in "
        f"{escape(each.wave)} ({each.sizes.treated} against {each.sizes.control})"
        for each in found
    ]
    words = f"finds {', '.join(parts)} with {POWER:.0%} power, if {assumption(gate.compare.test)}"
    return wrap(words, look.width, first="    ", indent="    ")


def _samples(gate: Gate) -> str:
    count = gate.consecutive_success_limit or gate.count
    row = " in a row" if gate.consecutive_success_limit else ""
    if count == 1:
        return f"1 sample, {plural(gate.failure_limit, 'failure')} allowed"
    every = format_duration(gate.interval_s)
    return f"{count} samples{row} every {every}, {plural(gate.failure_limit, 'failure')} allowed"


def _probe(probe: Probe) -> str:
    if probe.kind is ProbeKind.CHECK:
        return f"check {escape(probe.check)} on the device"
    return f"{probe.kind} {escape(_asked(probe))}"


def _asked(probe: Probe) -> str:
    match probe.kind:
        case ProbeKind.TCP:
            return f"{probe.host}:{probe.port}"
        case ProbeKind.PROMETHEUS:
            return probe.query + (f" per {probe.label}" if probe.label else "")
        case ProbeKind.PLUGIN:
            return " ".join((probe.plugin, *(f"{key}={value}" for key, value in probe.options)))
        case _:
            return shown_url(probe.url) or probe.stat or " ".join(probe.argv)


def _compare(compare: Compare) -> str:
    other = {
        CompareTo.CONTROL: "devices not started yet",
        CompareTo.BEFORE: "the same devices before",
    }[compare.to]
    test = {
        CompareTest.MANN_WHITNEY: "Mann-Whitney",
        CompareTest.FISHER: "Fisher",
        CompareTest.RATIO: "ratio",
    }[compare.test]
    side = "above" if compare.min_effect > 1 else "below"
    limits = f"alpha {compare.alpha:g}, {plural(compare.min_samples, 'value')} a side at least"
    return f"fails {side} {compare.min_effect:g} times {other} ({test}, {limits})"
