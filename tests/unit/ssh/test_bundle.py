"""Bundles for images: the same bytes each time, in forms that other programs read."""

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.bundle import Placed, deb_of, install_script, tar_of, tree_of, version_of
from orchestrator.ssh.placed import Boot, Elevation, Enrolment, PlacedRoot

KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
WANTED = Enrolment(
    device_type="edge", device_id="edge-1", login_key=KEY,
    signing_keys={"release": b"-----BEGIN PUBLIC KEY-----\n"}, checks={"app": b"#!/bin/sh\n"},
)  # fmt: skip
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def tree(way: Elevation = Elevation.SUDO, boot: Boot = Boot.SYSTEMD) -> tuple[Placed, ...]:
    return tree_of(WANTED, way, boot)


def names(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def test_same_wish_gives_the_same_bytes_of_root_and_of_no_time() -> None:
    first, again = tar_of(tree()), tar_of(tree())
    members = names(first).values()

    assert first == again
    assert deb_of(tree(), revision=1) == deb_of(tree(), revision=1)
    assert {(one.uid, one.gid, one.uname, one.mtime) for one in members} == {(0, 0, "root", 0)}


@pytest.mark.parametrize(
    ("boot", "hook", "link"),
    [
        (
            Boot.SYSTEMD,
            "./etc/systemd/system/rollout-boot.service",
            "./etc/systemd/system/multi-user.target.wants/rollout-boot.service",
        ),
        (Boot.PROCD, "./etc/init.d/rollout-boot", "./etc/rc.d/S15rollout-boot"),
        (Boot.OPENRC, "./etc/init.d/rollout-boot", "./etc/runlevels/default/rollout-boot"),
        (Boot.INIT, "./etc/init.d/rollout-boot", "./etc/rc3.d/S01rollout-boot"),
        (Boot.CRON, "./etc/cron.d/rollout-boot", ""),
    ],
)
def test_boot_hook_is_enabled_by_what_is_in_the_tree(boot: Boot, hook: str, link: str) -> None:
    found = names(tar_of(tree(boot=boot)))

    assert found[hook].isfile()
    assert [name for name, one in found.items() if one.issym()] == [] or link in found
    assert not link or found[link].linkname.endswith(hook.removeprefix("./etc/"))


@pytest.mark.parametrize(
    "wanted",
    [
        replace(WANTED, login_user="root"),
        replace(WANTED, device_type="edge; reboot"),
        replace(WANTED, device_id="a\nb"),
        replace(WANTED, login_user="a b"),
    ],
)
def test_values_that_could_mean_more_are_refused(wanted: Enrolment) -> None:
    with pytest.raises(DeviceError) as caught:
        tree_of(wanted, Elevation.SUDO, Boot.CRON)

    assert caught.value.reason == Reason.USAGE


def test_step_to_root_is_the_one_that_was_chosen() -> None:
    found = {one.path: one for one in tree(Elevation.DOAS)}

    assert (found["/etc/doas.d/rollout.conf"].mode, "/etc/sudoers.d/rollout" in found) == (
        0o440,
        False,
    )
    assert b'--elevate "doas -n' in (found["/usr/lib/rollout/launch"].content or b"")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_package_is_one_that_dpkg_reads(tmp_path: Path) -> None:
    package = tmp_path / "p.deb"
    package.write_bytes(deb_of(tree(), revision=3))

    told = subprocess.run(
        ["dpkg-deb", "--field", package, "Package", "Version", "Architecture", "Depends"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / "out"], check=True)
    scripts = [tmp_path / "out/DEBIAN" / name for name in ("preinst", "postinst")]

    assert "Package: rollout-device\n" in told
    assert f"Version: {version_of(3)}\n" in told
    assert "Depends: openssl, sudo, openssh-server | dropbear\n" in told
    assert {one.read_bytes() for one in scripts} == {install_script()}
    assert {one.stat().st_mode & 0o777 for one in scripts} == {0o755}
    for one in tree():
        unpacked = tmp_path / f"out{one.path}"
        if one.content is not None:
            assert unpacked.read_bytes() == one.content
            assert unpacked.stat().st_mode & 0o7777 == one.mode


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
@pytest.mark.parametrize(
    ("root", "checkers"),
    [
        (None, "openssl"),
        (PlacedRoot(b"", "acme", 1, ed25519_lacks=("build",)), "openssl | openssh-client (>= 1:8.1)"),
        (PlacedRoot(b"", "acme", 1), "openssl | openssh-client (>= 1:8.1) | signify-openbsd | usign"),
    ],
)  # fmt: skip
def test_package_wants_a_program_that_checks_what_its_root_asks_for(
    tmp_path: Path, root: PlacedRoot | None, checkers: str
) -> None:
    package = tmp_path / "p.deb"
    package.write_bytes(deb_of(tree(), revision=1, root=root))

    told = subprocess.run(
        ["dpkg-deb", "--field", package, "Depends"], capture_output=True, text=True, check=True
    ).stdout

    assert told == f"{checkers}, sudo, openssh-server | dropbear\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The accounts of an image, the end of a file missing in one."""
    etc = tmp_path / "image/etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nsshd:x:999:65534::/run/sshd:/x\n")
    (etc / "group").write_text("root:x:0:\nrender:x:998:")
    (etc / "shadow").write_text("root:*:1::::::\n")
    (tmp_path / "rollout-device.tar").write_bytes(tar_of(tree()))
    (tmp_path / "install.sh").write_bytes(install_script())
    return tmp_path / "image"


