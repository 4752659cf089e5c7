"""The update module `rauc`, with a RAUC of the test; `test_installed_rauc.py` has Debian's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device import rauc_kit
from tests.device.kit import Shell
from tests.device.module_kit import Bench
from tests.device.module_subjects import SUBJECTS
from tests.device.rauc_kit import put, value

RAUC = next(subject for subject in SUBJECTS if subject.kind == "rauc")


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell) -> Bench:
    made = Bench(tmp_path / "device", one_shell, RAUC)
    made.first()
    return made


def slots(bench: Bench) -> tuple[str, str, str]:
    """What boots next, and the states of both slots; r1 runs in B."""
    return (value(bench.root, "primary"), *(value(bench.root, f"state.{slot}") for slot in "AB"))


def test_a_slot_that_does_not_come_up_is_left_without_another_boot(bench: Bench):
    release = bench.release("panic")
    bench.do(release, "install")
    assert release.run("activate") == (0, "Automatic")
    assert release.run("reboot")[0] == 3
    bench.boot(release)

    rc, said = release.run("verify")
    assert (rc, "slot rootfs.1 runs, not the new one" in said) == (1, True)
    bench.do(release, "back")

    assert (bench.running, slots(bench)) == ("r1", ("B", "bad", "good"))


def test_a_bundle_that_fails_on_its_way_is_marked_bad_and_asks_for_no_boot(bench: Bench):
    release = bench.release("r2", bad=True)
    bench.do(release, "install")

    assert release.run("activate")[0] == 1

    assert release.answer("NeedsArtifactReboot") == "No"
    assert release.run("back") == (0, "")
    assert slots(bench) == ("B", "bad", "good")


def test_going_back_is_refused_once_the_previous_slot_holds_another_bundle(bench: Bench):
    second, third = bench.release("r2"), bench.release("r3")
    bench.do(second, "install", "activate", "commit")
    bench.do(third, "install", "activate", "commit")

    rc, said = second.run("back")

    assert (rc, "slot rootfs.1 holds something else by now" in said) == (1, True)
    assert (bench.running, slots(bench)[0]) == ("r3", "B")


def test_going_back_waits_until_rauc_is_done(bench: Bench):
    release = bench.release("r2")
    bench.do(release, "install", "activate")
    put(bench.root, "busy", "7")

    bench.do(release, "back")

    assert (bench.running, slots(bench)) == ("r1", ("B", "bad", "good"))


def test_a_service_that_was_lost_on_the_way_is_a_failure_that_is_undone(bench: Bench):
    release = bench.release("r2")
    bench.do(release, "install")
    put(bench.root, "lost")

    rc, said = release.run("activate")
    assert (rc, "service was lost" in said) == (1, True)
    bench.do(release, "back")

    assert (bench.running, slots(bench)) == ("r1", ("B", "bad", "good"))


def test_a_rauc_that_activates_nothing_by_itself_is_told_to(bench: Bench):
    release = bench.release("r2")
    put(bench.root, "passive")

    bench.do(release, "install", "activate")

    assert (bench.running, slots(bench)[0]) == ("r2", "A")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.raucb": b"unsigned\n"}, "RAUC does not accept the bundle"),
        ({"a.raucb": b"foreign\n"}, "the bundle is for other, and this device is lab"),
        ({"a.raucb": b"r2\n", "b.raucb": b"r3\n"}, "the payload is not one bundle"),
        ({"a.img": b"r2\n"}, "the payload is not one bundle"),
    ],
)
def test_what_would_be_refused_later_is_refused_before_anything_changes(
    bench: Bench, files: dict[str, bytes], why: str
):
    before = slots(bench)
    release = bench.release("r2")
    for file in (release.work / "payload").iterdir():
        file.unlink()
    release.payload(files)

    rc, said = release.run("install")

    assert (rc, why in said, slots(bench)) == (1, True, before)


def test_read_back_sees_the_slot_that_runs_and_what_it_holds(bench: Bench):
    release = bench.release("r2")
    bench.do(release, "install", "activate")
    assert release.answer("ReadBack") == "active"

    put(bench.root, "status.A", f"{'0' * 64} 9")
    assert release.answer("ReadBack") == "inactive"


def test_a_rauc_that_says_nothing_is_no_evidence(bench: Bench):
    release = bench.release("r2")
    bench.do(release, "install", "activate")
    put(bench.root, "silent")

    assert release.run("commit")[0] == 1
    assert release.answer("ReadBack") == ""


def test_a_rauc_that_talks_without_end_is_no_evidence(bench: Bench):
    release = bench.release("r2")
    bench.do(release, "install", "activate")
    (bench.root / "programs/real-rauc").write_text("#!/bin/sh\nexec yes")

    assert release.answer("ReadBack") == ""


def test_slots_of_which_rauc_notes_nothing_cannot_be_trusted(bench: Bench):
    release = bench.release("r2")
    bench.do(release, "install")
    script = bench.root / "programs/real-rauc"
    script.write_text(rauc_kit.RAUC.replace('echo "${sum%% *} $((count + 1))"', 'echo "none 0"'))

    rc, said = release.run("activate")

    assert (rc, "needs a statusfile" in said) == (1, True)
    bench.do(release, "back")
    assert (bench.running, slots(bench)[0]) == ("r1", "B")


def test_a_device_without_rauc_does_not_name_it(tmp_path: Path, one_shell: Shell):
    bench = Bench(tmp_path / "device", one_shell, RAUC)
    (bench.root / "etc/rauc/system.conf").unlink()

    rc, said = bench.release("r1").run("install")

    assert (rc, "no RAUC" in said) == (1, True)
