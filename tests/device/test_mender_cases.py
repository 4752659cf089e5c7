"""The executor goes through the states that Mender's client goes through, in 76 of its 92 situations.

`update` is what the root core does with the executor's answers: it asks for the next step, and after a
loss of power begins with what its record says. The other 16 are listed with the reason in `mender_cases`.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from tests.device.executor_kit import KILLED, Executor
from tests.device.kit import Shell
from tests.device.mender_cases import ENDLESS, NOT_OURS, Case, Outcome, cases

ALL = cases()
absent = pytest.mark.skipif(not ALL, reason="mender-state-cases.json is not beside the project")


def prepared(case: Case, at: Path, shell: Shell) -> Executor:
    executor = Executor(at, shell)
    executor.scripts()
    for what, names in (("fail", case.fails), ("kill", case.killed), ("hang", case.hangs)):
        for name in names:
            executor.act(what, name)
    if case.forever:
        executor.act("forever", "")
        (executor.acts / "forever.").rename(executor.acts / "forever")
    if case.hangs:
        executor.limit("module-timeout", 1)
    executor.act("say", "SupportsRollback", "Yes\n" if case.rollback else "No\n")
    executor.act("say", "NeedsArtifactReboot", "Yes\n" if case.reboot else "No\n")
    if case.sizes == "Yes" or case.sizes == "No":
        executor.act("say", "ProvidePayloadFileSizes", f"{case.sizes}\n")
    return executor


def done(executor: Executor, verb: str) -> tuple[int, str]:
    """One step; after a loss of power the device boots, and the caller sees what its record says."""
    rc, said = executor.run(verb)
    if rc == KILLED:
        executor.boot()
    return rc, said


def back(executor: Executor) -> Outcome:
    while (rc := done(executor, "back")[0]) == KILLED:
        pass
    return Outcome.INCONSISTENT if rc else Outcome.BACK


def update(executor: Executor, stop_before: str) -> Outcome:
    if done(executor, "install")[0] or stop_before == "activate":
        return Outcome.BACK
    rc, reboot = done(executor, "activate")
    if rc or stop_before == "reboot":
        return back(executor)
    if reboot:
        rc, _ = done(executor, "reboot")
        if rc not in (0, KILLED) or done(executor, "verify")[0]:
            return back(executor)
    if stop_before == "commit" or (rc := done(executor, "commit")[0]):
        return back(executor)
    while (rc := done(executor, "left")[0]) == KILLED:
        pass
    return Outcome.INCONSISTENT if rc else Outcome.INSTALLED


def clean(executor: Executor) -> None:
    while done(executor, "cleanup")[0] == KILLED:
        pass


@absent
@pytest.mark.parametrize("name", [case.name for case in ALL if case.name not in NOT_OURS])
def test_states_follow_each_other_as_in_menders_client(tmp_path: Path, shell: Shell, name: str):
    (case,) = [case for case in ALL if case.name == name]
    executor = prepared(case, tmp_path, shell)

    outcome = update(executor, case.rolled_back_before)
    clean(executor)

    assert outcome == case.outcome
    if case.name in ENDLESS:
        chain = case.chain[: len(executor.log)]
        assert dict(groupby(executor.log)).keys() >= dict(groupby(chain)).keys()
        assert executor.log[-1] == "Cleanup"
    else:
        assert executor.log == list(case.chain)


@absent
def test_every_stored_case_is_run_or_has_a_reason():
    names = {case.name for case in ALL}

    assert len(ALL) == 92
    assert names >= set(NOT_OURS) | set(ENDLESS)
