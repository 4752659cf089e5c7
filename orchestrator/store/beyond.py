"""What the store knows beyond one rollout: who goes first, what devices run, the freeze of all.

Laws:
1. A rollout claims its devices by its state (`rollout.around`), so there is nothing to release and
   nothing that a crash could leave behind.
2. A claim is judged under the lock under which every other one is judged (`one_at_a_time`).
3. Each look is a handful of statements, whatever the number of devices.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple

import sqlalchemy
from sqlalchemy import Row, and_, func, insert, or_, select, update

from orchestrator.device.model import DeviceId
from orchestrator.errors import ClaimedError
from orchestrator.rollout.around import (
    FleetFreeze,
    Neighbour,
    Running,
    Surroundings,
    goes_first,
    merged,
    proved,
    row_holds,
    row_waits,
)
from orchestrator.rollout.held import Held
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState
from orchestrator.store.schema import FREEZE, devices, held, leases, meta, rollouts

Connection = sqlalchemy.Connection
Condition = sqlalchemy.ColumnElement[bool]

_MOVED = '%"moved":true%'  # as `records.body` writes it
_RANK = (
    rollouts.c.id, rollouts.c.plan_name, rollouts.c.component, rollouts.c.priority,
    rollouts.c.created_at, rollouts.c.body,
)  # fmt: skip


def around(
    connection: Connection, rollout_id: str, running: Running, now: float, *, begun: bool
) -> Surroundings:
    """What is around a rollout; `running`: what the plans that it needs run."""
    busy, older = ((), ()) if begun else neighbours(connection, rollout_id, now=now)
    held_back = held_by_others(connection, rollout_id)  # after that: who is over has held its own
    return Surroundings(busy, running, frozen(connection), older, held_back)


def require_free(connection: Connection, rollout_id: str) -> None:
    """Lets a rollout begin where nobody goes first; the caller holds the lock of law 2.

    Raises:
        ClaimedError: names who does.
    """
    busy, _older = neighbours(connection, rollout_id, now=0.0)
    if busy:
        raise claimed(busy)


def claimed(busy: Sequence[Neighbour]) -> ClaimedError:
    """The error that names the first of those that go first."""
    first = busy[0]
    devices_ = f"`{first.device}`" + (f" and {first.shared - 1} more" if first.shared > 1 else "")
    message = f"rollout `{first.rollout_id}` of plan `{first.plan}` goes first on {devices_}"
    hint = f"wait for its end (`rollout status {first.rollout_id}`), or abort it"
    return ClaimedError(message, hint=hint, code="S211")


def neighbours(
    connection: Connection, rollout_id: str, *, now: float
) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
    """Rollouts that share devices with this one: those that go first, and others that are older.

    Those that go first work on them already, or wait for them with an earlier turn. Of the others,
    those that were made before this one and have not begun.
    """
    mine = connection.execute(select(*_RANK).where(rollouts.c.id == rollout_id)).one_or_none()
    if mine is None:
        return (), ()
    query = select(*_RANK).where(
        rollouts.c.id != rollout_id,
        rollouts.c.component == mine.component,
        rollouts.c.state.not_in(sorted(TERMINAL_ROLLOUT)),
    )
    found = connection.execute(query).all()
    first = {row.id for row in found if _goes_first(row, mine)}
    others = {row.id: row for row in found if row.id in first or _age(row) < _age(mine)}
    if not others:
        return (), ()
    shared = _shared(connection, rollout_id, others)
    driven = _driven(connection, others, now)
    known = [
        Neighbour(
            row.id,
            row.plan_name,
            row.priority,
            begun=row_holds(json.loads(row.body)),
            driven=row.id in driven,
            shared=shared[row.id][0],
            device=shared[row.id][1],
            follows=json.loads(row.body)["state"] == RolloutState.CATCHING_UP,
        )
        for row in sorted(others.values(), key=_turn)
        if row.id in shared
    ]
    return (
        tuple(one for one in known if one.rollout_id in first),
        tuple(one for one in known if one.rollout_id not in first),
    )


def _turn(row: Row[*tuple[object, ...]]) -> tuple[int, float, str]:
    return -row.priority, row.created_at, row.id


def _age(row: Row[*tuple[object, ...]]) -> tuple[float, str]:
    return row.created_at, row.id


def _goes_first(row: Row[*tuple[object, ...]], mine: Row[*tuple[object, ...]]) -> bool:
    body = json.loads(row.body)
    if row_holds(body):
        return True
    rank = (row.priority, row.created_at, row.id)
    return row_waits(body) and goes_first(rank, (mine.priority, mine.created_at, mine.id))


def _shared(
    connection: Connection, rollout_id: str, others: Collection[str]
) -> dict[str, tuple[int, DeviceId]]:
    ours, theirs = devices.alias(), devices.alias()
    query = (
        select(theirs.c.rollout_id, func.count(), func.min(theirs.c.device))
        .join(ours, ours.c.device == theirs.c.device)
        .where(ours.c.rollout_id == rollout_id, theirs.c.rollout_id.in_(others))
        .group_by(theirs.c.rollout_id)
    )
    return {other: (count, DeviceId(first)) for other, count, first in connection.execute(query)}


def _driven(connection: Connection, ids: Collection[str], now: float) -> frozenset[str]:
    held = (leases.c.rollout_id.in_(ids), leases.c.owner != "", leases.c.expires_at > now)
    return frozenset(connection.scalars(select(leases.c.rollout_id).where(*held)))


def has_begun(connection: Connection, rollout_id: str) -> bool:
    """Whether the rollout has its devices for itself already."""
    body = connection.scalar(select(rollouts.c.body).where(rollouts.c.id == rollout_id))
    return body is not None and row_holds(json.loads(body))


def version(
    connection: Connection, rollout_id: str, plans: Collection[str]
) -> tuple[tuple[str, int], ...]:
    """Changes when what is known of the plans' devices does, or more devices are asked for."""
    ours = select(func.count()).where(devices.c.rollout_id == rollout_id)
    query = select(rollouts.c.id, rollouts.c.last_seq).where(_of_components(plans))
    found = connection.execute(query.order_by(rollouts.c.id))
    return ("", connection.scalar(ours) or 0), *((row.id, row.last_seq) for row in found)


