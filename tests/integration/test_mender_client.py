"""Mender's own client (3.4, Debian) installs, commits and rolls back what we write.

Each call runs in a mount namespace of its own, where `/etc/mender` is a directory of the test, so
that nothing of the machine is touched.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.artifact import (
    ArtifactSpec,
    Compression,
    directory_payload,
    single_file_payload,
    write_artifact,
)
from orchestrator.trust import ARTIFACT_KINDS, generate_key, save_public_key, signer

MODULES = Path("/usr/share/mender/modules/v3")
OK, FAILED, NOTHING_TO_DO = 0, 1, 2  # exit codes of the client


def _reason_to_skip():
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("mender"):
        return "needs mender-client"
    if not (MODULES / "single-file").exists() or not (MODULES / "directory").exists():
        return "needs the update modules of mender-client"
    if not Path("/etc/mender").is_dir():
        return "needs /etc/mender, which mender-client makes"
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        return "needs mount namespaces"
    return ""


_REASON = _reason_to_skip()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run"),
]


_SCRIPT = (
    'mount --bind "$1" /etc/mender && '
    'exec mender --no-syslog --config "$2" --fallback-config "$2.none" --data "$3" "${@:4}"'
)
_IN_NAMESPACE = ("unshare", "-m", "bash", "-c", _SCRIPT, "client")


@dataclass(frozen=True)
class Client:
    """A device: its own configuration, data and installed files."""

    root: Path

    def call(self, *args):
        etc, data = self.root / "etc", self.root / "data"
        return subprocess.run(
            [*_IN_NAMESPACE, etc, etc / "mender.conf", data, *args],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def run(self, *args):
        return self.call(*args).returncode

    def provides(self):
        done = self.call("show-provides")
        assert done.returncode == OK, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@pytest.fixture(scope="module", params=sorted(ARTIFACT_KINDS))
def key(request):
    return generate_key(request.param)


@pytest.fixture
def client(tmp_path, key):
    root = tmp_path / "device"
    (root / "etc").mkdir(parents=True)
    (root / "data").mkdir()
    save_public_key(key.verification, root / "artifact.pub")
    (root / "etc" / "artifact_info").write_text("artifact_name=factory\n")
    (root / "data" / "device_type").write_text("device_type=test-device\n")
    (root / "etc" / "mender.conf").write_text(
        f'{{"ArtifactVerifyKey":"{root}/artifact.pub","DeviceTypeFile":"{root}/data/device_type"}}'
    )
    return Client(root)


def release(tmp_path, client, key, text, *, kind, compression=Compression.GZIP, sign=True):
    source = tmp_path / f"source-{text}"
    source.mkdir()
    (source / "app.txt").write_text(text)
    dest_dir = str(client.root / "opt" / "app")
    if kind == "directory":
        (source / "sub").mkdir()
        (source / "sub" / "link").symlink_to("../app.txt")
        payload = directory_payload(source, dest_dir=dest_dir)
    else:
        payload = single_file_payload(source / "app.txt", dest_dir=dest_dir, permissions="640")
    spec = ArtifactSpec(text, ("test-device",), payload, compression=compression)
    path = tmp_path / f"{text}.mender"
    write_artifact(spec, path, sign=signer(key) if sign else None)
    return path


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("kind", ["directory", "single-file"])
def test_release_is_installed_committed_and_the_next_one_rolled_back(
    tmp_path, client, key, kind, compression
):
    installed = client.root / "opt" / "app" / "app.txt"
    first, second = (
        release(tmp_path, client, key, text, kind=kind, compression=compression)
        for text in ("rel-1", "rel-2")
    )

    assert client.run("install", first) == OK
    assert client.run("commit") == OK
    assert installed.read_text() == "rel-1"
    provides = client.provides()
    assert provides["artifact_name"] == "rel-1"
    assert provides[f"rootfs-image.{kind}.version"] == "rel-1"

    assert client.run("install", second) == OK
    assert installed.read_text() == "rel-2"
    assert client.run("rollback") == OK
    assert installed.read_text() == "rel-1"
    assert client.provides()["artifact_name"] == "rel-1"
    assert client.run("commit") == NOTHING_TO_DO


def test_file_mode_and_link_arrive(tmp_path, client, key):
    assert client.run("install", release(tmp_path, client, key, "r1", kind="single-file")) == OK
    assert (client.root / "opt" / "app" / "app.txt").stat().st_mode & 0o777 == 0o640
    assert client.run("rollback") == OK

    assert client.run("install", release(tmp_path, client, key, "r2", kind="directory")) == OK
    assert (client.root / "opt" / "app" / "sub" / "link").read_text() == "r2"


def test_client_refuses_what_we_did_not_sign(tmp_path, client, key):
    unsigned = release(tmp_path, client, key, "r1", kind="single-file", sign=False)
    foreign = release(tmp_path, client, generate_key(), "r2", kind="single-file")

    assert client.run("install", unsigned) == FAILED
    assert client.run("install", foreign) == FAILED
    assert not (client.root / "opt").exists()
