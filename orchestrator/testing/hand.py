"""A rollout driven by hand: each report is given by the test, nothing happens by itself."""

from __future__ import annotations

import json

from orchestrator.device.model import DeviceId
from orchestrator.device.protocol import CheckResult
from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.actions import DeviceAction, GateAction, Work
from orchestrator.rollout.around import Surroundings
from orchestrator.rollout.changes import Row
from orchestrator.rollout.events import (
    Ask,
    DeviceReported,
    DeviceStatus,
    EngineStarted,
    Event,
    GateSampled,
    JournalEntry,
    LookedAround,
    OperatorAsked,
    Outcome,
    PastSample,
    Tick,
    Value,
)
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import DeviceState

DIGEST = "d" * 64  # of its plan
OLD = "0" * 64  # manifest of what devices ran before


class Hand:
    """Applies events and keeps what they changed."""

    def __init__(self, plan: ResolvedPlan, *, around: Surroundings | None = None) -> None:
        self.plan = plan
        self.around = around or Surroundings()
        self.asks: list[tuple[str, OperatorAsked]] = []
        self.claims: list[bool] = []
        self.now = 0.0
        self.journal: list[JournalEntry] = []
        self.rows: dict[DeviceId, Row] = {}
        self.rollout_row: Row = {}
        self.rollout = Rollout.start(plan, "r-hand", at=0.0, author="zoe@desk", digest=DIGEST)
        self._keep()
        self.apply(EngineStarted(0.0, 1, self.around))

    def apply(self, event: Event) -> None:
        """One event."""
        self.rollout.handle(event)
        self._keep()

    def _keep(self) -> None:
        changes = self.rollout.collect()
        self.rows.update(changes.devices)
        self.rollout_row = changes.rollout
        self.journal.extend(changes.journal)
        self.asks.extend(changes.asks)
        self.claims.append(changes.claims)

    def stored(self) -> Rollout:
        """The rollout as another process reads it."""
        row, rows = json.loads(json.dumps([self.rollout_row, self.rows]))
        return Rollout.restore(self.plan, "r-hand", row, rows)

    def restart(self, epoch: int = 2) -> None:
        """An engine takes over from the stored rows."""
        self.rollout = self.stored()
        self.apply(EngineStarted(self.now, epoch, self.around))

    # --- looking -----------------------------------------------------------------------------

    def state(self, device: str) -> DeviceState:
        """Where a device stands."""
        return self.rollout.ledger.devices[DeviceId(device)].state

    def states(self) -> list[str]:
        """All devices' states in the plan's order."""
        return [rec.state.value for rec in self.rollout.ledger.devices.values()]

    def action(self, device: str) -> DeviceAction:
        """The action that is wanted of a device.

        Raises:
            LookupError: none is.
        """
        for action in self.rollout.in_flight:
            if isinstance(action, DeviceAction) and action.device == device:
                return action
        raise LookupError(device)

    def wanted(self) -> dict[str, Work]:
        """Wanted work by device."""
        actions = (each for each in self.rollout.in_flight if isinstance(each, DeviceAction))
        return {action.device: action.work for action in actions}

    def samples(self) -> list[GateAction]:
        """Samples of gates that are wanted."""
        return [each for each in self.rollout.in_flight if isinstance(each, GateAction)]

    def lines(self, kind: str) -> list[JournalEntry]:
        """Journal lines of a type."""
        return [entry for entry in self.journal if entry.type == kind]

    # --- acting ------------------------------------------------------------------------------

    def tick(self, at: float) -> None:
        """Time passes."""
        self.now = at
        self.apply(Tick(at))

    def look(self, **found: object) -> None:
        """The engine looked around and found this, and nothing else."""
        self.around = Surroundings(**found)  # type: ignore[arg-type]  # test helper
        self.apply(LookedAround(self.now, self.around))

    def report(
        self,
        device: str,
        reason: Reason = Reason.OK,
        *,
        status: DeviceStatus | None = None,
        detail: str = "",
        **more: object,
    ) -> None:
        """The wanted action of a device ended; `more` are fields of `DeviceReported`."""
        action = self.action(device)
        self.apply(
            DeviceReported(
                at=self.now,
                device=action.device,
                txn=action.txn,
                work=action.work,
                outcome=Outcome(reason, detail),
                round=action.round,
                status=status,
                **more,  # type: ignore[arg-type]  # test helper
            )
        )

    def status(
        self,
        device: str,
        state: str,
        *,
        manifest: str | None = None,
        active: str = "yes",
        boot: str = "boot-1",
        reverted: bool = False,
    ) -> DeviceStatus:
        """What a device says of its present transaction."""
        txn = self.rollout.ledger.devices[DeviceId(device)].txn
        on_target = state in ("probation", "confirmed", "committed")
        target = self.plan.artifact.manifest_sha256
        return DeviceStatus(
            state=state,
            txn=txn,
            artifact="",
            manifest=manifest or (target if on_target else OLD),
            active=active,
            boot_id=boot,
            txn_state=state,
            reverted=txn if reverted else "",
            commit_nonce="c0ffee" if state in ("probation", "confirmed") else "",
        )

    def ready(self, device: str) -> None:
        """A delivery stands ready."""
        self.report(device, status=self.status(device, "none"))

    def activate(self, device: str) -> None:
        """From the delivery through the activation."""
        if self.state(device) is DeviceState.TRANSFERRING:
            self.ready(device)
        self.report(device, status=self.status(device, "probation"))

    def prove(self, device: str, *exits: int) -> None:
        """A proof with the exit codes of the wanted checks; 0 where none is given."""
        names = self.action(device).checks
        codes = exits or (0,) * len(names)
        checks = tuple(CheckResult(name, code) for name, code in zip(names, codes, strict=True))
        state = "committed" if self.state(device) is DeviceState.SUCCEEDED else "probation"
        if self.state(device) is DeviceState.CONFIRMED:
            state = "confirmed"
        if self.state(device) is DeviceState.ROLLING_BACK:
            state = "rolled-back"
        self.report(device, status=self.status(device, state), checks=checks)

    def succeed(self, *devices: str) -> None:
        """All the way from the delivery to the commit."""
        for device in devices:
            self.activate(device)
            self.prove(device)
            self.report(device)

    def fail(self, device: str) -> None:
        """Activated, its check fails, it goes back."""
        self.activate(device)
        self.prove(device, *(1 for _ in self.action(device).checks))
        self.go_back(device)

    def go_back(self, device: str) -> None:
        """It goes back, and its checks pass there."""
        self.report(device, status=self.status(device, "rolled-back"))
        if self.state(device) is DeviceState.ROLLING_BACK:
            self.prove(device)

    def sample(
        self,
        value: Value,
        *,
        error: str = "",
        gate: int | None = None,
        past: tuple[PastSample, ...] | None = None,
    ) -> None:
        """The first wanted sample of a gate came in, with those of the `past` it asked for."""
        action = next(each for each in self.samples() if gate is None or each.gate == gate)
        fields = {} if value is None else {"value": value}
        self.apply(
            GateSampled(
                self.now,
                action.gate,
                action.wave,
                action.round,
                action.device,
                fields,
                error,
                past=past,
            )
        )

    def ask(self, ask: Ask, **choices: object) -> None:
        """An operator asks."""
        fields: dict[str, object] = {"at": self.now, "ask": ask, "who": "ann"}
        self.apply(OperatorAsked(**(fields | choices)))  # type: ignore[arg-type]  # test helper