def running(connection: Connection, rollout_id: str, plans: Collection[str]) -> Running:
    """By plan, the release that each device of the rollout was last proven to run.

    A device whose last change is of unknown outcome is left out, and so is one that another plan
    has changed since; one that was taken back runs what it ran before.
    """
    columns = (
        rollouts.c.id, rollouts.c.plan_name, rollouts.c.component, rollouts.c.release,
        rollouts.c.body,
    )  # fmt: skip
    found = connection.execute(select(*columns).where(_of_components(plans))).all()
    begun = {row.id: json.loads(row.body).get("begun_at") for row in found}
    rows = _device_states(connection, rollout_id, [row.id for row in found])
    by_component: dict[str, Running] = {}
    for row in sorted(found, key=lambda row: (begun[row.id] or 0.0, row.id)):
        known = by_component.setdefault(row.component, {})
        for device, state, moved in rows.get(row.id, ()):
            proved(known, (row.plan_name, row.release), device, state, moved=moved)
    return merged(by_component.values(), plans)


def _of_components(plans: Collection[str]) -> Condition:
    """Rollouts of whatever the plans change: other plans may change it too."""
    theirs = select(rollouts.c.component).where(rollouts.c.plan_name.in_(plans))
    return rollouts.c.component.in_(theirs)


def _device_states(
    connection: Connection, rollout_id: str, others: Collection[str]
) -> Mapping[str, list[tuple[DeviceId, str, bool]]]:
    ours, theirs = devices.alias(), devices.alias()
    query = (
        select(theirs.c.rollout_id, theirs.c.device, theirs.c.state, theirs.c.body.like(_MOVED))
        .join(ours, ours.c.device == theirs.c.device)
        .where(ours.c.rollout_id == rollout_id, theirs.c.rollout_id.in_(others))
    )
    found: dict[str, list[tuple[DeviceId, str, bool]]] = {}
    for other, device, state, moved in connection.execute(query):
        found.setdefault(other, []).append((DeviceId(device), state, bool(moved)))
    return found


def freeze(connection: Connection, wanted: FleetFreeze) -> None:
    """Freezes all rollouts, or keeps who lifted that."""
    value = json.dumps(astuple(wanted))
    changed = connection.execute(update(meta).where(meta.c.key == FREEZE).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(meta).values(key=FREEZE, value=value))


def frozen(connection: Connection) -> FleetFreeze | None:
    """The last freeze of all rollouts, also when it has run out or was lifted."""
    value = connection.scalar(select(meta.c.value).where(meta.c.key == FREEZE))
    return FleetFreeze(*json.loads(value)) if value else None


def held_devices(connection: Connection, artifact_sha256: str) -> dict[DeviceId, Held]:
    """Devices that are held back from an artifact, or from every one."""
    return held_of(connection, select(held), held.c.artifact_sha256 == artifact_sha256)


def held_by_others(connection: Connection, rollout_id: str) -> dict[DeviceId, Held]:
    """Devices of a rollout that another one holds back from its artifact, or from every one."""
    query = (
        select(held)
        .join(rollouts, rollouts.c.id == rollout_id)
        .join(
            devices,
            and_(devices.c.rollout_id == rollouts.c.id, devices.c.device == held.c.device),
        )
        .where(held.c.rollout_id != rollout_id)
    )
    return held_of(connection, query, held.c.artifact_sha256 == rollouts.c.artifact_sha256)


def held_of(
    connection: Connection, query: sqlalchemy.Select[*tuple[object, ...]], same: Condition
) -> dict[DeviceId, Held]:
    """Devices of a query on `held` that nobody freed: from every artifact, or where `same` holds."""
    query = query.where(or_(same, held.c.everywhere == 1), held.c.freed_at.is_(None))
    query = query.order_by(held.c.everywhere, held.c.since)
    return {
        DeviceId(row.device): Held(
            DeviceId(row.device), row.since, row.why, row.rollout_id, bool(row.everywhere)
        )
        for row in connection.execute(query)
    }


def unhold(
    connection: Connection, names: Collection[str], *, who: str, why: str, at: float
) -> list[DeviceId]:
    """Frees devices, whatever held them, and keeps who did and why; gives those that were held."""
    query = (
        update(held)
        .where(held.c.device.in_(names), held.c.freed_at.is_(None))
        .values(freed_at=at, freed_by=who, freed_why=why)
        .returning(held.c.device)
    )
    return sorted({DeviceId(name) for name in connection.scalars(query)})
