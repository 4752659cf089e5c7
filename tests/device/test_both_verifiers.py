"""The shell of a device and Python take the same tickets and roots, and refuse them for the same reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.testing.root_table import rotation_cases
from orchestrator.testing.ticket_table import ticket_cases
from tests.device.kit import Device, frame_bytes
from tests.device.tickets import ask, at

TICKETS = {case.name: case for case in ticket_cases()}
ROOTS = {case.name: case for case in rotation_cases()}


def said(answer: str) -> str:
    """The device's word for an answer of the table, of a ticket."""
    words = {"allow": "ok", "not_open": "not_open_yet", "security_version": "ticket_security"}
    return words.get(answer, f"ticket_{answer}")


@pytest.mark.parametrize("name", TICKETS)
def test_a_ticket_is_judged_as_the_table_says(device: Device, name: str):
    case = TICKETS[name]
    etc, place = device.root / "etc/rollout", device.root / "in"
    floors = device.root / "var/lib/rollout/floors"
    floors.mkdir(parents=True)
    place.mkdir()
    (etc / "root.txt").write_bytes(case.root)
    (etc / "device_type").write_text(f"{case.device.device_type}\n")
    (etc / "device_id").write_text(f"{case.device.device_id}\n")
    for floor, value in (
        ("time-floor", case.device.floors.time_s),
        ("security-floor", case.device.floors.security_version),
        ("serial", case.device.floors.serial),
    ):
        (floors / floor).write_text(f"{value}\n")
    (place / "ticket").write_bytes(case.ticket)
    (place / "ticket.sig").write_bytes(case.signatures)
    (place / "manifest").write_text("")
    at(device, case.device.now_s)
    digests(device, place / "manifest", case.delivery.manifest_sha256)

    assert judge(device, place, case.delivery.artifact) == said(case.answer)


def judge(device: Device, place: Path, artifact: str) -> str:
    """The device's reason; a ticket that holds ends at the manifest, which is none."""
    reason = ask(device, "verify", str(place))[1]
    return reason if reason != "denied" else ask(device, "open", str(place), artifact)[1]


def digests(device: Device, file: Path, digest: str) -> None:
    """Gives a file the digest that the table wants: nobody knows the bytes that have it."""
    program = device.root / "usr/lib/rollout/trust.sh"
    first, _, rest = program.read_text().partition("\n")
    tool = f"""sha256sum() {{
  if [ $# -eq 0 ] && [ "$(readlink /proc/self/fd/0)" = "{file}" ]; then echo "{digest}  -"
  else command sha256sum "$@"; fi
}}"""
    program.write_text(f"{first}\n{tool}\n{rest}")


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_is_judged_as_the_table_says(device: Device, name: str):
    case = ROOTS[name]
    (device.root / "etc/rollout/root.txt").write_bytes(case.root)
    frames = {"root": case.new_root, "root.sig": case.signatures}

    reply = device.ask("root controller=lab epoch=1 frames=2", frame_bytes(frames))

    words = {"allow": "ok", "syntax": "root_syntax", "fleet": "root_fleet"}
    assert reply.fields.get("reason", "ok") == words.get(case.answer, case.answer)
