"""Mender's own update modules, as Debian packages them, run unmodified by our executor."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.kit import Device, Key, Release, Shell, directory, single_file

THEIRS = Path("/usr/share/mender/modules/v3")
# Keeps the names of what runs in a file; a container has the name of its image.
DOCKER = """#!/bin/sh
at=$ROLLOUT_ROOT/docker
case $1 in
  ps) cat "$at" ;;
  stop) : >"$at" ;;
  start) shift && for name; do echo "$name" >>"$at"; done ;;
  pull) [ "$2" != missing:1 ] ;;
  run) for name; do :; done && echo "$name" >>"$at" ;;
esac
"""


@pytest.fixture
def theirs(tmp_path: Path, key: Key) -> Iterator[Device]:
    """A device with Mender's modules in the place of ours, and a place for programs in its PATH."""
    (tmp_path / "programs").mkdir()
    shell = Shell("sh", ("sh",), f"{tmp_path}/programs:/usr/sbin:/usr/bin:/sbin:/bin")
    device = Device(tmp_path / "device", shell, key)
    yield device
    device.close()


def bring(device: Device, module: str) -> None:
    if not (THEIRS / module).exists():
        pytest.skip(f"Mender's update module {module} is not installed")
    shutil.copy(THEIRS / module, device.root / "usr/lib/rollout/modules")


def program(device: Device, name: str, body: str) -> None:
    file = device.root.parent / "programs" / name
    file.write_text(body)
    file.chmod(0o755)


def test_their_single_file_is_installed_and_goes_back(theirs: Device):
    bring(theirs, "single-file")
    place = theirs.root / "etc/app"  # it knows no root but the real one

    def release(name: str) -> Release:
        made = single_file(name, name.encode(), "640")
        return Release("single-file", name, made.payload | {"dest_dir": f"{place}\n".encode()})

    theirs.release(1, release("r1"))
    assert theirs.deliver(2, release("r2").frames(theirs.key)).rc == 0
    assert (place / "app.conf").read_text() == "r2"
    assert theirs.do("rollback", 2).rc == 0

    assert (place / "app.conf").read_text() == "r1"
    assert (place / "app.conf").stat().st_mode & 0o777 == 0o640
    assert theirs.fields()["artifact"] == "r1"


def test_their_directory_is_installed_and_goes_back(theirs: Device):
    bring(theirs, "directory")
    place = theirs.root / "opt/app"

    def release(name: str) -> Release:
        made = directory(name)
        return Release("directory", name, made.payload | {"dest_dir": f"{place}\n".encode()})

    theirs.release(1, release("r1"))
    assert theirs.deliver(2, release("r2").frames(theirs.key)).rc == 0
    assert (place / "version.txt").read_text() == "r2"
    assert theirs.do("rollback", 2).rc == 0

    assert (place / "version.txt").read_text() == "r1"


def test_their_script_runs_what_it_is_given_and_cannot_go_back(theirs: Device):
    bring(theirs, "script")
    ran = theirs.root / "ran"
    payload = {
        name: f'#!/bin/sh\necho "${{0##*/}}" >>{ran}\n'.encode() for name in ("b.sh", "a.sh")
    }

    assert theirs.deliver(1, Release("script", payload=payload).frames(theirs.key)).rc == 0

    assert ran.read_text().split() == ["a.sh", "b.sh"]
    assert theirs.do("rollback", 1).fields["reason"] == "rollback_failed"


def test_their_deb_installs_a_package(theirs: Device):
    bring(theirs, "deb")
    if not (dpkg := shutil.which("dpkg")) or not shutil.which("dpkg-deb"):
        pytest.skip("dpkg is not installed")
    program(
        theirs, "dpkg", f'#!/bin/sh\nexec {dpkg} --root="$ROLLOUT_ROOT" --force-not-root "$@"\n'
    )
    admin = theirs.root / "var/lib/dpkg"
    (admin / "updates").mkdir(parents=True)
    (admin / "info").mkdir()
    (admin / "status").touch()
    content = theirs.root.parent / "content"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "opt").mkdir()
    (content / "opt/of-package").write_text("1")
    (content / "DEBIAN/control").write_text(
        "Package: of-test\nVersion: 1\nArchitecture: all\nMaintainer: a\nDescription: b\n"
    )
    package = content.with_name("of-test.deb")
    subprocess.run(["dpkg-deb", "--build", content, package], check=True, capture_output=True)

    release = Release("deb", payload={"of-test.deb": package.read_bytes()})
    assert theirs.deliver(1, release.frames(theirs.key)).rc == 0
    assert theirs.commit(1).rc == 0
    release.payload["of-test.deb"] = b"no package"
    broken = theirs.deliver(2, release.frames(theirs.key))

    assert (theirs.root / "opt/of-package").read_text() == "1"
    assert broken.fields["reason"] == "rollback_failed"  # their module has no way back


def test_their_docker_exchanges_containers_and_goes_back(theirs: Device):
    bring(theirs, "docker")
    if not shutil.which("jq"):
        pytest.skip("jq is not installed, which this module needs")
    program(theirs, "docker", DOCKER)
    running = theirs.root / "docker"
    running.write_text("factory:1\n")

    def release(image: str) -> Release:
        meta = {"containers": [image, "side:1"], "run_args": "-p 80:80"}
        return Release("docker", image, {"x": b"x"}, meta=json.dumps(meta).encode())

    theirs.release(1, release("app:1"))
    assert running.read_text().split() == ["app:1", "side:1"]
    failed = theirs.deliver(2, release("missing:1").frames(theirs.key))

    assert failed.fields["reason"] == "activate_failed"
    assert running.read_text().split() == ["app:1", "side:1"]
