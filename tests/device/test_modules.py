"""The update modules: install, repeat, read back, commit, exact rollback, hostile payloads."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.device.disk_kit import mount, why_not
from tests.device.kit import Device, Release, directory, script, single_file, tar, txn


def fails(device: Device, release: Release, reason: str, number: int = 1) -> str:
    reply = device.deliver(number, release.frames(device.key))
    assert (reply.rc, reply.fields["reason"]) == (69, reason), reply
    return reply.detail


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def packed(*members: tuple[tarfile.TarInfo | str, bytes]) -> Release:
    release = directory("r1")
    release.payload["update.tar"] = tar(members)
    return release


# directory


def test_directory_is_switched_by_one_link_and_the_previous_stays(device: Device):
    device.release(1, directory("r1"))
    device.release(2, directory("r2"))

    app = device.root / "opt/app"
    assert str(app.readlink()) == f"app.releases/{txn(2)}"
    assert (app.parent / "app.releases" / txn(1) / "version.txt").read_text() == "r1"

    device.release(3, directory("r3"))
    assert {p.name for p in app.parent.glob("app.releases/*")} == {txn(2), txn(3)}


def test_directory_that_was_there_before_comes_back(device: Device):
    app = device.root / "opt/app"
    app.mkdir(parents=True)
    (app / "mine").write_text("kept")

    device.release(1, directory("r1"))
    assert sorted(path.name for path in app.iterdir()) == ["version.txt"]
    assert device.do("rollback", 1).rc == 0

    assert not app.is_symlink()
    assert (app / "mine").read_text() == "kept"


def test_link_that_was_there_before_comes_back(one: Device):
    app = one.root / "opt/app"
    (one.root / "opt/v0").mkdir(parents=True)
    app.symlink_to("v0")

    assert one.deliver(1, directory("r1").frames(one.key)).rc == 0
    assert one.do("rollback", 1).rc == 0

    assert str(app.readlink()) == "v0"


@pytest.mark.parametrize("to", ["nowhere", "file", "app"])
def test_link_to_no_directory_comes_back(one: Device, to: str):
    app = one.root / "opt/app"
    app.parent.mkdir()
    (app.parent / "file").write_text("x")
    app.symlink_to(to)

    one.release(1, directory("r1"))
    assert one.do("rollback", 1).rc == 0

    assert str(app.readlink()) == to
    assert sorted(path.name for path in app.parent.iterdir()) == ["app", "file"]


def test_link_that_cannot_be_written_down_is_left_alone(device: Device):
    """A rollback would not know where it led to, and say that it went back all the same."""
    app = device.root / "opt/app"
    (app.parent / "of two\nlines").mkdir(parents=True)
    app.symlink_to("of two\nlines")

    assert "cannot be written down" in fails(device, directory("r1"), "activate_failed")

    assert str(app.readlink()) == "of two\nlines"


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted")
def test_directory_that_cannot_be_moved_in_one_step_is_left_alone(device: Device):
    """A move to another file system copies and removes: a loss of power would leave half of it."""
    app = device.root / "opt/app"
    app.mkdir(parents=True)
    (app / "mine").write_text("kept")
    releases = app.parent / "app.releases"
    releases.mkdir()
    mount(releases, 1024 * 1024)
    try:
        assert "is another file system" in fails(device, directory("r1"), "activate_failed")

        assert (app / "mine").read_text() == "kept"
        assert list(releases.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", releases], check=True)


def test_file_at_the_place_of_the_directory_is_left_alone(one: Device):
    (one.root / "opt").mkdir()
    (one.root / "opt/app").write_text("file")

    assert "is a file" in fails(one, directory("r1"), "activate_failed")
    assert (one.root / "opt/app").read_text() == "file"
    assert one.fields()["state"] == "rolled-back"


def test_links_modes_and_empty_directories_arrive(device: Device):
    release = packed(
        (member("./", tarfile.DIRTYPE, mode=0o755), b""),
        (member("./bin", tarfile.DIRTYPE, mode=0o755), b""),
        (member("./bin/run", mode=0o755), b"#!/bin/sh\n"),
        (member("./bin/alias", tarfile.SYMTYPE, "run"), b""),
        (member("./up", tarfile.SYMTYPE, "bin/../bin/run"), b""),
        (member("./empty", tarfile.DIRTYPE, mode=0o755), b""),
        ("./a name with blanks", b"x"),
    )

    device.release(1, release)

    app = device.root / "opt/app"
    assert (app / "bin/run").stat().st_mode & 0o777 == 0o755
    assert (app / "up").read_bytes() == b"#!/bin/sh\n"
    assert (app / "empty").is_dir()
    assert (app / "a name with blanks").read_bytes() == b"x"
    assert device.fields()["active"] == "yes"


def test_read_back_sees_changed_files_links_and_targets(device: Device):
    link = (member("link", tarfile.SYMTYPE, "a"), b"")
    device.release(1, packed(("a", b"1"), ("b/c", b"2"), link))
    app = device.root / "opt/app"
    assert device.fields()["active"] == "yes"
    (app / "cache").write_text("what a program writes beside its files is its own business")
    assert device.fields()["active"] == "yes"

    (app / "b/c").write_text("3")
    assert device.fields()["active"] == "no"
    (app / "b/c").write_text("2")
    (app / "link").unlink()
    (app / "link").symlink_to("b")
    assert device.fields()["active"] == "no"
    (app / "link").unlink()
    (app / "link").symlink_to("a")
    assert device.fields()["active"] == "yes"
    app.unlink()
    app.symlink_to("app.releases")
    assert device.fields()["active"] == "no"


OUTSIDE: dict[str, tuple[tuple[tarfile.TarInfo | str, bytes], ...]] = {
    "parent": (("../evil", b"x"),),
    "parent inside": (("a/../../evil", b"x"),),
    "absolute": (("/tmp/evil-of-a-test", b"x"),),
    "absolute link": ((member("a", tarfile.SYMTYPE, "/etc"), b""),),
    "link up": ((member("a/b", tarfile.SYMTYPE, "../../x"), b""),),
    "link through": ((member("a", tarfile.SYMTYPE, "b/../../x"), b""),),
    "write through": ((member("a", tarfile.SYMTYPE, "b"), b""), ("a/evil", b"x")),
    "below file": (("a", b""), ("a/evil", b"x")),
    "hard link": (("a", b""), (member("b", tarfile.LNKTYPE, "a"), b"")),
    "device": ((member("a", tarfile.CHRTYPE), b""),),
    "fifo": ((member("a", tarfile.FIFOTYPE), b""),),
    "set-uid": ((member("a", mode=0o4755), b""),),
    "set-gid directory": ((member("a", tarfile.DIRTYPE, mode=0o2755), b""),),
    "twice": (("a", b"1"), ("./a", b"2")),
    "link over file": (("a", b"1"), (member("a", tarfile.SYMTYPE, "b"), b"")),
    "newline": (("a\nb", b""),),
    "escape": (("a\x1b[2J", b""),),
    "backslash": (("a\\b", b""),),
    "looks escaped": (("a\\303\\251", b""),),
    "looks like a link": (("a -> b", b""),),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_archives_that_lead_outside_are_refused(one: Device, case: str):
    fails(one, packed(*OUTSIDE[case]), "install_failed")

    assert not list((one.root / "opt").glob("**/evil"))
    assert not list((one.root / "opt").glob("app*/*"))


@pytest.mark.parametrize(
    "case",
    [
        "parent",
        "absolute link",
        "write through",
        "hard link",
        "device",
        "newline",
        "set-uid",
        "looks escaped",
        "looks like a link",
    ],
)
def test_each_tar_and_awk_refuses_them(device: Device, case: str):
    fails(device, packed(*OUTSIDE[case]), "install_failed")

    assert not list((device.root / "opt").glob("app*/*"))


@pytest.mark.parametrize(
    "path", [b"opt/app", b"/opt/../app", b"/", b"//", b"/opt//app", b"", b"/opt/./app"]
)
def test_dest_dir_is_a_plain_absolute_path(one: Device, path: bytes):
    release = directory("r1")
    release.payload["dest_dir"] = path

    fails(one, release, "install_failed")


@pytest.mark.parametrize(
    "path", [b"/etc", b"/etc/", b"/usr/lib", b"/var", b"/bin", b"/var/lib/rollout/component"]
)
def test_what_the_device_needs_to_go_back_is_not_replaced(one: Device, path: bytes):
    release = directory("r1")
    release.payload["dest_dir"] = path

    fails(one, release, "install_failed")

    assert not list(one.root.glob("**/*.releases"))


def test_what_is_no_archive_is_refused(one: Device):
    release = directory("r1")
    release.payload["update.tar"] = b"not a tar" * 100
    fails(one, release, "install_failed")
    del release.payload["update.tar"]
    fails(one, release, "install_failed", 2)


# single-file


def test_single_file_that_did_not_exist_goes_without_a_trace(device: Device):
    device.release(1, single_file("r1", b"one\n", "640"))
    file = device.root / "etc/app/app.conf"
    assert file.read_bytes() == b"one\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert device.fields()["active"] == "yes"

    assert device.do("rollback", 1).rc == 0

    assert not file.parent.exists()


def test_single_file_comes_back_exactly(device: Device):
    file = device.root / "etc/app/app.conf"
    file.parent.mkdir()
    file.write_bytes(b"old\n")
    file.chmod(0o600)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()

    device.release(1, single_file("r1", b"new\n"))
    after = file.stat()
    assert file.read_bytes() == b"new\n"
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_mode & 0o777 == 0o644
    assert device.do("rollback", 1).rc == 0

    again = file.stat()
    assert file.read_bytes() == b"old\n"
    for name in ("st_uid", "st_gid", "st_mode", "st_mtime"):
        assert getattr(again, name) == getattr(before, name)
    assert sorted(path.name for path in file.parent.iterdir()) == ["app.conf"]


def test_single_file_replaces_a_link_and_brings_it_back(one: Device):
    file = one.root / "etc/app/app.conf"
    file.parent.mkdir()
    (file.parent / "real").write_text("real")
    file.symlink_to("real")

    one.release(1, single_file("r1"))
    assert not file.is_symlink()
    assert (file.parent / "real").read_text() == "real"
    assert one.do("rollback", 1).rc == 0

    assert str(file.readlink()) == "real"


@pytest.mark.root
@pytest.mark.parametrize("how", ["immutable", "mounted"])
def test_single_file_that_cannot_be_replaced_is_left_as_it_was(device: Device, how: str):
    """Nothing was changed then, so nothing has to be put back: the device is not stuck in `rollback-failed`."""
    file = device.root / "etc/app/app.conf"
    file.parent.mkdir()
    file.write_text("old")
    file.chmod(0o640)
    (device.root / "etc/other").write_text("mounted")
    hold, free = {
        "immutable": (["chattr", "+i", file], ["chattr", "-i", file]),
        "mounted": (["mount", "--bind", device.root / "etc/other", file], ["umount", file]),
    }[how]
    if subprocess.run(hold, capture_output=True, check=False).returncode:
        pytest.skip(f"a file cannot be made {how} here")
    try:
        before = file.read_text(), file.stat()

        assert "cannot be written" in fails(device, single_file("r1"), "activate_failed")

        assert device.fields()["state"] == "rolled-back"
        assert (file.read_text(), file.stat()) == before
        assert [path.name for path in file.parent.iterdir()] == ["app.conf"]
    finally:
        subprocess.run(free, check=True)
    device.release(2, single_file("r2"))


def test_single_file_read_back_sees_content_and_mode(device: Device):
    device.release(1, single_file("r1", b"one\n"))
    file = device.root / "etc/app/app.conf"

    file.write_bytes(b"two\n")
    assert device.fields()["active"] == "no"
    file.write_bytes(b"one\n")
    file.chmod(0o666)
    assert device.fields()["active"] == "no"
    file.chmod(0o644)
    assert device.fields()["active"] == "yes"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("dest_dir", b"etc"),
        ("dest_dir", b"/etc/../x"),
        ("filename", b"../x"),
        ("filename", b"a/b"),
        ("filename", b""),
        ("filename", b"missing"),
        ("permissions", b"u+s"),
        ("permissions", b"4755"),
        ("permissions", b"9"),
    ],
)
def test_single_file_payload_is_checked(one: Device, part: str, value: bytes):
    release = single_file("r1")
    release.payload[part] = value

    fails(one, release, "install_failed")

    assert not (one.root / "etc/app").exists()


def test_single_file_refuses_a_directory(one: Device):
    (one.root / "etc/app/app.conf").mkdir(parents=True)

    assert "is a directory" in fails(one, single_file("r1"), "activate_failed")
    assert (one.root / "etc/app/app.conf").is_dir()


# script


def marker(device: Device) -> str:
    file = device.root / "marker"
    return file.read_text().strip() if file.exists() else ""


def test_script_installs_verifies_and_goes_back(device: Device):
    device.release(1, script("r1"))
    device.release(2, script("r2"))
    assert (marker(device), device.fields()["active"]) == ("r2", "yes")

    assert device.do("rollback", 2).rc == 0

    assert (marker(device), device.fields()["active"]) == ("r1", "yes")
    (device.root / "marker").write_text("other\n")
    assert device.fields()["active"] == "no"


def test_script_without_verify_cannot_be_read_back(one: Device):
    one.release(1, script("r1", verify=False))

    assert one.fields()["active"] == "unknown"


@pytest.mark.parametrize("part", ["install", "verify"])
def test_script_that_fails_is_taken_back(device: Device, part: str):
    device.release(1, script("r1"))
    release = script("r2")
    release.payload[part] += b"echo the reason; exit 4\n"

    detail = fails(device, release, "activate_failed", 2)

    assert f"{part} ended with 4" in detail
    assert marker(device) == "r1"
    fields = device.fields()
    assert (fields["state"], fields["artifact"], fields["active"]) == ("rolled-back", "r1", "yes")


def test_script_without_rollback_cannot_go_back(one: Device):
    release = script("r1", rollback=False)
    assert one.deliver(1, release.frames(one.key)).rc == 0

    reply = one.do("rollback", 1)

    assert (reply.rc, reply.fields["reason"]) == (69, "rollback_failed")
    assert one.fields()["state"] == "rollback-failed"
    assert one.deliver(2, script("r2").frames(one.key)).rc == 0


def test_script_without_rollback_can_be_committed_for_good(one: Device):
    one.release(1, script("r1", rollback=False))

    assert "previous" not in one.fields()
    assert one.do("rollback", 1).fields["reason"] == "nothing_to_roll_back"


def test_rollback_that_failed_can_be_tried_again(one: Device):
    release = script("r1")
    release.payload["rollback"] = (
        b'#!/bin/sh\n[ -f "$ROLLOUT_ROOT/allow" ] && rm "$ROLLOUT_ROOT/marker"\n'
    )
    one.deliver(1, release.frames(one.key))
    assert one.do("rollback", 1).fields["reason"] == "rollback_failed"
    (one.root / "allow").touch()

    assert one.do("rollback", 1).rc == 0

    assert (marker(one), one.fields()["state"]) == ("", "rolled-back")


def test_script_has_a_time_limit_and_its_own_surroundings(device: Device):
    (device.root / "etc/rollout/limits").write_text("reserve 1024\nmodule-timeout 1\n")
    release = script("r1")
    release.payload["install"] = (
        b'#!/bin/sh\npwd >"$ROLLOUT_ROOT/pwd"\ncat >>"$ROLLOUT_ROOT/pwd"\nexec sleep 60\n'
    )
    release.payload["rollback"] = b"#!/bin/sh\nexit 0\n"

    fails(device, release, "activate_failed")

    assert (device.root / "pwd").read_text().endswith("/tree/files\n")


def test_script_may_start_a_daemon(device: Device):
    """It holds neither a lock nor a stream of the helper."""
    release = script("r1")
    release.payload["install"] += b'sleep 60 & echo $! >"$ROLLOUT_ROOT/daemon"\n'

    device.release(1, release)

    pid = int((device.root / "daemon").read_text())
    assert Path(f"/proc/{pid}").exists()
    os.kill(pid, 9)


# the protocol of update modules


@pytest.mark.parametrize("module", ["directory", "single-file", "script"])
def test_unknown_states_and_queries_are_silent(device: Device, module: str):
    program = device.root / "usr/lib/rollout/modules" / module
    tree = device.root / "tree"
    tree.mkdir()

    for state in (
        "ProvidePayloadFileSizes",
        "ArtifactReboot",
        "ArtifactVerifyReboot",
        "Nonsense",
        "Cleanup",
        "ArtifactFailure",
    ):
        done = subprocess.run(
            [program, state, tree], capture_output=True, check=True, env=device.environment()
        )
        assert (done.stdout, done.stderr) == (b"", b"")
    done = subprocess.run(
        [program, "NeedsArtifactReboot", tree],
        capture_output=True,
        check=True,
        env=device.environment(),
    )
    assert done.stdout == b"No\n"


@pytest.mark.parametrize("kind", ["directory", "single-file"])
def test_modules_work_without_our_helper(device: Device, kind: str):
    """As another client calls them: no files at Download, no transaction's name, cleanup at once."""
    program = device.root / "usr/lib/rollout/modules" / kind
    environment = device.environment() | {"ROLLOUT_ROOT": str(device.root)}
    goal = device.root / ("opt/app/version.txt" if kind == "directory" else "etc/app/app.conf")

    def run(state: str, tree: Path) -> None:
        subprocess.run([program, state, tree], cwd=tree, env=environment, check=True)

    def tree_of(name: str) -> Path:
        tree = device.root / f"tree-{name}"
        tree.mkdir()
        run("Download", tree)
        release = directory(name) if kind == "directory" else single_file(name, name.encode())
        (tree / "files").mkdir()
        for file, data in release.payload.items():
            (tree / "files" / file).write_bytes(data)
        run("ArtifactInstall", tree)
        assert goal.read_text() == name
        return tree

    first = tree_of("r1")
    run("ArtifactCommit", first)
    run("Cleanup", first)
    shutil.rmtree(first)
    second = tree_of("r2")
    run("ArtifactRollback", second)
    run("ArtifactFailure", second)
    run("Cleanup", second)

    assert goal.read_text() == "r1"
    third = tree_of("r3")
    run("ArtifactCommit", third)
    run("Cleanup", third)
    assert goal.read_text() == "r3"
    assert len(list(device.root.glob("opt/app.releases/*"))) <= 1


