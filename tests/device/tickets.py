"""Trust roots and tickets that tests make, spoil and give to devices."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.device.kit import Device, Key, Release, sha

FLEET = "acme-prod"
DAY_S = 86_400
MANIFEST = b"0" * 64 + b"  version\n"


class Signer:
    """A key of a root: it signs whole files, as tickets and roots want it."""

    def __init__(self, alg: str = "ecdsa-p256", *, bits: int = 3072) -> None:
        self.alg = alg
        self._key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
        if alg == "rsa":
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        elif alg == "ed25519":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def spki(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def id(self) -> str:
        return sha(self.spki)

    def key_line(self, role: str) -> str:
        return f"key {role} {self.alg} {base64.b64encode(self.spki).decode()}"

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def line(self, data: bytes) -> str:
        return f"sig {self.id} {base64.b64encode(self.sign(data)).decode()}\n"

    def ssh_line(self, data: bytes, role: str = "release", fleet: str = FLEET) -> str:
        """In the form of SSH: over its few bytes around the digest, behind a tag."""
        name = f"rollout-{role}@{fleet}".encode()
        fields = (name, b"", b"sha256", hashlib.sha256(data).digest())
        made = self.sign(b"SSHSIG" + b"".join(len(one).to_bytes(4) + one for one in fields))
        if self.alg == "ecdsa-p256":
            made = b"".join(number.to_bytes(32) for number in decode_dss_signature(made))
        return f"sig {self.id} {base64.b64encode(b'SSHSIG' + made).decode()}\n"


def ssh_signed(data: bytes, signers: Sequence[Signer], role: str = "release") -> bytes:
    return "".join(signer.ssh_line(data, role) for signer in signers).encode()


def signed(data: bytes, signers: Sequence[Signer]) -> bytes:
    return "".join(signer.line(data) for signer in signers).encode()


@dataclass(frozen=True)
class Root:
    """A root; its build key is the one that kit's releases are signed with."""

    root: tuple[Signer, ...]
    release: tuple[Signer, ...]
    build: tuple[str | Signer, ...]  # a key, or base64 of SubjectPublicKeyInfo of one on P-256
    version: int = 1
    fleet: str = FLEET
    need_root: int = 2
    need_release: int = 2

    @property
    def text(self) -> bytes:
        keys = [signer.key_line("root") for signer in self.root]
        keys += [signer.key_line("release") for signer in self.release]
        keys += [
            key.key_line("build") if isinstance(key, Signer) else f"key build ecdsa-p256 {key}"
            for key in self.build
        ]
        lines = [
            "fleet-root 1",
            f"fleet {self.fleet}",
            f"version {self.version}",
            "issued 1700000000",
        ]
        lines += [f"threshold-root {self.need_root}", f"threshold-release {self.need_release}"]
        lines += ["threshold-build 1", *sorted(keys)]
        return "".join(f"{line}\n" for line in lines).encode()

    def next(self, **changes: object) -> Root:
        return replace(self, **({"version": self.version + 1} | changes))  # type: ignore[arg-type]

    def place(self, device: Device, device_id: str = "dev-0001") -> None:
        """What enrolment does."""
        (device.root / "etc/rollout/root.txt").write_bytes(self.text)
        (device.root / "etc/rollout/device_id").write_text(f"{device_id}\n")


def build_key(key: Key) -> str:
    return "".join(key.public_pem.decode().splitlines()[1:-1])


