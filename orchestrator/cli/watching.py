"""Observers of a rollout: a live terminal, plain lines, and a stream of JSON events."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from orchestrator.api import Onlooker, Run, Status
from orchestrator.cli.session import Session
from orchestrator.cli.shown_status import facts_of
from orchestrator.cli.streams import mute, say, show
from orchestrator.errors import system_reason
from orchestrator.render.board import Board
from orchestrator.render.documents import event_line, events_head, standing_line
from orchestrator.render.lines import Detail, Lines
from orchestrator.render.screen import screen
from orchestrator.render.standing import foot
from orchestrator.render.text import Look, fold
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import TERMINAL_ROLLOUT

HEARTBEAT_S = 30.0  # so that a CI system sees a long soak is alive
FRAME_S = 0.1  # no eye needs more, and drawing costs CPU that devices could use
_INDENT = " " * 6  # what a line begins with: the time
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class PlainView:
    """Prints lines as things happen; the only view without a terminal."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.status: Status | None = None
        self.board: Board | None = None
        self._lines: Lines | None = None
        self._said_at = 0.0
        self._seq = 0  # what was told already: it may begin again, driven by another engine

    def started(self, run: Run) -> None:
        """A rollout begins or goes on."""
        self.board, self.status = Board(run.resolved, run.rollout_id), None
        detail = Detail.DEVICES if self.session.verbose > 0 else Detail.EXCEPTIONS
        self._lines = Lines(self.board, self.session.err, detail=detail)
        self._lines.take(entry for entry in run.history if entry.seq <= self._seq)
        told = [f"going on with rollout {run.rollout_id}"] if run.joined else []
        news = self._lines.take(entry for entry in run.history if entry.seq > self._seq)
        self._print([*told, *(news if self._seq or not run.joined else [])])
        self._seq = run.history[-1].seq if run.history else self._seq
        self._said_at = time.monotonic()

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """New entries."""
        if self._lines is not None and entries:
            self._print(self._lines.take(entries))
            self._seq = entries[-1].seq

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None:
        """Progress of one device."""
        if self.board is not None:
            self.board.take_work(device, step, sent_bytes, total_bytes)

    def tick(self, now: float) -> None:
        """Time passed."""
        if self._lines is None:
            return
        self._lines.board.take_time(now)
        if time.monotonic() - self._said_at >= HEARTBEAT_S:
            self._print([self._lines.heartbeat(now)])

    def stands(self, status: Status) -> None:
        """Said at first, and when it waits for something else or another engine drives it."""
        before, self.status = self.status, status
        if self._lines is None or status.story.state in TERMINAL_ROLLOUT:
            return  # the summary follows
        if before is None or _is_news(before, status):
            self._print(self._lines.standing(facts_of(status)))

    def tell(self, text: str) -> None:
        """A line that is no part of the rollout's story."""
        say(text)

    def close(self) -> None:
        """Nothing stays behind."""

    def _print(self, lines: list[str]) -> None:
        if lines:
            self._said_at = time.monotonic()
            if not self.session.quiet:
                say("\n".join(lines))


def _is_news(before: Status, now: Status) -> bool:
    """That devices are at work is none: the lines of waves and devices say it."""
    waits = now.story.waits_for not in (before.story.waits_for, ("devices",))
    held_up = now.story.held_up and now.story.held_up != before.story.held_up
    return bool(waits or held_up) or now.engine != before.engine


class LiveView(PlainView):
    """Keeps a few lines at the bottom of the terminal up to date, under the plain lines."""

    def __init__(self, session: Session, stream: TextIO = sys.stderr) -> None:
        super().__init__(session)
        self._stream = stream
        self._drawn_count = 0
        self._drawn_at = 0.0

    def tick(self, now: float) -> None:
        """Time passed."""
        if self.board is not None:
            self.board.take_time(now)
            self._draw()

    def stands(self, status: Status) -> None:
        """Stands below the live lines for as long as it is so."""
        self.status = status
        self._drawn_at = 0.0
        self._draw()

    def tell(self, text: str) -> None:
        """A line above the live ones; below them it would be drawn over."""
        self._print([text])

    def close(self) -> None:
        """Takes the live lines away: the summary says the same and stays."""
        show(self._stream, self._erase() + _SHOW)

    def _print(self, lines: list[str]) -> None:
        width = shutil.get_terminal_size().columns
        folded = [part for line in lines for part in fold(line, width, indent=_INDENT)]
        text = "".join(f"{line}\n" for line in folded)
        show(self._stream, self._erase() + text)
        self._drawn_at = 0.0
        self._draw()

    def _erase(self) -> str:
        if not self._drawn_count:
            return ""
        up = self._drawn_count
        self._drawn_count = 0
        return f"\x1b[{up}F\x1b[J"

    def _draw(self) -> None:
        if self.board is None or time.monotonic() - self._drawn_at < FRAME_S:
            return
        self._drawn_at = time.monotonic()
        size = shutil.get_terminal_size()
        look: Look = replace(self.session.err, width=max(20, size.columns - 1))
        below = () if self.status is None else foot(facts_of(self.status), look)
        lines = screen(self.board, look, max(1, size.lines - 2), below)
        drawn = "".join(f"{line}\x1b[K\n" for line in lines)
        show(self._stream, f"{_HIDE}{self._erase()}{drawn}")
        self._drawn_count = len(lines)


class EventsWriter:
    """Writes JSON lines; trouble with the file is said once and never stops a rollout."""

    def __init__(self, stream: TextIO, tool_version: str) -> None:
        self._stream: TextIO | None = stream
        self._tool_version = tool_version
        self._rollout_id = ""
        self._seq = 0
        self._stands: object = None

    def started(self, run: Run) -> None:
        """The version line, then what happened before; once, whoever drives the rollout later."""
        if not self._rollout_id:
            self._rollout_id = run.rollout_id
            self._write(events_head(run.rollout_id, self._tool_version, run.digest))
        self.journal([entry for entry in run.history if entry.seq > self._seq])

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """One line for each entry."""
        self._write("".join(event_line(entry, self._rollout_id) for entry in entries))
        if entries:
            self._seq = entries[-1].seq

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None:
        """Not part of the events."""

    def tick(self, now: float) -> None:
        """Not part of the events."""

    def stands(self, status: Status) -> None:
        """One line, where anything in it is new."""
        story = status.story
        stands = (
            status.engine,
            story.state,
            story.wave,
            story.waits_for,
            story.next_at,
            story.held_up,
        )
        if stands != self._stands:
            self._stands = stands
            self._write(standing_line(facts_of(status)))

    def _write(self, text: str) -> None:
        if self._stream is None or not text:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            mute(self._stream)
            self._stream = None
            say(f"warning: events can no longer be written: {system_reason(error)}")


class Watchers:
    """Hands everything on to several observers."""

    def __init__(self, observers: Sequence[Onlooker]) -> None:
        self._observers = tuple(observers)

    def started(self, run: Run) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.started(run)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.journal(entries)

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.working(device, step, sent_bytes, total_bytes)

    def tick(self, now: float) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.tick(now)

    def stands(self, status: Status) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.stands(status)
