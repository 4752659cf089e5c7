"""The stock Mender client installs, commits and takes back artifacts with our update modules.

The client has its modules' directory compiled in, so each test runs it in a mount namespace of
its own, with our modules bound over that directory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.device.kit import MODULES, Device, Key, Shell, tar

MODULES_OF_CLIENT = Path("/usr/share/mender/modules/v3")
TIME_LIMIT_S = 60

pytestmark = [pytest.mark.integration, pytest.mark.root]


def _missing() -> str | None:
    for program in ("mender", "mender-artifact", "openssl", "unshare", "mount"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "a mount namespace needs root"
    if not MODULES_OF_CLIENT.is_dir():
        return f"{MODULES_OF_CLIENT} does not exist"
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else "this machine allows no mount namespace"


@dataclass(frozen=True)
class Client:
    """A Mender client with a device of its own below `home`."""

    home: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        home = self.home
        script = (
            f"mount --bind {home}/etc /etc/mender && "
            f"mount --bind {home}/modules {MODULES_OF_CLIENT} && "
            f"exec mender --no-syslog --config {home}/cfg/mender.conf "
            f'--fallback-config {home}/cfg/none --data {home}/data "$@"'
        )
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIME_LIMIT_S,
        )

    def artifact(self, kind: str, name: str, files: Mapping[str, bytes]) -> str:
        place = self.home / name
        place.mkdir()
        out = place.with_suffix(".mender")
        argv = ["mender-artifact", "write", "module-image", "-T", kind, "-t", "lab", "-n", name]
        argv += ["-o", str(out), "-k", str(self.home / "key.pem")]
        for file, data in files.items():
            (place / file).write_bytes(data)
            argv += ["-f", str(place / file)]
        subprocess.run(argv, check=True, capture_output=True, timeout=TIME_LIMIT_S)
        return str(out)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    if reason := _missing():
        pytest.skip(reason)
    for name in ("etc", "cfg", "data", "modules"):
        (tmp_path / name).mkdir()
    for module in MODULES.iterdir():
        shutil.copy(module, tmp_path / "modules")
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    commands = (
        ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(key)],
        ["openssl", "ec", "-in", str(key), "-pubout", "-out", str(public)],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "etc/artifact_info").write_text("artifact_name=factory\n")
    (tmp_path / "data/device_type").write_text("device_type=lab\n")
    config = {
        "ArtifactVerifyKey": str(public),
        "DeviceTypeFile": str(tmp_path / "data/device_type"),
    }
    (tmp_path / "cfg/mender.conf").write_text(json.dumps(config))
    return Client(tmp_path)


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
    public = (tmp_path / "public.pem").read_bytes()
    (device.root / "etc/rollout/keys/release.pem").write_bytes(public)
    files = payload("directory", "r1", Path("/opt"))
    artifact = client.artifact("directory", "r1", files)

    def member(name: str) -> bytes:
        argv = ["tar", "-xOf", artifact, name]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    names = ("version", "manifest", "manifest.sig", "header.tar.gz")
    frames = {name: member(name) for name in names}
    frames |= {f"data/0000/{name}": data for name, data in files.items()}

    try:
        assert device.deliver(1, frames).rc == 0
        assert device.commit(1).rc == 0
        assert content("directory", device.root / "opt") == "r1"
        provides = device.ask("facts").all("provides")
    finally:
        device.close()
    assert set(provides) == {"artifact_name=r1", "rootfs-image.directory.version=r1"}
