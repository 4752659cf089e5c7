"""The cases of tickets and roots as a device has them, and what it must answer in its own words."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.testing.root_table import rotation_cases
from orchestrator.testing.ticket_table import ticket_cases
from orchestrator.testing.tickets import NOW_S, Answer, RotationCase, TicketCase
from tests.hostile.batch import TIME_LIMIT_S, TrustBatch, own, write_tree

IN = "in"


@dataclass(frozen=True)
class DeviceCase:
    """Files below a directory, the time, the calls of `trust.sh` and what it must say at last."""

    name: str
    files: dict[str, bytes]
    now_s: int
    calls: tuple[tuple[str, ...], ...]
    wanted: str
    links: Mapping[str, str] = field(default_factory=dict)  # symbolic ones, beside the files

    def answer(self, batch: TrustBatch, place: Path, limit_cpu_s: float = TIME_LIMIT_S) -> str:
        """What the shell answers; every case starts afresh."""
        case = place / "case"
        shutil.rmtree(case, ignore_errors=True)
        write_tree(case, self.files)
        (case / "var/floors").mkdir(parents=True, exist_ok=True)
        for name, target in self.links.items():
            (case / name).symlink_to(target)
        own(case)
        calls = " ".join(",".join(word.replace("DIR", str(case)) for word in c) for c in self.calls)
        return batch.ask(f"{case} {self.now_s} {calls}", limit_cpu_s)


def ticket_case(case: TicketCase) -> DeviceCase:
    """A delivery with that ticket: is it let in, and is it the device's turn."""
    floors = case.device.floors
    files = {
        "etc/root.txt": case.root,
        "etc/device_type": f"{case.device.device_type}\n".encode(),
        "etc/device_id": f"{case.device.device_id}\n".encode(),
        "var/floors/time-floor": f"{floors.time_s}\n".encode(),
        "var/floors/security-floor": f"{floors.security_version}\n".encode(),
        "var/floors/serial": f"{floors.serial}\n".encode(),
        f"{IN}/ticket": case.ticket,
        f"{IN}/ticket.sig": case.signatures,
        f"{IN}/manifest": case.manifest,
        f"{IN}/manifest.sig": base64.b64encode(case.manifest_signature),
    }
    calls = (("verify", f"DIR/{IN}"), ("open", f"DIR/{IN}", case.delivery.artifact))
    return DeviceCase(case.name, files, case.device.now_s, calls, said(case.answer))


def root_case(case: RotationCase) -> DeviceCase:
    """A root that a holder of another one is sent."""
    files = {
        "etc/root.txt": case.root,
        "var/floors/serial": b"7\n",
        f"{IN}/root": case.new_root,
        f"{IN}/root.sig": case.signatures,
    }
    words = {Answer.ALLOW: "ok", Answer.SYNTAX: "root_syntax", Answer.FLEET: "root_fleet"}
    wanted = words.get(case.answer, str(case.answer))
    return DeviceCase(case.name, files, NOW_S, (("root", f"DIR/{IN}"),), wanted)


def said(answer: Answer) -> str:
    """The device's word for an answer about a ticket."""
    words = {
        Answer.ALLOW: "ok",
        Answer.NOT_OPEN: "not_open_yet",
        Answer.SECURITY_VERSION: "ticket_security",
    }
    return words.get(answer, f"ticket_{answer}")


def device_cases() -> list[DeviceCase]:
    """The whole table of tickets and roots."""
    return [*map(ticket_case, ticket_cases()), *map(root_case, rotation_cases())]


def verdict(answer: str) -> str:
    """The reason of the last call in an answer of the batch."""
    return answer.rpartition("/")[2].partition(" ")[0]
