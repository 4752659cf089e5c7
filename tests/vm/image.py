"""What the machine is made of: system images for its slots, and a disk with GRUB, all from Debian's files.

An ordinary user can do it: nothing is mounted, and `fakeroot` plays the owner of the files.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GUEST = Path(__file__).parent / "guest"
PAGE = Path(__file__).parents[2] / "docs/reference/modules.md"
KERNEL = Path(sys.prefix) / "kernel"  # tools/vm_packages.sh unpacks it
GRUB = Path("/usr/lib/grub/i386-pc")
SUDO = Path("/usr/libexec/sudo")
PAM = Path("/lib/x86_64-linux-gnu/security/pam_permit.so")
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PROGRAMS = ("dropbear", "openssl", "sudo", "xdelta3")  # beside those of busybox
BUILDERS = ("qemu-system-x86_64", "grub-mkimage", "mke2fs", "dropbearkey", "busybox")
MODULES = (
    *("virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_legacy_dev"),
    *("virtio/virtio_pci_modern_dev", "virtio/virtio_pci", "block/virtio_blk"),
    *("failover", "net/net_failover", "net/virtio_net"),
)  # in the order in which they need each other
CORE = "biosdisk part_msdos ext2 normal linux test loadenv serial terminal reboot sleep"
DIRECTORIES = "bin boot/grub data dev etc/init.d etc/pam.d etc/sudoers.d lib lib64 proc run sbin sys tmp usr/bin usr/local/bin usr/sbin var/lib"
MEGABYTE = 1 << 20
GRUB_MB, SLOT_MB, DATA_MB = 24, 36, 160
SMALL_SLOT_MB = 20  # of a system without a kernel
SECTORS_PER_MB = 2048
TEXTS = {
    "etc/group": "root:x:0:\n",
    "etc/hostname": "vm1\n",
    "etc/pam.d/sudo": "".join(
        f"{kind} required pam_permit.so\n" for kind in ("auth", "account", "session")
    ),
    "etc/hosts": "127.0.0.1 localhost vm1\n",
    "etc/passwd": "root:x:0:0::/:/bin/sh\n",
    "etc/shadow": "root:*:::::::\n",
    "etc/shells": "/bin/sh\n",
    "etc/sudoers": "@includedir /etc/sudoers.d\n",
    "usr/local/bin/xdelta3": '#!/bin/sh\necho patched >/dev/console\nexec /usr/bin/xdelta3 "$@"\n',
}
SLOTS = "a /dev/vda2\nb /dev/vda3\nboot grub /boot/grub/grubenv\n"
# $1: the bundle; $2: the tree; $3: the slot's image and $4 its size; $5: what slots share; $6: their names
ASSEMBLE = f"""set -eu
PATH=$PATH:/usr/sbin:/sbin
chmod 4755 "$2/usr/bin/sudo"
chmod 440 "$2/etc/sudoers"
sh "$1/install.sh" "$2"
mkdir "$5"
mv "$2/etc/rollout" "$5/etc"
mv "$2/var/lib/rollout" "$5/var"
mkdir "$2/etc/rollout" "$2/var/lib/rollout"
printf %s "$6" >"$5/etc/slots"
cp host_key "$5/host_key"
mke2fs -q -t ext4 -O ^has_journal -m 0 -E root_owner=0:0 -d "$2" "$3" "$4M"
mke2fs -q -t ext4 -m 0 -E root_owner=0:0 -d "$5" data.img {DATA_MB}M
"""


def why_not() -> str:
    """Why no machine can boot here; empty when one can."""
    if not sorted(KERNEL.glob("boot/vmlinuz-*")):
        return "there is no kernel in the environment: tools/vm_packages.sh"
    wanted = (*BUILDERS, *PROGRAMS, *(("fakeroot",) if os.geteuid() else ()))
    missing = [name for name in wanted if not shutil.which(name, path=SEARCH)]
    missing += [str(path) for path in (GRUB, SUDO, PAM) if not path.exists()]
    return f"{' '.join(missing)} not installed" if missing else ""


@dataclass(frozen=True)
class Factory:
    """Builds in `place`; `bundle` is what `rollout device bundle` wrote.

    A slot holds its own kernel, or is small: then both boot the one that lies beside GRUB.
    """

    place: Path
    bundle: Path
    small: bool = False

    @property
    def slot_mb(self) -> int:
        """The size of a slot, and of each image for it."""
        return SMALL_SLOT_MB if self.small else SLOT_MB

    def system(self, version: str, *, health: str = "well", without: str = "") -> Path:
        """A system image that says its version; `without` is the path of a file that it lacks."""
        tree, shared = self.place / f"tree-{version}", self.place / "shared"
        for directory in DIRECTORIES.split():
            (tree / directory).mkdir(parents=True)
        self._programs(tree)
        texts = {**TEXTS, "etc/version": f"{version}\n", "etc/health": f"{health}\n"}
        for name, text in texts.items():
            (tree / name).write_text(text)
        shutil.copy(GUEST / "inittab", tree / "etc/inittab")
        shutil.copy(GUEST / "rcS.sh", tree / "etc/init.d/rcS")
        for program in ("etc/init.d/rcS", "usr/local/bin/xdelta3"):
            (tree / program).chmod(0o755)
        if not self.small:
            self._kernel(tree / "boot")
        if without:
            (tree / without).unlink()
        image = self.place / f"{version}.img"
        shutil.rmtree(shared, ignore_errors=True)
        assemble = ("sh", "-c", ASSEMBLE, "sh", self.bundle, tree, image, str(self.slot_mb))
        self._run(*(("fakeroot",) if os.geteuid() else ()), *assemble, shared, SLOTS)
        shutil.rmtree(tree)
        return image

    def host_key(self) -> str:
        """Makes the machine's host key; gives its fingerprint."""
        made = self._run("dropbearkey", "-t", "ed25519", "-f", "host_key")
        found = re.search(r"SHA256:\S+", made)
        assert found, made
        return found[0]

    def disk(self, system: Path) -> Path:
        """A disk with that system in slot a, nothing in slot b, and what the newest system brought
        along for both.
        """
        core = f"grub-mkimage -O i386-pc -o core.img -p (hd0,msdos1) {CORE}"
        self._run(*core.split())
        grub = self.place / "grub"
        grub.mkdir()
        (grub / "grub.cfg").write_text(self._grub_cfg())
        block = "# GRUB Environment Block\nrollout_slot=a\nrollout_try=\n".ljust(1024, "#")
        (grub / "grubenv").write_text(block)
        if self.small:
            self._kernel(grub)
        make = f"mke2fs -q -t ext4 -O ^has_journal -m 0 -E root_owner=0:0 -d {grub} grub.img"
        self._run(*make.split(), f"{GRUB_MB}M")
        disk = self.place / "disk.img"
        sizes = (GRUB_MB, self.slot_mb, self.slot_mb, DATA_MB)
        with disk.open("wb") as out:
            out.truncate((1 + sum(sizes)) * MEGABYTE)
            out.write((GRUB / "boot.img").read_bytes()[:440])
            out.seek(446)
            out.write(_partitions(sizes))
            out.write((self.place / "core.img").read_bytes())  # from the second sector on
        start_mb = 1
        for part, size_mb in zip(("grub.img", system.name, "", "data.img"), sizes, strict=True):
            if part:
                copy = f"dd if={part} of=disk.img bs=1M seek={start_mb} conv=notrunc,sparse"
                self._run(*copy.split())
            start_mb += size_mb
        return disk

    def _programs(self, tree: Path) -> None:
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        for name in self._run("busybox", "--list-full").split():
            link = tree / name
            if not link.exists() and name != "linuxrc":
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to("/bin/busybox")
        own = [Path(str(shutil.which(name, path=SEARCH))) for name in PROGRAMS]
        sudo = [*SUDO.glob("*.so*"), PAM]
        for path in [*own, *sudo]:
            target = tree / str(path.parent)[1:] / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(path, target)
            for library in re.findall(r"(/\S+) \(0x", self._run("ldd", path)):
                place = tree / library[1:]
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, place)

    def _kernel(self, boot: Path) -> None:
        (kernel,) = KERNEL.glob("boot/vmlinuz-*")
        shutil.copy(kernel, boot / "vmlinuz")
        (boot / "initrd.img").write_bytes(self._initrd())

    def _grub_cfg(self) -> str:
        """The script that docs/reference/modules.md gives for GRUB, with the disk of the machine."""
        (script,) = re.findall(r"^```grub\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        beside = (("linux /boot/", "linux $prefix/"), ("initrd /boot/", "initrd $prefix/"))
        for there, here in (
            ("gpt", "msdos"),
            ("mmcblk0p", "vda"),
            ("panic=10", "panic=1 console=ttyS0 quiet"),
            *(beside if self.small else ()),
        ):
            assert there in script
            script = script.replace(there, here)
        return f"serial --unit=0 --speed=115200\nterminal_output serial\n{script}"

    def _initrd(self) -> bytes:
        tree = self.place / "initrd"
        if not tree.exists():
            for directory in ("bin", "dev", "proc", "sys", "system", "modules"):
                (tree / directory).mkdir(parents=True)
            shutil.copy("/bin/busybox", tree / "bin/busybox")
            for name in ("sh", "mount", "insmod", "usleep", "switch_root"):
                (tree / "bin" / name).symlink_to("busybox")
            names = [f"{name.rpartition('/')[2]}.ko" for name in MODULES]
            for name in names:
                (module,) = KERNEL.rglob(name)
                shutil.copy(module, tree / "modules" / name)
            (tree / "modules/order").write_text("".join(f"{name}\n" for name in names))
            shutil.copy(GUEST / "initrd.sh", tree / "init")
            (tree / "init").chmod(0o755)
        pack = "find . | sort | busybox cpio -o -H newc -R 0:0 2>/dev/null | gzip -1"
        return subprocess.run(["sh", "-c", pack], cwd=tree, check=True, capture_output=True).stdout

    def _run(self, *words: str | Path) -> str:
        spoken = [str(word) for word in words]
        done = subprocess.run(
            spoken, cwd=self.place, env={**os.environ, "PATH": SEARCH},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{spoken}: {done.stdout}{done.stderr}"
        return done.stdout


def _partitions(sizes_mb: tuple[int, ...]) -> bytes:
    """The table of a master boot record: Linux partitions, one after the other from 1 MB on."""
    table, start = b"", SECTORS_PER_MB
    for size_mb in sizes_mb:
        size, far = size_mb * SECTORS_PER_MB, b"\xfe\xff\xff"
        table += struct.pack("<B3sB3sII", 0, far, 0x83, far, start, size)
        start += size
    return table + b"\x55\xaa"
