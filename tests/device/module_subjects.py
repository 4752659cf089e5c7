"""The update modules of this project, each with something to install."""

from __future__ import annotations

from pathlib import Path

from tests.device import (
    compose_kit,
    deb_kit,
    mender_update_kit,
    rauc_kit,
    slots_kit,
    swupdate_kit,
)
from tests.device.kit import directory, single_file
from tests.device.module_kit import Subject


def _text(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""


def _script(name: str) -> dict[str, bytes]:
    """Puts its name into a file, and knows how to go back exactly, also when it was cut off."""
    head = f"#!/bin/sh\nset -e\nm=$ROLLOUT_ROOT/opt/marker\nold=$m.before-{name}\n"
    install = f"""[ -e "$old" ] || {{
  if [ -e "$m" ]; then ln -f "$m" "$old.new"; else : >"$old.new"; fi
  mv "$old.new" "$old"
}}
echo {name} >"$m.new"
mv "$m.new" "$m"
"""
    rollback = """rm -f "$m.new" "$old.new"
[ -e "$old" ] || exit 0
if [ -s "$old" ]; then rm -f "$m" && mv "$old" "$m"; else rm -f "$m" "$old"; fi
"""
    verify = f'[ "$(cat "$m")" = {name} ]\n'
    bodies = {"install": install, "rollback": rollback, "verify": verify}
    return {file: (head + body).encode() for file, body in bodies.items()}


SUBJECTS = (
    Subject(
        "directory",
        lambda name: directory(name).payload,
        lambda root: _text(root / "opt/app/version.txt"),
        breaks=lambda payload: {**payload, "dest_dir": b"/opt/file\n"},
        prepare=lambda root: _put(root / "opt/file", "in the way"),
    ),
    Subject(
        "directory",
        lambda name: directory(name).payload,
        lambda root: _text(root / "opt/app/version.txt"),
        breaks=lambda payload: {**payload, "update.tar": b"no archive"},
        prepare=lambda root: _put(root / "opt/app/version.txt", "factory"),
        name="directory-in-place-of-one",
    ),
    Subject(
        "single-file",
        lambda name: single_file(name, name.encode()).payload,
        lambda root: _text(root / "etc/app/app.conf"),
        breaks=lambda payload: {**payload, "dest_dir": b"/etc/directory\n"},
        prepare=lambda root: (root / "etc/directory/app.conf").mkdir(parents=True),
    ),
    Subject(
        "script",
        _script,
        lambda root: _text(root / "opt/marker"),
        breaks=lambda payload: {**payload, "install": payload["install"] + b"exit 1\n"},
        prepare=lambda root: (root / "opt").mkdir(),
    ),
    Subject(
        "deb",
        lambda name: {"of-test.deb": deb_kit.package(name[1:])},
        lambda root: _text(root / "opt/of-test/version").replace("1", "r1").replace("2", "r2"),
        breaks=lambda _: {"of-test.deb": deb_kit.package("2", depends="what-there-is-not")},
        prepare=deb_kit.prepare,
        own=("var/lib/dpkg", "var/lib/rollout/packages"),
        needs=("dpkg", "dpkg-deb", "dpkg-query"),
    ),
    Subject(
        "compose",
        compose_kit.payload,
        compose_kit.running,
        breaks=lambda _: compose_kit.payload("r2", "crash-app:1"),
        programs={"docker": compose_kit.DOCKER, "sleep": "#!/bin/sh\n"},
        own=("docker",),
    ),
    Subject(
        "rootfs-image",
        slots_kit.payload,
        slots_kit.running,
        breaks=lambda _: {"system.img": bytes(slots_kit.SLOT_BYTES + 1)},
        prepare=slots_kit.prepare,
        own=("boot/grub/grubenv", "dev", "var/lib/rollout/slots"),
        boots=slots_kit.boot,
        reboots=True,
    ),
    Subject(
        "rauc",
        rauc_kit.payload,
        rauc_kit.running,
        breaks=lambda _: {"system.raucb": b"torn\n"},
        prepare=rauc_kit.prepare,
        programs={"rauc": rauc_kit.RAUC, "sleep": "#!/bin/sh\n"},
        own=("rauc",),
        boots=rauc_kit.boot,
        reboots=True,
    ),
    Subject(
        "mender",
        mender_update_kit.payload,
        mender_update_kit.running,
        breaks=lambda _: mender_update_kit.payload("torn"),
        prepare=mender_update_kit.prepare,
        programs={"mender-update": mender_update_kit.CLIENT},
        own=("mender",),
        final=True,
    ),
    Subject(
        "swupdate",
        swupdate_kit.payload,
        slots_kit.running,
        breaks=lambda _: {"system.swu": b"torn\n"},
        prepare=swupdate_kit.prepare,
        programs={"swupdate": swupdate_kit.SWUPDATE},
        own=("boot/grub/grubenv", "dev", "var/lib/rollout/slots"),
        boots=slots_kit.boot,
        reboots=True,
    ),
)


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
