"""Host keys of many devices: what they should be, and what was proven."""

from pathlib import Path

import pytest

from orchestrator.api.pins import Pins, PinsError, read_fingerprints
from orchestrator.api.project import load_inventory
from orchestrator.api.values import Settings, Source
from orchestrator.errors import PlanError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
PRINT = "SHA256:" + "A" * 43


def test_fingerprints_stand_one_device_a_line(tmp_path: Path) -> None:
    path = tmp_path / "factory.txt"
    path.write_text(
        f"# of 24 November\n\n# not\u2028gw-3 {PRINT}\ngw-1 {PRINT}\ngw-2\t{PRINT} # the spare one\n"
    )

    assert read_fingerprints(path) == {"gw-1": PRINT, "gw-2": PRINT}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"gw-1 {PRINT}\ngw-1 {PRINT}\n", 2),
        ("gw-1 MD5:00\n", 1),
        (f"gw-1 {PRINT}A\n", 1),
        (f"{PRINT}\n", 1),
    ],
)
def test_list_of_fingerprints_that_is_not_clear_is_refused(
    tmp_path: Path, text: str, place: int
) -> None:
    path = tmp_path / "factory.txt"
    path.write_text(text)

    with pytest.raises(PlanError) as caught:
        read_fingerprints(path)

    assert caught.value.code == "D115"
    assert caught.value.where is not None
    assert caught.value.where.line == place


def test_pins_are_an_inventory_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "pins.yml"
    settings = Settings(root=tmp_path, state="", inventory=(str(path),))
    pins = Pins.read(path)
    seen = []

    for name, key in (("gw-1", KEY), ("gw-2", OTHER)):
        pins.keep(name, "rollout", [key])
        devices = load_inventory(settings, Source()).select("all")
        seen.append([(one.id, one.address.user, one.address.host_keys) for one in devices])

    assert seen[0] == [("gw-1", "rollout", (KEY,))]
    assert seen[1] == [*seen[0], ("gw-2", "rollout", (OTHER,))]


def test_pins_of_an_earlier_run_are_kept_and_replaced_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "pins.yml"
    first = Pins.read(path)
    first.keep("gw-1", "rollout", [KEY])
    first.keep("gw-2", "rollout", [KEY])
    before = path.read_text()

    again = Pins.read(path)
    again.keep("gw-2", "rollout", [KEY])
    unchanged = path.read_text()
    again.keep("gw-1", "rollout", [OTHER])

    assert unchanged == before
    assert path.read_text() == before.replace(KEY, OTHER, 1)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text", ["", "all: {hosts: {gw-1: {}}}\n", "all:\n  hosts:\n    gw-1: {}\n"]
)
def test_inventory_of_somebodys_own_is_never_written_to(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(text)

    with pytest.raises(PlanError) as caught:
        Pins.read(path)
    with pytest.raises(PlanError) as nowhere:
        Pins.read(tmp_path / "none/pins.yml")

    assert (caught.value.code, nowhere.value.code) == ("D116", "D116")
    assert path.read_text() == text


def test_pin_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sub/pins.yml"
    path.parent.mkdir()
    pins = Pins.read(path)
    path.parent.rmdir()

    with pytest.raises(PinsError, match="enrolled, but"):
        pins.keep("gw-1", "rollout", [KEY])
