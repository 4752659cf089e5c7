"""The update module `deb` with Debian's own dpkg, in a root of the test."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.device.deb_kit import give_shell, known, package, prepare
from tests.device.kit import Device, Release

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg is not installed")


@pytest.fixture(autouse=True)
def with_dpkg(one: Device) -> None:
    prepare(one.root)


def release(*packages: bytes, **more: bytes) -> Release:
    files = {f"{number}.deb": content for number, content in enumerate(packages)}
    named = {name.replace("_", "-", 1) + ".deb": content for name, content in more.items()}
    return Release("deb", payload=files | named)


def by_hand(device: Device, content: bytes) -> None:
    """Installs a package that this project knows nothing of."""
    file = device.root.parent / "by-hand.deb"
    file.write_bytes(content)
    dpkg = ["dpkg", f"--root={device.root}", "--install", file]
    subprocess.run(dpkg, check=True, capture_output=True)


def deliver(device: Device, number: int, what: Release) -> str:
    """The reason why it was not installed; empty when it was."""
    return device.deliver(number, what.frames(device.key)).fields.get("reason", "")


def test_packages_come_and_go_in_one_go(one: Device):
    one.release(1, release(package("1")))
    together = release(package("2", depends="of-more"), package("1", "of-more", depends="of-test"))
    assert deliver(one, 2, together) == ""
    assert known(one.root) == {"of-test": "install installed 2", "of-more": "install installed 1"}
    assert one.fields()["active"] == "yes"

    assert one.do("rollback", 2).rc == 0

    assert known(one.root) == {"of-test": "install installed 1"}
    assert not (one.root / "opt/of-more").exists()
    assert one.fields()["active"] == "yes"


def test_what_the_owner_configured_stays_and_comes_back(one: Device):
    conf = one.root / "etc/of-test.conf"
    one.release(1, release(package("1")))
    conf.write_text("of the owner\n")
    conf.chmod(0o600)

    assert deliver(one, 2, release(package("2", conf="other default"))) == ""
    assert conf.read_text() == "of the owner\n"
    assert one.fields()["active"] == "yes"  # configuration is the owner's
    conf.write_text("spoilt by the new version\n")
    assert one.do("rollback", 2).rc == 0

    assert (conf.read_text(), conf.stat().st_mode & 0o777) == ("of the owner\n", 0o600)
    assert [file.name for file in conf.parent.glob("of-test*")] == ["of-test.conf"]


@pytest.mark.root
def test_a_maintainer_script_that_fails_takes_the_package_back(one: Device):
    if not give_shell(one.root):
        pytest.skip("maintainer scripts run in another root: needs busybox and to be root")
    tells = 'echo "$@" >>/opt/told'
    one.release(1, release(package("1", postinst=tells)))
    conf = one.root / "etc/of-test.conf"
    conf.write_text("of the owner\n")

    failing = release(package("2", conf="other", postinst=f"{tells}\nexit 7"))
    delivered = one.deliver(2, failing.frames(one.key))

    assert delivered.fields["reason"] == "activate_failed"
    assert known(one.root) == {"of-test": "install installed 1"}
    assert conf.read_text() == "of the owner\n"
    assert one.fields()["active"] == "yes"
    told = (one.root / "opt/told").read_text().splitlines()
    assert told == ["configure ", "configure 1", "configure 1"]


@pytest.mark.root
def test_a_service_that_a_package_starts_is_not_waited_for(one: Device):
    """It may hold the streams of dpkg for as long as it runs."""
    if not give_shell(one.root):
        pytest.skip("no shell for maintainer scripts")
    (one.root / "dev").mkdir()
    os.mknod(one.root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    daemon = "/bin/sh -c 'echo $$ >/daemon; kill -STOP $$' &"
    try:
        assert deliver(one, 1, release(package("1", postinst=daemon))) == ""
    finally:
        pid = int((one.root / "daemon").read_text())
        lived = Path(f"/proc/{pid}").exists()
        os.kill(pid, signal.SIGKILL)
    assert lived
    assert one.fields()["state"] == "probation"


def test_a_package_that_another_one_displaces_comes_back(one: Device):
    mine = one.root / "etc/of-test.conf"
    by_hand(one, package("1"))
    mine.write_text("of the owner\n")
    other = package("1", "of-more", instead="of-test")

    assert deliver(one, 1, release(other)) == "install_failed"
    assert known(one.root) == {"of-test": "install installed 1"}
    assert deliver(one, 2, release(other, back_old=package("1"))) == ""
    assert "install installed" not in known(one.root).get("of-test", "")
    assert one.do("rollback", 2).rc == 0

    assert known(one.root) == {"of-test": "install installed 1"}
    assert mine.read_text() == "of the owner\n"


def test_a_package_of_two_architectures_comes_back_in_both(one: Device):
    """As libraries that programs of another architecture need."""
    (one.root / "var/lib/dpkg/arch").write_text("amd64\ni386\n")
    for number, version in ((1, "1"), (2, "2")):
        both = (package(version, architecture=word) for word in ("amd64", "i386"))
        one.release(number, release(*both))

    assert one.do("rollback", 2).rc == 0

    assert known(one.root) == {"of-test": "install installed 1"}
    assert one.fields()["active"] == "yes"


def test_a_package_without_a_way_back_is_not_replaced(one: Device):
    by_hand(one, package("0"))

    delivered = one.deliver(1, release(package("1")).frames(one.key))

    assert delivered.fields["reason"] == "install_failed"
    assert "no package to go back to of-test 0" in delivered.detail
    assert known(one.root) == {"of-test": "install installed 0"}


@pytest.mark.parametrize("place", ["payload", "archives"])
def test_a_package_to_go_back_to_may_be_brought_or_left_by_apt(one: Device, place: str):
    by_hand(one, package("1:0"))
    what = release(package("1:1"))
    if place == "payload":
        what.payload["back-of-test.deb"] = package("1:0")
    else:
        archives = one.root / "var/cache/apt/archives"
        archives.mkdir(parents=True)
        (archives / "of-test_1%3a0_all.deb").write_bytes(package("1:0"))

    assert deliver(one, 1, what) == ""
    assert known(one.root) == {"of-test": "install installed 1:1"}
    assert one.do("rollback", 1).rc == 0

    assert known(one.root) == {"of-test": "install installed 1:0"}


def test_an_irreversible_release_may_replace_it_and_cannot_go_back(one: Device):
    by_hand(one, package("0"))
    what = release(package("1"))
    what.payload["irreversible"] = b""
    assert deliver(one, 1, what) == ""

    reply = one.do("rollback", 1)

    assert reply.fields["reason"] == "rollback_failed"
    assert known(one.root) == {"of-test": "install installed 1"}


def test_a_package_that_is_held_stays_held_after_going_back(one: Device):
    one.release(1, release(package("1")))
    select = ["dpkg", f"--root={one.root}", "--set-selections"]
    subprocess.run(select, input=b"of-test hold\n", check=True)

    assert deliver(one, 2, release(package("2"))) == ""
    assert one.do("rollback", 2).rc == 0

    assert known(one.root) == {"of-test": "hold installed 1"}


def test_read_back_sees_a_changed_file_and_another_version(one: Device):
    one.release(1, release(package("1")))
    file = one.root / "opt/of-test/version"
    assert one.fields()["active"] == "yes"

    file.write_text("other")
    assert one.fields()["active"] == "no"
    by_hand(one, package("3"))
    assert one.fields()["active"] == "no"


def test_what_was_installed_is_kept_for_the_next_but_not_for_ever(one: Device):
    for number in (1, 2, 3):
        one.release(number, release(package(str(number))))

    kept = sorted(file.name for file in (one.root / "var/lib/rollout/packages").iterdir())

    assert kept == ["of-test_2.deb", "of-test_3.deb"]


@pytest.mark.parametrize("payload", [{"a.deb": b"none"}, {"a.txt": b""}, {"back-a.deb": b""}])
def test_a_payload_without_a_package_is_refused(one: Device, payload: dict[str, bytes]):
    assert deliver(one, 1, Release("deb", payload=payload)) == "install_failed"
