"""What stands on an enrolled device, file by file; enrolment and bundles for images place the same.

Of some files a device takes the kind that fits it: of the launcher and the step to root
(`Elevation`), and of the boot hook (`Boot`). They are told apart here and chosen by `enroll.sh`, or
by whoever asks for a bundle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources

from orchestrator.device.model import HELPER_USER
from orchestrator.device.reason import Reason
from orchestrator.device.shipped import helper_files
from orchestrator.errors import DeviceError

LIB, ETC, VAR = "/usr/lib/rollout", "/etc/rollout", "/var/lib/rollout"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST_CERTIFICATE = "host-cert.pub"  # in ETC
PLAIN, PROGRAM = 0o644, 0o755
VARIANTS = ("launch/", "elevate/", "boot/")  # of each a device takes one
_FILE_NAME = re.compile(
    r"(?:(?:modules|keys|health\.d|launch|elevate|boot)/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
)
_CLEAN = f"#!/bin/sh\nexec env -i PATH={PATH} LC_ALL=C"


class Elevation(StrEnum):
    """How the helper's account starts the root core; ROOT needs no step."""

    ROOT = "root"
    SUDO = "sudo"
    DOAS = "doas"


class Boot(StrEnum):
    """What runs the boot hook; the value is the name of its text in `device/boot/`."""

    SYSTEMD = "systemd"
    PROCD = "procd"
    OPENRC = "openrc"
    INIT = "init"
    CRON = "cron"


@dataclass(frozen=True, slots=True)
class PlacedRoot:
    """A trust root to place, and what `enroll.sh` must know of it without reading it.

    With `needs_ed25519` a threshold cannot be reached without such keys; with such keys alone the
    thresholds of `ed25519_lacks` cannot (names of roles).
    """

    text: bytes
    fleet: str
    version: int
    needs_ed25519: bool = False
    ed25519_lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a device gets.

    `login_key` is the public key (`ssh-ed25519 AAAA...`) that will reach the helper;
    `signing_keys` and `checks` are files by name. `login_user` is made when it does not exist.
    Without a `root` the device keeps the one it has; with one the signing keys count no more. With a
    `user_ca` (a public key too) whoever it vouches for reaches the helper, and the login key counts
    only where the SSH server knows no certificates. A `host_certificate` is shown by servers that
    read `sshd_config.d`; without one the device keeps the one it has.
    """

    device_type: str
    device_id: str
    login_key: str
    signing_keys: Mapping[str, bytes]
    checks: Mapping[str, bytes] = field(default_factory=dict)
    login_user: str = HELPER_USER
    root: PlacedRoot | None = None
    user_ca: str | None = None
    host_certificate: bytes | None = None

    def __post_init__(self) -> None:
        if not self.signing_keys and self.root is None:
            raise DeviceError(
                "a device needs a key to verify releases with",
                reason=Reason.USAGE,
                hint="name the public key that your releases are signed with",
            )


def files_of(wanted: Enrolment) -> dict[str, tuple[int, bytes]]:
    """Files that enrolment places, by their name in `enroll.sh`, with mode and content.

    Raises:
        DeviceError: USAGE, a name has characters that it may not have.
    """
    found = {name: (PROGRAM, body) for name, body in helper_files().items()}
    found["core"] = (PROGRAM, f'{_CLEAN} /bin/sh {LIB}/helper.sh core "$@"\n'.encode("ascii"))
    for name, body in wanted.signing_keys.items():
        file = name if name.endswith(".pem") else f"{name}.pem"
        found[f"keys/{file}"] = (PLAIN, body)
    if wanted.root is not None:
        found["root.txt"] = (PLAIN, wanted.root.text)
    if wanted.host_certificate is not None:
        found[HOST_CERTIFICATE] = (PLAIN, wanted.host_certificate)
    for name, body in wanted.checks.items():
        mode = PLAIN if name.endswith(".check") else PROGRAM  # a definition, or a program
        found[f"health.d/{name}"] = (mode, body)
    found |= _variants(wanted.login_user)
    for name in found:
        if not _FILE_NAME.fullmatch(name):
            message = f"file name `{name}` has characters that it may not have"
            raise DeviceError(message, reason=Reason.USAGE, hint="use letters, digits and . _ -")
    return found


def _variants(user: str) -> dict[str, tuple[int, bytes]]:
    texts = {f"launch/{way}": _launcher(way) for way in Elevation}
    texts[f"elevate/{Elevation.SUDO}"] = (
        "# Written by `rollout device enroll`.\n"
        f"Defaults:{user} !requiretty\n"
        f"{user} ALL=(root) NOPASSWD: {LIB}/core\n"
    )
    texts[f"elevate/{Elevation.DOAS}"] = f"permit nopass {user} as root cmd {LIB}/core\n"
    hooks = resources.files("orchestrator.device").joinpath("boot")
    bodies = {name: text.encode("ascii") for name, text in texts.items()}
    bodies |= {f"boot/{kind}": hooks.joinpath(kind).read_bytes() for kind in Boot}
    return {name: (PLAIN, body) for name, body in bodies.items()}


def _launcher(way: Elevation) -> str:
    """The forced command: a clean environment, then the helper.

    The request comes from sshd, or from the arguments where sudo or doas started it: never both.
    """
    step = "" if way is Elevation.ROOT else f' --elevate "{way} -n {LIB}/core"'
    request = 'SSH_ORIGINAL_COMMAND="${SSH_ORIGINAL_COMMAND-$*}"'
    return f"{_CLEAN} {request} \\\n  /bin/sh {LIB}/helper.sh{step}\n"
