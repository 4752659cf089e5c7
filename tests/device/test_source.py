"""What holds of the programs' text: size of the core, portability, no forbidden constructs."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.device.kit import DELTA, EXECUTOR, HELPER, MODULES, REPORT, STREAMS, TRUST

CORE_LINES_MAX = 400
VERIFIER_LINES_MAX = 500  # of which the program for awk is a third
EXECUTOR_LINES_MAX = 300
LAUNCHER_LINES_MAX = 40
PROGRAMS = (HELPER, EXECUTOR, STREAMS, TRUST, REPORT, DELTA, *sorted(MODULES.iterdir()))
BEGIN, END = "# --- core begin ---", "# --- core end ---"


def test_core_is_small_enough_to_be_read_in_one_sitting():
    lines = HELPER.read_text().splitlines()

    inside = lines[lines.index(BEGIN) + 1 : lines.index(END)]

    assert lines.count(BEGIN) == lines.count(END) == 1
    assert len(inside) <= CORE_LINES_MAX


def test_verifier_is_small_and_cannot_activate():
    text = TRUST.read_text()

    assert text.count("\n") <= VERIFIER_LINES_MAX
    assert not re.search(r"\bmodules?/|component/|\bmv -T\b", text)


def test_only_the_core_starts_the_executor_and_only_that_changes_what_runs():
    text = HELPER.read_text()
    core = text[text.index(BEGIN) : text.index(END)]
    rest = text.replace(core, "")

    assert core.count("executor.sh") == 1
    assert "executor.sh" not in rest
    for state in ("ArtifactInstall", "ArtifactRollback", "ArtifactCommit", "Cleanup"):
        assert state not in text
        assert state in EXECUTOR.read_text()


def test_launcher_is_short_and_changes_nothing():
    """Whatever a release of the helper brings, this part of the one before is what leads to it."""
    text = HELPER.read_text()
    launcher = text.partition("# --- launcher begin ---\n")[2].partition("# --- launcher end ---")[
        0
    ]

    assert 0 < launcher.count("\n") <= LAUNCHER_LINES_MAX
    assert "\nnum() {" not in launcher
    assert not re.search(r"[^2]>|\b(rm|mv|ln|cp|touch|mkdir)\b", launcher)


def test_executor_is_small():
    assert EXECUTOR.read_text().count("\n") <= EXECUTOR_LINES_MAX


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_every_shell_can_read_it(program):
    for shell in (["dash"], ["busybox", "ash"], ["bash", "--posix"]):
        if shutil.which(shell[0]):
            done = subprocess.run([*shell, "-n", str(program)], capture_output=True, check=False)
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(program):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")

    done = subprocess.run(
        ["shellcheck", "-s", "sh", str(program)], capture_output=True, check=False, text=True
    )

    assert done.stdout == ""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_text_from_outside_is_never_run(program):
    code = re.sub(r"(^|\s)#.*", "", program.read_text())

    assert not re.search(r"(^|[;&|\s])(eval|source)\s", code)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_program_is_executable(program):
    assert program.stat().st_mode & 0o111 == 0o111
