"""What all requests of one engine run have in common, and how its requests and reports are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.device.protocol import Frame, Request, Verb, number
from orchestrator.engine.deltas import Delta
from orchestrator.engine.ports import Clock, Reports
from orchestrator.errors import LeaseError
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.actions import DeviceAction
from orchestrator.rollout.events import DeviceReported, DeviceStatus, Outcome

REPLY_S = 30.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What all requests of one engine run have in common.

    `token` draws the nonces that devices echo; `frames` gives the artifact's files; `journal` gives what a
    request says of the journal, which has the step that wants it. `reports` judges signed proofs,
    where they are asked for. `deltas` make files of the artifact of what devices run.
    """

    plan: ResolvedPlan
    controller_id: str
    epoch: int
    frames: Callable[[], Sequence[Frame]]
    token: Callable[[], str]
    clock: Clock
    on_bytes: Callable[[DeviceId, int], None] = lambda _device, _sent: None
    journal: Callable[[], Mapping[str, str]] = dict
    reports: Reports | None = None
    deltas: Sequence[Delta] = ()

    def request(self, verb: Verb, **params: str) -> Request:
        """One that changes nothing."""
        return Request(verb, {**params, "component": self.plan.component})

    def stop_for_a_newer(self, device: DeviceId, fields: Mapping[str, str]) -> None:
        """What a device that refused our epoch says of whom it serves.

        Raises:
            LeaseError: a newer engine of our own controller.
        """
        ours = fields.get("controller") == self.controller_id
        epoch = number(fields.get("epoch", ""))
        if ours and epoch is not None and epoch > self.epoch:
            message = f"device `{device}` was served by a newer engine (epoch {epoch})"
            hint = (
                "another engine took over, or the state store is older than the devices; "
                "`rollout device adopt` makes them serve this one"
            )
            raise LeaseError(message, hint=hint)

    def checks(self, action: DeviceAction, nonce: str) -> dict[str, str]:
        """What asks for the checks of an action."""
        params = {"nonce": nonce}
        if action.checks:
            longest_s = max(self._check_times(action), default=REPLY_S)
            params |= {"checks": ",".join(action.checks), "timeout": str(max(1, int(longest_s)))}
        return params

    def check_s(self, action: DeviceAction) -> float:
        """How long the answer to that may take."""
        return REPLY_S + sum(self._check_times(action))

    def _check_times(self, action: DeviceAction) -> list[float]:
        gates = self.plan.gates
        return [gate.timeout_s for gate in gates if gate.probe.check in action.checks]

    def report(
        self,
        action: DeviceAction,
        outcome: Outcome,
        status: DeviceStatus | None = None,
        *,
        reached: bool = True,
        rebooting: bool = False,
    ) -> DeviceReported:
        """How an action ended, as of now."""
        return DeviceReported(
            at=self.clock.now(),
            device=action.device,
            txn=action.txn,
            work=action.work,
            outcome=outcome,
            round=action.round,
            reached=reached,
            status=status,
            rebooting=rebooting,
        )
