"""The update module `mender`, with a client of the test; `test_installed_mender.py` has Debian's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device import mender_update_kit
from tests.device.kit import Shell
from tests.device.module_kit import Bench
from tests.device.module_subjects import SUBJECTS

MENDER = next(subject for subject in SUBJECTS if subject.kind == "mender")


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell) -> Bench:
    return Bench(tmp_path / "device", one_shell, MENDER)


def committed(bench: Bench) -> str:
    return (bench.root / "mender/committed").read_text().strip()


def pending(bench: Bench) -> str:
    return (bench.root / "mender/pending").read_text().strip()


def test_a_commit_is_proven_by_what_the_client_says_and_ends_the_way_back(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    assert committed(bench) == "factory"

    bench.do(release, "commit", "commit")
    assert (committed(bench), release.answer("ReadBack")) == ("r1", "active")
    rc, said = release.run("back")

    assert (rc, "does not support rollback" in said, bench.running) == (1, True, "r1")


def test_a_client_that_says_it_committed_but_runs_another_artifact_has_not(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    (bench.root / "mender/pending").write_text("")

    rc, said = release.run("commit")

    assert (rc, "does not say that r1 is installed" in said) == (1, True)


def test_an_artifact_that_wants_a_reboot_gets_one_in_both_directions(bench: Bench):
    release = bench.release("boots-1")
    bench.do(release, "install")

    assert release.run("activate") == (0, "Automatic")
    assert release.answer("ReadBack") == ""  # a boot loader may have gone back by itself
    assert release.run("reboot")[0] == 3
    release.boot()
    assert release.run("verify")[0] == 0
    assert release.run("back")[0] == 3
    release.boot()
    assert release.run("back")[0] == 0

    assert (bench.running, pending(bench)) == ("", "")


def test_an_artifact_that_cannot_go_back_says_so(bench: Bench):
    release = bench.release("oneway-1")
    bench.do(release, "install", "activate")

    assert release.answer("SupportsRollback") == "No"
    bench.do(release, "commit")
    assert release.answer("ReadBack") == "active"


def test_a_client_that_could_not_take_back_what_failed_is_reported(bench: Bench):
    release = bench.release("half-1")
    bench.do(release, "install")
    assert release.run("activate")[0] == 1

    rc, said = release.run("back")

    assert (rc, "does not say that it is where it was" in said) == (1, True)


def test_an_update_of_somebody_else_is_neither_replaced_nor_taken_back(bench: Bench):
    (bench.root / "mender/pending").write_text("factory\n")
    (bench.root / "mender/state").write_text("installed\n")
    (bench.root / "mender/content").write_text("theirs\n")
    release = bench.release("r1")
    bench.do(release, "install")

    rc, said = release.run("activate")
    assert (rc, "did not install the artifact (1)" in said) == (1, True)
    bench.do(release, "back", "cleanup")

    assert (bench.running, pending(bench)) == ("theirs", "factory")


def test_an_older_client_that_forgot_what_was_cut_off_is_not_believed(bench: Bench):
    release = bench.release("r1")
    forgets = bench.root / "programs/real-mender"
    forgets.write_text(mender_update_kit.CLIENT)
    forgets.chmod(0o755)
    (bench.root / "programs/mender").write_bytes(forgets.read_bytes())
    (bench.root / "programs/mender").chmod(0o755)
    (bench.root / "programs/mender-update").unlink()
    bench.do(release, "install")
    killed = """for who in module executor; do
      read -r pid _ <"$ROLLOUT_ROOT/run/rollout/$who" && kill -9 "-$pid"
    done"""
    (bench.root / "programs/mender").write_text(
        mender_update_kit.CLIENT.replace(
            'echo installing >"$at/state"', f': >"$at/pending"\n{killed}'
        )
    )
    release.run("activate")
    release.boot()
    (bench.root / "programs/mender").write_bytes(forgets.read_bytes())

    rc, said = release.run("back")

    assert (rc, "does not know what it was doing" in said) == (1, True)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.mender": b"no artifact"}, "the payload's name cannot be read"),
        ({"a.mender": b"1", "b.mender": b"2"}, "the payload is not one artifact"),
        ({"a.img": b"1"}, "the payload is not one artifact"),
    ],
)
def test_the_payload_is_checked(bench: Bench, files: dict[str, bytes], why: str):
    release = bench.release("r1")
    for file in (release.work / "payload").iterdir():
        file.unlink()
    release.payload(files)

    rc, said = release.run("install")

    assert (rc, why in said) == (1, True)


def called(name: str, *, as_it_is: bool = False) -> dict[str, bytes]:
    """An artifact of that name as Mender's tools write it, which is in Go."""
    made = mender_update_kit.payload("NAME", written=name if as_it_is else go(name))
    return {"app.mender": made["app.mender"]}


def go(name: str) -> str:
    for char in "&<>":
        name = name.replace(char, f"\\u{ord(char):04x}")
    return name


def test_a_name_is_compared_as_the_client_shows_it(bench: Bench):
    release = bench.release("r1")
    release.payload(called("r1 & <r2>"))

    bench.do(release, "install")

    assert (release.tree / ".mender/name").read_text() == "r1 & <r2>\n"


@pytest.mark.parametrize("name", ['say \\"r1\\"', "back\\\\slash", "\\u00e9", "\\u0022"])
def test_a_name_that_cannot_be_compared_is_refused_before_anything_changes(bench: Bench, name: str):
    release = bench.release("r1")
    release.payload(called(name, as_it_is=True))

    rc, said = release.run("install")

    assert (rc, "characters that cannot be compared" in said) == (1, True)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_client_that_talks_without_end_or_is_cut_off_is_no_evidence(bench: Bench, end: str):
    release = bench.release("r1")
    bench.do(release, "install", "activate", "commit")
    client = bench.root / "programs/real-mender-update"
    told = f"printf 'artifact_name=r1{end}'"
    client.write_text(f"#!/bin/sh\n{told}\n")
    assert release.answer("ReadBack") == "active"

    client.write_text(f"#!/bin/sh\n{told}\nexec yes")
    assert release.answer("ReadBack") == ""
    client.write_text(f"#!/bin/sh\n{told}\nexit 1")
    assert release.answer("ReadBack") == ""


def test_a_client_that_says_nothing_is_no_evidence(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    (bench.root / "mender/silent").touch()

    assert release.answer("ReadBack") == ""
    assert release.run("commit")[0] == 1


def test_a_device_without_a_client_refuses(bench: Bench):
    (bench.root / "etc/mender/mender.conf").unlink()

    rc, said = bench.release("r1").run("install")

    assert (rc, "no Mender client" in said) == (1, True)


def test_a_client_that_was_killed_has_taken_nothing_back(bench: Bench):
    """What show-provides lists does not tell: it is as before until the commit."""
    first, release = bench.release("r1"), bench.release("killed-1")
    bench.do(first, "install", "activate", "commit")
    bench.do(release, "install")
    assert release.run("activate")[0] == 1
    assert (bench.running, pending(bench)) == ("killed-1", "r1")

    bench.do(release, "back")

    assert (bench.running, pending(bench)) == ("r1", "")


def test_a_commit_that_was_cut_off_at_its_end_is_finished(bench: Bench):
    """By what only `resume` does; `commit` says 1 then, as Mender's own says it."""
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    (bench.root / "mender/state").write_text("cleaning\n")

    bench.do(release, "commit")

    assert (committed(bench), bench.running, pending(bench)) == ("r1", "r1", "")
