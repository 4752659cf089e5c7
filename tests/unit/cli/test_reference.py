"""The reference page names every command, configuration key and schema; nothing drifts apart."""

import re
from pathlib import Path

from orchestrator.cli.app import COMMANDS
from orchestrator.cli.config_keys import KINDS, POWER_KEYS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/commands.md").read_text()


def test_every_command_is_on_the_page() -> None:
    assert [name for name in COMMANDS if not re.search(rf"[` ]{name}[` ]", PAGE)] == []


def test_every_configuration_key_is_on_the_page() -> None:
    missing = [key for key in KINDS if f"| `{key}` | `ROLLOUT_{key.upper()}`" not in PAGE]

    assert missing == []
    assert all(f"`{key}`" in PAGE.rpartition("|")[2] for key in POWER_KEYS)


def test_every_format_has_its_schema() -> None:
    named = set(re.findall(r"`([a-z-]+\.v1)`", PAGE))

    assert {name for name in named if not (ROOT / "schemas" / f"{name}.json").is_file()} == set()
    on_disk = {path.name.removesuffix(".json") for path in (ROOT / "schemas").glob("*.v1.json")}
    assert on_disk - named <= {"plan.v1", "inventory-file.v1", "inventory-listing.v1"}
