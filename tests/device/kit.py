"""A device below a temporary root, driven through the real `helper.sh`, and the frames it eats."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from orchestrator.device.protocol import Reply, ReplyReader
from orchestrator.errors import DeviceError

PACKAGE = Path(__file__).resolve().parents[2] / "orchestrator" / "device"
HELPER = PACKAGE / "helper.sh"
CHECKS = PACKAGE / "checks.sh"
TRUST = PACKAGE / "trust.sh"
EXECUTOR = PACKAGE / "executor.sh"
REPORT = PACKAGE / "report.sh"
DELTA = PACKAGE / "delta.sh"
STREAMS = PACKAGE / "streams.sh"
MODULES = PACKAGE / "modules"
VERSION = b'{"format":"mender","version":3}'
TIME_LIMIT_S = 60


@dataclass(frozen=True)
class Shell:
    """A shell with its tools: the interpreter's argv, and the PATH the helper sees."""

    name: str
    argv: tuple[str, ...]
    path: str

    def program(self, file: Path) -> str:
        """The text of a program that this shell is to run."""
        words = " ".join((str(shutil.which(self.argv[0])), *self.argv[1:]))
        return f"#!{words}\n{file.read_text().partition(chr(10))[2]}"


def busybox_path(directory: Path) -> str:
    """PATH of a device that has busybox and openssl, and nothing of coreutils or util-linux."""
    directory.mkdir(parents=True, exist_ok=True)
    busybox = shutil.which("busybox")
    openssl = shutil.which("openssl")
    assert busybox
    assert openssl
    applets = subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True)
    for applet in applets.stdout.split():
        (directory / applet).symlink_to(busybox)
    (directory / "openssl").symlink_to(openssl)
    return str(directory)


class Key:
    """A signing key: `ec` writes raw r and s as Mender does, `der` what a HSM gives."""

    def __init__(self, kind: str = "ec", *, bits: int = 3072) -> None:
        self.kind = kind
        self._key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if kind == "rsa":
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        else:
            curve = ec.SECP384R1() if kind == "p384" else ec.SECP256R1()
            self._key = ec.generate_private_key(curve)

    @property
    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            raw = self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            raw = self._key.sign(data, ec.ECDSA(hashes.SHA256()))
            if self.kind == "ec":
                r, s = decode_dss_signature(raw)
                raw = r.to_bytes(32) + s.to_bytes(32)
        return base64.b64encode(raw)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tar(members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Release:
    """What a controller sends: files of an artifact, with every part open to be spoilt."""

    kind: str = "directory"
    name: str = "r1"
    payload: dict[str, bytes] = field(default_factory=dict)
    device_types: Sequence[str] = ("lab",)
    depends: Mapping[str, object] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)
    clears: Sequence[str] | None = None
    meta: bytes | None = None
    compression: str = ".gz"
    header_info: bytes | None = None
    type_info: bytes | None = None
    header_members: list[tuple[str | tarfile.TarInfo, bytes]] | None = None
    header: bytes | None = None
    version: bytes = VERSION
    manifest: bytes | None = None
    signature: bytes | None = None

    def frames(self, key: Key) -> dict[str, bytes]:
        header_name = f"header.tar{self.compression}"
        header = self.header if self.header is not None else self._header()
        files = {f"data/0000/{name}": data for name, data in self.payload.items()}
        files |= {header_name: header, "version": self.version}
        manifest = self.manifest
        if manifest is None:
            manifest = b"".join(f"{sha(d)}  {n}\n".encode() for n, d in files.items())
        signature = key.sign(manifest) if self.signature is None else self.signature
        head = {"version": self.version, "manifest": manifest, "manifest.sig": signature}
        return head | {header_name: header} | {n: d for n, d in files.items() if "/" in n}

    def _header(self) -> bytes:
        members = self.header_members
        if members is None:
            members = [("header-info", self.header_info or compact(self._info()))]
            members.append(("headers/0000/type-info", self.type_info or compact(self._type())))
            if self.meta is not None:
                members.append(("headers/0000/meta-data", self.meta))
        pack = {".gz": gzip.compress, ".xz": lzma.compress, "": bytes}[self.compression]
        return pack(tar(members))

    def _info(self) -> dict[str, object]:
        return {
            "payloads": [{"type": self.kind}],
            "artifact_provides": {"artifact_name": self.name},
            "artifact_depends": {"device_type": list(self.device_types)},
        }

    def _type(self) -> dict[str, object]:
        info: dict[str, object] = {"type": self.kind}
        if self.depends:
            info["artifact_depends"] = dict(self.depends)
        if self.provides:
            info["artifact_provides"] = dict(self.provides)
        if self.clears is not None:
            info["clears_artifact_provides"] = list(self.clears)
        return info


