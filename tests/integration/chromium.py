"""A headless Chromium that is told what to do over a pipe (its DevTools protocol)."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
ANSWER_S = 60.0  # the first start reads all of it from disk
_COMMANDS, _ANSWERS = 3, 4  # the files that it looks for
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


class Chromium:
    """One page in a browser of its own; closed when its block ends."""

    def __init__(self, profile: Path) -> None:
        assert PROGRAM is not None, "the test skips where there is none"
        there, self._to = os.pipe()
        self._from, back = os.pipe()
        assert min(there, back) > _ANSWERS, "pytest's own files have the low numbers"
        nowhere = [(os.POSIX_SPAWN_OPEN, place, os.devnull, os.O_RDWR, 0) for place in range(3)]
        ours = [(os.POSIX_SPAWN_DUP2, there, _COMMANDS), (os.POSIX_SPAWN_DUP2, back, _ANSWERS)]
        words = (PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank")
        self._pid = os.posix_spawn(PROGRAM, words, os.environ, file_actions=[*nowhere, *ours])
        os.close(there)
        os.close(back)
        self._buffer, self._count, self._session = b"", 0, ""
        self.log: list[str] = []

    def __enter__(self) -> Self:
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        answer = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = answer["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Accessibility"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._to)  # which ends it
        os.waitpid(self._pid, 0)
        os.close(self._from)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """The answer to a command."""
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._count:
                assert "error" not in found, found
                answer: dict[str, Any] = found["result"]
                return answer

    def wait_for(self, event: str) -> None:
        """Waits for an event."""
        while self._next().get("method") != event:
            pass

    def open(self, path: Path, *, width: int, dark: bool = False, media: str = "screen") -> None:
        """Shows a file in a window of this width."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def value(self, script: str) -> Any:
        """What an expression comes to in the page; asked by us, so that its policy does not matter."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get(
            "value"
        )

    def picture(self, path: Path) -> None:
        """Writes the whole page as a picture."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + ANSWER_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._from, 1 << 20)
            assert data, "the browser is gone"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        if found.get("method") == "Log.entryAdded":
            self.log.append(found["params"]["entry"]["text"])
        return found
