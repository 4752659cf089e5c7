"""The main job on the real lab through the real command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.project import Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One lab for all tests, which run in any order: each looks at what it finds first."""
    found = Project(tmp_path_factory.mktemp("project"))
    found.up()
    try:
        found.apply(found.directory_release("1.0"))
        yield found
    finally:
        found.down()


def versions(project: Project) -> dict[str, str]:
    return {name: facts["artifact"] for name, facts in project.facts().items()}


def transactions(project: Project) -> dict[str, str]:
    return {name: facts["txn"] for name, facts in project.facts().items()}


def test_good_release_reaches_every_device_and_is_committed(project: Project) -> None:
    project.apply(project.directory_release("2.0"))

    facts = project.facts()
    assert len(facts) == project.devices
    for device in facts.values():
        assert device["artifact"] == "app-2.0"
        assert device["active"] == "yes"
        assert device["state"] == "committed"


def test_applying_what_runs_already_changes_nothing(project: Project) -> None:
    plan = project.directory_release("3.0")
    project.apply(plan)
    before = transactions(project)

    project.apply(plan)

    assert transactions(project) == before


def test_bad_release_is_stopped_in_its_canary_and_taken_back(project: Project) -> None:
    before = project.facts()
    bad = project.directory_release("4.0", healthy=False)

    done = project.apply(bad, code=5)

    after = project.facts()
    touched = [name for name in after if after[name]["txn"] != before[name]["txn"]]
    assert len(touched) == 1
    assert after[touched[0]]["artifact"] == before[touched[0]]["artifact"]
    assert after[touched[0]]["active"] == "yes"
    assert f"{project.devices - 1} devices were never touched" in done.stdout + done.stderr
    status = json.loads(project.run("status", "--format", "json", code=None).stdout)
    assert status["state"] == "rolled_back"
    assert status["exit_code"] == 5
    logs = project.run("logs", status["rollout"], touched[0], code=None).stdout
    assert "committed" not in logs
    assert "rolling back -> rolled back" in logs
    assert logs.index("-- activate\n") < logs.index("-- back\n")  # the device's own words


def test_unsigned_artifact_is_refused_before_any_device_is_contacted(project: Project) -> None:
    tree = project.root / "tree-1.0"
    project.run(
        "artifact", "build", "directory", tree, "--dest", "/opt/app", "--name", "unsigned",
        "--device-type", "lab", "--out", "unsigned.mender",
    )  # fmt: skip
    plan = project.plan("unsigned")
    before = transactions(project)

    done = project.apply(plan, code=1)

    assert "T111" in done.stderr
    assert transactions(project) == before


def test_device_refuses_what_another_key_signed(project: Project) -> None:
    project.run("key", "generate", "other.key")
    project.run(
        "artifact", "build", "directory", project.root / "tree-1.0", "--dest", "/opt/app",
        "--name", "foreign", "--device-type", "lab", "--key", "other.key", "--out", "foreign.mender",
    )  # fmt: skip
    plan = project.plan("foreign")
    before = versions(project)

    done = project.apply(plan, code=None)

    assert done.returncode in (4, 5), done.stderr
    assert "denied" in json.dumps(project.events())
    assert versions(project) == before
    rollout = json.loads(project.run("status", "--format", "json", code=None).stdout)
    assert rollout["state"] == "halted"
    project.run("abort", rollout["rollout"], code=None)  # until then it keeps its devices


def test_saved_plan_runs_exactly_or_is_refused_as_stale(project: Project) -> None:
    plan = project.directory_release("5.0")
    other = project.directory_release("5.1")
    before = versions(project)
    project.run("preview", plan, "-i", project.inventory, "--out", "saved.plan")
    project.run("preview", other, "-i", project.inventory, "--out", "other.plan")
    changed = plan.read_text().replace("50%", "40%")
    plan.write_text(changed)

    stale = project.run("apply", "saved.plan", "--yes", code=9)

    assert "changed" in stale.stderr
    assert versions(project) == before
    plan.write_text(changed.replace("40%", "50%"))
    project.run("apply", "saved.plan", "--yes")

    again = project.run("apply", "saved.plan", "--yes", code=9)
    assert "rolled out already" in again.stderr
    moved = project.run("apply", "other.plan", "--yes", code=9)
    assert "`app-5.0` now" in " ".join(moved.stderr.split())
    assert set(versions(project).values()) == {"app-5.0"}


def test_preview_says_with_its_exit_code_whether_anything_would_change(project: Project) -> None:
    project.directory_release("6.0")
    source = ("-i", str(project.inventory), "--detailed-exitcode")

    project.run("preview", "app-6.0.yml", *source, code=2)
    project.apply(project.root / "app-6.0.yml")
    project.run("preview", "app-6.0.yml", *source, code=0)


def test_offline_canary_is_replaced_by_the_next_device_and_follows(project: Project) -> None:
    plan = project.directory_release("7.0")
    preview = project.run("preview", plan, "-i", project.inventory, "--format", "json")
    first = json.loads(preview.stdout)["waves"][0]["devices"][0]["device"]
    project.run("lab", "break", first, "--mode", "offline")
    try:
        done = project.apply(plan, code=None)
    finally:
        project.run("lab", "break", first, "--mode", "none")

    found = versions(project)
    assert done.returncode == 7, done.stdout + done.stderr
    assert found.pop(first) != "app-7.0"
    assert set(found.values()) == {"app-7.0"}
    [listed] = [
        one
        for one in json.loads(project.run("status", "--all", "--format", "json").stdout)["rollouts"]
        if one["state"] == "catching_up"
    ]
    assert (listed["deferred"]["devices"], listed["waits_for"]) == (1, ["deferred"])
    shown = project.run("status", listed["rollout"]).stdout
    assert "1 device deferred: asked again at " in shown

    project.run("retry", listed["rollout"])

    assert versions(project)[first] == "app-7.0"


def swapped_host_keys(project: Project) -> Path:
    """The inventory of the lab with the host keys of its first two devices exchanged."""
    text = project.inventory.read_text()
    keys = [line for line in text.splitlines() if "rollout_host_keys" in line]
    inventory = project.root / "swapped.yml"
    inventory.write_text(text.replace(keys[0], "@").replace(keys[1], keys[0]).replace("@", keys[1]))
    return inventory


def test_changed_host_key_ends_all_contact_with_that_device(project: Project) -> None:
    plan = project.directory_release("8.0")
    inventory = swapped_host_keys(project)

    done = project.run("preview", plan, "-i", inventory, "--format", "json")

    skipped = {row["device"]: row["reason"] for row in json.loads(done.stdout)["skipped"]}
    assert skipped == {"lab-01": "host_key", "lab-02": "host_key"}


def test_nothing_to_do_is_not_done_where_devices_were_left_out(project: Project) -> None:
    plan = project.directory_release("9.0")
    project.apply(plan)

    done = project.run("apply", plan, "-i", swapped_host_keys(project), "--yes", code=3)

    assert "nothing to do" in done.stderr
    assert "2 devices were left out of the plan (host key not proven): lab-0{1,2}" in done.stderr


def test_state_lies_where_the_project_is(project: Project) -> None:
    path = project.root / ".rollout/state.db"

    assert path.stat().st_mode & 0o777 == 0o600
    assert not (Path(project.inventory).parent / "controller").exists()