def directory(
    name: str = "r1", files: Mapping[str, bytes] | None = None, **more: object
) -> Release:
    content = files if files is not None else {"version.txt": name.encode()}
    infos = [(tarfile.TarInfo(member), data) for member, data in content.items()]
    for info, _ in infos:
        info.mode = 0o755 if "health" in info.name else 0o644
    payload = {"update.tar": tar(infos), "dest_dir": b"/opt/app\n"}
    return Release(name=name, payload=payload, **more)  # type: ignore[arg-type]


def single_file(name: str = "r1", content: bytes = b"one\n", mode: str = "644") -> Release:
    payload = {
        "dest_dir": b"/etc/app\n",
        "filename": b"app.conf\n",
        "permissions": mode.encode() + b"\n",
        "app.conf": content,
    }
    return Release(kind="single-file", name=name, payload=payload)


def script(name: str = "r1", *, verify: bool = True, rollback: bool = True) -> Release:
    def body(*lines: str) -> bytes:
        return "\n".join(
            (
                "#!/bin/sh",
                "set -e",
                'm="$ROLLOUT_ROOT/marker"',
                f'old="$m.before-{name}"',
                *lines,
                "",
            )
        ).encode()

    payload = {
        "install": body(
            'if [ ! -f "$old" ]; then cat "$m" >"$m.tmp" 2>/dev/null || echo none >"$m.tmp"',
            'mv "$m.tmp" "$old"; fi',
            f'echo {name} >"$m.new"; mv "$m.new" "$m"',
        )
    }
    if rollback:
        payload["rollback"] = body(
            '[ -f "$old" ] || exit 0',
            'if [ "$(cat "$old")" = none ]; then rm -f "$m"; else cp "$old" "$m.new"',
            'mv "$m.new" "$m"; fi',
            'rm -f "$old"',
        )
    if verify:
        payload["verify"] = body(f'[ "$(cat "$m")" = {name} ]')
    return Release(kind="script", name=name, payload=payload)


def nonce_of_ready(process: subprocess.Popen[bytes]) -> bytes:
    """Waits until it is ready for the go; gives the nonce of that."""
    assert process.stdout
    while not (line := process.stdout.readline()).startswith(b"ready "):
        assert line
    return line.split()[1]


def frame_bytes(frames: Mapping[str, bytes], offsets: Mapping[str, int] | None = None) -> bytes:
    parts = []
    for name, data in frames.items():
        offset = (offsets or {}).get(name, 0)
        parts.append(f"frame {name} {len(data)} {sha(data)} {offset}\n".encode() + data[offset:])
    return b"".join(parts)


def txn(number: int) -> str:
    return f"01TEST{number:020d}"


