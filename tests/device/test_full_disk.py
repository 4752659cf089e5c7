"""A disk that is really full: a small file system in memory below the device's root (root only)."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.kit import Device, Key, Shell, directory, sha, txn

SIZE_BYTES = 2 * 1024 * 1024


def why_not() -> str:
    """Why nothing can be mounted here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root to mount a small file system"
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        done = subprocess.run(probe, capture_output=True, check=False, timeout=10)
    except OSError:
        return "unshare is not installed"
    return "" if done.returncode == 0 else "nothing can be mounted here"


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


def mount(place: Path, size_bytes: int) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", str(place)]
    subprocess.run(command, check=True)


def fill(device: Device, left_bytes: int = 0, place: str = ".") -> Path:
    """Takes all room but some; gives the file that holds it."""
    ballast = device.root / place / "ballast"
    with ballast.open("ab", buffering=0) as file:
        room = os.statvfs(ballast)
        size_bytes = max(0, room.f_bavail * room.f_bsize - left_bytes)
        if size_bytes:
            os.posix_fallocate(file.fileno(), ballast.stat().st_size, size_bytes)
    return ballast


def as_before(device: Device) -> None:
    fields = device.fields()
    assert (fields["artifact"], fields["active"]) == ("r1", "yes")
    assert (device.root / "opt/app/version.txt").read_text() == "r1"


@pytest.mark.parametrize("left_bytes", [0, 4096, 40_000, 400_000, 700_000])
def test_delivery_to_a_disk_that_fills_leaves_the_device_as_it_was(small: Device, left_bytes: int):
    files = {"version.txt": b"r2", "big": random.Random(1).randbytes(300_000)}
    release = directory("r2", files)
    ballast = fill(small, left_bytes)

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
    ballast = fill(small, left_bytes)

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
    fill(small)

    reply = small.do("rollback", 2)

    assert (reply.rc, reply.fields["state"]) == (0, "rolled-back"), reply
    as_before(small)


def test_dead_man_and_boot_hook_go_back_on_a_full_disk(small: Device):
    assert small.deliver(2, directory("r2").frames(small.key)).rc == 0
    fill(small)

    small.boot("22222222-0000-0000-0000-000000000002")
    assert small.hook("boot").returncode == 0

    as_before(small)


def test_activation_on_a_full_disk_ends_on_the_old_version(small: Device):
    frames = directory("r2").frames(small.key)
    for name, data in frames.items():
        assert small.do("stage", 2, data, name=name, size=len(data), sha=sha(data)).rc == 0
    assert small.do("verify", 2).rc == 0
    assert small.do("install", 2).rc == 0
    fill(small)

    reply = small.do("activate", 2, deadline=300)

    if reply.rc == 0:
        assert small.do("rollback", 2).fields["state"] == "rolled-back"
    else:
        assert (reply.fields["reason"], reply.fields["state"]) == ("activate_failed", "rolled-back")
    as_before(small)


def test_a_full_run_directory_is_not_taken_for_another_request(small: Device):
    fill(small, place="run")

    reply = small.deliver(2, directory("r2").frames(small.key))

    assert (reply.rc, reply.fields["reason"]) == (74, "io"), reply
    as_before(small)
