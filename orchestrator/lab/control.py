"""The control socket of a running lab: one JSON line asked, one JSON line answered.

The socket lies in the lab's directory, which only its owner may enter.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import OrchestratorError
from orchestrator.lab.device import Mode
from orchestrator.lab.fleet import LabFleet

ANSWER_S = 90.0  # a reboot runs the boot hook, which may roll a release back
_LINE_BYTES_MAX = 4 * 1024 * 1024

Answer = Mapping[str, object]


class ControlServer:
    """Answers `status`, `break` and `stop` for one lab."""

    def __init__(self, fleet: LabFleet) -> None:
        self._fleet = fleet
        self.stopped = asyncio.Event()

    async def serve(self, path: Path) -> asyncio.Server:
        """Listens; the caller closes it."""
        return await asyncio.start_unix_server(self._client, path)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            answer = await self._answer(json.loads(line))
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            pass  # a client that went away or speaks something else
        finally:
            writer.close()

    async def _answer(self, asked: Mapping[str, object]) -> Answer:
        try:
            match asked.get("do"):
                case "status":
                    return {"ok": True, "devices": self._fleet.status()}
                case "break":
                    mode = Mode(str(asked.get("mode")))
                    await self._fleet.break_device(str(asked.get("device")), mode)
                    return {"ok": True}
                case "stop":
                    self.stopped.set()
                    return {"ok": True}
                case other:
                    return {"ok": False, "error": f"the lab cannot `{other}`"}
        except OrchestratorError as error:
            return {"ok": False, "error": error.message, "hint": error.hint}


def ask_lab(path: Path, **asked: str) -> Answer:
    """Asks a running lab.

    Raises:
        OrchestratorError: it does not run, or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.settimeout(ANSWER_S)
            one.connect(str(path))
            one.sendall(json.dumps(asked).encode() + b"\n")
            received = b""
            while not received.endswith(b"\n") and len(received) < _LINE_BYTES_MAX:
                if not (piece := one.recv(65536)):
                    break
                received += piece
        answer = json.loads(received)
    except (OSError, ValueError) as error:
        raise OrchestratorError(
            "the lab does not answer",
            hint="`rollout lab down` removes what is left, `rollout lab up` starts a new one",
        ) from error
    if not answer.get("ok"):
        raise OrchestratorError(str(answer.get("error")), hint=str(answer.get("hint", "")))
    found: Answer = answer
    return found
