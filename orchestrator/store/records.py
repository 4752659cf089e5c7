"""Between values and columns: JSON bodies, the identity of a plan, operators' requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Row as Found

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import FailureClass
from orchestrator.engine.ports import Changes, Row
from orchestrator.errors import StoreError
from orchestrator.plan.joiners import joiner_of, joiner_row
from orchestrator.plan.resolved import COMPONENT_DEFAULT, PRIORITY_DEFAULT
from orchestrator.rollout import held
from orchestrator.rollout.chain import Written, link
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked, TakeBack, Value
from orchestrator.store.statements import Cell


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """A rollout in a list; times are UTC seconds, `exit_code` is None while it is under way."""

    rollout_id: str
    plan_name: str
    plan_digest: str
    state: str
    exit_code: int | None
    created_at: float
    updated_at: float
    last_seq: int


def body(row: Mapping[str, object]) -> str:
    """JSON text of a row, in ASCII.

    Raises:
        StoreError: the row is not JSON-able (a bug of the caller; nothing was written).
    """
    try:
        return json.dumps(row, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"a row cannot be stored: {error}"
        raise StoreError(message) from error


def state_of(row: Row) -> str:
    """The `state` that each row carries for queries.

    Raises:
        StoreError: it does not (a bug of the caller).
    """
    state = row.get("state")
    if not isinstance(state, str):
        message = f"a row without a `state` cannot be stored (keys: {sorted(row)})"
        raise StoreError(message)
    return state


def exit_code_of(row: Row) -> int | None:
    """The exit code, once the rollout has one."""
    code = row.get("exit_code")
    return code if isinstance(code, int) else None


def identity(plan_json: bytes) -> dict[str, str | int]:
    """Columns by which a rollout is found again and told apart; defaults where the plan has none."""
    try:
        plan = json.loads(plan_json)
    except ValueError:
        plan = None
    plan = plan if isinstance(plan, dict) else {}
    artifact = plan.get("artifact")
    artifact = artifact if isinstance(artifact, dict) else {}
    return {
        "plan_name": str(plan.get("name", "")),
        "plan_digest": hashlib.sha256(plan_json).hexdigest(),
        "plan_sha256": str(plan.get("plan_sha256", "")),
        "inventory_sha256": str(plan.get("inventory_sha256", "")),
        "artifact_sha256": str(artifact.get("sha256", "")),
        "component": str(plan.get("component", COMPONENT_DEFAULT)),
        "priority": int(plan.get("priority", PRIORITY_DEFAULT)),
        "release": str(plan.get("release", "")),
    }


def has_hooks(plan_json: bytes) -> bool:
    """Whether somebody is to be told of a rollout of this plan."""
    try:
        plan = json.loads(plan_json)
    except ValueError:
        return False
    return isinstance(plan, dict) and bool(plan.get("hooks"))


def device_cells(batch: Sequence[Changes]) -> list[tuple[Cell, ...]]:
    """The last row of each device that the batch changed."""
    return [(device, state_of(row), body(row)) for device, row in _last_rows(batch).items()]


def held_cells(batch: Sequence[Changes]) -> list[tuple[Cell, ...]]:
    """Devices that the batch holds back from the artifact."""
    return [
        (device, held.since(row), held.why(row), int(row.get("state") == held.EVERYWHERE))
        for device, row in _last_rows(batch).items()
        if held.holds(row)
    ]


def freed_cells(batch: Sequence[Changes]) -> list[tuple[Cell, ...]]:
    """Devices that the batch does not hold back any more."""
    return [(device,) for device, row in _last_rows(batch).items() if held.lets_go(row)]


def _last_rows(batch: Sequence[Changes]) -> dict[DeviceId, Row]:
    last: dict[DeviceId, Row] = {}
    for changes in batch:
        last |= changes.devices
    return last


def journal_cells(
    entries: Sequence[JournalEntry], previous: str, epoch: int
) -> list[tuple[Cell, ...]]:
    """Rows of the journal; `previous` is the hash that the first of them follows."""
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        data = body(entry.data)
        written = Written(
            entry.seq, float(entry.at), entry.type, entry.wave, entry.device, data, epoch
        )
        previous = link(previous, written)
        rows.append((*written[:-1], previous))
    return rows


def journal_entry(found: Found[*tuple[object, ...]]) -> JournalEntry:
    """A row of the journal, read back.

    Raises:
        StoreError: somebody changed it.
    """
    data = entry_data(found.seq, found.data)
    return JournalEntry(found.seq, found.at, found.type, found.wave, found.device, data)


def entry_data(seq: int, text: str) -> dict[str, Value | list[Value]]:
    """The data of an entry.

    Raises:
        StoreError: it is not what is written there.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        message = f"entry {seq} of a journal is not what was written: its data is no JSON object"
        hint = (
            "somebody changed the store: `rollout audit verify` says where; a backup has what was"
        )
        raise StoreError(message, hint=hint)
    return data


def summary_of(found: Found[*tuple[object, ...]]) -> RolloutSummary:
    """A row of `rollouts`, read back."""
    return RolloutSummary(
        rollout_id=found.id,
        plan_name=found.plan_name,
        plan_digest=found.plan_digest,
        state=found.state,
        exit_code=found.exit_code,
        created_at=found.created_at,
        updated_at=found.updated_at,
        last_seq=found.last_seq,
    )


def request_columns(request: OperatorAsked) -> dict[str, Cell]:
    """Columns of an operator's request; the database gives its number."""
    rest = {
        "why": request.why,
        "accept_failures": request.accept_failures,
        "devices": list(request.devices),
        "wave": request.wave,
        "only": request.only,
        "take_back": request.take_back,
        "full": request.full,
        "digest": request.digest,
        "roles": list(request.roles),
        "targets": request.targets,
        "statement": request.statement,
        "signature": request.signature,
        "joiners": {device: joiner_row(one) for device, one in request.joiners.items()},
    }
    return {
        "at": request.at,
        "ask": str(request.ask),
        "who": request.who,
        "body": body(rest),
    }


def request_of(found: Found[*tuple[object, ...]]) -> OperatorAsked:
    """An operator's request, read back."""
    rest = json.loads(found.body)
    return OperatorAsked(
        at=found.at,
        ask=Ask(found.ask),
        who=found.who,
        why=rest["why"],
        request=found.id,
        accept_failures=rest["accept_failures"],
        devices=tuple(DeviceId(device) for device in rest["devices"]),
        wave=rest["wave"],
        # what follows may be missing: a request of an older version
        only=FailureClass(only) if (only := rest.get("only")) else None,
        take_back=TakeBack(rest.get("take_back", TakeBack.NONE)),
        full=rest.get("full", False),
        digest=rest.get("digest", ""),
        roles=tuple(rest.get("roles", ())),
        targets=rest.get("targets", ""),
        statement=rest.get("statement", ""),
        signature=rest.get("signature", ""),
        joiners={
            DeviceId(device): joiner_of(row) for device, row in rest.get("joiners", {}).items()
        },
    )
