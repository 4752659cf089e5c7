"""The update module `rootfs-image`: slots, boot loaders, and what happens when a slot does not come up."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device import slots_kit
from tests.device.executor_kit import Executor
from tests.device.kit import Device, Release, Shell, txn
from tests.device.module_kit import Bench
from tests.device.module_subjects import SUBJECTS
from tests.device.slots_kit import environment, image, slot

SUBJECT = next(subject for subject in SUBJECTS if subject.kind == "rootfs-image")


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell) -> Bench:
    return Bench(tmp_path / "device", one_shell, SUBJECT)


def with_payload(bench: Bench, **files: bytes) -> Executor:
    release = bench.release("r1")
    for file in (release.work / "payload").iterdir():
        file.unlink()
    release.payload({name.replace("_", "."): data for name, data in files.items()})
    return release


def refused(release: Executor, why: str) -> None:
    rc, said = release.run("install")
    assert (rc, why in said) == (1, True), said


def test_an_image_goes_into_the_other_slot_and_is_tried_once(bench: Bench):
    release = bench.release("r1")

    bench.do(release, "install")
    assert environment(bench.root) == {"menu": "hidden", "rollout_slot": "a", "rollout_try": ""}
    assert release.run("activate") == (0, "Automatic")
    assert environment(bench.root)["rollout_try"] == "b"
    assert slot(bench.root) == "a"
    bench.boot(release)
    assert release.run("verify") == (0, "")
    assert (slot(bench.root), environment(bench.root)["rollout_slot"]) == ("b", "a")
    bench.do(release, "commit")

    assert environment(bench.root) == {"menu": "hidden", "rollout_slot": "b", "rollout_try": ""}
    assert (bench.root / "dev/slot-a").read_bytes() == image("factory")


@pytest.mark.parametrize("pack", ["gz", "xz"])
def test_a_packed_image_is_unpacked_on_its_way(bench: Bench, pack: str):
    data = (gzip if pack == "gz" else lzma).compress(image("r1"))
    release = with_payload(bench, **{f"system_img_{pack}": data})

    bench.do(release, "install")

    assert (bench.root / "dev/slot-b").read_bytes() == image("r1")


def test_a_slot_that_does_not_come_up_is_left_without_another_boot(bench: Bench):
    bench.first()
    release = bench.release("panic")
    bench.do(release, "install")
    assert release.run("activate") == (0, "Automatic")
    bench.boot(release)
    assert slot(bench.root) == "b"  # where r1 runs

    assert release.run("verify")[0] == 1
    assert release.run("back") == (0, "")

    assert bench.running == "r1"
    assert environment(bench.root)["rollout_slot"] == "b"


def test_a_slot_that_is_not_confirmed_is_left_by_the_next_boot(bench: Bench):
    bench.first()
    release = bench.release("r2")
    bench.do(release, "install", "activate")
    assert bench.running == "r2"

    bench.boot(release)

    assert bench.running == "r1"


def test_a_slot_that_was_written_again_is_no_way_back(bench: Bench):
    bench.first()
    second = bench.release("r2")
    bench.do(second, "install", "activate", "commit")
    bench.do(bench.release("r3"), "install")

    rc, said = second.run("back")

    assert (rc, "slot b has another image by now" in said) == (1, True)
    assert bench.running == "r2"


def test_an_image_that_changed_in_its_slot_is_not_tried(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install")
    (bench.root / "var/lib/rollout/slots/b").write_text("another\n")

    assert release.run("activate")[0] == 1
    assert environment(bench.root)["rollout_try"] == ""


def test_what_cannot_be_written_is_refused(bench: Bench):
    refused(with_payload(bench, a_img=image("r1") + b"x"), "larger than slot b")
    packed = gzip.compress(image("r1"))
    refused(with_payload(bench, a_img_gz=packed[:-9]), "cannot be unpacked")
    refused(with_payload(bench, a_img=image("r1"), b_img=b"x"), "more than one image")
    (bench.root / "proc/mounts").write_text(f"{bench.root}/dev/slot-b /mnt ext4 rw 0 0\n")
    refused(bench.release("r1"), "slot b is mounted")


@pytest.mark.parametrize(
    ("cmdline", "why"),
    [
        ("root=/dev/slot-c", "neither slot runs"),
        ("quiet", "tells no root"),
        ("root=PARTUUID=07-03", ""),
        ("root=/dev/mapper/crypt rollout.slot=a", ""),
    ],
)
def test_the_slot_that_runs_is_told_by_the_kernel(bench: Bench, cmdline: str, why: str):
    by_id = bench.root / "dev/disk/by-partuuid"
    by_id.mkdir(parents=True)
    (by_id / "07-03").symlink_to("../../slot-a")
    (bench.root / "proc/cmdline").write_text(cmdline)
    release = bench.release("r1")

    if why:
        refused(release, why)
    else:
        bench.do(release, "install")
        assert (bench.root / "dev/slot-b").read_bytes().startswith(b"r1\n")


@pytest.mark.parametrize("root", ["UUID=1-2", "LABEL=root", "/dev/disk/by-uuid/1-2"])
def test_slots_whose_file_systems_have_the_same_name_are_told_apart(bench: Bench, root: str):
    """Both images are of one recipe, and the link leads to the slot that does not run."""
    for name in ("by-uuid/1-2", "by-label/root"):
        link = bench.root / "dev/disk" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("../../slot-b")
    for name, number in (("a", "8:2"), ("b", "8:3")):
        place = bench.root / f"sys/class/block/slot-{name}"
        place.mkdir(parents=True)
        (place / "dev").write_text(f"{number}\n")
    (bench.root / "proc/cmdline").write_text(f"quiet root={root} ro\n")
    refused(bench.release("r1"), "does not tell which slot runs")
    mounts = bench.root / "proc/self/mountinfo"
    mounts.parent.mkdir()

    mounts.write_text("21 1 0:19 / / rw - overlay overlay rw\n")
    refused(bench.release("r1"), "neither slot runs, but 0:19")
    mounts.write_text("21 1 8:2 / / rw - ext4 /dev/root rw\n22 21 8:3 / /mnt rw - ext4 x rw\n")
    bench.do(bench.release("r1"), "install")

    assert (bench.root / "dev/slot-a").read_bytes().startswith(b"factory\n")
    assert (bench.root / "dev/slot-b").read_bytes().startswith(b"r1\n")


def test_the_environment_block_is_grubs_own(bench: Bench):
    bench.do(bench.release("r1"), "install", "activate")
    if not shutil.which("grub-editenv"):
        pytest.skip("grub-editenv is not installed")

    listed = ["grub-editenv", bench.root / "boot/grub/grubenv", "list"]
    told = subprocess.run(listed, capture_output=True, check=True, text=True).stdout.split()

    assert sorted(told) == ["menu=hidden", "rollout_slot=a", "rollout_try="]


@pytest.mark.parametrize("spoilt", [b"torn\n", b"x" * 999, b"\377\0=\n#", b""])
def test_a_spoilt_environment_block_is_made_good(bench: Bench, spoilt: bytes):
    """GRUB takes a line without `=` for the begin of the next one, and would not find our slot."""
    release = bench.release("r1")
    bench.do(release, "install")
    block = bench.root / "boot/grub/grubenv"
    block.write_bytes(b"# GRUB Environment Block\n" + spoilt)

    bench.do(release, "activate", "commit")

    assert slots_kit.environment(bench.root) == {"rollout_slot": "b", "rollout_try": ""}
    assert block.read_bytes().startswith(b"# GRUB Environment Block\nrollout_slot=b\n")


# the other boot loaders, each with its program played by the test

TOOLS = {
    "uboot": ("fw_setenv", '#!/bin/sh\necho "$1=${2-}" >>"$ROLLOUT_ROOT/calls"\n'),
    "systemd-boot": ("bootctl", '#!/bin/sh\necho "$1=$2" >>"$ROLLOUT_ROOT/calls"\n'),
}
STEPS = {
    "uboot": [
        ["rollout_slot=a", "rollout_try=", "upgrade_available=0"],
        [
            *("rollout_slot=a", "rollout_try=", "upgrade_available=0"),
            *("bootcount=0", "upgrade_available=1", "rollout_try=b"),
        ],
        ["rollout_slot=b", "rollout_try=", "upgrade_available=0"],
        ["rollout_slot=a", "rollout_try=", "upgrade_available=0"],
    ],
    "systemd-boot": [
        ["set-default=rollout-a.conf", "set-oneshot="],
        ["set-default=rollout-a.conf", "set-oneshot=", "set-oneshot=rollout-b.conf"],
        ["set-default=rollout-b.conf", "set-oneshot="],
        ["set-default=rollout-a.conf", "set-oneshot="],
    ],
}


@pytest.mark.parametrize("loader", TOOLS)
def test_a_loader_is_told_what_to_try_and_what_to_keep(bench: Bench, loader: str):
    slots_kit.prepare(bench.root, loader)
    name, body = TOOLS[loader]
    for program, text in ((name, body), ("fw_printenv", "#!/bin/sh\necho bootcmd=x\n")):
        (bench.root / "programs" / program).write_text(text)
        (bench.root / "programs" / program).chmod(0o755)
    release = bench.release("r1")

    def calls(verb: str) -> list[str]:
        (bench.root / "calls").write_text("")
        assert release.run(verb)[0] in (0, 3)
        return (bench.root / "calls").read_text().split()

    told = [calls("install"), calls("activate")]
    slots_kit.runs(bench.root, "b")
    release.boot()
    assert release.run("verify") == (0, "")
    told += [calls("commit"), calls("back")]

    assert told == STEPS[loader]


def u_boot(bench: Bench) -> list[str]:
    """The environment is U-Boot's own, in two copies of zeros; what lists it."""
    slots_kit.prepare(bench.root, "uboot")
    store, config = bench.root / "env", bench.root / "fw_env.config"
    store.write_bytes(bytes(8192))
    config.write_text(f"{store} 0x0000 0x1000\n{store} 0x1000 0x1000\n")
    (bench.root / "none").touch()
    for name in ("fw_setenv", "fw_printenv"):
        if not (real := shutil.which(name)):
            pytest.skip(f"{name} is not installed")
        told = f'#!/bin/sh\nexec {real} -c {config} -f {bench.root}/none "$@"\n'
        (bench.root / "programs" / name).write_text(told)
        (bench.root / "programs" / name).chmod(0o755)
    return ["fw_printenv", "-c", str(config), "-f", str(bench.root / "none")]


