"""What every implementation of a port must do; adapters subclass these in `tests/contract/`.

Methods named `test_*` are collected by pytest with its asyncio mode; a subclass says in `make`
how one is made. Nothing here imports pytest, so that plug-ins may use any runner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Frame, Rc, Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.engine.ports import Changes, Dialogue, Leases, Store, Transport
from orchestrator.errors import DeviceError, LeaseError, StoreError
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked

ROLLOUT = "r-contract"
PLAN = b'{"name":"contract"}'
TTL_S = 15.0
NOW = 1_800_000_000.0
DEADLINE_S = 10.0


async def refused(work: Awaitable[object], error: type[Exception]) -> Exception:
    """The error that this raises.

    Raises:
        AssertionError: it raised nothing.
    """
    try:
        await work
    except error as raised:
        return raised
    message = f"{error.__name__} was not raised"
    raise AssertionError(message)


def changes(
    seq: int, *, device: str = "dev-0001", state: str = "queued", count: int = 1
) -> Changes:
    """Changes with `count` journal lines from `seq` on."""
    journal = tuple(
        JournalEntry(number, NOW + number, "device_state", "canary", device, {"to": state})
        for number in range(seq, seq + count)
    )
    rows = {DeviceId(device): {"state": state, "wave": 0, "place": 0}}
    return Changes({"state": "running", "seq": seq + count - 1}, rows, journal)


class StoreContract:
    """For implementations of `Store` and `Leases`."""

    async def make(self) -> tuple[Store, Leases]:
        """An empty store and its leases; both may be the same object."""
        raise NotImplementedError

    async def leave(self, store: Store, rollout_id: str, request: OperatorAsked) -> int:
        """Leaves an operator's request in the store; gives its number."""
        raise NotImplementedError

    async def _stored(self) -> tuple[Store, Leases]:
        store, leases = await self.make()
        await store.create(ROLLOUT, PLAN, changes(1))
        return store, leases

    async def test_unknown_rollout_is_none(self) -> None:
        """Nothing is no error."""
        store, _ = await self.make()

        assert await store.load("r-unknown") is None

    async def test_created_rollout_is_loaded_as_it_was(self) -> None:
        """Plan bytes and rows come back."""
        store, _ = await self._stored()

        stored = await store.load(ROLLOUT)

        assert stored is not None
        assert stored.plan_json == PLAN
        assert dict(stored.rollout) == {"state": "running", "seq": 1}
        assert dict(stored.devices[DeviceId("dev-0001")])["state"] == "queued"
        assert stored.last_seq == 1

    async def test_rollout_is_created_once(self) -> None:
        """A second one of the same id is refused."""
        store, _ = await self._stored()

        await refused(store.create(ROLLOUT, PLAN, changes(1)), StoreError)

    async def test_commit_replaces_changed_rows_only(self) -> None:
        """Rows of other devices stay; the journal grows."""
        store, leases = await self._stored()
        lease = await leases.acquire(ROLLOUT, "a", ttl_s=TTL_S, now=NOW)

        await store.commit(
            lease, [changes(2, device="dev-0002"), changes(3, state="staged", count=2)]
        )
        stored = await store.load(ROLLOUT)

        assert stored is not None
        assert stored.last_seq == 4  # noqa: PLR2004  the last line written above
        states = {name: dict(row)["state"] for name, row in stored.devices.items()}
        assert states == {"dev-0001": "staged", "dev-0002": "queued"}

    async def test_commit_under_an_old_epoch_is_refused(self) -> None:
        """The engine that lost its lease writes nothing."""
        store, leases = await self._stored()
        old = await leases.acquire(ROLLOUT, "a", ttl_s=TTL_S, now=NOW)
        await leases.acquire(ROLLOUT, "b", ttl_s=TTL_S, now=NOW + 2 * TTL_S)

        await refused(store.commit(old, [changes(2)]), LeaseError)
        stored = await store.load(ROLLOUT)

        assert stored is not None
        assert stored.last_seq == 1

    async def test_requests_come_in_order_and_once(self) -> None:
        """`after` leaves out what was seen."""
        store, _ = await self._stored()
        first = await self.leave(store, ROLLOUT, OperatorAsked(NOW, Ask.PAUSE, "ann", "lunch"))
        second = await self.leave(
            store,
            ROLLOUT,
            OperatorAsked(NOW, Ask.RETRY, "ben", devices=(DeviceId("dev-0001"),), wave="canary"),
        )

        everything = await store.requests(ROLLOUT, after=0)
        newer = await store.requests(ROLLOUT, after=first)

        assert [request.request for request in everything] == [first, second]
        assert (everything[0].ask, everything[0].who, everything[0].why) == (
            Ask.PAUSE,
            "ann",
            "lunch",
        )
        assert newer[0].devices == ("dev-0001",)
        assert newer[0].wave == "canary"

    async def test_lease_is_exclusive_until_it_runs_out(self) -> None:
        """Another owner waits; then it gets a higher epoch."""
        _, leases = await self._stored()
        first = await leases.acquire(ROLLOUT, "a", ttl_s=TTL_S, now=NOW)

        await refused(leases.acquire(ROLLOUT, "b", ttl_s=TTL_S, now=NOW + TTL_S / 2), LeaseError)
        second = await leases.acquire(ROLLOUT, "b", ttl_s=TTL_S, now=NOW + TTL_S + 1)

        assert second.epoch > first.epoch

    async def test_renewed_lease_lasts_longer(self) -> None:
        """A renewal keeps its epoch."""
        _, leases = await self._stored()
        lease = await leases.acquire(ROLLOUT, "a", ttl_s=TTL_S, now=NOW)

        renewed = await leases.renew(lease, ttl_s=TTL_S, now=NOW + 10)

        assert renewed.epoch == lease.epoch
        assert renewed.expires_at == NOW + 10 + TTL_S
        await refused(leases.acquire(ROLLOUT, "b", ttl_s=TTL_S, now=NOW + TTL_S + 1), LeaseError)

    async def test_lost_lease_is_not_renewed(self) -> None:
        """The old owner learns it."""
        _, leases = await self._stored()
        lease = await leases.acquire(ROLLOUT, "a", ttl_s=TTL_S, now=NOW)
        await leases.acquire(ROLLOUT, "b", ttl_s=TTL_S, now=NOW + TTL_S + 1)

        await refused(leases.renew(lease, ttl_s=TTL_S, now=NOW + TTL_S + 2), LeaseError)

    async def test_released_lease_is_free_and_its_epoch_used(self) -> None:
        """Epochs only rise."""
        _, leases = await self._stored()
        lease = await leases.acquire(ROLLOUT, "a", ttl_s=TTL_S, now=NOW)

        await leases.release(lease)
        other = await leases.acquire(ROLLOUT, "b", ttl_s=TTL_S, now=NOW)

        assert other.epoch > lease.epoch


