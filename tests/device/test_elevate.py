"""The core as a process of its own, as on a host where only it is root."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.device.witness import Known, known_of, parameters
from tests.device.kit import Device, Key, Shell, directory, frame_bytes, sha, single_file, txn
from tests.device.tickets import People, Root, Signer, signed, ticketed


class SplitDevice(Device):
    """The protocol part reaches the core only through a command, which a log counts."""

    @property
    def argv(self) -> list[str]:
        wrapper = self.root / "usr/lib/rollout/core"
        if not wrapper.exists():
            helper = " ".join((*super().argv, "core"))
            wrapper.write_text(f'#!/bin/sh\necho "$1" >>{self.root}/calls\nexec {helper} "$@"\n')
            wrapper.chmod(0o755)
        return [*super().argv, "--elevate", f"env {wrapper}"]

    def hook(self, *words: str):
        raise NotImplementedError

    @property
    def calls(self) -> list[str]:
        return (self.root / "calls").read_text().split()


@pytest.fixture
def split(tmp_path: Path, shell: Shell, key: Key) -> Iterator[SplitDevice]:
    device = SplitDevice(tmp_path / "device", shell, key)
    yield device
    device.close()


def test_everything_that_changes_something_goes_through_the_core(split: SplitDevice):
    split.release(1, directory("r1"))
    assert split.calls == ["begin", "prepare", "activate", "readback", "commit"]

    fields = split.fields()
    assert (fields["artifact"], fields["active"]) == ("r1", "yes")
    assert split.deliver(2, single_file("r2").frames(split.key)).rc == 0
    assert split.do("rollback", 2).fields["state"] == "rolled-back"
    assert split.deliver(3, directory("r3").frames(split.key), go=b"").rc == 77
    assert split.do("gc", 3).rc == 0
    assert (split.root / "opt/app/version.txt").read_text() == "r1"


def test_tickets_and_roots_go_through_the_core(split: SplitDevice, root: Root, people: People):
    root.place(split)
    assert split.deliver(1, directory("r1").frames(split.key)).fields["reason"] == "no_ticket"
    assert split.deliver(2, ticketed(directory("r1"), split.key, people.release)).rc == 0
    assert split.commit(2).rc == 0
    text = root.next(release=(Signer(), Signer())).text
    frames = {"root": text, "root.sig": signed(text, people.root)}

    reply = split.ask("root controller=lab epoch=1 frames=2", frame_bytes(frames))

    assert reply.rc == 0
    assert split.calls[-2:] == ["root", "readback"]
    fields = split.fields()
    assert (fields["root"], fields["fleet"], fields["security-floor"]) == ("2", "acme-prod", "7")
    refused = split.deliver(3, ticketed(directory("r3"), split.key, people.release))
    assert refused.fields["reason"] == "ticket_signatures"


def test_refusals_of_the_core_reach_the_controller(split: SplitDevice):
    reply = split.deliver(1, directory("r1", device_types=("other",)).frames(split.key))
    assert (reply.rc, reply.fields["reason"]) == (69, "incompatible")
    assert [(step.name, step.rc) for step in reply.steps] == [("stage", 0), ("verify", 69)]

    reply = split.deliver(2, directory("r1", signature=b"AAAA").frames(split.key))
    assert (reply.rc, reply.fields["reason"]) == (65, "denied")

    split.deliver(3, directory("r1").frames(split.key))
    assert split.do("commit", 3, nonce="x").fields["reason"] == "stale_nonce"
    assert split.do("rollback", 3, controller="other").fields["reason"] == "fenced"


def test_a_core_that_cannot_be_reached_is_an_error(split: SplitDevice):
    assert split.argv
    (split.root / "usr/lib/rollout/core").chmod(0o644)

    reply = split.deliver(1, directory("r1").frames(split.key))

    assert (reply.rc, reply.fields["reason"]) == (74, "io")


def test_the_core_checks_its_arguments_itself(one: Device):
    words = {"txn": txn(1), "controller": "lab", "epoch": "1"}
    good = [f"{key}={value}" for key, value in words.items()]
    hostile = (
        [],
        ["begin"],
        ["begin", "txn=../../etc", "controller=lab", "epoch=1"],
        ["begin", *good, "component=../x"],
        ["begin", *good, "x=1"],
        ["begin", good[0], "controller=lab"],
        ["begin", *good, good[0]],
        ["lock", *good],
        ["module", *good],
        ["verify", *good[1:]],
    )
    for argv in hostile:
        done = one.hook("core", *argv)
        assert done.returncode == 64, argv
        assert b"reason usage" in done.stdout

    assert not list(one.root.glob("var/lib/rollout/component/*"))


def test_the_core_alone_verifies_what_lies_in_the_spool(one: Device):
    """Whoever may write to the spool and call the core can install only what is signed."""
    frames = directory("r1", signature=b"A" * 88).frames(one.key)
    for name, data in frames.items():
        one.do("stage", 1, data, name=name, size=len(data), sha=sha(data))
    good = (f"txn={txn(1)}", "controller=lab", "epoch=1")

    for verb in ("activate", "install"):
        assert one.hook("core", verb, *good).returncode == 78
    assert one.hook("core", "prepare", *good).returncode == 65
    assert not (one.root / "opt").exists()


def test_where_journals_stood_is_no_work_of_the_core(split: SplitDevice):
    assert split.do("gc", 1, **parameters("r-1", 5, "a" * 64)).rc == 0
    assert split.do("gc", 1, epoch=0, **parameters("r-1", 6, "b" * 64)).rc == 76

    assert known_of(split.ask("status")) == (Known("lab", "r-1", 5, "a" * 64),)
    assert split.calls == ["gc", "gc"]


def test_core_reads_out_what_runs_to_those_who_know_it(split: SplitDevice):
    content = b"secret, but for those who have it already"
    split.release(1, single_file("r1", content))
    core = ["kept", "component=main", "name=data/0000/app.conf"]
    program = [str(split.root / "usr/lib/rollout/core"), *core]

    def read(*words: str) -> bytes:
        done = subprocess.run(
            [*program, *words], env=split.environment(), capture_output=True, check=False
        )
        assert (done.returncode == 0) == bool(done.stdout)
        return done.stdout

    size, known = f"had={len(content)}", f"from={sha(content)}"
    assert read(size, known) == content
    for words in ([], [size], [known], [size, f"from={sha(b'x')}"], ["had=6", known]):
        assert read(*words) == b"", words
    (split.root / "etc/app/app.conf").write_bytes(b"by hand")
    assert read(size, known) == b""


@pytest.mark.skipif(not shutil.which("xdelta3"), reason="xdelta3 is not installed")
def test_patches_are_applied_outside_of_the_core(split: SplitDevice, tmp_path: Path):
    if split.shell.name == "busybox":
        pytest.skip("tests/device/test_delta.py has what differs there")
    old, new = bytes(range(256)) * 40, bytes(range(256)) * 41
    split.release(1, single_file("r1", old))
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    argv = ["xdelta3", "-e", "-f", "-s", "old", "new", "patch"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    words = {"name": "data/0000/app.conf", "size": len(new), "sha": sha(new), "frames": 1}
    words |= {"from": sha(old), "had": len(old)}

    reply = split.do(
        "rebuild", 2, frame_bytes({"patch": (tmp_path / "patch").read_bytes()}), **words
    )

    assert reply.rc == 0
    assert split.calls[-2:] == ["begin", "kept"]
