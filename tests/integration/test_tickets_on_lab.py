"""A fleet with a trust root, driven by the command line: no ticket, a ticket, another ticket."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.artifact.reader import read_artifact
from orchestrator.errors import ExitCode
from orchestrator.trust.keys import load_public_key
from tests.device.tickets import DAY_S, FLEET, Root, Signer, Ticket, signed
from tests.integration.project import GATES, Project

pytestmark = [pytest.mark.integration, pytest.mark.night]
DEVICES = 3


class RootedFleet:
    """A lab whose devices have a root, and the two people who release for it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.release = (Signer(), Signer())
        pem = load_public_key(project.root / "release.key.pub").pem.decode()
        build = "".join(pem.splitlines()[1:-1])
        self.root = Root((Signer(), Signer()), self.release, (build,))
        for number in range(1, DEVICES + 1):
            etc = project.device_root(f"lab-{number:02d}") / "etc/rollout"
            (etc / "root.txt").write_bytes(self.root.text)

    def issue(self, version: str, *, serial: int, **values: object) -> Path:
        """A ticket beside the artifact, signed by both."""
        path = self.project.root / f"app-{version}.mender"
        ticket = Ticket(b"", serial=serial, artifact=f"app-{version}", **values)  # type: ignore[arg-type]
        digest = read_artifact(path).manifest_sha256
        lines = [
            f"manifest-sha256 {digest}" if line.startswith("manifest-sha256") else line
            for line in ticket.lines
        ]
        text = "".join(f"{line}\n" for line in lines).encode()
        path.with_suffix(".ticket").write_bytes(text)
        path.with_suffix(".ticket.sig").write_bytes(signed(text, self.release))
        return path.with_suffix(".ticket")

    def runs(self) -> set[str]:
        """What the devices run."""
        return {facts["artifact"] for facts in self.project.facts().values()}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[RootedFleet]:
    project = Project(tmp_path, devices=DEVICES)
    project.up()
    try:
        yield RootedFleet(project)
    finally:
        project.down()
        shutil.rmtree(tmp_path / ".rollout", ignore_errors=True)


def test_fleet_with_a_root_takes_releases_with_tickets_alone(fleet: RootedFleet) -> None:
    project = fleet.project
    plan = project.directory_release("1.0")

    bare = project.apply(plan, code=None)
    ran = fleet.runs()
    fleet.issue("1.0", serial=1, security=3)
    shown = project.run("preview", plan, "-i", project.inventory, code=None)
    done = project.apply(plan)
    facts = project.facts()

    assert bare.returncode != 0
    assert f"{DEVICES} no_ticket" in bare.stdout + bare.stderr
    assert ran == {"none"}
    assert f"serial 1 of fleet {FLEET}" in shown.stdout
    assert done.returncode == 0
    assert {one["artifact"] for one in facts.values()} == {"app-1.0"}
    assert {(one["root"], one["fleet"], one["serial"]) for one in facts.values()} == {
        ("1", FLEET, "1")
    }
    assert {one["security-floor"] for one in facts.values()} == {"3"}


def test_reasons_of_devices_reach_the_operator(fleet: RootedFleet) -> None:
    """A preview says them; without one the rollout halts at the first device that refuses."""
    project = fleet.project
    plan = project.directory_release("1.0")
    fleet.issue("1.0", serial=7)
    project.apply(plan)
    older = project.directory_release("2.0")
    fleet.issue("2.0", serial=6)

    foreseen = project.apply(older, code=None)
    project.run("preview", older, "-i", project.inventory, "--offline", "--out", "saved.plan")
    refused = project.run("apply", "saved.plan", "--yes", code=None)

    assert "it has seen serial 7, the ticket's is 6" in foreseen.stdout + foreseen.stderr
    assert refused.returncode != 0
    assert "a newer ticket was there" in refused.stdout + refused.stderr
    assert "ticket_serial" in json.dumps(project.events())
    assert fleet.runs() == {"app-1.0"}


def test_exchanged_ticket_is_not_sent_for_an_approved_plan(fleet: RootedFleet) -> None:
    project = fleet.project
    plan = project.directory_release("1.0")
    fleet.issue("1.0", serial=1)
    project.run("preview", plan, "-i", project.inventory, "--out", "saved.plan", code=None)
    fleet.issue("1.0", serial=2)

    refused = project.run("apply", "saved.plan", "--yes", code=None)

    assert refused.returncode != 0
    assert "P316" in refused.stdout + refused.stderr
    assert fleet.runs() == {"none"}


def test_devices_whose_turn_has_not_come_wait_and_hurt_nobody(fleet: RootedFleet) -> None:
    project = fleet.project
    project.directory_release("1.0")
    plan = project.plan("app-1.0", more=f"{GATES}retries: {{count: 0}}\n")
    fleet.issue("1.0", serial=1, opens=((100, int(time.time()) + DAY_S),), expires=2**33)

    early = project.apply(plan, code=None)
    told = project.run("status", code=None)

    assert early.returncode == ExitCode.WAITING
    assert "the release ticket: it lets 1 device begin at" in " ".join(told.stdout.split())
    assert fleet.runs() == {"none"}


def test_next_roots_come_one_after_the_other_and_count_at_once(fleet: RootedFleet) -> None:
    """A device that lacks two versions gets both; one signed by strangers is taken by none."""
    project, first = fleet.project, fleet.root
    second = first.next(root=(*first.root[:1], Signer(), Signer()))
    second = replace(second, root=(*second.root, first.root[1]))
    third = replace(second, version=3, release=(Signer(), Signer()))
    strangers = first.next(root=(Signer(), Signer()))
    files = {
        "root.2.txt": (second, first.root),
        "root.3.txt": (third, second.root),
        "strange.txt": (strangers, strangers.root),
    }
    for name, (root, signers) in files.items():
        (project.root / name).write_bytes(root.text)
        (project.root / f"{name}.sig").write_bytes(signed(root.text, signers))
    source = ("-i", project.inventory)

    refused = project.run("device", "root", "lab", "strange.txt", *source, code=None)
    skipped = project.run("device", "root", "lab", "root.3.txt", *source, code=None)
    project.run("device", "root", "lab", "root.3.txt", "root.2.txt", *source)
    again = project.run("device", "root", "lab", "root.2.txt", "root.3.txt", *source)
    plan = project.directory_release("1.0")
    fleet.issue("1.0", serial=1)
    old_keys = project.apply(plan, code=None)
    runs = fleet.runs()

    assert refused.returncode != 0
    assert (
        "root_signatures" in refused.stdout or "too few keys of the root before" in refused.stdout
    )
    assert skipped.returncode != 0
    assert {facts["root"] for facts in project.facts().values()} == {"3"}
    assert again.stdout.count("root") >= DEVICES
    assert old_keys.returncode != 0
    assert "too few release keys signed" in old_keys.stdout + old_keys.stderr
    assert runs == {"none"}


def test_whole_fleet_goes_back_from_a_committed_release_with_a_higher_security_version(
    fleet: RootedFleet,
) -> None:
    """Without a ticket: each device has kept the version before, and its floor waited for it."""
    project = fleet.project
    for serial, version in enumerate(("1.0", "2.0"), 1):
        plan = project.directory_release(version)
        fleet.issue(version, serial=serial, security=serial)
        project.apply(plan)
    committed = project.facts()

    project.run("rollback", "--yes")
    returned = project.facts()

    assert {(one["artifact"], one["security-floor"]) for one in committed.values()} == {
        ("app-2.0", "1")
    }
    assert {(one["artifact"], one["active"]) for one in returned.values()} == {("app-1.0", "yes")}
