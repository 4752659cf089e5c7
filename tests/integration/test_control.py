"""Approvals, cron-like ticks and rollback by pattern, with the real command line on the lab."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from orchestrator.api.owners import person
from orchestrator.errors import ExitCode
from tests.children import child
from tests.integration.project import GATES, Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
SOAK_S = 6.0  # longer than a tick takes to come so far


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    people = f"{person().partition('@')[0]}=ops"
    found = Project(tmp_path_factory.mktemp("control"), devices=2, env={"ROLLOUT_PEOPLE": people})
    found.up()
    try:
        yield found
    finally:
        found.down()


def status(project: Project) -> dict[str, object]:
    return dict(json.loads(project.run("status", "--format", "json").stdout))


def test_rollout_goes_through_its_approvals_in_ticks(project: Project) -> None:
    """`apply` begins it, people approve, cron brings it on; no process stays."""
    project.directory_release("1.0")
    waves = (
        f"[{{name: canary, size: 1, soak: {SOAK_S:.0f}s}}, "
        "{name: broad, size: rest, approval: {from: [ops]}}]"
    )
    plan = project.plan("app-1.0", waves=waves, more=f"approval: {{from: [ops]}}\n{GATES}")

    project.apply(plan, code=ExitCode.WAITING)
    assert status(project)["state"] == "awaiting_approval"
    assert "nothing to do" not in project.run("approve", "--reason", "reviewed").stderr
    soaking = project.run("reconcile", "--once", code=ExitCode.WAITING).stdout
    assert "running, waits for soak" in soaking
    while "waits for soak" in soaking:  # each tick takes about a second
        soaking = project.run("reconcile", "--once", code=ExitCode.WAITING).stdout
    assert "paused, waits for approval" in soaking
    project.run("approve", "--wave", "broad")
    done = project.run("reconcile", "--once").stdout

    assert ": succeeded\n" in done
    assert project.run("reconcile", "--once").stdout == ""
    assert {one["artifact"] for one in project.facts().values()} == {"app-1.0"}


def test_devices_of_a_paused_rollout_come_to_their_end_without_its_engine(
    project: Project,
) -> None:
    project.directory_release("1.0.1")
    earlier = _newest(project)
    gate = "{name: settled, check: app, success_when: result.exit == 0, initial_delay: 15s}"
    plan = project.plan("app-1.0.1", waves="[rest]", more=f"max_failures: 1\ngates: [{gate}]\n")
    command = project.command("apply", plan, "-i", project.inventory, "--yes")
    quiet = subprocess.DEVNULL
    with child(
        command, cwd=project.root, env=project.environment(), stdout=quiet, stderr=quiet
    ) as engine:
        while _newest(project) == earlier or "to: verifying" not in _states(project):
            assert engine.poll() is None, _states(project)
        project.run("pause", "--reason", "lunch")
        engine.kill()

    left = status(project)
    brought = project.run("reconcile", "--once").stdout
    again = project.run("reconcile", "--once").stdout

    assert (left["state"], brought, again) == ("paused", "", "")
    assert _states(project).count("to: succeeded") == 2
    assert "app-1.0.1" in {one["artifact"] for one in project.facts().values()}
    project.run("abort", code=ExitCode.HALTED)


def _newest(project: Project) -> str:
    """The id of the newest rollout; empty before the first."""
    told = project.run("status", "--format", "json", code=None).stdout
    return str(json.loads(told)["rollout"]) if told else ""


def _states(project: Project) -> list[str]:
    told = project.run("events", "--format", "jsonl", code=None).stdout
    found = [json.loads(line) for line in told.splitlines()]
    return [f"to: {one['data']['to']}" for one in found if one["type"] == "device_state"]


def test_rollback_by_pattern_takes_back_what_it_matches(project: Project) -> None:
    device = "lab-01"
    project.apply(project.directory_release("1.1"))

    refused = project.run(
        "rollback",
        "--all",
        "--hosts",
        device,
        "-i",
        project.inventory,
        "--yes",
        code=ExitCode.REFUSED,
    )
    project.run("rollback", "--hosts", device, "--yes")  # of the inventory that it was applied with

    assert "`--all` stands for every device" in refused.stderr
    runs = {name: one["artifact"] for name, one in project.facts().items()}
    assert [name for name, artifact in runs.items() if artifact != "app-1.1"] == [device]


def test_denied_rollout_touches_no_device(project: Project) -> None:
    project.directory_release("2.0")
    plan = project.plan("app-2.0", more=f"approval: {{from: [ops]}}\n{GATES}")
    project.apply(plan, code=ExitCode.WAITING)

    project.run("approve", "--deny", "--reason", "not on a Friday")
    again = project.run("approve", "--deny").stderr

    assert "nothing to do: it is over: rejected" in again
    assert (status(project)["state"], status(project)["exit_code"]) == (
        "rejected",
        ExitCode.REFUSED,
    )
    assert "app-2.0" not in {one["artifact"] for one in project.facts().values()}