def test_a_module_that_asks_for_a_reboot_keeps_its_probation_over_it(one: Device):
    module = one.root / "usr/lib/rollout/modules/image"
    module.write_text(
        "#!/bin/sh\n"
        "case $1 in SupportsRollback) echo Yes ;; NeedsArtifactReboot) echo Automatic ;;\n"
        'ArtifactVerifyReboot) [ ! -f "$ROLLOUT_ROOT/bad" ] || exit 1 ;; esac\n'
        'echo "$1" >>"$ROLLOUT_ROOT/calls"\n'
    )
    module.chmod(0o755)
    release = Release(kind="image", payload={"image": b"x"})
    for number, bad in ((1, False), (2, True)):
        delivered = one.deliver(number, release.frames(one.key))
        assert (delivered.rc, delivered.fields["reboot"]) == (0, "yes")
        assert "commit-nonce" not in one.fields()  # nothing is proven before that
        if bad:
            (one.root / "bad").touch()
        one.close()
        one.boot(f"55555555-0000-0000-0000-{number:012d}")

        assert one.hook("boot").returncode == 0

        fields = one.fields()
        if bad:  # the way back needs a boot, too
            assert (fields["state"], fields["reboot"]) == ("probation", "yes")
            assert "commit-nonce" not in fields
            waiting = one.do("rollback", number)
            assert (waiting.rc, waiting.fields["reason"]) == (75, "busy")
            one.boot("66666666-0000-0000-0000-000000000006")
            assert one.hook("boot").returncode == 0
            assert one.fields()["state"] == "rolled-back"
        else:
            assert fields["state"] == "probation"
            assert "reboot" not in fields
            assert fields["commit-nonce"]
            assert one.commit(number).rc == 0


