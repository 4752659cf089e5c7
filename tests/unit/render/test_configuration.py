"""The configuration as TOML, however narrow; its sheet shows it."""

import tomllib

import pytest

from orchestrator.errors import Where
from orchestrator.render.configuration import (
    ConfigurationFacts,
    Said,
    Setting,
    configuration_text,
)
from orchestrator.render.text import Look

PEOPLE = ["ann@corp=ops,security", "bob@corp=ops,security", 'c"at@corp=ops']
USER = "/home/ann/.config/rollout/config.toml"
CONFIGURATION = ConfigurationFacts(
    "/srv/fleets/gateways",
    None,
    USER,
    (
        Setting("state", (Said(".rollout/state.db", "default", Where("")),)),
        Setting(
            "people",
            (
                Said(PEOPLE, "ROLLOUT_PEOPLE", Where("")),
                Said(PEOPLE[:1], "", Where(USER, 4, 1)),
            ),
        ),
        Setting("connections_max", (Said(100, "", Where(USER, 7, 1)),)),
    ),
)


@pytest.mark.parametrize("width", [60, 100])
def test_configuration_for_people_is_toml_at_every_width(width: int) -> None:
    shown = configuration_text(CONFIGURATION, Look(width), origin=True)
    plain = configuration_text(CONFIGURATION, Look(width), origin=False)

    assert tomllib.loads(shown) == tomllib.loads(plain)
    assert tomllib.loads(plain)["people"] == PEOPLE
