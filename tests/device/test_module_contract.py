"""One contract for all update modules: install, repeat, commit, back, loss of power, a full disk.

A device runs r1 and gets r2. After going back it is compared with what it was before, to the byte.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.device.disk_kit import fill, mount, why_not
from tests.device.kit import MODULES, Shell
from tests.device.module_kit import Bench, Subject
from tests.device.module_subjects import SUBJECTS

DISK_BYTES = 4 * 1024 * 1024
INODES = 2000
STEPS = ("install", "activate", "commit", "back", "cleanup")
BEFORE = {  # of a step: what has to be done before
    "install": (),
    "activate": ("install",),
    "commit": ("install", "activate"),
    "back": ("install", "activate"),
    "cleanup": ("install", "activate", "back"),
}


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name or subject.kind)
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def wired(tmp_path: Path, one_shell: Shell, subject: Subject) -> Bench:
    """Below a shell that finds every program by its PATH (busybox has its own inside)."""
    made = Bench(tmp_path / "device", one_shell, subject)
    made.first()
    return made


@pytest.fixture
def bench(tmp_path: Path, shell: Shell, subject: Subject) -> Bench:
    made = Bench(tmp_path / "device", shell, subject)
    made.first()
    return made


def test_a_release_is_installed_committed_and_taken_back(bench: Bench):
    before = bench.picture()
    release = bench.release("r2")

    bench.do(release, "install")
    assert bench.running == "r1"
    bench.do(release, "activate", "activate")  # a repeat changes nothing
    assert (bench.running, release.answer("ReadBack")) == ("r2", "active")
    if not bench.subject.final:
        bench.do(release, "commit", "commit")
        assert (bench.running, release.answer("ReadBack")) == ("r2", "active")
    bench.do(release, "back", "back")

    assert (bench.running, release.answer("ReadBack")) == ("r1", "inactive")
    bench.do(release, "cleanup", "cleanup")
    assert bench.picture() == before


def test_the_first_release_goes_without_a_trace(tmp_path: Path, shell: Shell, subject: Subject):
    bench = Bench(tmp_path / "device", shell, subject)
    release = bench.release("r1")
    before, running = bench.picture(), bench.running

    bench.do(release, "install", "activate", "back", "cleanup")

    assert bench.running == running
    assert bench.picture() == before


def test_a_release_that_fails_to_install_leaves_the_device_as_it_was(bench: Bench):
    before = bench.picture()
    release = bench.release("r2", bad=True)

    rc = release.run("install")[0] or release.run("activate")[0]
    assert rc == 1
    bench.do(release, "back", "cleanup")

    assert bench.running == "r1"
    assert bench.picture() == before


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted")
@pytest.mark.parametrize("left_bytes", [0, 20_000])
def test_a_full_disk_leaves_the_device_as_it_was(
    tmp_path: Path, one_shell: Shell, subject: Subject, left_bytes: int
):
    root = tmp_path / "device"
    root.mkdir()
    mount(root, DISK_BYTES)
    try:
        (root / "run").mkdir()
        mount(root / "run", DISK_BYTES)  # another file system than the disk, as on every system
        bench = Bench(root, one_shell, subject)
        bench.first()
        before = bench.picture()
        release = bench.release("r2")
        ballast = fill(root, left_bytes, "acts")

        if release.run("install")[0] == 0:
            release.run("activate")
            bench.do(release, "back")
        bench.do(release, "cleanup")

        ballast.unlink()
        assert bench.running == "r1"
        assert bench.picture() == before
    finally:
        for place in ("run", "."):
            subprocess.run(["umount", "-l", str(root / place)], check=True)


def leave_inodes(root: Path, shell: Shell, subject: Subject, left_count: int) -> None:
    """The contract where no file but a few can be made any more, though there is room."""
    root.mkdir()
    mount(root, 16 * DISK_BYTES, inodes=INODES)
    try:
        (root / "run").mkdir()
        mount(root / "run", DISK_BYTES)
        bench = Bench(root, shell, subject)
        bench.first()
        before = bench.picture()
        release = bench.release("r2")
        ballast = root / "acts/inodes"
        ballast.mkdir()
        with contextlib.suppress(OSError):
            for number in range(INODES):
                (ballast / str(number)).touch()
        for number in range(left_count):
            (ballast / str(number)).unlink()

        if release.run("install")[0] == 0:
            release.run("activate")
            bench.do(release, "back")
        bench.do(release, "cleanup")

        shutil.rmtree(ballast)
        assert bench.running == "r1"
        assert bench.picture() == before
    finally:
        for place in ("run", "."):
            subprocess.run(["umount", "-l", str(root / place)], check=True)


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted")
def test_packages_go_back_where_no_file_can_be_made_any_more(tmp_path: Path, one_shell: Shell):
    deb = next(subject for subject in SUBJECTS if subject.kind == "deb")

    leave_inodes(tmp_path / "device", one_shell, deb, 12)


@pytest.mark.night  # of each module, at several moments
@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted")
@pytest.mark.parametrize("left_count", [0, 3, 12, 40, 90, 120])
def test_a_disk_without_inodes_leaves_the_device_as_it_was(
    tmp_path: Path, one_shell: Shell, subject: Subject, left_count: int
):
    leave_inodes(tmp_path / "device", one_shell, subject, left_count)


def lose_power(bench: Bench, verb: str, call: int) -> bool:
    """At that call of a step of r2, if it makes so many; then it is finished or undone, as the core does it."""
    release = bench.release("r2")
    before, running = bench.picture(), bench.running
    bench.do(release, *BEFORE[verb])

    was_cut = bench.cut(release, verb, call)
    bench.boot(release)

    match verb:
        case "install":
            bench.do(release, "install", "activate")
            assert bench.running == "r2"
            bench.do(release, "back", "cleanup")
        case "commit":
            # the boot may have ended a trial that was not confirmed yet
            left = bench.subject.reboots and bench.running == running
            assert release.run("commit")[0] == 0 or left
            if bench.subject.final:
                assert bench.running == "r2"
                return was_cut
            bench.do(release, "back", "cleanup")
        case "activate" | "back":
            bench.do(release, "back", "cleanup")
        case _:
            bench.do(release, "cleanup")
    assert bench.running == running
    assert bench.picture() == before
    return was_cut


def test_a_loss_of_power_in_any_step_is_survived(wired: Bench):
    for verb, calls in wired.counted.items():  # of r1: about as many as of r2
        if calls:
            assert lose_power(wired, verb, max(1, calls * 2 // 3))
    assert lose_power(wired, "back", 3)
    lose_power(wired, "cleanup", 1)


def begun(tmp_path: Path, shell: Shell, subject: Subject, *, first: bool) -> Bench:
    """A device before its first release, or with one."""
    bench = Bench(tmp_path / "device", shell, subject)
    if not first:
        bench.first()
    return bench


@pytest.mark.night  # every call of every step: minutes for each module
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("verb", STEPS)
@pytest.mark.parametrize("first", [False, True])
def test_a_loss_of_power_at_any_moment_is_survived(
    tmp_path: Path, one_shell: Shell, subject: Subject, verb: str, first: bool
):
    bench = begun(tmp_path, one_shell, subject, first=first)
    call = 1
    while lose_power(bench, verb, call):
        call += 1


@pytest.mark.night  # seconds for each module and seed
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("first", [False, True])
def test_losses_of_power_one_after_the_other_are_survived(
    tmp_path: Path, one_shell: Shell, subject: Subject, seed: int, first: bool
):
    """In `activate`, then twice on the way back, at times without a boot, then in `cleanup`."""
    bench = begun(tmp_path, one_shell, subject, first=first)
    drawn = random.Random(seed)
    release = bench.release("r2")
    before, running = bench.picture(), bench.running
    bench.do(release, "install")

    bench.cut(release, "activate", drawn.randint(1, bench.counted.get("activate") or 40))
    bench.boot(release)
    for _ in range(2):
        bench.cut(release, "back", drawn.randint(1, 25))
        if drawn.random() < 0.7:
            bench.boot(release)
    bench.do(release, "back")
    bench.cut(release, "cleanup", drawn.randint(1, 8))
    bench.boot(release)
    bench.do(release, "cleanup")

    assert bench.running == running
    assert bench.picture() == before


def test_every_module_is_held_to_this() -> None:
    of_its_own = {"rollout-helper"}  # test_helper_power.py
    assert {subject.kind for subject in SUBJECTS} == {
        module.name for module in MODULES.iterdir() if module.name not in of_its_own
    }
