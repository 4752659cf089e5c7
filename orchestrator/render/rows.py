"""Rows of a live view: one wave, one gate, one device, one cause; each of at most the look's width.

The columns of a kind of row stand at the same place whatever the row says, so that nothing moves
sideways while numbers grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.plan.resolved import Direction, Gate
from orchestrator.render.at_work import DeviceLine
from orchestrator.render.board import Board, WaveLine
from orchestrator.render.causes_so_far import Group
from orchestrator.render.gate_track import GateTrack
from orchestrator.render.names import fold_line
from orchestrator.render.spark import spark
from orchestrator.render.text import (
    Look,
    Style,
    Symbol,
    cells,
    clip,
    escape,
    number,
    pad,
    plural,
)
from orchestrator.render.words import (
    DEVICE_STYLES,
    DEVICE_WORDS,
    WAVE_SIGNS,
    budget_words,
    progress_parts,
    reason_words,
    soak_words,
    state_words,
)
from orchestrator.rollout.states import AT_WORK, PROVEN, SETTLED, TROUBLED, DeviceState, WaveState
from orchestrator.rollout.verdict import Reading, Verdict
from orchestrator.units import format_duration, format_size

NAME_CELLS_MAX = 24
VALUE_CELLS = 8
NAMES_MAX = 24  # of a cause; more are never in one row
CAUSE_NAMES_CELLS = 30
_NARROW, _MIDDLE, _WIDE = 54, 76, 110  # a terminal of 80 columns leaves 79
_STEP_CELLS = 15
_SENT_CELLS = 20
_TIME_CELLS = 8
_TOLD_WAVES = frozenset({WaveState.RUNNING, WaveState.SOAKING})  # the rest of the row says it
_READING_SIGNS: Mapping[Reading, tuple[Symbol, Style]] = {
    Reading.SUCCESS: (Symbol.DONE, Style.GOOD),
    Reading.FAILED: (Symbol.FAILED, Style.BAD),
}


def name_cells(names: Sequence[str], look: Look) -> int:
    """How wide the column of these names is."""
    widest = max((cells(escape(name, limit=NAME_CELLS_MAX * 2)) for name in names), default=1)
    shares = 6 if look.width >= _MIDDLE else 4 if look.width >= _NARROW else 3
    return min(widest, NAME_CELLS_MAX * shares // 6)


def wave_row(board: Board, wave: WaveLine, look: Look, width: int, count_width: int) -> str:
    """One wave: how far it is, and what stands out; a bar where words have room beside it."""
    symbol, style = WAVE_SIGNS[wave.state]
    name = pad(clip(escape(wave.name), width, look), width)
    count = pad(wave_count(wave), count_width, right=True)
    bar = _bar(wave, look)
    gap = "  " if bar else ""
    lead = f" {look.sign(symbol)} {name}  {bar}{gap}{count}  "
    words = clip(", ".join(_wave_parts(board, wave)), look.width - cells(lead), look)
    painted = look.paint(bar, style) if bar.strip() else bar
    return (
        f" {look.paint(look.sign(symbol), style)} {name}  {painted}{gap}{count}  {words}".rstrip()
    )


def _bar(wave: WaveLine, look: Look) -> str:
    """How much of a wave is over; empty where that would cost words."""
    if look.width < _NARROW:
        return ""
    bar_cells = 24 if look.width >= _WIDE else 20 if look.width >= _MIDDLE else 8
    share = wave.count(SETTLED) / max(1, wave.total)
    return look.bar(share, bar_cells) if wave.state is not WaveState.PENDING else " " * bar_cells


def wave_count(wave: WaveLine) -> str:
    """`6/17`: devices that are proven, of all in the wave."""
    return f"{number(wave.proven)}/{number(wave.total)}"


def _wave_parts(board: Board, wave: WaveLine) -> list[str]:
    parts = []
    if wave.state is WaveState.SOAKING:
        parts.append(soak_words(wave.soak_until, board.now))
    elif wave.state is WaveState.PENDING:
        parts.append("waiting")
    elif wave.state not in _TOLD_WAVES:
        parts.append(state_words(wave.state))
    parts += progress_parts(wave.counts)
    return [part for part in (*parts, budget_words(wave.budget)) if part]


def gate_row(track: GateTrack, look: Look, width: int) -> str:
    """One gate: its last value, its last samples, its verdict and what it asks."""
    last = track.last
    symbol, style = Symbol.WAITING, Style.DIM
    if last is not None:
        symbol, style = _READING_SIGNS.get(last.reading, (Symbol.WARNING, Style.WARN))
    if track.verdict == Verdict.FAILED:
        symbol, style = Symbol.FAILED, Style.BAD
    sign = pad(look.sign(symbol), 1)
    name = pad(clip(escape(track.name), width, look), width)
    value = pad(clip(gate_value(track), VALUE_CELLS, look), VALUE_CELLS, right=True)
    bars = 24 if look.width >= _WIDE else 16 if look.width >= _MIDDLE else 8
    lead = f" {sign} {name}  {value}  {' ' * bars}  "
    words = clip(gate_words(track), look.width - cells(lead), look)
    return (
        f" {look.paint(sign, style)} {name}  {value}  {spark(track.samples, bars, look)}  {words}"
    ).rstrip()


def gate_value(track: GateTrack) -> str:
    """The number of the last sample, or what it is without one."""
    last = track.last
    if last is None:
        return ""
    return f"{last.value:.4g}" if last.value is not None else _READING_WORDS[last.reading]


_READING_WORDS: Mapping[Reading, str] = {
    Reading.SUCCESS: "good",
    Reading.FAILED: "failed",
    Reading.INCONCLUSIVE: "unsure",
    Reading.NO_DATA: "no data",
    Reading.ERROR: "error",
}


def gate_words(track: GateTrack) -> str:
    """Verdict, samples and condition: `passed, 5 samples, value < 2`."""
    parts = [track.verdict] if track.verdict not in ("", Verdict.OPEN) else []
    total = track.counts.total()
    if total:
        good = track.counts[Reading.SUCCESS]
        parts.append(
            plural(total, "sample") if good == total else f"{number(good)} of {number(total)} good"
        )
    else:
        parts.append("not asked yet")
    if track.asks is not None:
        parts += _limits(track.asks)
    if track.error:
        parts.insert(0, track.error)
    return escape(", ".join(parts))


def _limits(gate: Gate) -> list[str]:
    parts = []
    if gate.success_when is not None:
        parts.append(gate.success_when.replace("result.", ""))
    if gate.fail_when is not None:
        parts.append(f"fails when {gate.fail_when.replace('result.', '')}")
    if gate.compare is not None:
        most = "at most" if gate.compare.direction is Direction.INCREASE else "at least"
        parts.append(f"{most} {gate.compare.min_effect:g} times as much")
    if gate.dry_run:
        parts.append("dry run")
    return parts


def device_row(board: Board, line: DeviceLine, look: Look, width: int) -> str:
    """One device: what it does and for how long, and whether that is longer than usual."""
    name = pad(clip(escape(line.name), width, look), width)
    if line.state not in AT_WORK:
        sign = look.sign(_ended_sign(line.state))
        ended = f" {name}  {DEVICE_WORDS[line.state]}"
        if line.reason and line.state in TROUBLED:
            ended += f": {reason_words(line.reason)}"
        ended = look.paint(clip(ended, look.width - 2, look), Style.DIM)
        return f" {look.paint(sign, DEVICE_STYLES.get(line.state, Style.DIM))}{ended}"
    text = f"   {name}  {pad(device_step(line), _STEP_CELLS)}"
    text += f" {pad(_sent(line, look), _SENT_CELLS)}" if look.width >= _MIDDLE else ""
    text += pad(format_duration(int(max(0.0, board.now - line.since))), _TIME_CELLS, right=True)
    style = DEVICE_STYLES.get(line.state, Style.PLAIN)
    if board.at_work.is_slow(line, board.now):
        text, style = f"{text} {slow_words(board, line)}", Style.WARN
    return look.paint(clip(text, look.width, look).rstrip(), style)


def _ended_sign(state: DeviceState) -> Symbol:
    if state in PROVEN:
        return Symbol.DONE
    if state in TROUBLED:
        return Symbol.FAILED if DEVICE_STYLES.get(state) is Style.BAD else Symbol.WARNING
    return Symbol.WAITING


def device_step(line: DeviceLine) -> str:
    """What a device at work does, in a word or two."""
    return (line.step and state_words(line.step)) or DEVICE_WORDS[line.state]


def slow_words(board: Board, line: DeviceLine) -> str:
    """`! usually 35s`, of one that is slow."""
    usual_s = board.at_work.usual_s(line.state) or 0.0
    return f"! usually {format_duration(max(1, round(usual_s)))}"


def _sent(line: DeviceLine, look: Look) -> str:
    if not 0 < line.sent_bytes < line.total_bytes:
        return ""
    share = 100 * line.sent_bytes // line.total_bytes
    return clip(f"{share:2} % of {format_size(line.total_bytes)}", _SENT_CELLS, look)


def cause_row(group: Group, look: Look) -> str:
    """One cause: how many devices, which, and what they said."""
    count = f"{number(len(group.devices))}{look.sign(Symbol.TIMES)}"
    beyond = len(group.devices) - NAMES_MAX
    room = min(CAUSE_NAMES_CELLS, look.width // 3)
    names = fold_line(group.some(NAMES_MAX), room, look, beyond=max(0, beyond))
    text = f"   {pad(count, 3, right=True)} {names}: {reason_words(group.reason, group.detail)}"
    return clip(text, look.width, look)
