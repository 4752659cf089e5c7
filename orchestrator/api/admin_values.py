"""What an administrator asks for: devices to enrol and to release, to log in on and to fetch from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.api.authorities import Vouching
from orchestrator.api.values import Source
from orchestrator.device.model import HELPER_USER

ADMIN_PARALLEL_COUNT = 10  # devices that an administrator's account works on at one time
ACCESS_S = 600.0  # a command or a file, unless more is asked for
FETCH_BYTES_MAX = 100 * 1024 * 1024  # a log, a core dump of a small program; more is asked for


def _refuse(_device: str, _fingerprint: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class EnrollRequest:
    """Devices to enrol, and what to place on them.

    `accept_host_key(device, fingerprint)` asks a person; it is called only for a device whose
    key is neither pinned nor given as `fingerprint`, nor in the file `fingerprints`. `login` is
    the administrator's account (the inventory's user unless given), which becomes root by
    `become`. `trust_root` is the fleet's root (the settings' unless given), its signatures beside
    it. Devices that were enrolled are pinned in the inventory file `pins`. With `vouching` each
    gets a certificate of its host key. With `look_only` nothing is changed.
    """

    pattern: str
    source: Source
    keys: tuple[Path, ...]
    device_type: str | None = None
    checks: tuple[Path, ...] = ()
    trust_root: Path | None = None
    fingerprint: str | None = None
    login: str | None = None
    become: str | None = None
    become_password: str | None = field(default=None, repr=False)
    look_only: bool = False
    accept_host_key: Callable[[str, str], bool] = _refuse
    fingerprints: Path | None = None
    pins: Path | None = None
    parallel_count: int = ADMIN_PARALLEL_COUNT
    vouching: Vouching | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Devices to release from enrolment; `login` and `become` as for enrolling."""

    pattern: str
    source: Source
    login: str | None = None
    become: str | None = None
    become_password: str | None = field(default=None, repr=False)
    look_only: bool = False
    parallel_count: int = ADMIN_PARALLEL_COUNT


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """A bundle for images, to write into the directory `out`.

    Without `device_id` a device goes by its host's name; without `login_key` (a public key) it is
    the key that enrolling would use. `become` is sudo or doas, `boot` the kind of the boot hook.
    """

    out: Path
    device_type: str
    keys: tuple[Path, ...] = ()
    trust_root: Path | None = None
    checks: tuple[Path, ...] = ()
    device_id: str | None = None
    login_key: Path | None = None
    user: str = HELPER_USER
    become: str = "sudo"
    boot: str = "systemd"
    revision: int = 1


@dataclass(frozen=True, slots=True)
class PinRequest:
    """Devices with the helper whose host keys are to be proven and kept; as for enrolling."""

    pattern: str
    source: Source
    fingerprint: str | None = None
    fingerprints: Path | None = None
    pins: Path | None = None
    parallel_count: int = ADMIN_PARALLEL_COUNT
    accept_host_key: Callable[[str, str], bool] = _refuse


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One device to log in on, by name or a pattern of just one, and why.

    `login` is an ordinary account there (the inventory's user unless given).
    """

    device: str
    source: Source
    reason: str
    login: str | None = None


@dataclass(frozen=True, slots=True)
class Accessed:
    """What a person had of a device; `exit_code` is None where the device said none.

    `signal` names what ended the command, as the device says.
    """

    device: str
    exit_code: int | None
    signal: str
    took_s: float


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A file of a device, by its absolute `path`, and where to put it.

    `target` may be a directory; None: the present one. What is there is replaced with `force` alone.
    `become` (`sudo` or `doas`) reads it as root.
    """

    access: AccessRequest
    path: str
    target: Path | None = None
    force: bool = False
    become: str | None = None
    limit_bytes: int = FETCH_BYTES_MAX
    deadline_s: float = ACCESS_S


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file that was written, and what it holds."""

    device: str
    file: Path
    size_bytes: int
    sha256: str
