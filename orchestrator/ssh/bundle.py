"""What enrolment places, as files for whoever builds images: a tar, a Debian package, a script.

Laws:
1. The same wish gives the same bytes: times, owners and the order of everything are fixed.
2. The tree is the one that `enroll.sh` makes, with the record that it keeps, so that enrolling
   such a device again finds nothing to do and releasing it undoes all of it.
3. Only the account cannot be in a tar: `install.sh` makes it, also as the package's `postinst`.
4. Nothing is unpacked below a directory of the account: its home and its key are root's, and `install.sh`,
   as the package's `preinst` too, takes over what an enrolment left to it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from orchestrator.device.reason import Reason
from orchestrator.device.shipped import helper_version
from orchestrator.errors import DeviceError
from orchestrator.ssh.authority import PRINCIPAL
from orchestrator.ssh.enroll import checked_value, public_key_words
from orchestrator.ssh.placed import (
    ETC,
    LIB,
    PLAIN,
    PROGRAM,
    VAR,
    VARIANTS,
    Boot,
    Elevation,
    Enrolment,
    PlacedRoot,
    files_of,
)

HOST_NAME = "@hostname"  # the device is called in the inventory what it calls itself
TAR_NAME = "rollout-device.tar"
SCRIPT_NAME = "install.sh"
HOME = f"{VAR}/home"
_PRIVATE_DIRECTORY, _DIRECTORY, _SUDOERS = 0o700, 0o755, 0o440
_AR_MAGIC = b"!<arch>\n"


@dataclass(frozen=True, slots=True)
class Placed:
    """One thing of the tree: a file, a link to `target`, or else a directory."""

    path: str
    mode: int
    content: bytes | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class _Hook:
    """Where a kind of boot hook lies, what `/etc/rollout/deadman` calls it, and what enables it."""

    path: str
    mode: int
    marker: str
    links: tuple[tuple[str, str], ...] = ()


_INIT = "/etc/init.d/rollout-boot"
_UNIT = "/etc/systemd/system/rollout-boot.service"
_HOOKS = {
    Boot.SYSTEMD: _Hook(
        _UNIT,
        PLAIN,
        "systemd",
        (("/etc/systemd/system/multi-user.target.wants/rollout-boot.service", _UNIT),),
    ),
    Boot.PROCD: _Hook(
        _INIT, PROGRAM, "init", (("/etc/rc.d/S15rollout-boot", "../init.d/rollout-boot"),)
    ),
    Boot.OPENRC: _Hook(_INIT, PROGRAM, "init", (("/etc/runlevels/default/rollout-boot", _INIT),)),
    Boot.INIT: _Hook(
        _INIT,
        PROGRAM,
        "init",
        tuple((f"/etc/rc{level}.d/S01rollout-boot", f"..{_INIT[4:]}") for level in "2345"),
    ),
    Boot.CRON: _Hook("/etc/cron.d/rollout-boot", PLAIN, "cron"),
}
_STEPS = {
    Elevation.SUDO: "/etc/sudoers.d/rollout",
    Elevation.DOAS: "/etc/doas.d/rollout.conf",
}


def tree_of(wanted: Enrolment, way: Elevation, boot: Boot) -> tuple[Placed, ...]:
    """Everything that enrolling a device of that kind would place, parents first.

    Raises:
        DeviceError: USAGE or AUTHENTICATION, a value cannot stand where it would.
    """
    if way is Elevation.ROOT or wanted.login_user == "root":
        message = "a bundle has an account of its own, and sudo or doas for its one step to root"
        raise DeviceError(message, reason=Reason.USAGE, hint="enrol such a device over SSH")
    for key, value in (
        ("user", wanted.login_user),
        ("device-type", wanted.device_type),
        ("device-id", wanted.device_id),
    ):
        checked_value(key, value)
    hook, files = _HOOKS[boot], files_of(wanted)
    named = sorted(name for name in files if not name.startswith(VARIANTS))
    placed = [
        Placed(f"{LIB}/launch", PROGRAM, files[f"launch/{way}"][1]),
        *(Placed(_place(name), *files[name]) for name in named),
        _text(f"{ETC}/device_type", wanted.device_type),
        _text(f"{ETC}/device_id", wanted.device_id),
        _text(f"{ETC}/deadman", hook.marker),
        Placed(_STEPS[way], _SUDOERS, files[f"elevate/{way}"][1]),
        Placed(hook.path, hook.mode, files[f"boot/{boot}"][1]),
    ]
    door = "restrict"
    if wanted.user_ca is not None:
        door = f'restrict,cert-authority,principals="{PRINCIPAL}"'
    algorithm, blob = public_key_words(wanted.user_ca or wanted.login_key)
    line = f'{door},command="{LIB}/launch" {algorithm} {blob} rollout\n'
    own = [f"{LIB}", f"{LIB}/modules", f"{ETC}", f"{ETC}/keys", f"{ETC}/health.d", VAR]
    spool = Placed(f"{VAR}/spool", _PRIVATE_DIRECTORY)
    record = _record(wanted.login_user, [*own, spool.path], placed, hook.marker)
    found = [
        *(Placed(path, _DIRECTORY) for path in own),
        spool,
        *placed,
        Placed(HOME, _DIRECTORY),
        Placed(f"{HOME}/.ssh", _DIRECTORY),
        Placed(f"{HOME}/.ssh/authorized_keys", PLAIN, line.encode("ascii")),
        _text(f"{ETC}/enrolled", record),
        *(Placed(path, 0o777, target=target) for path, target in hook.links),
    ]
    return tuple(sorted(found, key=lambda one: one.path))


def tar_of(tree: Sequence[Placed]) -> bytes:
    """The tree as a tar of root's files, below `./`; it says nothing of an image's own directories."""
    return _tar([(f".{one.path}", one) for one in tree])


def deb_of(tree: Sequence[Placed], *, revision: int, root: PlacedRoot | None = None) -> bytes:
    """The tree as a Debian package `rollout-device` that fits every architecture.

    Its step to root has to be by sudo: Debian's doas does not read what a bundle places. It depends
    on what can check the releases that the tree's `root` is about.
    """
    control = (
        "Package: rollout-device\n"
        f"Version: {version_of(revision)}\n"
        "Architecture: all\n"
        "Maintainer: rollout-orchestrator\n"
        f"Depends: {' | '.join(_checkers(root))}, sudo, openssh-server | dropbear\n"
        "Section: admin\nPriority: optional\n"
        "Description: lets verified releases be rolled out to this device\n"
    )
    script = Placed("", PROGRAM, install_script())
    members = [
        ("./control", Placed("", PLAIN, control.encode("ascii"))),
        ("./preinst", script),
        ("./postinst", script),
    ]
    parts = (
        ("debian-binary", b"2.0\n"),
        ("control.tar", _tar(members)),
        ("data.tar", tar_of(_with_parents(tree))),  # dpkg makes no directory that is not in it
    )
    return _AR_MAGIC + b"".join(_ar_member(name, body) for name, body in parts)


def _checkers(root: PlacedRoot | None) -> tuple[str, ...]:
    """The packages of which one must be there: without openssl only tickets can be checked."""
    if root is None:
        return ("openssl",)
    of_ed25519 = () if root.ed25519_lacks else ("signify-openbsd", "usign")
    return ("openssl", "openssh-client (>= 1:8.1)", *of_ed25519)


def version_of(revision: int) -> str:
    """The package's version: the helper's, and how often it was packed anew."""
    return f"{helper_version()}-{revision}"


def install_script() -> bytes:
    """The text of `install.sh`."""
    return resources.files("orchestrator.ssh").joinpath(SCRIPT_NAME).read_bytes()


def _place(name: str) -> str:
    below_etc = name == "root.txt" or name.startswith(("keys/", "health.d/"))
    return f"{ETC if below_etc else LIB}/{name}"


def _text(path: str, text: str) -> Placed:
    return Placed(path, PLAIN, f"{text}\n".encode("ascii"))


def _record(user: str, directories: Sequence[str], files: Sequence[Placed], marker: str) -> str:
    """What `enroll.sh` writes down, in its order."""
    lines = [
        "rollout 1",
        f"account created {user}",
        *(f"dir {path}" for path in directories),
        *(f"file {one.path}" for one in files),
        f"hook {marker}",
        f"login {HOME}/.ssh/authorized_keys",
        f"made {HOME}/.ssh",
    ]
    return "\n".join(lines)


def _with_parents(tree: Sequence[Placed]) -> list[Placed]:
    known = {one.path for one in tree}
    above = {parent for one in tree for parent in _parents(one.path)} - known
    directories = [Placed(path, _DIRECTORY) for path in above]
    return sorted([*tree, *directories], key=lambda one: one.path)


def _parents(path: str) -> list[str]:
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _tar(entries: Sequence[tuple[str, Placed]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, one in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.uname, info.gname = one.mode, "root", "root"
            if one.target:
                info.type, info.linkname = tarfile.SYMTYPE, one.target
            elif one.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(one.content)
            tar.addfile(info, io.BytesIO(one.content or b""))
    return out.getvalue()


def _ar_member(name: str, body: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode("ascii")
    return head + body + b"\n" * (len(body) % 2)