def test_the_environment_is_u_boots_own(bench: Bench):
    listed = u_boot(bench)
    subprocess.run([bench.root / "programs/fw_setenv", "bootcmd", "run"], check=True)

    release = bench.release("r1")
    bench.do(release, "install")
    assert release.run("activate") == (0, "Automatic")

    told = subprocess.run(listed, capture_output=True, check=True, text=True).stdout
    assert set(told.split()) == {
        *("bootcmd=run", "bootcount=0", "rollout_slot=a", "rollout_try=b", "upgrade_available=1"),
    }


@pytest.mark.parametrize("words", ["Warning: Bad CRC, using default environment", ""])
def test_an_environment_of_u_boot_that_cannot_be_read_is_not_begun_anew(bench: Bench, words: str):
    """A board boots from the defaults that its U-Boot has inside; with only our variables it would not."""
    u_boot(bench)
    if (
        words
    ):  # what the other program of that name says, with the defaults of the board it was made for
        said = f'#!/bin/sh\necho "{words}" >&2\necho bootcmd=of-another-board\n'
        (bench.root / "programs/fw_printenv").write_text(said)

    rc, said = bench.release("r1").run("install")

    assert (rc, "of U-Boot is spoilt or empty" in said) == (1, True)
    assert (bench.root / "env").read_bytes() == bytes(8192)
    assert (bench.root / "dev/slot-b").read_bytes() == bytes(slots_kit.SLOT_BYTES)