def install(image: Path, *shell: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(shell or ("sh",)), image.parent / "install.sh", image],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@needs_root
@pytest.mark.parametrize("shell", [("dash",), ("bash",), ("busybox", "ash")], ids=" ".join)
def test_script_makes_the_account_in_an_image_once(image: Path, shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")

    first = install(image, *shell)
    after = {name: (image / "etc" / name).read_text() for name in ("passwd", "group", "shadow")}
    again = install(image, *shell)

    assert (first.returncode, first.stderr, again.returncode) == (0, "", 0)
    assert after["passwd"].splitlines()[2:] == ["rollout:x:997:997::/var/lib/rollout/home:/bin/sh"]
    assert after["group"].splitlines()[1:] == ["render:x:998:", "rollout:x:997:"]
    assert after["shadow"].splitlines()[1:] == ["rollout:*:::::::"]
    assert {name: (image / "etc" / name).read_text() for name in after} == after
    var = image / "var/lib/rollout"
    of_root = [var, var / "home", var / "home/.ssh", var / "home/.ssh/authorized_keys"]
    assert {(one.stat().st_uid, one.stat().st_mode & 0o022) for one in of_root} == {(0, 0)}
    assert (var / "spool").stat().st_gid == 997


def dpkg(image: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Debian's own program on an image; scripts run outside of it, as there is no shell in it."""
    forced = ("--force-depends", "--force-script-chrootless", "--force-unsafe-io")
    return subprocess.run(
        ["dpkg", "--log=/dev/null", f"--root={image}", *forced, *words],
        capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip


@needs_root
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@pytest.mark.parametrize("link", [".ssh", ".ssh/authorized_keys"])
def test_package_goes_where_no_link_of_the_account_leads(image: Path, link: str) -> None:
    for name in ("info", "updates", "triggers"):
        (image / "var/lib/dpkg" / name).mkdir(parents=True)
    (image / "var/lib/dpkg/status").touch()
    packages = [image.parent / f"{revision}.deb" for revision in (1, 2)]
    for revision, package in enumerate(packages, 1):
        package.write_bytes(deb_of(tree(), revision=revision))
    home, roots = image / "var/lib/rollout/home", image.parent / "roots"
    roots.mkdir(mode=0o700)
    (roots / "authorized_keys").write_text("ssh-ed25519 AAAA root's own\n")
    keys = home / ".ssh/authorized_keys"

    first = dpkg(image, "-i", packages[0])
    placed = keys.read_text()
    for path in (home, home / ".ssh", keys):  # as enrolment over SSH leaves them
        os.chown(path, 997, 997)
    target = roots if link == ".ssh" else roots / "authorized_keys"
    (home / ".ssh").rename(home / "before")
    (home / link).parent.mkdir(exist_ok=True)
    (home / link).symlink_to(target)
    refused = dpkg(image, "-i", packages[1])
    before = (roots / "authorized_keys").read_text(), (roots / "authorized_keys").stat().st_uid
    listed = sorted(one.name for one in roots.iterdir())
    (home / link).unlink()
    mended = dpkg(image, "-i", packages[1])
    removed = dpkg(image, "-r", "rollout-device")

    assert first.returncode == 0
    assert refused.returncode != 0
    assert f"{home}/{link} is a symbolic link" in refused.stderr
    assert (before, listed) == (("ssh-ed25519 AAAA root's own\n", 0), ["authorized_keys"])
    assert mended.returncode == 0
    assert placed.endswith(" rollout\n")
    assert removed.returncode == 0
    assert (home.stat().st_uid, keys.exists()) == (0, False)


@needs_root
@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("passwd", "rollout:x:1000:1000:R:/home/rollout:/bin/bash\n"),
        ("group", "\nrollout:x:1000:\n"),
    ],
)
def test_account_of_somebody_else_is_left_alone(image: Path, file: str, line: str) -> None:
    path = image / "etc" / file
    path.write_text(path.read_text() + line)
    before = path.read_text()

    done = install(image)

    assert done.returncode == 1
    assert "--user" in done.stderr
    assert path.read_text() == before
    assert sorted(one.name for one in image.iterdir()) == ["etc"]
    assert not (image / "etc/rollout").exists()


def test_authority_takes_the_place_of_the_login_key() -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    found = tree_of(replace(WANTED, user_ca=authority), Elevation.SUDO, Boot.CRON)
    (line,) = [one.content for one in found if one.path.endswith("/authorized_keys")]

    options, words = (line or b"").decode().split(" ssh-ed25519 ")
    assert options == (
        'restrict,cert-authority,principals="rollout",command="/usr/lib/rollout/launch"'
    )
    assert words.split()[0] == authority.split()[1]
