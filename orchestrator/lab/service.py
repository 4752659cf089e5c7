"""The small service of a lab device, whose health comes from the release that is installed.

The services of all devices live in the lab's process. A check writes its number into the FIFO
`run/app/ask` and reads `EXIT JSON` from the FIFO of that number.

A release says in `service.json` how it behaves; all keys may be left out:

    {"version": "2.4.1", "healthy": true, "latency_ms": 12, "errors_percent": 0.1}
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path

APP = "opt/app"  # where the demo's `directory` artifacts go
SLOW_S = 3.0
_ASK_BYTES = 4096
_SETTINGS_BYTES_MAX = 64 * 1024


class AppService:
    """Answers health checks of one device."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directory = root / "run/app"
        self._ask: int | None = None
        self.delay_s = 0.0

    def start(self) -> None:
        """Starts to listen; running already is fine."""
        if self._ask is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / "ask"
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        # Opened for writing too, so that it never reads as ended between two checks.
        self._ask = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._ask, self._read)

    def stop(self) -> None:
        """Stops to answer, as a service that crashed."""
        if self._ask is not None:
            asyncio.get_running_loop().remove_reader(self._ask)
            os.close(self._ask)
            self._ask = None
            (self._directory / "ask").unlink(missing_ok=True)

    def answer(self) -> tuple[int, dict[str, object]]:
        """Exit code and JSON line that a check gets now."""
        settings = self._settings()
        if settings is None:
            return 1, {"status": "no release"}
        healthy = settings.get("healthy", True) is True
        latency_ms = _number(settings.get("latency_ms"), 10) + self.delay_s * 1000
        body: dict[str, object] = {
            "status": "ok" if healthy else "failing",
            "version": str(settings.get("version", "unknown"))[:100],
            "latency_ms": latency_ms,
            "errors_percent": _number(settings.get("errors_percent"), 0 if healthy else 100),
            "value": latency_ms,
        }
        return 0 if healthy else 1, body

    def _read(self) -> None:
        assert self._ask is not None
        try:
            asked = os.read(self._ask, _ASK_BYTES)
        except BlockingIOError:
            return
        loop = asyncio.get_running_loop()
        for word in asked.split():
            if word.isdigit():
                loop.call_later(self.delay_s, self._reply, word.decode("ascii"))

    def _reply(self, number: str) -> None:
        code, body = self.answer()
        line = f"{code} {json.dumps(body, separators=(',', ':'))}\n".encode()
        try:
            fd = os.open(self._directory / number, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            # ENXIO and ENOENT: the check ran out of time and is gone.
            if error.errno in (errno.ENXIO, errno.ENOENT):
                return
            raise
        try:
            os.write(fd, line)
        finally:
            os.close(fd)

    def _settings(self) -> dict[str, object] | None:
        """`service.json` of the installed release; an empty one when there is none in it."""
        release = self._root / APP
        if release.is_symlink():
            target = release.readlink()
            below = str(target).startswith(str(self._root))
            if target.is_absolute() and not below:  # absolute as the device sees it
                release = self._root / str(target).lstrip("/")
        if not release.is_dir():
            return None
        try:
            with (release / "service.json").open("rb") as file:
                found = json.loads(file.read(_SETTINGS_BYTES_MAX))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return {"healthy": False, "version": "unreadable"}
        return found if isinstance(found, dict) else {"healthy": False, "version": "unreadable"}


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) else float(default)
