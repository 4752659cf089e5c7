"""Counts of what the store holds, for monitoring: a handful of statements, whatever its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import func, select

from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState
from orchestrator.store.schema import devices, leases, rollouts

Connection = sqlalchemy.Connection

_SUCCEEDED = (RolloutState.SUCCEEDED, RolloutState.SUCCEEDED_WITH_EXCEPTIONS)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rollouts by state, devices of those that are not over by state, and rollouts driven now.

    `succeeded_at` is when a rollout succeeded last (UTC seconds); None before the first.
    """

    rollouts: Mapping[str, int]
    devices: Mapping[str, int]
    driven: int
    succeeded_at: float | None


def counts(connection: Connection, now: float) -> Counts:
    """What is so now; leases are held against `now`."""
    by_state = select(rollouts.c.state, func.count()).group_by(rollouts.c.state)
    of_devices = (
        select(devices.c.state, func.count())
        .join(rollouts, rollouts.c.id == devices.c.rollout_id)
        .where(rollouts.c.state.not_in(sorted(TERMINAL_ROLLOUT)))
        .group_by(devices.c.state)
    )
    driven = (
        select(func.count())
        .select_from(leases.join(rollouts, rollouts.c.id == leases.c.rollout_id))
        .where(leases.c.owner != "", leases.c.expires_at > now)
    )
    succeeded = select(func.max(rollouts.c.updated_at)).where(rollouts.c.state.in_(_SUCCEEDED))
    return Counts(
        {row[0]: row[1] for row in connection.execute(by_state)},
        {row[0]: row[1] for row in connection.execute(of_devices)},
        connection.scalar(driven) or 0,
        connection.scalar(succeeded),
    )
