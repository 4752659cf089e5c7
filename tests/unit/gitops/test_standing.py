"""One word for where a controller stands."""

from dataclasses import replace

import pytest

from orchestrator.gitops.plans import Trouble
from orchestrator.gitops.record import Record
from orchestrator.gitops.standing import Health, Part, RolloutStanding, Standing
from orchestrator.rollout.around import FleetFreeze

WELL = Standing(1.0, Part.ACTIVE, Record("/srv/fleet.git", "main", "c1"))
TROUBLE = Trouble("it is down", 2, 1, 9.0)
FROZEN = FleetFreeze("holiday", "ann", 1.0, None)


def rollout(state: str, code: int = 0, **more: str) -> RolloutStanding:
    return RolloutStanding("r-1", "app", state, code, "a.yml", **more)


@pytest.mark.parametrize(
    ("changed", "health"),
    [
        ({}, Health.HEALTHY),
        ({"rollouts": (rollout("succeeded"),)}, Health.HEALTHY),
        ({"rollouts": (rollout("succeeded_with_exceptions", 3),)}, Health.HEALTHY),
        ({"rollouts": (rollout("running", 7),)}, Health.PROGRESSING),
        ({"rollouts": (rollout("rolled_back", 5),)}, Health.DEGRADED),
        ({"rollouts": (rollout("halted", 4),)}, Health.DEGRADED),
        ({"rollouts": (rollout("running", 2, error="no artifact"),)}, Health.DEGRADED),
        ({"refusal": "history was written anew"}, Health.DEGRADED),
        ({"trouble": TROUBLE}, Health.DEGRADED),
        ({"plans": {"a.yml": TROUBLE}}, Health.DEGRADED),
        ({"frozen": FROZEN, "rollouts": (rollout("paused", 7),)}, Health.SUSPENDED),
        ({"frozen": FROZEN, "trouble": TROUBLE}, Health.DEGRADED),
        ({"part": Part.STANDBY}, Health.UNKNOWN),
        ({"part": Part.STOPPED}, Health.UNKNOWN),
        ({"part": Part.DONE, "rollouts": (rollout("halted", 4),)}, Health.DEGRADED),
        ({"part": Part.DONE}, Health.HEALTHY),
        ({"record": Record("/srv/fleet.git", "main")}, Health.UNKNOWN),
        ({"unplanned": "plans/*.yaml"}, Health.UNKNOWN),
        ({"unplanned": "plans/*.yaml", "rollouts": (rollout("halted", 4),)}, Health.DEGRADED),
    ],
)
def test_health_says_what_wants_most_attention(changed, health) -> None:
    assert replace(WELL, **changed).health is health


def test_exit_codes_are_those_of_all_that_stands() -> None:
    standing = replace(
        WELL, refusal="no", trouble=TROUBLE, plans={"a.yml": Trouble("x", 9, 1, 0.0)},
        rollouts=(rollout("rolled_back", 5),),
    )  # fmt: skip

    assert (WELL.exit_codes, sorted(standing.exit_codes)) == ((), [1, 2, 5, 9])
