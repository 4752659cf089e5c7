"""Clocks that jump, boots that never end, and boots that nothing tells apart."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.device.executor_kit import KILLED, Executor
from tests.device.kit import Device, Shell, directory, txn

NEXT_BOOT = "22222222-0000-0000-0000-000000000002"
BOOTS_MAX = 10
OFTEN = "was cut off again and again"


@pytest.fixture
def executor(tmp_path: Path, one_shell: Shell) -> Executor:
    return Executor(tmp_path / "device", one_shell)


def rewrite(device: Device, pattern: str, text: str) -> None:
    """The state as another clock would have written it, with its checksum."""
    copies = device.root.glob("var/lib/rollout/component/main/state.?")
    newer = max(copies, key=lambda path: int(path.read_text().split()[1]))
    lines, _, _ = newer.read_text().partition("sum ")
    changed, count = re.subn(pattern, text, lines, count=1, flags=re.MULTILINE)
    assert count == 1
    newer.write_text(f"{changed}sum {hashlib.sha256(changed.encode()).hexdigest()}\n")


@pytest.mark.parametrize("verb", ["commit", "left"])
def test_a_machine_that_goes_down_at_each_commit_is_not_booted_for_ever(
    executor: Executor, verb: str
):
    name = {"commit": "ArtifactCommit", "left": "ArtifactCommit_Leave_00"}[verb]
    executor.script("ArtifactCommit_Leave_00")
    executor.act("kill", name)
    (executor.acts / "forever").touch()
    ends = []
    while len(ends) < BOOTS_MAX and KILLED in (ends or [KILLED])[-1:]:
        rc, said = executor.run(verb)
        ends.append(rc)
        executor.boot()

    assert ends == [KILLED] * 6 + [1]
    assert OFTEN in said
    assert executor.log.count(name) == 6


def test_going_back_is_counted_where_the_disk_is_full(executor: Executor):
    """A module that wants a reboot each time it is asked, and no room to write down what was done."""
    executor.act("say", "SupportsRollback", "Yes\n")
    executor.act("say", "NeedsArtifactReboot", "Automatic\n")
    assert executor.run("install")[0] == 0
    (executor.work / "step.new").mkdir()  # as good as no room

    assert executor.run("back")[0] == 3
    executor.boot()

    assert executor.run("back") == (0, "")
    assert executor.log.count("ArtifactRollback") == 1


def test_a_reboot_that_does_not_come_is_asked_for_again_whatever_the_clock_says(
    executor: Executor,
):
    executor.act("say", "SupportsRollback", "Yes\n")
    executor.act("say", "NeedsArtifactReboot", "Automatic\n")
    assert executor.run("back")[0] == 3
    step = executor.work / "step"
    words, uptime_s, _ = step.read_text().split("\n")
    step.write_text(f"{words}\n{int(uptime_s) - 400}\n")

    assert executor.run("back")[0] == 3

    assert step.read_text().split()[1] == "1"


def test_a_boot_whose_id_is_that_of_the_one_before_is_told_by_its_uptime(one: Device):
    one.release(1, directory("r1"))
    assert one.deliver(2, directory("r2").frames(one.key)).rc == 0
    one.close()
    rewrite(one, r"^deadline .*", "deadline 999999999")

    assert one.hook("boot").returncode == 0

    fields = one.fields()
    assert (fields["state"], fields["reverted"]) == ("rolled-back", txn(2))


def test_the_rollback_window_bears_a_clock_that_was_wrong_at_the_commit(one: Device):
    one.release(1, directory("r1"))
    one.release(2, directory("r2"))
    rewrite(one, r"^(cur .* )[0-9]+$", r"\g<1>100")  # in 1970

    assert one.do("rollback", 2).rc == 0
