"""Whether the machines that take turns with a rollout have one time."""

from __future__ import annotations

from orchestrator.errors import StoreError
from orchestrator.units import format_duration

APART_MAX_S = 60.0  # a transaction may be repeated for 30 s, and its time is that of its beginning


def must_agree(callers_s: float, databases_s: float) -> None:
    """Returns where two clocks, in UTC seconds, are not further apart than machines may be.

    Soaks, windows and deadlines are measured by the clock of the engine that drives, and go on with
    that of the next one: one that is ahead by an hour would end a soak of half an hour at once.

    Raises:
        StoreError: they are; nothing may be begun or driven from there.
    """
    apart_s = callers_s - databases_s
    if abs(apart_s) <= APART_MAX_S:
        return
    far, side = format_duration(float(round(abs(apart_s)))), "ahead of" if apart_s > 0 else "behind"
    raise StoreError(
        f"the clock of this machine is {far} {side} that of the state server: soaks and windows "
        "would be measured wrong",
        hint="set the one that is wrong (`timedatectl`, NTP), then run the command again",
    )
