"""One module and one artifact below Mender's own client and below our executor: the same calls.

Two differences are meant. The client cleans up right after a commit; we when the next release is
committed, as a rollback is possible until then. And a rollback that was ordered ends with the state
ArtifactFailure here, as in the client since 4.0 (seen with 5.1), but not yet in the 3.4 of Debian.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.device.kit import Device, Key, Shell
from tests.integration.mender_kit import NEW, OLD, Client, frames_of, missing

pytestmark = [pytest.mark.integration, pytest.mark.root]

# A module, and each script. It logs states, not queries: which are asked, and when, differs from
# version to version of the client.
LOGGER = """#!/bin/sh
at=AT
case $0 in *scripts/*) echo "${0##*/} $#" >>"$at/log" && exit ;; esac
case $1 in
  SupportsRollback) cat "$at/rollback" && exit ;;
  NeedsArtifactReboot) echo No && exit ;;
  Download | Artifact* | Cleanup) ;;
  *) exit ;;
esac
echo "$1 $# $([ "$PWD" = "$2" ] && echo in its tree)" >>"$at/log"
[ "$1" != ArtifactInstall ] || for file in version current_* header/* files/*; do
  echo "$(cat "$file")" >"$at/told.${file##*/}"
done
[ ! -f "$at/fail.$1" ]
"""
SCRIPTS = [
    f"Artifact{state}_{moment}_00"
    for state in ("Install", "Commit", "Rollback", "Failure")
    for moment in ("Enter", "Leave", "Error")
]
PAYLOAD = {"one": b"1\n"}
FAILURE = [
    "ArtifactFailure_Enter_00 0",
    "ArtifactFailure 2 in its tree",
    "ArtifactFailure_Leave_00 0",
]
CLEANUP = "Cleanup 2 in its tree"


@dataclass(frozen=True)
class Both:
    """The client, and a device of ours with the same module and key."""

    client: Client
    device: Device
    at: Path
    artifact: str

    def logs(self, theirs: Callable[[], None], ours: Callable[[], None]) -> list[list[str]]:
        """What is called, each in turn."""
        logs = []
        for act in (theirs, ours):
            (self.at / "log").write_text("")
            act()
            logs.append((self.at / "log").read_text().splitlines())
        return logs

    def told(self) -> dict[str, object]:
        """The files that the module found in its tree at the last install."""
        found: dict[str, object] = {}
        for file in self.at.glob("told.*"):
            text = file.read_text().strip()
            found[file.suffix] = json.loads(text) if text.startswith("{") else text
        return found


@pytest.fixture(params=[OLD, NEW])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Both]:
    if reason := missing(request.param):
        pytest.skip(reason)
    client, at = Client.make(tmp_path / "client", request.param), tmp_path / "at"
    device = Device(tmp_path / "device", Shell("sh", ("sh",), os.defpath), Key("ec"))
    public = (client.home / "public.pem").read_bytes()
    (device.root / "etc/rollout/keys/release.pem").write_bytes(public)
    at.mkdir()
    (at / "rollback").write_text("Yes\n")
    scripts = [at / name for name in SCRIPTS]
    modules = (client.home / "modules/log", device.root / "usr/lib/rollout/modules/log")
    for program in (*modules, *scripts):
        program.write_text(LOGGER.replace("AT", str(at), 1))
        program.chmod(0o755)
    (at / "meta.json").write_text('{"a": 1}')
    more = [word for script in scripts for word in ("-s", str(script))]
    artifact = client.artifact("log", "r1", PAYLOAD, [*more, "-m", str(at / "meta.json")])
    yield Both(client, device, at, artifact)
    device.close()


def test_a_module_is_called_as_by_the_client(both: Both):
    frames = frames_of(both.artifact, PAYLOAD)

    def install() -> None:
        assert both.client.run("install", both.artifact).returncode == 0

    def deliver(number: int = 1) -> None:
        assert both.device.deliver(number, frames).rc == 0

    theirs, ours = both.logs(install, deliver)
    assert ours == theirs
    assert [line.split()[0] for line in ours][:3] == [
        "Download",
        "ArtifactInstall_Enter_00",
        "ArtifactInstall",
    ]

    theirs, ours = both.logs(lambda: both.client.run("commit"), lambda: both.device.commit(1))
    assert [*ours, CLEANUP] == theirs
    assert len(ours) == 3

    install()
    told = both.told()
    deliver(2)
    assert both.told() == told | {".current_artifact_name": "r1"}
    theirs, ours = both.logs(
        lambda: both.client.run("rollback"), lambda: both.device.do("rollback", 2)
    )
    missing_there = FAILURE if both.client.program == OLD else []
    assert [line for line in ours if line not in missing_there] == theirs
    assert ours[-4:] == [*FAILURE, CLEANUP]


@pytest.mark.parametrize("rollback", ["Yes", "No"])
def test_a_module_that_fails_to_install_is_called_as_by_the_client(both: Both, rollback: str):
    (both.at / "rollback").write_text(f"{rollback}\n")
    (both.at / "fail.ArtifactInstall").touch()

    theirs, ours = both.logs(
        lambda: both.client.run("install", both.artifact),
        lambda: both.device.deliver(1, frames_of(both.artifact, PAYLOAD)),
    )

    # where there is no way back, it may be tried again: the tree stays
    assert [*ours, *([CLEANUP] if rollback == "No" else [])] == theirs
    assert ("ArtifactRollback 2 in its tree" in ours) == (rollback == "Yes")


def test_a_module_that_fails_to_commit_is_called_as_by_the_client(both: Both):
    (both.at / "fail.ArtifactCommit").touch()
    both.client.run("install", both.artifact)
    both.device.deliver(1, frames_of(both.artifact, PAYLOAD))

    theirs, ours = both.logs(lambda: both.client.run("commit"), lambda: both.device.commit(1))

    assert ours == theirs
    assert "ArtifactCommit_Error_00 0" in ours
