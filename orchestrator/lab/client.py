"""`lab up`, `status`, `break` and `down`: finding a lab again and talking to it.

A pointer file (in the project's state directory) says where the lab is, since the lab itself
lies in memory where the system allows it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.errors import OrchestratorError
from orchestrator.lab.control import ask_lab
from orchestrator.lab.device import Mode
from orchestrator.lab.fleet import LabInfo
from orchestrator.lab.layout import LabOptions

UP_S = 120.0
DOWN_S = 30.0
_POLL_S = 0.02
_BYTES_PER_DEVICE = 8 * 1024 * 1024  # tree, a staged release, the running and the previous one
_MEMORY = Path("/dev/shm")  # noqa: S108  a directory of our own is made in it
_SOCKET_PATH_MAX = 100


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device of a running lab."""

    device: str
    site: str
    hardware: str
    broken: tuple[str, ...]
    boots: int
    healthy: bool
    version: str | None


@dataclass(frozen=True, slots=True)
class LabStatus:
    """A running lab."""

    info: LabInfo
    devices: tuple[DeviceStatus, ...]


def up(options: LabOptions, *, pointer: Path, directory: Path | None = None) -> LabInfo:
    """Starts a lab in the background and waits until all its devices answer.

    Args:
        options: what it is to be.
        pointer: file that records where the lab is.
        directory: an empty or absent directory; by default one in memory.

    Raises:
        OrchestratorError: a lab runs already, or this one did not come up.
    """
    if pointer.exists():
        if _answers(LabInfo.read(pointer)):
            raise OrchestratorError(
                "a lab is running already",
                hint="`rollout lab status` shows it, `rollout lab down` ends it",
            )
        down(pointer=pointer)
    place = directory if directory is not None else _place(options.devices)
    try:
        info = _start(place, options)
    except BaseException:
        if directory is None:
            shutil.rmtree(place, ignore_errors=True)
        raise
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_text(json.dumps(asdict(info), indent=2) + "\n", encoding="utf-8")
    return info


def down(*, pointer: Path) -> bool:
    """Ends the lab and removes everything of it; False when there was none."""
    if not pointer.exists():
        return False
    info = LabInfo.read(pointer)
    directory = Path(info.directory)
    with contextlib.suppress(OrchestratorError):
        ask_lab(Path(info.control), do="stop")
    if not _gone_within(info, DOWN_S if _is_lab(info) else 0.0):
        _kill(info)
    shutil.rmtree(directory, ignore_errors=True)
    pointer.unlink()
    return True


def status(*, pointer: Path) -> LabStatus | None:
    """What the lab is up to; None when there is none.

    Raises:
        OrchestratorError: it does not answer.
    """
    if not pointer.exists():
        return None
    info = LabInfo.read(pointer)
    listed = ask_lab(Path(info.control), do="status")["devices"]
    assert isinstance(listed, list)
    devices = (DeviceStatus(**{**one, "broken": tuple(one["broken"])}) for one in listed)
    return LabStatus(info, tuple(devices))


def break_device(device: str, mode: Mode, *, pointer: Path) -> bool:
    """Breaks (or heals) a device of the running lab; False when there is none.

    Raises:
        OrchestratorError: it has no such device, or does not answer.
    """
    if not pointer.exists():
        return False
    info = LabInfo.read(pointer)
    ask_lab(Path(info.control), do="break", device=device, mode=str(mode))
    return True


def _start(place: Path, options: LabOptions) -> LabInfo:
    settings = asdict(options)
    settings["signing_keys"] = [str(path.resolve()) for path in options.signing_keys]
    command = [sys.executable, "-m", "orchestrator.lab", str(place), json.dumps(settings)]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=UP_S, check=False
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise OrchestratorError("the lab did not start", hint=str(error)[:300]) from error
    if "error" in answer:
        raise OrchestratorError(str(answer["error"]), hint=str(answer.get("hint", "")))
    return LabInfo(**answer)


def _place(devices: int) -> Path:
    """A new directory, in memory where that is large enough and programs may run there."""
    wanted_bytes = devices * _BYTES_PER_DEVICE
    for base in _candidates():
        with contextlib.suppress(OSError):
            if shutil.disk_usage(base).free < wanted_bytes:
                continue
            place = Path(tempfile.mkdtemp(prefix=f"rollout-lab-{os.getuid()}-", dir=base))
            if len(str(place)) < _SOCKET_PATH_MAX and _runs_programs(place):
                return place
            shutil.rmtree(place)
    return Path(tempfile.mkdtemp(prefix="rollout-lab-"))


def _candidates() -> Iterator[Path]:
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime)
    yield _MEMORY


def _runs_programs(place: Path) -> bool:
    probe = place / "probe"
    probe.write_text("#!/bin/sh\nexit 0\n")
    probe.chmod(0o700)
    try:
        return subprocess.run([str(probe)], check=False, timeout=5).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        probe.unlink()


def _answers(info: LabInfo) -> bool:
    try:
        ask_lab(Path(info.control), do="status")
    except OrchestratorError:
        return False
    return True


def _is_lab(info: LabInfo) -> bool:
    """Whether the process with that number is still this lab (numbers are used again)."""
    try:
        command = Path(f"/proc/{info.pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"orchestrator.lab" in command and os.fsencode(info.directory) in command


def _gone_within(info: LabInfo, seconds: float) -> bool:
    ends_at = time.monotonic() + seconds
    while _is_lab(info):
        if time.monotonic() >= ends_at:
            return False
        time.sleep(_POLL_S)
    return not Path(info.directory).exists()


def _kill(info: LabInfo) -> None:
    """Ends a lab that does not end by itself, and what its devices left running."""
    if _is_lab(info):
        with contextlib.suppress(ProcessLookupError):
            os.kill(info.pid, signal.SIGKILL)
    mark = os.fsencode(info.directory + "/devices/")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
