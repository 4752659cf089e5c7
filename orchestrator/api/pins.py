"""Files of many devices' host keys: fingerprints learned elsewhere, and pins of what was proven."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from orchestrator.api.project import read_file
from orchestrator.errors import PlanError, Where, system_reason

FILE_BYTES_MAX = 64 * 1024 * 1024  # as of an inventory, which the file of pins is
HEAD = "all:\n  hosts:\n"
_FINGERPRINT = re.compile(r"(\S+)[ \t]+(SHA256:[A-Za-z0-9+/]{43})")
_PIN = re.compile(r' {4}("[^"\\]{1,253}"): (\{"ansible_user": .*\})')


class PinsError(Exception):
    """A device was enrolled, and the file of pins does not say so."""


def read_fingerprints(path: Path) -> dict[str, str]:
    """Fingerprints of host keys by device: lines `DEVICE SHA256:...`, `#` begins a comment.

    It may name devices that are not in the inventory: a factory's list is longer than one order.

    Raises:
        PlanError: there is no such file, or a line is of another form or names a device again.
    """
    found: dict[str, str] = {}
    text = read_file(path, FILE_BYTES_MAX).decode("utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _FINGERPRINT.fullmatch(content)
        if match is None or match[1] in found:
            message = "no `DEVICE SHA256:...`" if match is None else f"`{match[1]}` is named twice"
            hint = "write one line for each device, as `gw-001 SHA256:...`"
            raise PlanError(message, hint=hint, where=Where(str(path), number, 1), code="D115")
        found[match[1]] = match[2]
    return found


class Pins:
    """An inventory file that says how enrolled devices are reached, one line for each.

    A line is appended as soon as its device is enrolled: the file is whole at any moment, and
    what was interrupted goes on with the keys that were proven.
    """

    def __init__(self, path: Path, lines: dict[str, str]) -> None:
        self._path = path
        self._lines = lines

    @classmethod
    def read(cls, path: Path) -> Self:
        """The pins of a file, which need not exist.

        Raises:
            PlanError: it is no such file; it may be an inventory of somebody's own.
        """
        if not path.parent.is_dir():
            message = f"there is no directory `{path.parent}` for the file of pins"
            raise PlanError(message, hint="make it, or name another file", code="D116")
        if not path.exists():
            return cls(path, {})
        text = read_file(path, FILE_BYTES_MAX).decode("utf-8", errors="replace")
        head, rows = text[: len(HEAD)], text[len(HEAD) :].splitlines()
        found = {match[1]: row for row in rows if (match := _PIN.fullmatch(row))}
        if head != HEAD or len(found) != len(rows):
            message = f"`{path}` is not a file of pins that this command wrote"
            raise PlanError(message, hint="give it a name of its own", code="D116")
        return cls(path, found)

    def keep(self, device: str, user: str, host_keys: Sequence[str]) -> None:
        """Notes a device down, and writes that.

        Raises:
            PinsError: it cannot be written.
        """
        name = json.dumps(device)
        values = {"ansible_user": user, "rollout_host_keys": list(host_keys)}
        line = f"    {name}: {json.dumps(values)}"
        before = self._lines.get(name)
        if before == line:
            return
        self._lines[name] = line
        try:
            if before is None and len(self._lines) > 1:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
            else:
                beside = self._path.with_name(f".{self._path.name}.part")
                beside.write_text(HEAD + "".join(f"{one}\n" for one in self._lines.values()))
                beside.replace(self._path)
        except OSError as error:
            message = f"enrolled, but `{self._path}` cannot be written: {system_reason(error)}"
            raise PinsError(message) from error
