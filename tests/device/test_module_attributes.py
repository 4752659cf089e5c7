"""Owners, modes and extended attributes through the modules `directory` and `single-file`, and large trees."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cost import spending
from tests.device.disk_kit import mount, why_not
from tests.device.kit import Device, Release, directory, single_file, tar

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
mounts = pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted")
MANY = 1500


def packed(*members: tarfile.TarInfo, preserve: str = "") -> Release:
    release = directory("r1")
    release.payload["update.tar"] = tar((member, b"") for member in members)
    if preserve:
        release.payload["preserve"] = f"{preserve}\n".encode()
    return release


def member(
    name: str, mode: int = 0o644, owner: int = 0, kind: bytes = tarfile.REGTYPE
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid, info.type = mode, owner, owner, kind
    return info


@pytest.mark.root
@as_root
def test_directory_belongs_to_root_unless_owners_are_preserved(device: Device):
    members = (member("log", 0o770, 1234, tarfile.DIRTYPE), member("log/a", 0o660, 1234))
    log = device.root / "opt/app/log"

    device.release(1, packed(*members))
    assert (log.stat().st_uid, (log / "a").stat().st_uid) == (0, 0)
    device.release(2, packed(*members, preserve="owner"))

    assert (log.stat().st_uid, log.stat().st_mode & 0o777) == (1234, 0o770)
    assert ((log / "a").stat().st_gid, (log / "a").stat().st_mode & 0o777) == (1234, 0o660)
    assert device.fields()["active"] == "yes"
    (log / "a").chmod(0o666)
    assert device.fields()["active"] == "no"
    (log / "a").chmod(0o660)
    os.chown(log, 1235, 1234)
    assert device.fields()["active"] == "no"


def test_directory_takes_set_uid_where_it_is_preserved(one: Device):
    one.release(1, packed(member("a", 0o4755), preserve="owner setuid"))

    assert (one.root / "opt/app/a").stat().st_mode & 0o7777 == 0o4755


def test_what_cannot_be_preserved_is_refused(one: Device):
    reply = one.deliver(1, packed(member("a"), preserve="owner acls").frames(one.key))

    assert reply.fields["reason"] == "install_failed"
    assert "preserve cannot mean acls" in reply.detail


def marks(place: Path, give: Callable[[Path], None] | None = None) -> bytes | None:
    """An extended attribute of a file, set before; None where this file system has none."""
    try:
        if give:
            give(place)
        return os.getxattr(place, "user.origin")
    except OSError:
        return None


def test_directory_brings_extended_attributes(one: Device, tmp_path: Path):
    (tmp_path / "content").mkdir()
    file = tmp_path / "content/a"
    file.touch()
    if not marks(file, lambda place: os.setxattr(place, "user.origin", b"x")):
        pytest.skip("this file system has no extended attributes")
    command = ["tar", "--xattrs", "-C", str(file.parent), "-cf", "-", "a"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    release = directory("r1")
    release.payload |= {"update.tar": content, "preserve": b"xattrs"}

    one.release(1, release)

    assert os.getxattr(one.root / "opt/app/a", "user.origin") == b"x"


def test_a_tree_of_many_files_and_links_is_installed_and_read_back(one: Device):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for n in range(MANY):
            archive.addfile(tarfile.TarInfo(f"d{n % 50}/file{n}"))
            link = tarfile.TarInfo(f"links/link{n}")
            link.type, link.linkname = tarfile.SYMTYPE, f"../d{n % 50}/file{n}"
            archive.addfile(link)
    release = directory("r1")
    release.payload["update.tar"] = out.getvalue()

    one.release(1, release)
    with spending() as cost:
        assert one.fields()["active"] == "yes"
    assert cost.cpu_s < 2
    (one.root / "opt/app/links/link7").unlink()
    assert one.fields()["active"] == "no"


@pytest.mark.root
@as_root
def test_single_file_is_given_to_its_owner(device: Device):
    release = single_file("r1")
    release.payload["owner"] = b"1234:4321\n"
    file = device.root / "etc/app/app.conf"

    device.release(1, release)

    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 4321)
    assert device.fields()["active"] == "yes"
    os.chown(file, 0, 4321)
    assert device.fields()["active"] == "no"


@pytest.mark.parametrize("owner", [b"root", b"a:b:c", b":root", b"a b:c", b"-R:x"])
def test_an_owner_that_is_none_is_refused(one: Device, owner: bytes):
    release = single_file("r1")
    release.payload["owner"] = owner

    assert one.deliver(1, release.frames(one.key)).fields["reason"] == "install_failed"


def test_single_file_keeps_extended_attributes_of_what_it_replaces(one: Device):
    file = one.root / "etc/app/app.conf"
    file.parent.mkdir()
    file.write_text("old")
    if not marks(file, lambda place: os.setxattr(place, "user.origin", b"x")):
        pytest.skip("this file system has no extended attributes")

    one.release(1, single_file("r1"))
    assert marks(file) == b"x"
    assert one.do("rollback", 1).rc == 0

    assert (file.read_text(), marks(file)) == ("old", b"x")


@pytest.mark.root
@mounts
def test_single_file_on_another_file_system_goes_back_though_that_is_full(one: Device):
    place = one.root / "etc/app"
    place.mkdir()
    mount(place, 256 * 1024)
    try:
        old = bytes(100_000)
        (place / "app.conf").write_bytes(old)
        one.release(1, single_file("r1"))
        assert len(list(place.iterdir())) == 2  # the old one waits beside
        (place / "ballast").write_bytes(bytes(100_000))

        assert one.do("rollback", 1).rc == 0

        assert (place / "app.conf").read_bytes() == old
        assert {file.name for file in place.iterdir()} == {"app.conf", "ballast"}
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
