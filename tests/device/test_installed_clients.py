"""Clients that are installed on a device are given what the helper verified, and nothing before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.kit import Device, Key, Release, Shell
from tests.device.module_kit import Subject
from tests.device.module_subjects import SUBJECTS

CLIENTS = {"rauc": "rauc", "swupdate": "swupdate", "mender": "mender-update"}


@pytest.fixture(params=CLIENTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return next(subject for subject in SUBJECTS if subject.kind == request.param)


@pytest.fixture
def device(tmp_path: Path, one_shell: Shell, key: Key, subject: Subject) -> Iterator[Device]:
    """One whose client notes every call; the helper gives no root to programs, so it stands in them."""
    root, place = tmp_path / "device", tmp_path / "programs"
    place.mkdir()
    made = Device(root, Shell(one_shell.name, one_shell.argv, f"{place}:{one_shell.path}"), key)
    subject.prepare(root)
    for name, body in subject.programs.items():
        noted = body.replace("\n", f'\necho "$*" >>{tmp_path}/calls\n', 1)
        (place / name).write_text(noted.replace("$ROLLOUT_ROOT", str(root)))
        (place / name).chmod(0o755)
    yield made
    made.close()


def calls(device: Device) -> list[str]:
    """What the client was asked to change, or to look into."""
    noted = device.root.parent / "calls"
    lines = noted.read_text().splitlines() if noted.exists() else []
    return [line for line in lines if device.root.name in line]


def test_a_release_that_is_not_verified_never_reaches_the_client(device: Device, subject: Subject):
    release = Release(subject.kind, "r1", dict(subject.payload("r1")))
    good = release.frames(device.key)
    name = next(frame for frame in good if frame.startswith("data/"))

    for frames in (release.frames(Key("ec")), good | {name: good[name] + b"X"}):
        assert device.deliver(1, frames).rc != 0

    assert calls(device) == []


def test_a_verified_release_is_given_to_the_client(device: Device, subject: Subject):
    release = Release(subject.kind, "r1", dict(subject.payload("r1")))

    assert device.deliver(1, release.frames(device.key)).rc == 0

    assert any("install" in line or "-i" in line.split() for line in calls(device))
