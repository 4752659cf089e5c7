"""Resolved plans and artifacts for tests, without files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.protocol import Frame
from orchestrator.plan.resolved import (
    PlannedArtifact,
    PlannedDevice,
    ResolvedPlan,
    ResolvedWave,
)
from orchestrator.plan.tickets import PlannedTicket
from orchestrator.testing.transaction import sign, ticket_for

PAYLOAD_BYTES = 256


@dataclass(frozen=True, slots=True)
class SimulatedArtifact:
    """A tiny artifact in the form the simulated device checks."""

    name: str
    manifest: bytes
    payload: bytes

    @classmethod
    def of(cls, name: str) -> SimulatedArtifact:
        """The artifact of that name; the same each time."""
        payload = (hashlib.sha256(name.encode()).digest() * PAYLOAD_BYTES)[:PAYLOAD_BYTES]
        digest = hashlib.sha256(payload).hexdigest()
        return cls(name, f"{digest}  data/0000/payload\n".encode(), payload)

    @property
    def manifest_sha256(self) -> str:
        """What identifies it on a device."""
        return hashlib.sha256(self.manifest).hexdigest()

    def frames(self, ticket: PlannedTicket | None = None) -> Sequence[Frame]:
        """Its files for a delivery, and with a ticket where one lies beside it."""
        files = {}
        if ticket is not None:
            lines = [(line.percent, line.opens_at) for line in ticket.openings]
            files["ticket"] = ticket_for(self.manifest, ticket.serial, lines)
            files["ticket.sig"] = sign(files["ticket"])
        files |= {
            "manifest": self.manifest,
            "manifest.sig": sign(self.manifest),
            "data/0000/payload": self.payload,
        }
        return [_frame(name, data) for name, data in files.items()]

    def planned(self, ticket: PlannedTicket | None = None) -> PlannedArtifact:
        """As a plan names it, with the ticket beside it."""
        return PlannedArtifact(
            path=f"{self.name}.mender",
            name=self.name,
            sha256=hashlib.sha256(self.manifest + self.payload).hexdigest(),
            manifest_sha256=self.manifest_sha256,
            payload_type="directory",
            device_types=("sim",),
            size_bytes=len(self.payload),
            transfer_bytes=len(self.payload),
            ticket=ticket,
        )


def _frame(name: str, data: bytes) -> Frame:
    def chunks(offset: int) -> Iterator[bytes]:
        yield data[offset:]

    return Frame(name, len(data), hashlib.sha256(data).hexdigest(), chunks)


def device_ids(count: int) -> tuple[DeviceId, ...]:
    """Names of simulated devices."""
    return tuple(DeviceId(f"dev-{number:04d}") for number in range(1, count + 1))


def make_plan(
    waves: Sequence[ResolvedWave],
    *,
    artifact: SimulatedArtifact | None = None,
    late: bool = False,
    manifest: str | None = None,
    **choices: object,
) -> ResolvedPlan:
    """A resolved plan over these waves.

    Args:
        waves: with their devices.
        artifact: `new` when not given.
        late: the devices' module cannot go back after commit.
        manifest: what a survey found that each device runs; None where nobody asked.
        choices: any other field of `ResolvedPlan`.
    """
    devices: Mapping[DeviceId, PlannedDevice] = {
        device: PlannedDevice(
            Address("127.0.0.1"), current_manifest=manifest, keeps_previous=not late
        )
        for wave in waves
        for device in wave.devices
    }
    fields: dict[str, object] = {
        "name": "simulated",
        "release": "1",
        "plan_file": "plan.yml",
        "plan_sha256": "0" * 64,
        "inventory_sha256": "0" * 64,
        "made_at": 0.0,
        "tool_version": "0",
        "seed": "simulated",
        "surveyed": manifest is not None,
        "artifact": (artifact or SimulatedArtifact.of("new")).planned(),
        "waves": tuple(waves),
        "devices": devices,
    }
    return ResolvedPlan(**(fields | choices))  # type: ignore[arg-type]  # names are checked at run time


def split(devices: Sequence[DeviceId], *sizes: int) -> tuple[tuple[DeviceId, ...], ...]:
    """Devices in groups of these sizes; the last takes what is left."""
    groups, start = [], 0
    for size in sizes:
        groups.append(tuple(devices[start : start + size]))
        start += size
    return (*groups, tuple(devices[start:]))
