"""The live view of a rollout: lines that are drawn over and over, the same in every command.

Laws:
1. Never more lines than `height` and never wider than the look, for a fleet of any size.
2. Drawing costs the same for 10 and for 10 000 devices.
3. Lines stand still: sections grow when there is more than ever before, and shrink only where a
   device is in trouble no more or the rollout goes on. Who has a row keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.render.board import Board
from orchestrator.render.controls import Controls, Panel, controls_lines, help_lines
from orchestrator.render.log_panel import log_lines
from orchestrator.render.rows import (
    cause_row,
    device_row,
    gate_row,
    name_cells,
    wave_count,
    wave_row,
)
from orchestrator.render.text import (
    Look,
    Style,
    Symbol,
    cells,
    clip,
    escape,
    fitted,
    number,
    plural,
)
from orchestrator.render.words import ROLLOUT_STYLES, clock, state_words
from orchestrator.rollout.states import RolloutState

WAVES_MAX = 8
GATES_MAX = 4
CAUSES_MAX = 3
PANEL_ROWS = 12  # of logs, where there is room
_ROOMY = 20  # from this height on sections have heads
_STOPPED = frozenset({RolloutState.PAUSED, RolloutState.HALTED})


def screen(
    board: Board,
    look: Look,
    height: int,
    foot: Sequence[str] = (),
    controls: Controls | None = None,
) -> list[str]:
    """The lines to draw now.

    Args:
        board: what happened.
        look: of the terminal.
        height: rows that it may have at most.
        foot: stands below, where there is room for it.
        controls: what keys do and what was pressed; None where nobody can press any.
    """
    room = max(1, height)
    keys = [] if controls is None else controls_lines(controls, board, look)
    head = [_head(board, look), *_stop(board, look)]
    waves = _waves(board, look, max(1, min(WAVES_MAX, room - len(head) - len(keys) - 1)))
    below = list(foot)[: max(0, room - len(head) - len(waves) - len(keys) - 2)]
    left = room - len(head) - len(waves) - len(below) - len(keys)
    sections = _sections(board, look, left, roomy=room >= _ROOMY)
    if controls is not None and controls.panel is not Panel.NONE:
        sections = _panel(board, look, controls.panel, (len(sections), min(PANEL_ROWS, left)))
    lines = [*head, *waves, *sections, *below][: max(0, room - len(keys))] + keys[-room:]
    return [fitted(line, look.width, look) for line in lines]  # columns have a least width


def _head(board: Board, look: Look) -> str:
    state = state_words(board.state)
    artifact = escape(board.plan.artifact.name, limit=40)
    time, room = clock(board.elapsed_s), look.width - cells(state) - 2
    count, total = number(board.proven), number(board.total)
    said = (  # the first that has room; commands need the id, so the time goes before it
        f"{artifact}  {board.rollout_id}  {time}  {count} of {total} updated",
        f"{artifact}  {board.rollout_id}  {time}  {count}/{total}",
        f"{artifact}  {board.rollout_id}  {count}/{total}",
        f"{board.rollout_id}  {count}/{total}",
    )
    text = clip(next((one for one in said if cells(one) <= room), said[-1]), room, look)
    return f"{look.paint(text, Style.BOLD)}  {look.paint(state, ROLLOUT_STYLES[board.state])}"


def _stop(board: Board, look: Look) -> list[str]:
    if not board.stop or board.state not in _STOPPED:
        return []
    text = f" {look.sign(Symbol.WARNING)} {state_words(board.state)}: {escape(board.stop)}"
    return [look.paint(clip(text, look.width, look), ROLLOUT_STYLES[board.state])]


def _waves(board: Board, look: Look, room: int) -> list[str]:
    waves = list(board.waves.values())
    first = 0
    if len(waves) > room:
        at = next((i for i, wave in enumerate(waves) if wave.name == board.current), 0)
        first = max(0, min(at - 1, len(waves) - room))
    shown = waves[first : first + room]
    width = name_cells([wave.name for wave in shown], look)
    count_width = max(cells(wave_count(wave)) for wave in shown)
    lines = [wave_row(board, wave, look, width, count_width) for wave in shown]
    if len(shown) < len(waves) and room > 1:
        hidden = plural(len(waves) - len(shown) + 1, "more wave")
        lines[-1] = look.paint(f"   {look.sign(Symbol.ELLIPSIS)} {hidden}", Style.DIM)
    return lines


def _sections(board: Board, look: Look, room: int, *, roomy: bool) -> list[str]:
    """Gates, devices and causes; what has least room last is left out first."""
    causes = _causes(board, look, min(CAUSES_MAX, room // 3), roomy=roomy)
    gates = _gates(board, look, min(GATES_MAX, (room - len(causes)) // 2), roomy=roomy)
    seats = min(len(board.at_work.seats), room - len(causes) - len(gates) - roomy)
    return [*gates, *_devices(board, look, seats, roomy=roomy), *causes][: max(0, room)]


def _gates(board: Board, look: Look, rows: int, *, roomy: bool) -> list[str]:
    tracks = board.gates.foremost(rows)
    if not tracks:
        return []
    width = name_cells([track.name for track in tracks], look)
    lines = [gate_row(track, look, width) for track in tracks]
    hidden = len(board.gates.by_name) - len(tracks)
    more = f", {number(hidden)} more" if hidden else ""
    return [*([look.paint(f" gates{more}", Style.DIM)] if roomy else []), *lines]


def _devices(board: Board, look: Look, rows: int, *, roomy: bool) -> list[str]:
    if rows <= 0:
        return []
    seats = board.at_work.shown(rows)
    width = name_cells([line.name for line in seats], look)
    lines = [device_row(board, line, look, width) for line in seats]
    if roomy:
        count = len(board.at_work.lines)
        text = f" devices, {number(count)} at work" if count else " devices"
        lines.insert(0, look.paint(text, Style.DIM))
    return lines


def _causes(board: Board, look: Look, rows: int, *, roomy: bool) -> list[str]:
    groups = board.causes.greatest(rows)
    if not groups:
        return []
    lines = [look.paint(cause_row(group, look), Style.WARN) for group in groups]
    hidden = board.causes.count - len(groups)
    more = f", {number(hidden)} more" if hidden else ""
    text = f" causes{more}, {plural(board.causes.devices, 'device')}"
    return [*([look.paint(text, Style.DIM)] if roomy else []), *lines]


def _panel(board: Board, look: Look, panel: Panel, rows: tuple[int, int]) -> list[str]:
    """What stands there instead, in at least and at most so many rows."""
    least, most = rows[0], max(rows)
    lines = help_lines(board, look) if panel is Panel.HELP else log_lines(board, look, most)
    return [*lines[:most], *[""] * (least - len(lines))]
