"""Progress as plain lines, for logs and pipes: wave transitions, device exceptions, heartbeats.

Each line stands alone, with the elapsed time in front; nothing is redrawn. A wave prints at most
`EXCEPTIONS_MAX` device lines, however many devices fail, unless everything is to be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from orchestrator.render.board import Board
from orchestrator.render.entries import entry_words
from orchestrator.render.folds import Folds, Pipeline
from orchestrator.render.news import News
from orchestrator.render.standing import Facts, idle_words, next_words, standing
from orchestrator.render.text import Look, Style, Symbol, escape, in_full, plural
from orchestrator.render.words import (
    DEVICE_STYLES,
    DEVICE_WORDS,
    WAVE_SIGNS,
    budget_words,
    clock,
    progress_words,
    reason_words,
    soak_words,
    state_words,
    wave_words,
)
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import COUNTED, PROVEN, DeviceState, WaveState
from orchestrator.rollout.waiting import Waiting
from orchestrator.units import format_duration

EXCEPTIONS_MAX = 20  # device lines per wave; the rest stands in `rollout events`

_SUMS_UP = frozenset({"wave_done", "halted"})  # what gates said stands with it

_EXCEPTIONS = COUNTED | {DeviceState.DEFERRED, DeviceState.ROLLING_BACK}


class Detail(Enum):
    """How much is told of devices: trouble, success as well, or each entry of the journal."""

    EXCEPTIONS = auto()
    DEVICES = auto()
    EVERYTHING = auto()


class Lines:
    """Turns journal entries into lines; keeps a `Board` for the counts.

    Args:
        board: takes every entry before its line is made.
        look: colours and signs.
        detail: how much of what goes well is told.
        pipeline: whose log it is: the lines of a wave are a group there.
    """

    def __init__(
        self,
        board: Board,
        look: Look,
        *,
        detail: Detail = Detail.EXCEPTIONS,
        pipeline: Pipeline = Pipeline.NONE,
    ) -> None:
        self.board = board
        self._look = look
        self._detail = detail
        self._shown: Counter[str] = Counter()
        self._engine_starts = 0
        self._news = News(board, look)
        self._folds = Folds(pipeline)
        self._makers: Mapping[str, Callable[[JournalEntry], str]] = {
            "rollout_started": self._rollout_started,
            "engine_started": self._engine_started,
            "engine_stopping": lambda _entry: "its engine was told to stop",
            "wave_started": self._wave_started,
            "soak_started": self._soak_started,
            "wave_done": self._wave_done,
            "device_state": self._device_state,
            "gate_result": self._gate_result,
            "waiting": self._waiting,
            "superseding": self._superseding,
            "halted": self._stopped,
            "paused": self._stopped,
            "resumed": self._resumed,
            "catching_up": self._catching_up,
            "devices_joined": self._joined,
            "rollback_started": self._rollback_started,
            "operator": self._operator,
            "approval": self._approval,
            "warning": self._warning,
        }

    def take(self, entries: Iterable[JournalEntry]) -> list[str]:
        """The lines for new entries."""
        return [line for entry in entries for line in self._of(entry)]

    def _of(self, entry: JournalEntry) -> list[str]:
        text = self.told(entry)
        told = [self._stamped(text, entry.at)] if text else []
        if entry.type in _SUMS_UP and self._detail is not Detail.EVERYTHING:
            told += self._indented(self._news.lines())
        return self._folds.around(entry, told)

    def end(self) -> list[str]:
        """What has to stand behind the last line."""
        return self._folds.close(self.board.now)

    def told(self, entry: JournalEntry) -> str:
        """What a new entry says, without its time; empty where it has no line."""
        self.board.take((entry,))
        maker = self._makers.get(entry.type)
        text = maker(entry) if maker is not None else ""
        if not text and self._detail is Detail.EVERYTHING:
            text = self._plain(entry)
        return text

    def _plain(self, entry: JournalEntry) -> str:
        said = entry_words(entry)
        if entry.device:
            return f"  {self._look.sign(Symbol.WAITING)} {escape(entry.device)} {said}"
        return f"{wave_words(entry.wave)}: {said}" if entry.wave else said

    def heartbeat(self, now: float, waits: Waiting | None = None) -> list[str]:
        """How far it is, and what is new of gates and devices; for every 30 seconds in a log.

        Args:
            now: UTC seconds.
            waits: what it waits for, where that is known.
        """
        board = self.board
        board.take_time(now)
        wave = board.waves.get(board.current)
        where = "starting"
        if wave is not None:
            soaks = wave.state is WaveState.SOAKING
            parts = (
                progress_words(wave.counts, wave.total),
                budget_words(wave.budget),
                soak_words(wave.soak_until, board.now) if soaks else "",
            )
            where = f"{wave_words(wave.name)}: {', '.join(part for part in parts if part)}"
        idle = "" if waits is None else idle_words(waits)
        first = self._stamped(
            "; ".join(part for part in (where, state_words(board.state), idle) if part), now
        )
        return [self._folds.plain(line) for line in (first, *self._indented(self._news.lines()))]

    def standing(self, facts: Facts) -> list[str]:
        """What it waits for, who drives it, and below it what may be typed now."""
        said = standing(facts)
        if not said:
            return []
        if not facts.engine:
            said = f"{self._sign(Symbol.WARNING, Style.WARN)} {said}"
        told = next_words(facts)
        lines = [self._stamped(said, self.board.now), *self._indented([told] if told else [])]
        return [self._folds.plain(line) for line in lines]

    def _indented(self, lines: list[str]) -> list[str]:
        return [f"      {line}" for line in lines]

    def _stamped(self, text: str, at: float) -> str:
        elapsed = clock(max(0.0, at - self.board.started_at))
        return f"{self._look.paint(elapsed, Style.DIM)} {text}"

    def _sign(self, symbol: Symbol, style: Style) -> str:
        return self._look.paint(self._look.sign(symbol), style)

    def _waiting(self, entry: JournalEntry) -> str:
        return f"waits for {in_full(str(entry.data.get('detail', '')))}"

    def _superseding(self, entry: JournalEntry) -> str:
        return f"asks rollout {escape(str(entry.data.get('rollout', '')))} to end: it is superseded"

    def _rollout_started(self, _entry: JournalEntry) -> str:
        board = self.board
        artifact = escape(board.plan.artifact.name)
        waves = plural(len(board.waves), "wave")
        devices = plural(board.total, "device")
        return f"rollout {board.rollout_id}: {artifact} to {devices} in {waves}"

    def _engine_started(self, entry: JournalEntry) -> str:
        self._engine_starts += 1
        if self._engine_starts == 1:
            return ""  # the first one has nothing to take over
        epoch = escape(str(entry.data.get("epoch") or ""))
        asks = "; it asks devices where they stand" if self.board.at_work.lines else ""
        return f"an engine took over (epoch {epoch}){asks}"

    def _wave_started(self, entry: JournalEntry) -> str:
        wave = self.board.waves.get(entry.wave)
        if wave is None:
            return ""
        sign = self._sign(Symbol.RUNNING, Style.ACCENT)
        return f"{sign} {wave_words(wave.name)}: {plural(wave.total, 'device')}"

    def _soak_started(self, entry: JournalEntry) -> str:
        wave = self.board.waves.get(entry.wave)
        if wave is None:
            return ""
        left = (wave.soak_until or entry.at) - entry.at
        if left <= 0:
            return ""  # the line of its end follows at once
        sign = self._sign(Symbol.RUNNING, Style.ACCENT)
        soak = f"soaking for {format_duration(round(left, 3))}"
        return f"{sign} {wave_words(wave.name)}: {progress_words(wave.counts, wave.total)}, {soak}"

    def _wave_done(self, entry: JournalEntry) -> str:
        wave = self.board.waves.get(entry.wave)
        if wave is None:
            return ""
        symbol, style = WAVE_SIGNS[wave.state]
        note = escape(str(entry.data.get("note") or ""), limit=40)
        return (
            f"{self._sign(symbol, style)} {wave_words(wave.name)} {state_words(wave.state)}: "
            f"{note or progress_words(wave.counts, wave.total)}"
        )

    def _catching_up(self, entry: JournalEntry) -> str:
        count, until = entry.data.get("devices"), entry.data.get("until")
        if not isinstance(count, int) or not isinstance(until, int | float):
            return ""
        sign = self._sign(Symbol.RUNNING, Style.ACCENT)
        left = format_duration(round(until - entry.at))
        return (
            f"{sign} the waves are done; {plural(count, 'deferred device')} may follow for {left}"
        )

    def _joined(self, entry: JournalEntry) -> str:
        names = entry.data.get("devices")
        if not isinstance(names, list):
            return ""
        sign = self._sign(Symbol.RUNNING, Style.ACCENT)
        verb = "joins" if len(names) == 1 else "join"
        return f"{sign} {plural(len(names), 'device')} {verb} {wave_words(entry.wave)}"

    def _device_state(self, entry: JournalEntry) -> str:
        line = self.board.devices.get(entry.device)
        if line is None:
            return ""
        tells_proven = self._detail is not Detail.EXCEPTIONS
        if line.state in PROVEN and tells_proven and line.state is not DeviceState.COMMITTING:
            sign = self._sign(Symbol.DONE, Style.GOOD)
            return f"  {sign} {escape(line.name)} {DEVICE_WORDS[line.state]}"
        if line.state not in _EXCEPTIONS:
            return ""
        self._shown[line.wave] += 1
        if self._shown[line.wave] > EXCEPTIONS_MAX and self._detail is not Detail.EVERYTHING:
            last = self._shown[line.wave] == EXCEPTIONS_MAX + 1
            rest = f"see `rollout events {self.board.rollout_id}`"
            return (
                f"  {self._look.sign(Symbol.ELLIPSIS)} further exceptions: {rest}" if last else ""
            )
        return "  " + self._exception(line.name, line.state, line.reason, line.detail)

    def _exception(self, name: str, state: DeviceState, reason: str, detail: str) -> str:
        bad = state in {DeviceState.FAILED, DeviceState.LOST, DeviceState.ROLLBACK_FAILED}
        style = DEVICE_STYLES.get(state, Style.PLAIN)
        sign = self._sign(Symbol.FAILED if bad else Symbol.WARNING, style)
        told = state is DeviceState.ROLLED_BACK  # why stood in the line of its rolling back
        why = f" ({reason_words(reason, detail)})" if reason and not told else ""
        return f"{sign} {escape(name)} {DEVICE_WORDS[state]}{why}"

    def _gate_result(self, entry: JournalEntry) -> str:
        verdict = str(entry.data.get("verdict") or "")
        if entry.device or verdict not in {"failed", "inconclusive", "error"}:
            return ""
        sign = self._sign(Symbol.WARNING, Style.WARN)
        return f"{sign} gate {escape(str(entry.data.get('gate') or ''))} {verdict}"

    def _stopped(self, entry: JournalEntry) -> str:
        cause = state_words(str(entry.data.get("cause") or ""))
        detail = in_full(str(entry.data.get("detail") or ""))
        style = Style.BAD if entry.type == "halted" else Style.WARN
        sign = self._sign(Symbol.FAILED if entry.type == "halted" else Symbol.WARNING, style)
        why = ": ".join(part for part in (cause, detail) if part)
        where = f" in {wave_words(entry.wave)}" if entry.wave else ""
        return f"{sign} {self._look.paint(entry.type, style)}{where}: {why}"

    def _resumed(self, entry: JournalEntry) -> str:
        left = entry.data.get("left")
        if isinstance(left, list) and left:
            over = state_words(str(entry.data.get("over") or ""))
            return f"no longer paused for {escape(over)}, but still paused"
        who = escape(str(entry.data.get("who") or ""))
        return f"resumed by {who}" if who else "resumed"

    def _rollback_started(self, entry: JournalEntry) -> str:
        devices = entry.data.get("devices")
        if isinstance(devices, list) and not devices:
            return ""  # the failed ones went back at once; nothing else is to be taken back
        what = f" {wave_words(entry.wave)}" if entry.wave else ""
        if isinstance(devices, list):
            what = f" {plural(len(devices), 'device')}"
        return f"{self._sign(Symbol.WARNING, Style.WARN)} rolling back{what}"

    def _operator(self, entry: JournalEntry) -> str:
        who = escape(str(entry.data.get("who") or "somebody"))
        why = in_full(str(entry.data.get("why") or ""))
        ask = escape(str(entry.data.get("ask") or "something"))
        text = f"{who} asked: {ask}{f' ({why})' if why else ''}"
        answer = str(entry.data.get("answer") or "")
        if answer in ("already", "refused"):
            detail = in_full(str(entry.data.get("detail") or ""))
            text += f"; {'refused' if answer == 'refused' else 'nothing to do'}: {detail}"
        return text

    def _approval(self, entry: JournalEntry) -> str:
        what = str(entry.data.get("what") or "")
        subject = wave_words(entry.wave) if entry.wave else "the start"
        if what == "asked":
            number_of = entry.data.get("required")
            required = plural(number_of if isinstance(number_of, int) else 1, "approval")
            sign = self._sign(Symbol.WAITING, Style.WARN)
            run = self.board.rollout_id
            return f"{sign} {subject} waits for {required}: `rollout approve {run}`"
        if what == "expired":
            return f"{self._sign(Symbol.WARNING, Style.WARN)} approval of {subject} has expired"
        who = escape(str(entry.data.get("who") or "somebody"))
        verb = "approved" if what == "given" else "denied"
        return f"{who} {verb} {subject}"

    def _warning(self, entry: JournalEntry) -> str:
        text = entry.data.get("text") or entry.data.get("what") or entry.data.get("detail") or ""
        subject = f"{escape(entry.device)}: " if entry.device else ""
        return f"{self._sign(Symbol.WARNING, Style.WARN)} {subject}{state_words(str(text))}"