def test_archives_of_gnu_and_busybox_tar_are_taken(device: Device, tmp_path: Path):
    content = tmp_path / "content"
    (content / "sub").mkdir(parents=True)
    (content / "version.txt").write_text("r1")
    (content / "sub" / ("long" * 30)).write_text("x")
    packers = [["tar", "--format=gnu"], ["tar", "--format=pax"], ["busybox", "tar"]]
    for number, packer in enumerate(packers):
        if shutil.which(packer[0]) is None:
            continue
        done = subprocess.run(
            [*packer, "-C", str(content), "-cf", "-", "."], capture_output=True, check=True
        )
        release = directory(f"r{number}")
        release.payload["update.tar"] = done.stdout
        if "pax" in packer[-1] and device.shell.name == "busybox":
            continue  # its tar knows no pax names
        device.release(number, release)
        assert (device.root / "opt/app/sub" / ("long" * 30)).read_text() == "x"


@pytest.mark.parametrize("name", ["Grüße/名 1", "not utf-8 \udcff", "-rf", "x" * 255])
def test_odd_names_arrive_and_are_read_back(device: Device, name: str):
    link = (member("link", tarfile.SYMTYPE, name), b"")
    info = tarfile.TarInfo(name)
    info.size = 4
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"odd\n"))
        archive.addfile(link[0])
    release = directory("r1")
    release.payload["update.tar"] = out.getvalue()

    device.release(1, release)

    app = device.root / "opt/app"
    assert (app / name).read_bytes() == (app / "link").read_bytes() == b"odd\n"
    assert device.fields()["active"] == "yes"
    (app / name).write_bytes(b"odder\n")
    assert device.fields()["active"] == "no"


def test_an_empty_archive_is_an_empty_release(one: Device):
    release = directory("r1")
    release.payload["update.tar"] = tarfile_empty()

    one.release(1, release)

    assert list((one.root / "opt/app/").iterdir()) == []
    assert one.fields()["active"] == "yes"


def tarfile_empty() -> bytes:
    out = io.BytesIO()
    tarfile.open(fileobj=out, mode="w").close()
    return out.getvalue()
