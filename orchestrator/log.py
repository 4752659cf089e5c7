"""Structured logs: the dotted name of an event, which never changes, and its fields.

Laws:
1. Nobody hears them unless a command opened a log: importing this changes nothing of `logging`.
2. Fields are plain values of ours, never contents of files, variables of inventories or settings,
   where secrets stand. What devices say is escaped by whoever formats the lines.

`error`: somebody must act; `warning`: somebody may have to; `info`: what a journal would keep;
`debug`: each connection and each step of a device.
"""

from __future__ import annotations

import logging

Field = str | int | float | bool | None

ROOT = "rollout"
logging.getLogger(ROOT).addHandler(logging.NullHandler())
logging.getLogger(ROOT).propagate = False


class Log:
    """The events of one area, as `ssh`."""

    def __init__(self, area: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{area}")
        self._area = area

    def debug(self, event: str, /, **fields: Field) -> None:
        """A step on the way."""
        self._tell(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Field) -> None:
        """What happened."""
        self._tell(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Field) -> None:
        """What somebody may have to look at."""
        self._tell(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: Field) -> None:
        """What somebody has to look at."""
        self._tell(logging.ERROR, event, fields)

    def _tell(self, level: int, event: str, fields: dict[str, Field]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s.%s", self._area, event, extra={"fields": fields})
