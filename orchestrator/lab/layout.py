"""What a lab consists of on disk: options, devices, their trees, keys, and the inventory.

A lab is one directory:

    inventory.yml   lab.json   controller (private key)   controller.pub   ctl (control socket)
    devices/ID/     the root of one device: etc/ usr/ var/ opt/ run/ proc/ as on a real one

Nothing is written outside it, so that removing it removes the lab.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

import asyncssh

from orchestrator.device.model import Address
from orchestrator.device.shipped import helper_files
from orchestrator.errors import OrchestratorError

LOOPBACK = "127.0.0.1"
PORT_FIRST = 20_000  # below the range from which the system takes its own ports
PORT_LAST = 32_000
DEVICES_MAX = 1000
SITES = ("bern", "lyon", "porto", "turku")
HARDWARE = ("rev-a", "rev-b", "rev-c")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Server(StrEnum):
    """The SSH server of the devices."""

    ASYNCSSH = "asyncssh"
    SSHD = "sshd"
    DROPBEAR = "dropbear"


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What a lab is to be.

    `signing_keys` are files with public keys (PEM) that the devices accept artifacts from;
    `isolate` runs each device in namespaces of its own where bubblewrap can.
    """

    devices: int = 24
    server: Server = Server.ASYNCSSH
    isolate: bool = True
    signing_keys: tuple[Path, ...] = ()
    device_type: str = "lab"
    port_first: int = PORT_FIRST

    def __post_init__(self) -> None:
        if not 1 <= self.devices <= DEVICES_MAX:
            message = f"a lab has 1 to {DEVICES_MAX} devices, not {self.devices}"
            raise OrchestratorError(message)


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """One device of the lab."""

    id: str
    root: Path
    site: str
    hardware: str

    @property
    def host_key_file(self) -> Path:
        """Its SSH host key, as a file that real servers read."""
        return self.root / "etc/ssh/host_key"


def specs(directory: Path, count: int) -> tuple[DeviceSpec, ...]:
    """Devices `lab-001`, `lab-002`, ...; sites and hardware take turns."""
    digits = max(2, len(str(count)))
    return tuple(
        DeviceSpec(
            id=f"lab-{number:0{digits}d}",
            root=directory / "devices" / f"lab-{number:0{digits}d}",
            site=SITES[(number - 1) % len(SITES)],
            hardware=HARDWARE[(number - 1) % len(HARDWARE)],
        )
        for number in range(1, count + 1)
    )


def make_controller_key(directory: Path) -> asyncssh.SSHKey:
    """The key that the inventory names and all devices accept."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="rollout lab")
    private = directory / "controller"
    key.write_private_key(private)
    private.chmod(0o600)
    key.write_public_key(directory / "controller.pub")
    return key


class TreeMaker:
    """Makes device trees; reads the keys once.

    Raises:
        OrchestratorError: a key cannot be read.
    """

    def __init__(self, options: LabOptions) -> None:
        self._check = resources.files("orchestrator.lab").joinpath("check.sh").read_bytes()
        self._keys = {path.name: _read_key(path) for path in options.signing_keys}
        self._device_type = options.device_type

    def make(self, spec: DeviceSpec) -> asyncssh.SSHKey:
        """Writes the tree of one device; returns its host key."""
        root = spec.root
        for name in (
            "etc/rollout/keys",
            "etc/rollout/health.d",
            "etc/ssh",
            "usr/lib/rollout/modules",
        ):
            (root / name).mkdir(parents=True)
        for name in ("var/lib/rollout", "opt", "run/lab", "proc/sys/kernel/random", "tmp"):
            (root / name).mkdir(parents=True)
        etc, lib = root / "etc/rollout", root / "usr/lib/rollout"
        (etc / "device_type").write_text(f"{self._device_type}\n")
        (etc / "device_id").write_text(f"{spec.id}\n")
        (etc / "deadman").write_text("init\n")  # a reboot of the lab runs the boot hook
        for name, content in self._keys.items():
            _put(etc / "keys" / _pem(name), content)
        _put(etc / "health.d/app", self._check, mode=0o755)
        for name, content in helper_files().items():
            _put(lib / name, content, mode=0o755)
        _put(lib / "launch", launcher(root).encode(), mode=0o755)
        _put(root / "run/lab/df", _NO_SPACE_LEFT, mode=0o755)
        new_boot_id(root)
        key = asyncssh.generate_private_key("ssh-ed25519")
        _put(spec.host_key_file, key.export_private_key(), mode=0o600)
        return key


def launcher(root: Path) -> str:
    """The program behind the forced command: a clean environment, then the helper.

    `run/lab/disk-full` is how the lab fills a disk that is a directory: files cannot grow beyond
    a few KiB and `df` says so.
    """
    place = shlex.quote(str(root))
    return f"""#!/bin/sh
root={place}
path={PATH}
if [ -e "$root/run/lab/disk-full" ]; then
  trap '' XFSZ
  ulimit -f 8
  path="$root/run/lab:$path"
fi
exec env -i PATH="$path" LC_ALL=C HOME=/ SSH_ORIGINAL_COMMAND="${{SSH_ORIGINAL_COMMAND-}}" \\
  /bin/sh "$root/usr/lib/rollout/helper.sh" --root "$root" "$@"
"""


def new_boot_id(root: Path) -> None:
    """What a boot changes for the helper."""
    text = secrets.token_hex(16)
    parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
    (root / "proc/sys/kernel/random/boot_id").write_text("-".join(parts) + "\n")


def write_inventory(directory: Path, devices: Sequence[tuple[DeviceSpec, Address]]) -> Path:
    """Writes `inventory.yml` in Ansible's YAML form.

    JSON is YAML: quoting each text as JSON keeps versions, numbers and words such as `no` text.
    """
    first = devices[0][1]
    common = {
        "ansible_host": first.host,
        "ansible_user": first.user,
        "ansible_ssh_private_key_file": first.key_file,
    }
    lines = ["# Written by `rollout lab up`; gone with `rollout lab down`.", "lab:", "  vars:"]
    lines += [f"    {key}: {json.dumps(value)}" for key, value in common.items()]
    lines.append("  hosts:")
    for spec, address in devices:
        site, hardware = json.dumps(spec.site), json.dumps(spec.hardware)
        lines += [
            f"    {spec.id}:",
            f"      ansible_port: {address.port}",
            f"      labels: {{site: {site}, hardware: {hardware}}}",
            f"      rollout_host_keys: {json.dumps(address.host_keys)}",
        ]
    for group, members in _groups([spec for spec, _ in devices]).items():
        lines += [f"{group}:", "  hosts:", *(f"    {name}: {{}}" for name in members)]
    path = directory / "inventory.yml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _groups(devices: Sequence[DeviceSpec]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for spec in devices:
        groups.setdefault(f"site_{spec.site}", []).append(spec.id)
    return groups


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"public key `{path}` cannot be read: {error.strerror}"
        hint = "make one with `rollout key generate`"
        raise OrchestratorError(message, hint=hint) from error


def _pem(name: str) -> str:
    return name if name.endswith(".pem") else f"{name}.pem"


def _put(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    path.write_bytes(content)
    path.chmod(mode)


_NO_SPACE_LEFT = b"""#!/bin/sh
echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'
echo 'lab 8192 8192 0 100% /'
"""
