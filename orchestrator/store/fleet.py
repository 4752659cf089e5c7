"""What the store knows of a fleet beyond single rollouts: what they left on devices, and saw there.

Law: rollouts are read from the one that was driven last, and no further than where nothing newer can
be known; of devices that are few by then their rows alone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping

import sqlalchemy
from sqlalchemy import select, true

from orchestrator.device.model import DeviceId
from orchestrator.rollout.changes import Row
from orchestrator.rollout.held import Held
from orchestrator.rollout.sightings import Remembered, Sightings
from orchestrator.store import beyond
from orchestrator.store.schema import devices, held, rollouts

FEW = 500  # devices that are asked for by name; of more all rows of a rollout are read


def remembered(
    connection: sqlalchemy.Connection, component: str, wanted: Collection[DeviceId]
) -> Remembered:
    """What is known of these devices, as far as it concerns one component."""
    gathered = Sightings(wanted)
    plans: set[str] = set()
    for rollout_id, plan_name, until_at in _driven_last_first(connection, component):
        names = gathered.open(until_at)
        if not names:
            break
        rows = _rows(connection, rollout_id, names)
        if rows or plan_name not in plans:  # the newest of a plan tells whom it left out
            plan = select(rollouts.c.plan_json).where(rollouts.c.id == rollout_id)
            gathered.take(rollout_id, connection.scalar(plan) or b"", rows)
        plans.add(plan_name)
    return Remembered(gathered.devices, held_back(connection), gathered.names)


def _driven_last_first(
    connection: sqlalchemy.Connection, component: str
) -> list[tuple[str, str, float]]:
    """Rollouts by id and plan, each with when it or one after it here was written to last.

    Those that nobody has driven yet come first: they changed nothing, and their plans are new.
    """
    query = select(rollouts.c.id, rollouts.c.plan_name, rollouts.c.updated_at, rollouts.c.body)
    found = connection.execute(query.where(rollouts.c.component == component)).all()
    ranked = sorted(
        (json.loads(row.body).get("epoch", 0), row.updated_at, row.id, row.plan_name)
        for row in found
    )
    driven = [row for row in ranked if row[0]] + [row for row in ranked if not row[0]]
    until = itertools.accumulate((at for _epoch, at, _id, _plan in driven), max)
    told = [(each[2], each[3], at) for each, at in zip(driven, until, strict=True)]
    return told[::-1]


def _rows(
    connection: sqlalchemy.Connection, rollout_id: str, names: Collection[DeviceId]
) -> Mapping[DeviceId, Row]:
    query = select(devices.c.device, devices.c.body).where(devices.c.rollout_id == rollout_id)
    if len(names) <= FEW:
        query = query.where(devices.c.device.in_(sorted(names)))
    return {
        DeviceId(device): json.loads(body)
        for device, body in connection.execute(query)
        if device in names
    }


def held_back(connection: sqlalchemy.Connection) -> dict[DeviceId, Held]:
    """Devices that are held back from some artifact; from every one, where that is so."""
    return beyond.held_of(connection, select(held), true())