@dataclass(frozen=True)
class Ticket:
    """A ticket; `lines` may be spoilt before it is signed."""

    manifest: bytes
    serial: int = 42
    issued: int = 1_763_812_800
    expires: int = field(default_factory=lambda: int(time.time()) + DAY_S)
    security: int = 7
    least: int | None = None
    device_types: tuple[str, ...] = ("lab", "raspberrypi4")
    artifact: str = "r1"
    fleet: str = FLEET
    opens: tuple[tuple[int, int], ...] = ()

    @property
    def lines(self) -> list[str]:
        lines = ["fleet-release 1", f"fleet {self.fleet}", f"serial {self.serial}"]
        lines += [f"issued {self.issued}", f"expires {self.expires}"]
        lines.append(f"security-version {self.security}")
        if self.least is not None:
            lines.append(f"min-security-version {self.least}")
        lines += [f"device-type {kind}" for kind in self.device_types]
        lines.append(f"artifact {self.artifact}")
        lines.append(f"manifest-sha256 {hashlib.sha256(self.manifest).hexdigest()}")
        return lines + [f"open {percent} {start}" for percent, start in self.opens]

    @property
    def text(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode()


def ticketed(
    release: Release, key: Key, signers: Sequence[Signer], **more: object
) -> dict[str, bytes]:
    """The frames of a delivery with a ticket for it."""
    frames = release.frames(key)
    ticket = Ticket(frames["manifest"], artifact=release.name, **more)  # type: ignore[arg-type]
    return with_ticket(frames, ticket.text, signed(ticket.text, signers))


def with_ticket(frames: Mapping[str, bytes], text: bytes, signature: bytes) -> dict[str, bytes]:
    head = {"version": frames["version"], "ticket": text, "ticket.sig": signature}
    return head | dict(frames)


def floor(device: Device, name: str) -> int:
    """A floor as it stands on the device; 0 before it was ever raised."""
    file: Path = device.root / "var/lib/rollout/floors" / name
    return int(file.read_text()) if file.exists() else 0


@dataclass(frozen=True)
class People:
    """Who may sign: of each role as many as the root wants, and one more."""

    root: tuple[Signer, ...]
    release: tuple[Signer, ...]
    stranger: Signer


def at(device: Device, now: int) -> Device:
    """The device with its clock at another time: busybox asks no other `date` than its own."""
    program = device.root / "usr/lib/rollout/trust.sh"
    first, _, rest = program.read_text().partition("\n")
    if rest.startswith("date() {"):
        rest = rest.partition("\n")[2]
    program.write_text(f"{first}\ndate() {{ echo {now}; }}\n{rest}")
    return device


def ask(device: Device, *words: str) -> tuple[int, str]:
    """Exit code and reason of `trust.sh`."""
    done = subprocess.run(
        [str(device.root / "usr/lib/rollout/trust.sh"), *words],
        env={"PATH": device.shell.path, "ROLLOUT_ROOT": str(device.root)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stderr == ""
    found = re.search(r"^reason (\S+)$", done.stdout, re.MULTILINE)
    return done.returncode, found[1] if found else "ok"


def judge(
    device: Device,
    text: bytes,
    signature: bytes,
    *,
    artifact: str = "r1",
    manifest: bytes = MANIFEST,
) -> tuple[int, str]:
    """What the device says of a ticket for the manifest that was delivered with it."""
    place = device.root / "in"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "manifest").write_bytes(manifest)
    (place / "manifest.sig").write_bytes(device.key.sign(manifest))
    (place / "ticket").write_bytes(text)
    (place / "ticket.sig").write_bytes(signature)
    answer = ask(device, "verify", str(place))
    assert not (device.root / "in.trust").exists()
    return answer if answer[0] else ask(device, "open", str(place), artifact)


def hide(device: Device, place: Path, programs: tuple[str, ...]) -> None:
    """Takes programs from the device: its path has all others of this machine, and not these."""
    place.mkdir()
    for place_of in device.shell.path.split(":"):
        for program in Path(place_of).iterdir():
            if program.name not in programs and not (place / program.name).is_symlink():
                (place / program.name).symlink_to(program)
    device.shell = replace(device.shell, path=str(place))


def wrapped(place: Path, name: str, before: str, arguments: str) -> None:
    """Puts a program where `hide` left it that first does something else."""
    real = shutil.which(name)
    (place / name).unlink()
    (place / name).write_text(f"#!/bin/sh\n{before}\nexec {real} {arguments}\n")
    (place / name).chmod(0o755)


def stage(device: Device, number: int, frames: dict[str, bytes]) -> None:
    """Each frame by a request of its own."""
    for name, data in frames.items():
        reply = device.do("stage", number, data, name=name, size=len(data), sha=sha(data))
        assert reply.rc == 0, reply


def stage_ahead(device: Device, number: int, frames: dict[str, bytes]) -> None:
    """A delivery that ends at `installed`; each frame and step by a request of its own."""
    stage(device, number, frames)
    assert device.do("verify", number).rc == 0
    assert device.do("install", number).rc == 0