class Device:
    """One device root and the shell that its helper runs in."""

    def __init__(self, root: Path, shell: Shell, key: Key) -> None:
        self.root, self.shell, self.key = root, shell, key
        etc = root / "etc/rollout"
        (etc / "keys").mkdir(parents=True)
        (etc / "health.d").mkdir()
        (etc / "keys/release.pem").write_bytes(key.public_pem)
        (etc / "device_type").write_text("lab\n")
        (etc / "limits").write_text("reserve 1024\n")
        modules = root / "usr/lib/rollout/modules"
        modules.mkdir(parents=True)
        shutil.copy(HELPER, modules.parent / "helper.sh")
        for program in (*MODULES.iterdir(), CHECKS, EXECUTOR, STREAMS, TRUST, REPORT, DELTA):
            place = modules.parent if program.suffix == ".sh" else modules
            (place / program.name).write_text(shell.program(program))
            (place / program.name).chmod(0o755)
        self.boot("11111111-0000-0000-0000-000000000001")
        self._open: list[subprocess.Popen[bytes]] = []

    def boot(self, boot_id: str) -> None:
        place = self.root / "proc/sys/kernel/random"
        place.mkdir(parents=True, exist_ok=True)
        (place / "boot_id").write_text(boot_id + "\n")

    @property
    def argv(self) -> list[str]:
        return [
            *self.shell.argv,
            str(self.root / "usr/lib/rollout/helper.sh"),
            "--root",
            str(self.root),
        ]

    def environment(self, line: str = "") -> dict[str, str]:
        return {"PATH": self.shell.path, "LC_ALL": "C", "SSH_ORIGINAL_COMMAND": line}

    def start(self, line: str, sent: bytes = b"") -> subprocess.Popen[bytes]:
        """An exec under way, in a process group of its own, as sshd makes it; so much is sent already."""
        process = subprocess.Popen(
            self.argv,
            env=self.environment(line),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._open.append(process)
        if sent:
            assert process.stdin
            process.stdin.write(sent)
            process.stdin.flush()
        return process

    def raw(self, line: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.argv,
            env=self.environment(line),
            input=stdin,
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )

    def ask(self, line: str, stdin: bytes = b"") -> Reply:
        done = self.raw(line, stdin)
        reader = ReplyReader()
        reader.feed(done.stdout)
        try:
            reply = reader.finish()
        except DeviceError as error:
            error.add_note(done.stderr.decode(errors="replace"))
            raise
        assert done.returncode == reply.rc, done.stderr
        return reply

    def hook(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.argv, *words],
            env=self.environment(),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )

    def do(self, verb: str, number: int, stdin: bytes = b"", **more: object) -> Reply:
        params = {"txn": txn(number), "controller": "lab", "epoch": 1} | more
        words = [verb, *(f"{key}={value}" for key, value in params.items())]
        return self.ask(" ".join(words), stdin)

    def deliver(
        self,
        number: int,
        frames: Mapping[str, bytes],
        *,
        go: bytes | None = None,
        offsets: Mapping[str, int] | None = None,
        cut: int | None = None,
        **more: object,
    ) -> Reply:
        """One delivery; `go` replaces the right answer to `ready` (b"" is the end of stdin)."""
        params = {"txn": txn(number), "controller": "lab", "epoch": 1, "frames": len(frames)}
        params |= {"wait": 20, "deadline": 300} | more
        line = " ".join(("deliver", *(f"{key}={value}" for key, value in params.items())))
        process = self.start(line)
        assert process.stdin
        assert process.stdout
        body = frame_bytes(frames, offsets)[:cut]
        try:
            process.stdin.write(body)
            process.stdin.flush()
        except BrokenPipeError:
            pass
        if cut is not None:
            _close(process.stdin)
        reader = ReplyReader()
        while line_bytes := process.stdout.readline():
            for key, value in reader.feed(line_bytes):
                if key == "ready":
                    answer = b"go " + value.encode() + b"\n" if go is None else go
                    process.stdin.write(answer)
                    _close(process.stdin)
        _close(process.stdin)
        rc = process.wait(TIME_LIMIT_S)
        assert process.stderr
        stderr = process.stderr.read()
        try:
            reply = reader.finish()
        except DeviceError as error:
            error.add_note(stderr.decode(errors="replace"))
            raise
        assert rc == reply.rc, stderr
        return reply

    def commit(self, number: int, verb: str = "commit", **more: object) -> Reply:
        nonce = self.ask("hello").fields.get("commit-nonce", "")
        return self.do(verb, number, nonce=nonce, **more)

    def release(self, number: int, release: Release) -> None:
        """A release delivered and committed."""
        assert self.deliver(number, release.frames(self.key)).rc == 0
        assert self.commit(number).rc == 0

    def fields(self) -> dict[str, str]:
        return self.ask("hello").fields

    def wait_state(self, state: str, limit_s: float = 20.0) -> dict[str, str]:
        end = time.monotonic() + limit_s
        while (fields := self.fields())["state"] != state and time.monotonic() < end:
            time.sleep(0.05)
        return fields

    def close(self) -> None:
        """Ends what is left: open requests and dead-men (by their pid files)."""
        for process in self._open:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    _close(stream)
        for file in (self.root / "run/rollout").glob("deadman.*"):
            words = file.read_text().split()
            stat = Path(f"/proc/{words[0]}/stat") if words else Path("/nonexistent")
            try:
                alive = stat.read_text().rpartition(") ")[2].split()[19] == words[1]
            except (OSError, IndexError):
                continue
            if alive:
                os.kill(int(words[0]), signal.SIGKILL)


def _close(stream: io.BufferedIOBase | object) -> None:
    with contextlib.suppress(BrokenPipeError):
        stream.close()  # type: ignore[attr-defined]