def test_raspberry_pi_tries_a_slot_by_the_reboot_itself(bench: Bench):
    autoboot = bench.root / "boot/autoboot.txt"
    autoboot.write_text("")
    slots_kit.prepare(bench.root, "tryboot /boot/autoboot.txt")
    (bench.root / "sbin").mkdir()
    (bench.root / "sbin/reboot").write_text('#!/bin/sh\necho "$*" >>"$ROLLOUT_ROOT/rebooted"\n')
    (bench.root / "sbin/reboot").chmod(0o755)
    (bench.root / "programs/sleep").write_text("#!/bin/sh\n")  # until the system goes down
    first_a = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"
    first_b = "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n"
    release = bench.release("r1")

    bench.do(release, "install")
    assert release.run("activate") == (0, "Yes")
    assert autoboot.read_text() == first_a
    release.run("reboot")
    assert (bench.root / "rebooted").read_text() == "0 tryboot\n"
    slots_kit.runs(bench.root, "b")
    release.boot()
    assert release.run("verify") == (0, "")
    bench.do(release, "commit")
    assert autoboot.read_text() == first_b
    assert release.run("back")[0] == 3
    assert autoboot.read_text() == first_a
    slots_kit.runs(bench.root, "a")
    release.boot()
    assert release.run("back") == (0, "")


