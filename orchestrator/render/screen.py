"""The live view of a rollout: a few lines that are drawn over and over.

Laws:
1. Never more lines than `height` and never wider than the look, for a fleet of any size.
2. Drawing costs the devices at work, not the devices of the fleet.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice

from orchestrator.render.board import Board, DeviceLine, WaveLine
from orchestrator.render.text import Look, Style, Symbol, cells, clip, escape, number, pad
from orchestrator.render.words import (
    DEVICE_STYLES,
    DEVICE_WORDS,
    ROLLOUT_STYLES,
    WAVE_SIGNS,
    clock,
    progress_words,
    reason_words,
    soak_words,
    state_words,
)
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import SETTLED, TERMINAL_DEVICE, DeviceState, WaveState
from orchestrator.units import format_duration, format_size

WAVES_MAX = 8
AT_WORK_MAX = 12
RECENT_SHOWN = 3
BAR_CELLS = 20
HEIGHT_MIN = 6
NAME_CELLS_MAX = 24
_TWO_COLUMNS_FROM = 100


def screen(board: Board, look: Look, height: int, foot: Sequence[str] = ()) -> list[str]:
    """The lines to draw now; `foot` stands below them where there is room for it."""
    room = max(HEIGHT_MIN, height - len(foot))
    lines = [_head(board, look), *_waves(board, look, min(WAVES_MAX, room - 3))]
    gates = _gates(board, look)
    last = _recent(board, look)
    left = room - len(lines) - len(gates) - len(last)
    lines += _at_work(board, look, max(0, min(AT_WORK_MAX, left)))
    return [*lines, *gates, *last][:room] + (list(foot) if room + len(foot) <= height else [])


def _head(board: Board, look: Look) -> str:
    state = state_words(board.state)
    artifact = escape(board.plan.artifact.name, limit=40)
    parts = [artifact, board.rollout_id, clock(board.elapsed_s)]
    counts = f"{number(board.proven)} of {number(board.total)} updated"
    text = clip("  ".join([*parts, counts]), look.width - cells(state) - 2, look)
    return f"{look.paint(text, Style.BOLD)}  {look.paint(state, ROLLOUT_STYLES[board.state])}"


def _waves(board: Board, look: Look, room: int) -> list[str]:
    waves = list(board.waves.values())
    first = 0
    if len(waves) > room:
        at = next((i for i, wave in enumerate(waves) if wave.name == board.current), 0)
        first = max(0, min(at - 1, len(waves) - room))
    width = min(NAME_CELLS_MAX, max((cells(escape(wave.name)) for wave in waves), default=1))
    shown = waves[first : first + room]
    lines = [_wave(board, wave, look, width) for wave in shown]
    if len(shown) < len(waves):
        rest = f"  {look.sign(Symbol.ELLIPSIS)} {len(waves) - len(shown)} more waves"
        lines[-1:] = [lines[-1], look.paint(rest, Style.DIM)]
    return lines


def _wave(board: Board, wave: WaveLine, look: Look, width: int) -> str:
    symbol, style = WAVE_SIGNS[wave.state]
    name = pad(clip(escape(wave.name), width, look), width)
    settled, total = wave.count(SETTLED), max(1, wave.total)
    bar = ""
    if wave.state is not WaveState.PENDING and look.width >= _TWO_COLUMNS_FROM - 20:
        bar = look.bar(settled / total, BAR_CELLS) + "  "
    if wave.state is WaveState.PENDING:
        words = f"{number(wave.total)} waiting"
    else:
        words = progress_words(wave.counts, wave.total)
    if wave.state is WaveState.SOAKING:
        words += f"  {soak_words(wave.soak_until, board.now)}"
    if wave.allowed is not None and wave.counted:
        words += f"  failed {wave.counted}/{wave.allowed} allowed"
    room = look.width - width - cells(bar) - 6
    return f" {look.paint(look.sign(symbol), style)} {name}  {bar}{clip(words, room, look)}"


def _at_work(board: Board, look: Look, rows: int) -> list[str]:
    """Devices at work, longest in their state first, in one or two columns."""
    columns = 2 if look.width >= _TWO_COLUMNS_FROM else 1
    if rows <= 0 or not board.at_work:
        return []
    shown = nsmallest(rows * columns, board.at_work.values(), key=lambda line: line.since)
    more = len(board.at_work) - len(shown)
    if more:
        shown = shown[:-1]
    width = (look.width - 4) // columns - 2
    items = [_device(board, line, look, width) for line in shown]
    if more:
        items.append((f"{look.sign(Symbol.ELLIPSIS)} {more + 1} more at work", Style.DIM))
    lines = []
    steps = iter(items)
    while row := tuple(islice(steps, columns)):
        parts = [look.paint(pad(clip(text, width, look), width), style) for text, style in row]
        lines.append("   " + "  ".join(parts).rstrip())
    return lines


def _device(board: Board, line: DeviceLine, look: Look, width: int) -> tuple[str, Style]:
    name = clip(escape(line.name), min(NAME_CELLS_MAX, width // 2), look)
    word = (line.step and state_words(line.step)) or DEVICE_WORDS[line.state]
    sent = ""
    if line.total_bytes and 0 < line.sent_bytes < line.total_bytes:
        share = 100 * line.sent_bytes // line.total_bytes
        sent = f"  {share} % of {format_size(line.total_bytes)}"
    took = format_duration(int(max(0.0, board.now - line.since)))
    return f"{name}  {word}{sent}  {took}", DEVICE_STYLES.get(line.state, Style.PLAIN)


def _gates(board: Board, look: Look) -> list[str]:
    if not board.gates:
        return []
    parts = []
    for name, (verdict, value) in islice(board.gates.items(), 4):
        shown = f" {escape(value, limit=12)}" if value else ""
        parts.append(f"{escape(name, limit=24)}{shown} {verdict}")
    return [clip(" gates  " + "   ".join(parts), look.width, look)]


def _recent(board: Board, look: Look) -> list[str]:
    entries = [entry for entry in board.recent if _is_news(entry)][-RECENT_SHOWN:]
    lines = []
    for entry in reversed(entries):
        at = clock(max(0.0, entry.at - board.started_at))
        state = str(entry.data.get("to") or "")
        why = str(entry.data.get("reason") or "")
        detail = f" ({reason_words(why, str(entry.data.get('detail') or ''))})" if why else ""
        text = f" {at}  {escape(entry.device, limit=40)} {state_words(state)}{detail}"
        lines.append(look.paint(clip(text, look.width, look), Style.DIM))
    return lines


def _is_news(entry: JournalEntry) -> bool:
    return str(entry.data.get("to") or "") in _ENDS


_ENDS = frozenset(str(state) for state in TERMINAL_DEVICE | {DeviceState.DEFERRED})
