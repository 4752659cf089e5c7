"""Where structured logs go: `--log-file` and `--log-format`.

Laws:
1. One line for each event, whatever stands in its fields: text is escaped as on a terminal, JSON is
   ASCII.
2. A log that cannot be written stops no rollout.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orchestrator import api
from orchestrator.cli.options import LogFormat
from orchestrator.errors import OrchestratorError, system_reason
from orchestrator.log import ROOT, Field, Log
from orchestrator.render.text import escape
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import TROUBLED, DeviceState

STDERR = "-"
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+")


def open_log(file: str | None, form: LogFormat, *, everything: bool) -> None:
    """Begins the log of this process, in place of the one before; without a file there is none.

    Args:
        file: lines are appended to it; `-` is stderr.
        form: text or JSON.
        everything: also each connection and each step of a device.

    Raises:
        OrchestratorError: the file cannot be opened.
    """
    logger = logging.getLogger(ROOT)
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        with contextlib.suppress(OSError):  # what it held back for a full disk
            old.close()
    logger.setLevel(logging.DEBUG if everything else logging.INFO)
    logger.addHandler(logging.NullHandler())  # without any, errors would go to stderr as they are
    logger.addHandler(_handler(file, form))


def _handler(file: str | None, form: LogFormat) -> logging.Handler:
    if file is None:
        return logging.NullHandler()
    try:
        found = (
            logging.StreamHandler()
            if file == STDERR
            else logging.FileHandler(Path(file), encoding="utf-8")
        )
    except OSError as error:
        message = f"cannot write the log to `{file}`: {system_reason(error)}"
        raise OrchestratorError(message) from error
    found.setFormatter(_JsonLines() if form is LogFormat.JSON else _TextLines())
    setattr(found, "handleError", _look_away)  # noqa: B010  its one hook for this
    return found


def _look_away(_record: logging.LogRecord) -> None:
    """A full disk or a reader who left: the rollout goes on, and its journal has it all."""


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = [_time(record), record.levelname.lower(), record.getMessage()]
        parts += [f"{name}={_value(value)}" for name, value in _fields(record).items()]
        return " ".join(parts)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        head = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        return json.dumps({**_fields(record), **head}, ensure_ascii=True)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> Mapping[str, Field]:
    fields: Mapping[str, Field] = getattr(record, "fields", {})
    return fields


def _value(value: Field) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if text and _BARE.issuperset(text):
        return text
    quoted = escape(text).replace('"', "'")
    return f'"{quoted}"'


class JournalLog(api.Nobody):
    """Logs what a rollout's journal gets, and nothing that the journal has not."""

    def __init__(self) -> None:
        self._log = Log("rollout")
        self._run = ""

    def started(self, run: api.Run) -> None:
        """The lease is taken."""
        self._run = run.rollout_id
        self._log.info("driven", rollout=run.rollout_id)
        if not run.joined:  # what came before of an older one stands in an older log
            self.journal(run.history)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """One line for each entry."""
        for entry in entries:
            self._level(entry)(entry.type, **_of_entry(self._run, entry))

    def _level(self, entry: JournalEntry) -> Callable[..., None]:
        if entry.type in _ALARMS:
            return self._log.warning
        if entry.type != "device_state":
            return self._log.info
        is_trouble = entry.data.get("to") in _TROUBLES
        return self._log.warning if is_trouble else self._log.debug


_ALARMS = frozenset({"halted", "warning", "break_glass", "rollback_started"})
_TROUBLES = frozenset(map(str, TROUBLED - {DeviceState.RETRY_WAIT}))


def _of_entry(run: str, entry: JournalEntry) -> dict[str, Field]:
    told: dict[str, Field] = {
        "rollout": run, "seq": entry.seq, "wave": entry.wave, "device": entry.device,
    }  # fmt: skip
    simple: dict[str, Field] = {
        name: json.dumps(value) if isinstance(value, list) else value
        for name, value in entry.data.items()
    }
    return {**simple, **{name: value for name, value in told.items() if value != ""}}
