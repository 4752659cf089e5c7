"""What every `Transport` with its `Session` must do; the device behind it runs the protocol.

A subclass says in `make` how a device comes to be that is up and runs nothing of the artifact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from orchestrator.device.model import Device
from orchestrator.device.protocol import Frame, Rc, Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.device.witness import Known, known_of, parameters
from orchestrator.engine.ports import Dialogue, Session, Transport
from orchestrator.errors import DeviceError
from orchestrator.testing.refusal import refused

DEADLINE_S = 10.0
DELIVERY_S = 60.0
TXN = "0" * 25 + "1"


@dataclass(frozen=True, slots=True)
class TransportCase:
    """A way to two devices.

    `unreachable` is one that nobody answers for; `frames` an artifact that `device` takes.
    """

    transport: Transport
    device: Device
    unreachable: Device
    frames: Sequence[Frame]

    async def session(self) -> Session:
        """A new connection to the device."""
        return await self.transport.open(self.device, deadline_s=DEADLINE_S)

    def delivery(self) -> Request:
        """A `deliver` request for the frames."""
        return mutation(Verb.DELIVER, frames=str(len(self.frames)), wait="30", deadline="300")


def mutation(verb: Verb, *, epoch: int = 1, **params: str) -> Request:
    """A request with the parameters that all that change something have."""
    common = {"txn": TXN, "controller": "contract", "component": "main", "epoch": str(epoch)}
    return Request(verb, common | params)


class TransportContract:
    """For implementations of `Transport` and `Session`."""

    def make(self) -> AbstractAsyncContextManager[TransportCase]:
        """A fresh device, gone at the end."""
        raise NotImplementedError

    async def test_hello_echoes_the_nonce(self) -> None:
        """A request gets its own reply."""
        async with self.make() as case:
            session = await case.session()

            first = await session.ask(Request(Verb.HELLO, {"nonce": "n42"}), deadline_s=DEADLINE_S)
            second = await session.ask(Request(Verb.HELLO, {"nonce": "n43"}), deadline_s=DEADLINE_S)
            await session.close()

            assert (first.rc, first.fields["nonce"]) == (Rc.OK, "n42")
            assert (second.rc, second.fields["nonce"]) == (Rc.OK, "n43")

    async def test_unreachable_device_is_an_error_with_a_reason(self) -> None:
        """Nothing else is raised."""
        async with self.make() as case:
            opening = case.transport.open(case.unreachable, deadline_s=DEADLINE_S)

            error = await refused(opening, DeviceError)

            assert error.reason in (Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CONNECTION_LOST)

    async def test_request_outside_the_grammar_is_never_sent(self) -> None:
        """No text of ours reaches a shell by way of a parameter."""
        async with self.make() as case:
            session = await case.session()

            await refused(
                session.ask(Request(Verb.HELLO, {"nonce": "a;b"}), deadline_s=DEADLINE_S),
                DeviceError,
            )
            await session.close()

    async def test_closed_session_can_be_closed_again(self) -> None:
        """Whoever cleans up does not have to know who did before."""
        async with self.make() as case:
            session = await case.session()

            await session.close()
            await session.close()

    async def test_delivery_activates_after_the_go(self) -> None:
        """Frames, steps, go, activation: one exec."""
        async with self.make() as case:
            steps: list[str] = []
            before: list[str] = []
            sent: list[int] = []

            reply = await self._deliver(case, go=True, steps=steps, before=before, sent=sent)

            assert (reply.rc, reply.fields.get("state")) == (Rc.OK, "probation")
            assert before == ["none"]  # what the device said before it was touched
            assert steps[:3] == ["stage", "verify", "install"]
            assert sent == sorted(sent)
            assert sent[-1] == sum(frame.size_bytes for frame in case.frames)

    async def test_delivery_without_a_go_changes_nothing(self) -> None:
        """The device cancels."""
        async with self.make() as case:
            reply = await self._deliver(case, go=False)

            status = await self._ask(case, Request(Verb.STATUS, {"txn": TXN}))
            assert (reply.rc, reply.reason) == (Rc.NOT_NOW, Reason.CANCELLED)
            assert status.fields["txn-state"] == "aborted"

    async def test_delivery_that_is_repeated_after_activation_is_answered_from_the_record(
        self,
    ) -> None:
        """The same transaction is never carried out twice, and no second go is asked for."""
        async with self.make() as case:
            await self._deliver(case, go=True)

            again = await self._deliver(case, go=False)

            assert (again.rc, again.fields.get("state")) == (Rc.OK, "probation")

    async def test_frames_are_staged_one_by_one(self) -> None:
        """The single verbs lead where a delivery leads."""
        async with self.make() as case:
            session = await case.session()
            for frame in case.frames:
                request = mutation(
                    Verb.STAGE,
                    name=frame.name,
                    size=str(frame.size_bytes),
                    sha=frame.sha256,
                    offset="0",
                )
                staged = await session.stage(request, frame, deadline_s=DELIVERY_S)
                assert staged.rc == Rc.OK, staged
            for verb in (Verb.VERIFY, Verb.INSTALL):
                done = await session.ask(mutation(verb), deadline_s=DELIVERY_S)
                assert done.rc == Rc.OK, done
            reply = await session.ask(
                mutation(Verb.ACTIVATE, deadline="300"), deadline_s=DELIVERY_S
            )
            await session.close()

            assert reply.rc == Rc.OK, reply

    async def test_lower_epoch_is_refused_by_the_device(self) -> None:
        """The transport hands the refusal over as a reply (R14)."""
        async with self.make() as case:
            await self._ask(case, mutation(Verb.GC, epoch=2))

            reply = await self._ask(case, mutation(Verb.GC, epoch=1))

            assert (reply.rc, reply.reason) == (Rc.FENCED, Reason.FENCED)

    async def test_commit_takes_the_nonce_of_a_new_connection(self) -> None:
        """The whole forward path: deliver, look over another connection, commit."""
        async with self.make() as case:
            await self._deliver(case, go=True)
            proof = await self._ask(case, Request(Verb.HELLO, {"nonce": "n1"}))
            nonce = proof.fields["commit-nonce"]

            committed = await self._ask(case, mutation(Verb.COMMIT, nonce=nonce))

            status = await self._ask(case, Request(Verb.STATUS, {"txn": TXN}))
            assert committed.rc == Rc.OK, committed
            assert status.fields["txn-state"] == "committed"

    async def test_device_keeps_where_the_journal_stood(self) -> None:
        """The highest number of a rollout; the newest rollout first."""
        async with self.make() as case:
            for rollout_id, seq, digit in (("r-1", 7, "a"), ("r-2", 1, "b"), ("r-1", 6, "c")):
                told = parameters(rollout_id, seq, digit * 64)
                await self._ask(case, mutation(Verb.GC, seq=told["seq"], audit=told["audit"]))

            found = known_of(await self._ask(case, Request(Verb.STATUS)))
            newest = known_of(await self._ask(case, Request(Verb.FACTS)))

            assert found == (
                Known("contract", "r-2", 1, "b" * 64),
                Known("contract", "r-1", 7, "a" * 64),
            )
            assert newest == found[:1]

    async def _ask(self, case: TransportCase, request: Request) -> Reply:
        session = await case.session()
        try:
            return await session.ask(request, deadline_s=DELIVERY_S)
        finally:
            await session.close()

    async def _deliver(
        self,
        case: TransportCase,
        *,
        go: bool,
        steps: list[str] | None = None,
        before: list[str] | None = None,
        sent: list[int] | None = None,
    ) -> Reply:
        async def answer(said: Reply) -> str:
            await asyncio.sleep(0)
            heard.append(said.fields["state"])
            return "go" if go else ""

        told: list[str] = [] if steps is None else steps
        count: list[int] = [] if sent is None else sent
        heard: list[str] = [] if before is None else before
        dialogue = Dialogue(
            case.frames, answer, on_step=lambda step: told.append(step.name), on_bytes=count.append
        )
        session = await case.session()
        try:
            return await session.converse(case.delivery(), dialogue, deadline_s=DELIVERY_S)
        finally:
            await session.close()
