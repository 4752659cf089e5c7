"""What a live view has in rows, as lines for a log: gates, slow devices and causes.

Law: nothing is told twice. A gate has a line again after new samples, causes after new devices, and
one of a single device has none: that stood in a line of its own. A slow device has one while it is.
"""

from __future__ import annotations

from orchestrator.render.board import Board
from orchestrator.render.causes_so_far import Group
from orchestrator.render.gate_track import GateTrack
from orchestrator.render.names import fold_line
from orchestrator.render.rows import device_step, gate_value, gate_words, slow_words
from orchestrator.render.spark import spark
from orchestrator.render.text import Look, Symbol, escape, number
from orchestrator.render.words import reason_words
from orchestrator.units import format_duration

GATES_MAX = 8
SLOW_MAX = 5
CAUSES_MAX = 5
SPARK_CELLS = 20
NAMES_CELLS_MAX = 60
NAMES_MAX = 50


class News:
    """Remembers what it told."""

    def __init__(self, board: Board, look: Look) -> None:
        self._board = board
        self._look = look
        self._taken: dict[str, int] = {}
        self._changes = 0

    def lines(self) -> list[str]:
        """What is new; each line without its time."""
        return [*self._gates(), *self._slow(), *self._causes()]

    def _gates(self) -> list[str]:
        tracks = [
            track
            for track in self._board.gates.foremost(GATES_MAX)
            if track.taken > self._taken.get(track.name, 0)
        ]
        self._taken |= {track.name: track.taken for track in tracks}
        return [self._gate(track) for track in tracks]

    def _gate(self, track: GateTrack) -> str:
        bars = spark(track.samples, min(SPARK_CELLS, len(track.samples)), self._look)
        return f"gate {escape(track.name)}: {gate_value(track)}  {bars}  {gate_words(track)}"

    def _slow(self) -> list[str]:
        board = self._board
        told = []
        for line in board.at_work.slow(board.now, SLOW_MAX):
            took = format_duration(int(board.now - line.since))
            usual = slow_words(board, line).removeprefix("! ")
            told.append(f"{escape(line.name)} {device_step(line)} {took} ({usual})")
        return [f"slow: {', '.join(told)}"] if told else []

    def _causes(self) -> list[str]:
        causes = self._board.causes
        if causes.changes == self._changes:
            return []
        self._changes = causes.changes
        found = causes.greatest(CAUSES_MAX)
        lines = [self._cause(group) for group in found if len(group.devices) > 1]
        hidden = causes.count - len(found)
        return [*lines, *([f"{number(hidden)} more causes"] if hidden else [])]

    def _cause(self, group: Group) -> str:
        beyond = max(0, len(group.devices) - NAMES_MAX)
        names = fold_line(group.some(NAMES_MAX), NAMES_CELLS_MAX, self._look, beyond=beyond)
        count = f"{number(len(group.devices))}{self._look.sign(Symbol.TIMES)}"
        return f"cause: {count} {names}: {reason_words(group.reason, group.detail)}"