@pytest.fixture
def disks(bench: Bench) -> Iterator[list[str]]:
    """Both slots as block devices."""
    made = []
    for name in ("slot-a", "slot-b"):
        file = bench.root / "dev" / name
        attach = ["losetup", "--find", "--show", str(file.rename(file.with_suffix(".img")))]
        done = subprocess.run(attach, capture_output=True, check=False, text=True)
        if done.returncode == 0:
            made.append(done.stdout.strip())
            file.symlink_to(made[-1])
    yield made
    for device in made:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.root
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("losetup"), reason="needs losetup as root"
)
def test_slots_may_be_block_devices(bench: Bench, disks: list[str]):
    if len(disks) < 2:
        pytest.skip("this machine gives out no loop devices")
    too_large = bench.release("r1", bad=True)
    refused(too_large, "larger than slot b")
    packed = gzip.compress(image("r1") + b"too long")
    refused(with_payload(bench, a_img_gz=packed), "slot b cannot be written")

    bench.do(bench.release("r2"), "install", "activate", "commit")

    assert Path(disks[1]).read_bytes().startswith(b"r2\n")
    assert bench.running == "r2"


@pytest.mark.parametrize("name", ["r2", "panic"])
def test_a_whole_update_over_a_reboot(one: Device, name: str):
    """Through the helper: a slot that comes up is committed, one that does not is taken back by itself."""
    slots_kit.prepare(one.root)

    def booted(boot: int) -> dict[str, str]:
        one.close()
        slots_kit.boot(one.root)
        one.boot(f"55555555-0000-0000-0000-{boot:012d}")
        assert one.hook("boot").returncode == 0
        return one.fields()

    for number, release in enumerate(("r1", name), 1):
        what = Release("rootfs-image", release, payload=slots_kit.payload(release))
        delivered = one.deliver(number, what.frames(one.key))
        assert (delivered.rc, delivered.fields["reboot"]) == (0, "yes")
        fields = booted(number)
        if release != "panic":
            assert one.commit(number).rc == 0

    if name == "panic":
        assert (fields["state"], fields["reverted"]) == ("rolled-back", txn(2))
        assert (fields["artifact"], fields["active"], slot(one.root)) == ("r1", "yes", "b")
        return
    assert (fields["active"], slot(one.root)) == ("yes", "a")
    assert one.do("rollback", 2).fields["reason"] == "busy"  # it reboots to go back
    assert booted(3)["state"] == "rolled-back"
    assert (one.fields()["artifact"], slots_kit.running(one.root)) == ("r1", "r1")


@pytest.mark.parametrize(
    ("slots", "why"),
    [
        ("", "a slot of /etc/rollout/slots is not there"),
        ("a /dev/slot-a\nb /dev/slot-x\nboot uboot\n", "is not there"),
        ("a /dev/slot-a\nb /dev/slot-b\nboot lilo\n", "names no boot loader"),
        ("a /dev/slot-a\nb /dev/slot-b\nboot grub /boot/none\n", "is not there"),
        ("a /dev/slot-a\nb /dev/slot-b\nboot tryboot /boot/grub/grubenv\n", "no boot partitions"),
    ],
)
def test_a_device_that_is_not_set_up_is_left_alone(bench: Bench, slots: str, why: str):
    (bench.root / "etc/rollout/slots").write_text(slots)

    refused(bench.release("r1"), why)

    assert (bench.root / "dev/slot-b").read_bytes() == bytes(slots_kit.SLOT_BYTES)
