"""A payload made of a patch and of what runs: `rebuild`, and that a whole delivery never needs it."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.device.protocol import Reply
from tests.device import slots_kit
from tests.device.kit import DELTA, Device, Release, frame_bytes, sha, single_file, txn

pytestmark = pytest.mark.skipif(not shutil.which("xdelta3"), reason="xdelta3 is not installed")
OLD = random.Random(1).randbytes(300_000)
NEW = OLD[:100_000] + b"something else" + OLD[100_200:]
FILE = "data/0000/app.conf"


@pytest.fixture
def device(device: Device) -> Device:
    """It runs OLD, and has the tool."""
    if device.shell.name == "busybox":
        tool = Path(device.shell.path) / "xdelta3"
        tool.unlink(missing_ok=True)
        tool.symlink_to(str(shutil.which("xdelta3")))
    device.release(1, single_file("r1", OLD))
    return device


def patch(tmp_path: Path, old: bytes = OLD, new: bytes = NEW) -> bytes:
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    argv = ["xdelta3", "-e", "-f", "-S", "none", "-s", "old", "new", "patch"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    return (tmp_path / "patch").read_bytes()


def rebuild(device: Device, number: int, data: bytes, **more: object) -> Reply:
    words: dict[str, object] = {"name": FILE, "size": len(NEW), "sha": sha(NEW), "from": sha(OLD)}
    words |= {"had": len(OLD), "frames": 1} | more
    return device.do("rebuild", number, frame_bytes({"patch": data}), **words)


def has(device: Device, number: int) -> list[str]:
    """What the device holds of the payload file: size and hash, if anything."""
    held = device.ask(f"status txn={txn(number)}").all("have")
    return [line.removeprefix(f"{FILE} ") for line in held if line.startswith(FILE)]


def delivered(device: Device, number: int) -> None:
    """The delivery that follows works, with whatever the device has already."""
    frames = single_file("r2", NEW).frames(device.key)
    whole = [f"{len(NEW)} {sha(NEW)}"]
    offsets = {FILE: len(NEW)} if has(device, number) == whole else {}

    assert device.deliver(number, frames, offsets=offsets).rc == 0
    assert device.commit(number).rc == 0

    assert (device.root / "etc/app/app.conf").read_bytes() == NEW
    assert not list((device.root / "var/lib/rollout/spool").glob(".delta*"))


def refused(device: Device, reply: Reply, why: str) -> None:
    assert (reply.rc, reply.fields["reason"]) == (74, "io")
    assert why in reply.detail
    assert has(device, 2) == []
    delivered(device, 2)


def test_only_the_difference_travels(device: Device, tmp_path: Path):
    data = patch(tmp_path)
    assert len(data) < 1000

    reply = rebuild(device, 2, data)

    assert (reply.rc, reply.fields["state"]) == (0, "staging")
    assert has(device, 2) == [f"{len(NEW)} {sha(NEW)}"]
    delivered(device, 2)


def test_device_names_the_tool_among_its_facts(device: Device):
    assert device.ask("facts").fields["delta"] == "xdelta3"


def test_device_without_the_tool_says_so_and_takes_the_whole(device: Device, tmp_path: Path):
    data = patch(tmp_path)
    delta = device.root / "usr/lib/rollout/delta.sh"
    delta.write_text(delta.read_text().replace("xdelta3", "xdelta3-none"))

    assert "delta" not in device.ask("facts").fields
    refused(device, rebuild(device, 2, data), "has no xdelta3")


@pytest.mark.parametrize("more", [{"from": sha(b"x")}, {"had": len(OLD) - 1}])
def test_patch_for_something_else_is_no_use(
    device: Device, tmp_path: Path, more: dict[str, object]
):
    reply = rebuild(device, 2, patch(tmp_path), **more)

    refused(device, reply, "what runs is not what the patch is for")


def test_what_runs_is_not_used_once_somebody_changed_it(device: Device, tmp_path: Path):
    (device.root / "etc/app/app.conf").write_bytes(b"by hand")

    refused(device, rebuild(device, 2, patch(tmp_path)), "what runs is not what the patch is for")


@pytest.mark.parametrize("spoilt", ["cut", "bits", "empty", "garbage", "another"])
def test_spoilt_patch_leads_nowhere(device: Device, tmp_path: Path, spoilt: str):
    data = patch(tmp_path)
    at = len(data) // 2
    bad = {
        "cut": data[:at],
        "bits": data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :],
        "empty": b"",
        "garbage": random.Random(2).randbytes(5000),
        "another": patch(tmp_path, OLD, NEW + b"more"),
    }[spoilt]

    refused(device, rebuild(device, 2, bad), "the patch does not lead to the file that it is for")


def test_tiny_patch_that_would_fill_the_disk_fills_nothing(device: Device, tmp_path: Path):
    """A hundred bytes that make 64 MiB: it is ended one byte after the size that was named."""
    with (tmp_path / "new").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    (tmp_path / "old").write_bytes(OLD)
    argv = ["xdelta3", "-e", "-f", "-S", "none", "-W", "16777216", "-s", "old", "new", "patch"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    bomb = (tmp_path / "patch").read_bytes()
    assert len(bomb) < 200

    argv = [str(device.root / "usr/lib/rollout/delta.sh"), "make", str(tmp_path)]
    made = subprocess.run(
        [*argv, str(len(NEW)), sha(NEW)],
        env=device.environment(),
        capture_output=True,
        check=False,
    )

    assert made.returncode == 1
    assert (tmp_path / "new").stat().st_size == len(NEW) + 1
    refused(device, rebuild(device, 2, bomb), "the patch does not lead to the file that it is for")


def test_patch_that_takes_much_memory_leads_nowhere(tmp_path: Path):
    """Played by the test: xdelta3 3.0 limits its windows itself, others need not."""
    greedy = tmp_path / "xdelta3"
    greedy.write_text("#!/bin/sh\nawk 'BEGIN { for (s = \"x\"; length(s) < 5e8; ) s = s s }'\n")
    greedy.chmod(0o755)
    for name in ("old", "patch"):
        (tmp_path / name).write_bytes(b"")
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    done = subprocess.run(
        [DELTA, "make", tmp_path, "1", sha(b"x")],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, b"does not lead to the file" in done.stdout) == (1, True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(used, 300_000)  # KiB


@pytest.mark.parametrize("size", [len(NEW) - 1, len(NEW) + 1])
def test_size_that_is_not_that_of_the_file_leads_nowhere(device: Device, tmp_path: Path, size: int):
    reply = rebuild(device, 2, patch(tmp_path), size=size)

    refused(device, reply, "the patch does not lead to the file that it is for")


def test_patch_that_did_not_arrive_whole_is_not_looked_at(device: Device, tmp_path: Path):
    data = patch(tmp_path)
    stdin = frame_bytes({"patch": data}).replace(data, data[:-1] + b"\0")
    words = {"name": FILE, "size": len(NEW), "sha": sha(NEW), "from": sha(OLD), "had": len(OLD)}

    reply = device.do("rebuild", 2, stdin, frames=1, **words)

    refused(device, reply, "the patch differs from its checksum")


def test_what_is_rebuilt_is_verified_like_everything(device: Device, tmp_path: Path):
    """Another file than the signed one: the controller wants it so, and the core refuses it."""
    wrong = NEW + b"backdoor"
    data = patch(tmp_path, OLD, wrong)
    assert rebuild(device, 2, data, size=len(wrong), sha=sha(wrong)).rc == 0
    frames = single_file("r2", NEW).frames(device.key)
    frames[FILE] = wrong

    reply = device.deliver(2, frames, offsets={FILE: len(wrong)})

    assert (reply.rc, reply.fields["reason"]) == (65, "denied")
    assert (device.root / "etc/app/app.conf").read_bytes() == OLD


@pytest.mark.parametrize("left", ["old", "patch", "new"])
def test_power_cut_in_a_rebuild_leaves_nothing_in_the_way(
    device: Device, tmp_path: Path, left: str
):
    data = patch(tmp_path)
    held = tmp_path / "held"
    os.mkfifo(held)
    delta = device.root / "usr/lib/rollout/delta.sh"
    text = delta.read_text()
    assert "\nset -fu\n" in text
    delta.write_text(text.replace("\nset -fu\n", f"\nset -fu\n: >{held}\nkill -STOP $$\n"))
    words = {"name": FILE, "size": len(NEW), "sha": sha(NEW), "from": sha(OLD), "had": len(OLD)}
    words |= {"txn": txn(2), "controller": "lab", "epoch": 1, "frames": 1}
    line = " ".join(["rebuild", *(f"{k}={v}" for k, v in words.items())])
    process = device.start(line, frame_bytes({"patch": data}))
    spool = device.root / "var/lib/rollout/spool/.delta-main"
    with held.open("rb"):  # delta.sh is at work
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    delta.write_text(text)
    device.boot("22222222-0000-0000-0000-000000000002")
    assert sorted(path.name for path in spool.iterdir()) == ["old", "patch"]
    (spool / left).write_bytes(b"half of it")

    if left == "new":
        assert rebuild(device, 2, data).rc == 0

    delivered(device, 2)


def test_running_slot_is_what_an_image_is_made_of(device: Device, tmp_path: Path):
    slots_kit.prepare(device.root)
    images = [slots_kit.payload(name)["system.img"] for name in ("r1", "r2")]

    def boot(number: int) -> None:
        slots_kit.boot(device.root)
        device.boot(f"55555555-0000-0000-0000-{number:012d}")
        assert device.hook("boot").returncode == 0

    first = Release("rootfs-image", "r1", payload={"system.img": images[0]})
    assert device.deliver(3, first.frames(device.key)).rc == 0
    boot(3)
    assert device.commit(3).rc == 0

    name = "data/0000/system.img"
    words = {"name": name, "size": len(images[1]), "sha": sha(images[1])}
    words |= {"from": sha(images[0]), "had": len(images[0])}
    reply = rebuild(device, 4, patch(tmp_path, *images), **words)
    assert reply.rc == 0, reply
    second = Release("rootfs-image", "r2", payload={"system.img": images[1]})
    offsets = {name: len(images[1])}
    assert device.deliver(4, second.frames(device.key), offsets=offsets).rc == 0
    boot(4)
    assert device.commit(4).rc == 0
    assert slots_kit.running(device.root) == "r2"


@pytest.mark.parametrize(
    "more",
    [{"name": "manifest"}, {"frames": 2}, {"name": "data/0000/../x"}, {"from": "x"}, {"had": "x"}],
)
def test_request_that_does_not_fit_changes_nothing(device: Device, more: dict[str, object]):
    assert rebuild(device, 2, b"", **more).fields["reason"] == "usage"
