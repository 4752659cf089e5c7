"""Lines of release tickets: who may be begun with when, by the ticket and what each device is.

The rule reckons buckets as the simulated device does, and looks at what the device really has.

Laws checked:
- A device that is known to have a trust root is not begun with before its line.
- A device that refused, as its line was not open, is not asked again before it.
- Nobody else waits for a line: `waits` tells the rules of order who may be passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.plan.tickets import PlannedTicket
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.seen import expect, is_start
from orchestrator.testing.transaction import bucket_of


def never_open(
    ticket: PlannedTicket | None, rooted: Collection[DeviceId], asked: Collection[DeviceId]
) -> frozenset[DeviceId]:
    """Devices that are known to need a ticket, and that no line of this one lets in."""
    if ticket is None or not ticket.openings:
        return frozenset()
    most = max(line.percent for line in ticket.openings)
    known = frozenset(rooted) & frozenset(asked)
    return frozenset(one for one in known if bucket_of(ticket.serial, one) >= most)


class Lines:
    """Watches one rollout.

    Args:
        ticket: of its artifact; None has no lines.
        devices: the fleet.
        asked: devices that said what they are when the plan was made.
    """

    def __init__(
        self,
        ticket: PlannedTicket | None,
        devices: Mapping[DeviceId, SimulatedDevice],
        asked: Collection[DeviceId],
    ) -> None:
        self._lines = () if ticket is None else ticket.openings
        self._serial = 0 if ticket is None else ticket.serial
        self._devices = devices
        self._asked = asked
        self._refused: set[str] = set()

    def see(self, entry: JournalEntry) -> None:
        """Looks at starts, and at devices that refuse for now."""
        if not self._lines or entry.type != "device_state":
            return
        if is_start(entry):
            early = self.waits(entry.device, entry.at)
            expect(not early, "ticket: begun before the line that lets it in", entry)
        elif entry.data.get("reason") == "not_open_yet":
            rooted = self._devices[DeviceId(entry.device)].rooted
            expect(rooted, "ticket: it asks for none, and waits for a line", entry)
            self._refused.add(entry.device)

    def waits(self, device: str, at: float) -> bool:
        """Whether the device has to wait for its line at that time, as far as can be known."""
        known = device in self._asked and self._devices[DeviceId(device)].rooted
        if not self._lines or not (known or device in self._refused):
            return False
        own = bucket_of(self._serial, device)
        opens = [line.opens_at for line in self._lines if own < line.percent]
        return not opens or at < min(opens)