@dataclass(slots=True)
class TransportCase:
    """A transport with one device that is up and runs nothing of the artifact yet.

    `unreachable` is a device that nobody answers for; `frames` an artifact that the device takes.
    """

    transport: Transport
    device: Device
    unreachable: Device
    frames: Sequence[Frame]
    txn: str = "0" * 26
    close: Callable[[], Awaitable[None]] | None = None

    def mutation(self, verb: Verb, **params: str) -> Request:
        """A request with the common parameters."""
        common = {"txn": self.txn, "controller": "contract", "component": "main", "epoch": "1"}
        return Request(verb, common | params)

    def delivery(self) -> Request:
        """A `deliver` request for the frames."""
        count = str(len(self.frames))
        return self.mutation(Verb.DELIVER, frames=count, wait="30", deadline="300")


class TransportContract:
    """For implementations of `Transport` and `Session`."""

    async def make(self) -> TransportCase:
        """A fresh device."""
        raise NotImplementedError

    async def test_hello_echoes_the_nonce(self) -> None:
        """A request gets its own reply."""
        case = await self.make()
        session = await case.transport.open(case.device, deadline_s=DEADLINE_S)

        reply = await session.ask(Request(Verb.HELLO, {"nonce": "n42"}), deadline_s=DEADLINE_S)
        await session.close()
        await self._end(case)

        assert reply.rc == Rc.OK
        assert reply.fields["nonce"] == "n42"

    async def test_unreachable_device_is_an_error_with_a_reason(self) -> None:
        """Nothing else is raised."""
        case = await self.make()

        error = await refused(
            case.transport.open(case.unreachable, deadline_s=DEADLINE_S), DeviceError
        )
        await self._end(case)

        assert isinstance(error, DeviceError)
        assert error.reason in (Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CONNECTION_LOST)

    async def test_delivery_activates_after_the_go(self) -> None:
        """Frames, steps, go, activation: one exec."""
        case = await self.make()
        steps: list[str] = []
        before: list[str] = []
        sent: list[int] = []

        async def go(said: Reply) -> str:
            await asyncio.sleep(0)
            before.append(said.fields["state"])
            return "go"

        session = await case.transport.open(case.device, deadline_s=DEADLINE_S)
        dialogue = Dialogue(
            case.frames, go, on_step=lambda step: steps.append(step.name), on_bytes=sent.append
        )
        reply = await session.converse(case.delivery(), dialogue, deadline_s=60.0)
        await session.close()
        await self._end(case)

        assert (reply.rc, reply.fields.get("state")) == (Rc.OK, "probation")
        assert before == ["none"]
        assert steps[:3] == ["stage", "verify", "install"]
        assert sent[-1] == sum(frame.size_bytes for frame in case.frames)

    async def test_delivery_without_a_go_changes_nothing(self) -> None:
        """The device cancels."""
        case = await self.make()

        async def go(_said: Reply) -> str:
            await asyncio.sleep(0)
            return ""

        session = await case.transport.open(case.device, deadline_s=DEADLINE_S)
        dialogue = Dialogue(case.frames, go)
        reply = await session.converse(case.delivery(), dialogue, deadline_s=60.0)
        status = await session.ask(Request(Verb.STATUS, {"txn": case.txn}), deadline_s=DEADLINE_S)
        await session.close()
        await self._end(case)

        assert (reply.rc, reply.reason) == (Rc.NOT_NOW, Reason.CANCELLED)
        assert status.fields["txn-state"] == "aborted"

    async def _end(self, case: TransportCase) -> None:
        await case.transport.close()
        if case.close is not None:
            await case.close()
