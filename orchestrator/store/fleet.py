"""What the store knows of a fleet beyond single rollouts: what they left on devices, and saw there.

Law: rollouts are read from the one that was written to last, and no further than where nothing newer
can be known; of devices that are few by then their rows alone.
"""

from __future__ import annotations

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
    query = select(rollouts.c.id, rollouts.c.plan_name, rollouts.c.updated_at)
    query = query.where(rollouts.c.component == component)
    newest_first = query.order_by(rollouts.c.updated_at.desc(), rollouts.c.id.desc())
    gathered = Sightings(wanted)
    plans: set[str] = set()
    for rollout_id, plan_name, updated_at in connection.execute(newest_first).all():
        names = gathered.open(updated_at)
        if not names:
            break
        rows = _rows(connection, rollout_id, names)
        if rows or plan_name not in plans:  # the newest of a plan tells whom it left out
            plan = select(rollouts.c.plan_json).where(rollouts.c.id == rollout_id)
            gathered.take(rollout_id, connection.scalar(plan) or b"", rows)
        plans.add(plan_name)
    return Remembered(gathered.devices, held_back(connection), gathered.names)


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
