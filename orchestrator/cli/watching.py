"""Observers of a rollout: plain lines, and a stream of JSON events; `live` has the third."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO

from orchestrator.api import Onlooker, Run, Status
from orchestrator.cli.session import Session
from orchestrator.cli.shown_status import facts_of
from orchestrator.cli.streams import mute, say
from orchestrator.errors import system_reason
from orchestrator.render.board import Board
from orchestrator.render.documents import event_line, events_head, standing_line
from orchestrator.render.lines import Detail, Lines
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import TERMINAL_ROLLOUT
from orchestrator.rollout.waiting import Waiting

HEARTBEAT_S = 30.0  # so that a CI system sees a long soak is alive


class PlainView:
    """Prints lines as things happen; the only view without a terminal."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.status: Status | None = None
        self.board: Board | None = None
        self._lines: Lines | None = None
        self._waits: Waiting | None = None
        self._said_at = 0.0
        self._seq = 0  # what was told already: it may begin again, driven by another engine

    def started(self, run: Run) -> None:
        """A rollout begins or goes on."""
        self.board, self.status = Board(run.resolved, run.rollout_id), None
        detail = Detail.DEVICES if self.session.verbose > 0 else Detail.EXCEPTIONS
        pipeline = self.session.pipeline
        self._lines = Lines(self.board, self.session.err, detail=detail, pipeline=pipeline)
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
            self._print(self._lines.heartbeat(now, self._waits))

    def waits(self, found: Waiting) -> None:
        """Said with the next heartbeat."""
        self._waits = found

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
        """Ends what the last lines left open."""
        if self._lines is not None:
            self._print(self._lines.end())

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

    def waits(self, found: Waiting) -> None:
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

    def waits(self, found: Waiting) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.waits(found)

    def stands(self, status: Status) -> None:
        """Handed on."""
        for observer in self._observers:
            observer.stands(status)
