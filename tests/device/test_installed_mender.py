"""The update module `mender` with the Mender clients that are installed here: Debian's, and a newer one where there is any."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.device.kit import Shell
from tests.device.module_kit import Bench, Subject
from tests.integration.mender_kit import MODULES_OF_CLIENT, NEW, OLD, Client, missing

pytestmark = pytest.mark.root


@pytest.fixture(params=[OLD, NEW])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    if why := missing(request.param):
        pytest.skip(why)
    if not (MODULES_OF_CLIENT / "single-file").exists():
        pytest.skip("its module single-file is missing")
    made = Client.make(tmp_path / "client", request.param)
    shutil.copy(MODULES_OF_CLIENT / "single-file", tmp_path / "client/modules")
    return made


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell, client: Client) -> Bench:
    def prepare(root: Path) -> None:
        (root / "etc/mender").mkdir(parents=True)
        (root / "etc/mender/mender.conf").write_text("{}\n")
        (root / "opt").mkdir()

    def payload(name: str) -> dict[str, bytes]:
        place = f"{tmp_path}/device/opt\n".encode()
        files = {"dest_dir": place, "filename": b"app\n", "permissions": b"644\n"}
        made = client.artifact("single-file", name, {**files, "app": name.encode()})
        return {"app.mender": Path(made).read_bytes()}

    subject = Subject(
        "mender",
        payload,
        lambda root: (root / "opt/app").read_text() if (root / "opt/app").exists() else "",
        breaks=lambda given: given,
        prepare=prepare,
        programs={client.program: client.script},
        final=True,
    )
    made = Bench(tmp_path / "device", one_shell, subject)
    if client.program == OLD and (made.root / "programs" / NEW).exists():
        pytest.skip("a mender-update is installed here, which would be asked instead")
    return made


def shown(client: Client) -> str:
    return client.run("show-artifact").stdout.strip()


def test_artifacts_are_installed_committed_and_taken_back(bench: Bench, client: Client):
    first, second = bench.release("r1"), bench.release("r2")
    bench.do(first, "install", "activate", "commit", "commit")
    assert (bench.running, shown(client), first.answer("ReadBack")) == ("r1", "r1", "active")

    bench.do(second, "install", "activate")
    assert (bench.running, shown(client), second.answer("ReadBack")) == ("r2", "r1", "active")
    bench.do(second, "back", "back")

    assert (bench.running, shown(client), second.answer("ReadBack")) == ("r1", "r1", "inactive")


def test_an_artifact_of_another_key_changes_nothing(bench: Bench, client: Client, tmp_path: Path):
    other, nothing = Client.make(tmp_path / "other"), shown(client)
    files = {"dest_dir": b"/nowhere\n", "filename": b"app\n", "permissions": b"644\n"}
    foreign = Path(other.artifact("single-file", "r1", {**files, "app": b"x"})).read_bytes()
    release = bench.release("r2")
    release.payload({"app.mender": foreign})
    bench.do(release, "install")

    rc, said = release.run("activate")
    assert (rc, "did not install the artifact (1)" in said) == (1, True)
    bench.do(release, "back")

    assert (bench.running, shown(client)) == ("", nothing)


# What the newer one makes of a client that was killed alone, in that state of its own module.
@pytest.mark.parametrize(
    ("verb", "state", "runs"),
    [
        ("activate", "ArtifactInstall", "r1"),
        ("commit", "ArtifactCommit", "r1"),
        ("commit", "Cleanup", "r2"),
        ("back", "ArtifactRollback", "r1"),
        ("back", "ArtifactFailure", "r1"),
    ],
)
@pytest.mark.parametrize("client", [NEW], indirect=True)
def test_a_client_that_is_killed_is_led_on(
    bench: Bench, client: Client, verb: str, state: str, runs: str
):
    kill, module = client.home / "kill", client.home / "modules/single-file"
    module.rename(client.home / "single-file")
    module.write_text(
        f"#!/bin/sh\n[ $1 != {state} ] || [ ! -e {kill} ] || {{ rm {kill} && kill -9 $PPID; }}\n"
        f'exec {client.home}/single-file "$@"\n'
    )
    module.chmod(0o755)
    first, second = bench.release("r1"), bench.release("r2")
    bench.do(first, "install", "activate", "commit")
    bench.do(second, "install", *(["activate"] if verb != "activate" else []))
    kill.touch()

    rc = second.run(verb)[0]
    assert not kill.exists()
    if verb == "commit":
        rc = second.run("commit")[0]  # as the core goes on with a commit
        assert (rc == 0) is (runs == "r2")
    if runs == "r1":
        bench.do(second, "back")

    assert (bench.running, shown(client)) == (runs, runs)
    assert client.run("rollback").returncode == 2  # nothing is under way
