"""The stock Mender client installs, commits and takes back artifacts with our update modules."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.device.kit import MODULES, Device, Key, Shell, tar
from tests.integration.mender_kit import NEW, OLD, Client, frames_of, missing

pytestmark = [pytest.mark.integration, pytest.mark.root]


@pytest.fixture(params=[OLD, NEW])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    if reason := missing(request.param):
        pytest.skip(reason)
    made = Client.make(tmp_path / "client", request.param)
    for module in MODULES.iterdir():
        shutil.copy(module, made.home / "modules")
    return made


def payload(kind: str, name: str, place: Path) -> dict[str, bytes]:
    if kind == "directory":
        files = tar([("version.txt", name.encode())])
        return {"update.tar": files, "dest_dir": f"{place}/app\n".encode()}
    if kind == "single-file":
        return {
            "dest_dir": f"{place}\n".encode(),
            "filename": b"app.conf\n",
            "permissions": b"640\n",
            "app.conf": name.encode(),
        }
    install = f'#!/bin/sh\ncp "{place}/marker" "{place}/old" 2>/dev/null\necho -n {name} >"{place}/marker"\n'
    rollback = f'#!/bin/sh\nmv "{place}/old" "{place}/marker"\n'
    return {"install": install.encode(), "rollback": rollback.encode()}


def content(kind: str, place: Path) -> str:
    names = {"directory": "app/version.txt", "single-file": "app.conf", "script": "marker"}
    return (place / names[kind]).read_text()


@pytest.mark.parametrize("kind", ["directory", "single-file", "script"])
def test_client_installs_commits_and_rolls_back(client: Client, tmp_path: Path, kind: str):
    place = tmp_path / "target"
    place.mkdir()
    first, second = (client.artifact(kind, n, payload(kind, n, place)) for n in ("r1", "r2"))

    done = client.run("install", first)
    assert done.returncode == 0, done.stderr
    assert client.run("commit").returncode == 0
    assert content(kind, place) == "r1"
    assert "artifact_name=r1" in client.run("show-provides").stdout.splitlines()

    done = client.run("install", second)
    assert done.returncode == 0, done.stderr
    assert content(kind, place) == "r2"
    done = client.run("rollback")

    assert done.returncode == 0, done.stderr
    assert content(kind, place) == "r1"
    assert "artifact_name=r1" in client.run("show-provides").stdout.splitlines()
    assert client.run("rollback").returncode == 2


def test_client_takes_a_failed_install_back(client: Client, tmp_path: Path):
    place = tmp_path / "target"
    place.mkdir()
    client.run("install", client.artifact("script", "r1", payload("script", "r1", place)))
    client.run("commit")
    files = payload("script", "r2", place)
    bad = client.artifact("script", "r2", files | {"verify": b"#!/bin/sh\nexit 1\n"})

    assert client.run("install", bad).returncode == 1

    assert content("script", place) == "r1"
    assert "artifact_name=r1" in client.run("show-provides").stdout.splitlines()


def test_our_device_takes_what_mender_artifact_writes(client: Client, tmp_path: Path):
    """The other direction: frames taken out of an artifact that the vendor's tool wrote."""
    device = Device(tmp_path / "device", Shell("sh", ("sh",), os.defpath), Key("ec"))
    public = (client.home / "public.pem").read_bytes()
    (device.root / "etc/rollout/keys/release.pem").write_bytes(public)
    files = payload("directory", "r1", Path("/opt"))
    artifact = client.artifact("directory", "r1", files)

    frames = frames_of(artifact, files)

    try:
        assert device.deliver(1, frames).rc == 0
        assert device.commit(1).rc == 0
        assert content("directory", device.root / "opt") == "r1"
        provides = device.ask("facts").all("provides")
    finally:
        device.close()
    assert set(provides) == {"artifact_name=r1", "rootfs-image.directory.version=r1"}
