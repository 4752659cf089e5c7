"""One action against one device: requests, deadlines, and what the answers mean.

Laws:
1. Trouble with a device is data: every `DeviceError` becomes an `Outcome`. Anything else is a bug.
2. A mutating request carries transaction, controller, component and epoch (R14), and where the
   journal stood: devices are its witnesses.
3. A proof uses a connection opened after the activation; a way back is read over another one.
4. A device that refuses our epoch for a newer one of our own controller stops this engine.

Source: docs/reference/device-protocol.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestrator.device.model import Device
from orchestrator.device.protocol import Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.engine.deltas import rebuilt
from orchestrator.engine.offsets import resume
from orchestrator.engine.orders import REPLY_S, Orders
from orchestrator.engine.ports import Dialogue, Session, Transport
from orchestrator.engine.replies import (
    first_device_error,
    outcome_of,
    outcome_of_error,
    staged_offsets,
    status_of,
)
from orchestrator.engine.signed import judged, signing
from orchestrator.errors import DeviceError
from orchestrator.rollout.actions import DeviceAction, Work
from orchestrator.rollout.events import DeviceReported, DeviceStatus, Outcome

GO_WAIT_S = 3600.0  # how long a device may stand ready; then it cancels and is delivered anew
PROOF_WAIT_S = 20.0  # how long a proven device waits for the commit, then the proof just ends
_WORDS = {
    Work.ACTIVATE: "go",
    Work.KEEP: "keep",
    Work.COMMIT: "commit",
    Work.CONFIRM: "confirm",
}
_AFTER_GO = frozenset({"probation", "confirmed", "committed", "rolled-back", "rollback-failed"})

Go = Callable[[DeviceStatus | None], Awaitable[DeviceAction | None]]
Follow = Callable[[DeviceReported], Awaitable[DeviceAction | None]]


class Conversation:
    """Talks with one device; keeps the connection of a proof for what follows it."""

    def __init__(self, device: Device, transport: Transport, orders: Orders) -> None:
        self._device = device
        self._transport = transport
        self._orders = orders
        self._session: Session | None = None

    @property
    def is_open(self) -> bool:
        """A proven connection is still there for a commit or another round."""
        return self._session is not None

    async def close(self) -> None:
        """Gives the connection up."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def perform(self, action: DeviceAction) -> DeviceReported:
        """Does anything but a delivery or a proof.

        Raises:
            LeaseError: the device was served by a newer engine of this controller.
        """
        try:
            return await self._dispatch(action)
        except* DeviceError as group:
            error = first_device_error(group)
        await self.close()
        return self._orders.report(action, outcome_of_error(error), reached=False)

    async def _dispatch(self, action: DeviceAction) -> DeviceReported:
        match action.work:
            case Work.READ_BACK | Work.PREFLIGHT:
                return await self._read_back(action)
            case Work.COMMIT | Work.CONFIRM:
                return await self._finish(action, Verb(_WORDS[action.work]))
            case Work.ACTIVATE:
                return await self._activate(action)
            case Work.ROLL_BACK:
                return await self._roll_back(action)
            case Work.INQUIRE:
                return await self._inquire(action)
            case Work.KEEP:  # without a delivery that waits there is nothing to let be
                return self._orders.report(action, Outcome(Reason.OK))
            case Work.DELIVER | Work.PROVE:
                raise AssertionError("deliveries and proofs have their own way")

    # --- delivery ----------------------------------------------------------------------------

    async def deliver(self, action: DeviceAction, go: Go) -> DeviceReported | None:
        """Delivers, waits for the go and activates.

        Args:
            action: the delivery.
            go: awaited once the device stands ready; gives the activation, a KEEP to leave it
                at what was staged, or None to cancel.

        Returns:
            The report of the delivery when it ended before the go, of the activation after it,
            or None when it was cancelled or stands ready without a connection.

        Raises:
            LeaseError: the device was served by a newer engine of this controller.
        """
        run = _Run(action)
        try:
            return await self._deliver(run, go)
        except* DeviceError as group:
            error = first_device_error(group)
        finally:
            await self.close()
        if run.refused:
            return None
        outcome = outcome_of_error(error)
        # garbage is an answer: such a device is not offline, it breaks the protocol
        reached = run.reached or outcome.reason is Reason.PROTOCOL
        return self._orders.report(run.action, outcome, reached=reached)

    async def _deliver(self, run: _Run, go: Go) -> DeviceReported | None:
        session = await self._open()
        run.reached = True  # it proved its host key and let us in
        held: dict[str, tuple[int, str]] = {}
        times = self._orders.plan.timeouts
        limit_s = times.transfer_s + 2 * times.install_s
        look = self._orders.request(Verb.STATUS, txn=run.action.txn)
        if not self._goes_straight(run.action):
            looked = await session.ask(look, deadline_s=REPLY_S)
            status = status_of(looked)
            early = self._look(run.action, looked, status)
            if early is not None:
                return early
            if status is not None and status.txn_state == "installed":
                await go(status)  # an earlier try stands ready; the activation asks anew
                return None
            held = staged_offsets(looked)
            delta = next((d for d in self._orders.deltas if d.is_needed(looked, held)), None)
            if delta is not None:
                by = self._mutation(Verb.REBUILD, run.action.txn)
                session = await rebuilt(session, delta, by=by, limit_s=limit_s, reopen=self._open)
                held = staged_offsets(await session.ask(look, deadline_s=REPLY_S))

        async def decide(said: Reply) -> str:
            activation = await go(status_of(said))
            run.refused = activation is None
            if activation is None:
                return ""
            run.action = activation
            return _WORDS[activation.work]

        frames = resume(self._orders.frames(), held)
        request = self._mutation(
            Verb.DELIVER,
            run.action.txn,
            frames=str(len(frames)),
            wait=str(int(GO_WAIT_S)),
            deadline=str(int(times.confirm_s)),
            unless=self._orders.plan.artifact.manifest_sha256,
        )
        device, on_bytes = self._device.id, self._orders.on_bytes
        dialogue = Dialogue(frames, decide, on_bytes=lambda sent: on_bytes(device, sent))
        reply = await session.converse(request, dialogue, deadline_s=limit_s)
        if run.refused:
            return None
        return await self._delivered(run.action, session, reply)

    def _goes_straight(self, action: DeviceAction) -> bool:
        """Whether the delivery needs no look: nothing of it can be on the device yet.

        A device that ran the target when the plan was made is asked first all the same: then
        nothing has to be sent to it. So is one that ran what a difference is for.
        """
        plan, deltas = self._orders.plan, self._orders.deltas
        known = plan.devices[action.device].current_manifest
        useful = {plan.artifact.manifest_sha256, *(delta.old_manifest for delta in deltas)}
        return action.fresh and known not in useful

    def _look(
        self, action: DeviceAction, reply: Reply, status: DeviceStatus | None
    ) -> DeviceReported | None:
        """What the look before a delivery decides already."""
        if reply.rc != 0 or status is None:
            outcome = outcome_of(reply) if reply.rc else Outcome(Reason.PROTOCOL, "no state")
            return self._orders.report(action, outcome)
        if status.txn_state in _AFTER_GO:
            outcome = Outcome(Reason.WRONG_STATE, f"transaction is {status.txn_state}")
            return self._orders.report(action, outcome, status)
        if status.txn_state == "aborted":
            return self._orders.report(action, Outcome(Reason.CANCELLED), status)
        target = self._orders.plan.artifact.manifest_sha256
        if status.manifest == target and status.active == "yes":
            return self._orders.report(action, Outcome(Reason.UNCHANGED), status)
        return None

    async def _delivered(
        self, action: DeviceAction, session: Session, reply: Reply
    ) -> DeviceReported:
        outcome = outcome_of(reply)
        status = status_of(reply.closing)
        if action.work is Work.DELIVER and reply.rc == 0:  # without asking for a go
            if status is None or status.txn == action.txn:
                outcome = Outcome(Reason.WRONG_STATE, "the device had activated before")
            else:
                outcome = Outcome(Reason.UNCHANGED)
        await self._stop_if_fenced(session, outcome)
        kept = status if outcome.ok or action.work is Work.DELIVER else None
        rebooting = reply.fields.get("reboot") == "yes"
        return self._orders.report(action, outcome, kept, rebooting=rebooting)

    # --- everything else ---------------------------------------------------------------------

    async def _activate(self, action: DeviceAction) -> DeviceReported:
        session = await self._open()
        looked = await session.ask(
            self._orders.request(Verb.STATUS, txn=action.txn), deadline_s=REPLY_S
        )
        status = status_of(looked)
        if looked.rc != 0 or status is None:
            await self.close()
            return self._orders.report(action, Outcome(Reason.PROTOCOL, looked.detail))
        if status.txn_state != "installed":
            await self.close()
            done = status.txn_state in ("probation", "confirmed", "committed")
            reason = Reason.OK if done else Reason.WRONG_STATE
            return self._orders.report(action, Outcome(reason), status)
        times = self._orders.plan.timeouts
        request = self._mutation(Verb.ACTIVATE, action.txn, deadline=str(int(times.confirm_s)))
        reply = await session.ask(request, deadline_s=times.install_s)
        outcome = outcome_of(reply)
        await self._stop_if_fenced(session, outcome)
        await self.close()
        rebooting = reply.fields.get("reboot") == "yes"
        kept = status_of(reply) if outcome.ok else None
        return self._orders.report(action, outcome, kept, rebooting=rebooting)

    # --- proofs ------------------------------------------------------------------------------

    async def prove(self, action: DeviceAction, follow: Follow) -> DeviceReported | None:
        """Reads the device back, and carries out what follows in the same exec.

        Args:
            action: the proof.
            follow: given the proof once the device stands ready; gives the commit or confirm
                that shall follow at once, or None for neither.

        Returns:
            The report of the proof when there was nothing to follow, of the action that
            followed, or None when `follow` wanted neither.

        Raises:
            LeaseError: the device was served by a newer engine of this controller.
        """
        run = _Run(action)
        try:
            return await self._prove(run, follow)
        except* DeviceError as group:
            error = first_device_error(group)
        await self.close()
        if run.refused:
            return None
        return self._orders.report(run.action, outcome_of_error(error), reached=False)

    async def _prove(self, run: _Run, follow: Follow) -> DeviceReported | None:
        session = self._session or await self._open()
        proof, nonce = run.action, self._orders.token()

        async def decide(said: Reply) -> str:
            following = await follow(self._signed_proof(proof, said, nonce, session.host_key))
            run.refused = following is None
            if following is None:
                return ""
            run.action = following
            return _WORDS[following.work]

        params = (
            self._orders.checks(proof, nonce)
            | {"wait": str(int(PROOF_WAIT_S))}
            | self._signing(session.host_key)
        )
        request = self._mutation(Verb.PROVE, proof.txn, **params)
        deadline_s = self._orders.check_s(proof) + self._orders.plan.timeouts.install_s
        reply = await session.converse(request, Dialogue((), decide), deadline_s=deadline_s)
        if run.refused:
            return None
        outcome = outcome_of(reply)
        if run.action is not proof:
            await self._stop_if_fenced(session, outcome)
            await self.close()
            return self._orders.report(run.action, outcome)
        report = self._signed_proof(proof, reply, nonce, session.host_key)
        if not report.outcome.ok:
            await self.close()
        return report

    async def _read_back(self, action: DeviceAction) -> DeviceReported:
        session = self._session or await self._open()
        nonce, proves = self._orders.token(), action.work is Work.READ_BACK
        signing = self._signing(session.host_key) if proves else {}  # nothing of ours runs yet
        request = self._orders.request(Verb.HEALTH, **self._orders.checks(action, nonce), **signing)
        reply = await session.ask(request, deadline_s=self._orders.check_s(action))
        await self.close()
        if not proves:
            return self._proof(action, reply, nonce)
        return self._signed_proof(action, reply, nonce, session.host_key)

    def _proof(self, action: DeviceAction, said: Reply, nonce: str) -> DeviceReported:
        if said.rc == 0 and said.fields.get("nonce") != nonce:
            return self._orders.report(action, Outcome(Reason.PROTOCOL, "another nonce came back"))
        report = self._orders.report(action, outcome_of(said), status_of(said))
        return dataclasses.replace(report, checks=said.checks)

    def _signed_proof(
        self, action: DeviceAction, said: Reply, nonce: str, host_key: str
    ) -> DeviceReported:
        report, reports = self._proof(action, said, nonce), self._orders.reports
        if reports is None or not report.outcome.ok:
            return report
        wanted = reports.required or self._signing(host_key)
        return judged(report, said, reports, self._device, host_key) if wanted else report

    def _signing(self, host_key: str) -> dict[str, str]:
        signs = self._orders.plan.devices[self._device.id].signs
        return signing(self._orders.reports, signs, host_key)

    async def _finish(self, action: DeviceAction, verb: Verb) -> DeviceReported:
        session = self._session or await self._open()
        request = self._mutation(verb, action.txn, nonce=action.nonce)
        reply = await session.ask(request, deadline_s=action.timeout_s)
        outcome = outcome_of(reply)
        await self._stop_if_fenced(session, outcome)
        await self.close()
        return self._orders.report(action, outcome)

    async def _roll_back(self, action: DeviceAction) -> DeviceReported:
        session = await self._open()
        request = self._mutation(Verb.ROLLBACK, action.txn)
        reply = await session.ask(request, deadline_s=self._orders.plan.timeouts.install_s)
        outcome = outcome_of(reply)
        await self._stop_if_fenced(session, outcome)
        await self.close()
        session = await self._open()
        nonce = self._orders.token()
        params = {"txn": action.txn, "nonce": nonce} | self._signing(session.host_key)
        looked = await session.ask(self._orders.request(Verb.STATUS, **params), deadline_s=REPLY_S)
        await self.close()
        read = self._signed_proof(action, looked, nonce, session.host_key)
        if outcome.ok or read.outcome.reason is Reason.REPORT:
            return read  # what was read back counts, also where it is no answer
        return dataclasses.replace(read, outcome=outcome)

    async def _inquire(self, action: DeviceAction) -> DeviceReported:
        session = await self._open()
        reply = await session.ask(
            self._orders.request(Verb.STATUS, txn=action.txn), deadline_s=REPLY_S
        )
        await self.close()
        return self._orders.report(action, outcome_of(reply), status_of(reply))

    async def _open(self) -> Session:
        await self.close()
        connect_s = self._orders.plan.timeouts.connect_s
        self._session = await self._transport.open(self._device, deadline_s=connect_s)
        return self._session

    async def _stop_if_fenced(self, session: Session, outcome: Outcome) -> None:
        if outcome.reason is not Reason.FENCED:
            return
        reply = await session.ask(self._orders.request(Verb.HELLO), deadline_s=REPLY_S)
        self._orders.stop_for_a_newer(self._device.id, reply.fields)

    def _mutation(self, verb: Verb, txn: str, **params: str) -> Request:
        common = {
            "txn": txn,
            "controller": self._orders.controller_id,
            "component": self._orders.plan.component,
            "epoch": str(self._orders.epoch),
        }
        return Request(verb, {**common, **params, **self._orders.journal()})


@dataclass(slots=True)
class _Run:
    """A delivery or proof under way; `action` becomes what followed it, unless `refused`."""

    action: DeviceAction
    reached: bool = False
    refused: bool = False
