"""A disk that is really full: a small file system in memory below the device's root (root only)."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.disk_kit import fill, mount, why_not
from tests.device.helper_kit import Updated
from tests.device.kit import Device, Key, Shell, directory, sha, txn

SIZE_BYTES = 2 * 1024 * 1024


pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted"),
]


@pytest.fixture
def small(tmp_path: Path, shell: Shell, key: Key) -> Iterator[Device]:
    """A device with a disk of 2 MiB that the helper believes to be roomy, running release r1."""
    root = tmp_path / "device"
    run = root / "run"  # another file system than the disk, as on every system
    root.mkdir()
    mount(root, SIZE_BYTES)
    run.mkdir()
    mount(run, SIZE_BYTES)
    device = Device(root, shell, key)
    try:
        device.release(1, directory("r1"))
        yield device
    finally:
        device.close()
        subprocess.run(["umount", "-l", str(run)], check=True)
        subprocess.run(["umount", "-l", str(root)], check=True)


def as_before(device: Device) -> None:
    fields = device.fields()
    assert (fields["artifact"], fields["active"]) == ("r1", "yes")
    assert (device.root / "opt/app/version.txt").read_text() == "r1"


@pytest.mark.parametrize("left_bytes", [0, 4096, 40_000, 400_000, 700_000])
def test_delivery_to_a_disk_that_fills_leaves_the_device_as_it_was(small: Device, left_bytes: int):
    files = {"version.txt": b"r2", "big": random.Random(1).randbytes(300_000)}
    release = directory("r2", files)
    ballast = fill(small.root, left_bytes)

    reply = small.deliver(2, release.frames(small.key))

    assert (reply.rc, reply.fields["reason"]) in {(74, "io"), (74, "low_space")}, reply
    as_before(small)
    ballast.unlink()
    assert small.deliver(3, release.frames(small.key)).rc == 0
    assert small.commit(3).rc == 0
    assert (small.root / "opt/app/version.txt").read_text() == "r2"


@pytest.mark.parametrize("left_bytes", [0, 8192, 120_000])
def test_staging_on_a_full_disk_is_refused_and_resumed_later(small: Device, left_bytes: int):
    data = random.Random(2).randbytes(200_000)
    more = {"name": "data/0000/update.tar", "size": len(data), "sha": sha(data)}
    ballast = fill(small.root, left_bytes)

    reply = small.do("stage", 2, data, **more)

    assert (reply.rc, reply.fields["reason"]) in {(74, "io"), (74, "low_space")}, reply
    as_before(small)
    ballast.unlink()
    status = small.ask(f"status txn={txn(2)}")
    have = {words[0]: int(words[1]) for words in map(str.split, status.all("have"))}
    offset = have.get(more["name"], 0)
    assert small.do("stage", 2, data[offset:], offset=offset, **more).rc == 0


def test_release_on_probation_goes_back_on_a_full_disk(small: Device):
    assert small.deliver(2, directory("r2").frames(small.key)).rc == 0
    assert (small.root / "opt/app/version.txt").read_text() == "r2"
    fill(small.root)

    reply = small.do("rollback", 2)

    assert (reply.rc, reply.fields["state"]) == (0, "rolled-back"), reply
    as_before(small)


def test_dead_man_and_boot_hook_go_back_on_a_full_disk(small: Device):
    assert small.deliver(2, directory("r2").frames(small.key)).rc == 0
    fill(small.root)

    small.boot("22222222-0000-0000-0000-000000000002")
    assert small.hook("boot").returncode == 0

    as_before(small)


def test_activation_on_a_full_disk_ends_on_the_old_version(small: Device):
    frames = directory("r2").frames(small.key)
    for name, data in frames.items():
        assert small.do("stage", 2, data, name=name, size=len(data), sha=sha(data)).rc == 0
    assert small.do("verify", 2).rc == 0
    assert small.do("install", 2).rc == 0
    fill(small.root)

    reply = small.do("activate", 2, deadline=300)

    if reply.rc == 0:
        assert small.do("rollback", 2).fields["state"] == "rolled-back"
    else:
        assert (reply.fields["reason"], reply.fields["state"]) == ("activate_failed", "rolled-back")
    as_before(small)


def test_a_full_run_directory_is_not_taken_for_another_request(small: Device):
    fill(small.root, place="run")

    reply = small.deliver(2, directory("r2").frames(small.key))

    assert (reply.rc, reply.fields["reason"]) == (74, "io"), reply
    as_before(small)


@pytest.mark.night  # one more disk, for the one module that replaces what works on it
def test_helper_goes_back_on_a_full_disk_on_trial_and_after_its_commit(
    tmp_path: Path, one_shell: Shell, key: Key
):
    root = tmp_path / "device"
    root.mkdir()
    mount(root, 2 * SIZE_BYTES)
    (root / "run").mkdir()
    mount(root / "run", SIZE_BYTES)
    device = Updated(root, one_shell, key)
    try:
        device.new(1, "9.0.0")
        device.settle(1)
        device.new(2, "9.1.0", deadline=2)
        ballast = fill(root)
        assert device.ends_as("rolled-back")["helper"] == "9.0.0"
        ballast.unlink()

        device.new(3, "9.2.0")
        device.settle(3)
        fill(root)
        assert device.settle(3, "rollback").rc == 0
        fields = device.says()
        assert (fields["helper"], fields["active"]) == ("9.0.0", "yes")
    finally:
        device.close()
        subprocess.run(["umount", "-l", str(root / "run")], check=True)
        subprocess.run(["umount", "-l", str(root)], check=True)
