"""Keys and signatures by ssh-keygen, for the tests: the oracle makes what we read."""

import base64
import hashlib
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAMESPACE = "rollout-plan@acme"
_TOKEN_KIND = b"sk-ssh-ed25519@openssh.com"


class SshKeys:
    """Key pairs in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def make(self, name: str, kind: str = "ed25519", *more: str) -> str:
        """A new pair; gives the public key's line without comment."""
        keygen("-q", "-t", kind, *more, "-N", "", "-C", "", "-f", str(self.path(name)))
        return self.public(name)

    def path(self, name: str) -> Path:
        return self.directory / name

    def public(self, name: str) -> str:
        return (self.directory / f"{name}.pub").read_text().strip()

    def sign(self, name: str, message: bytes, namespace: str = NAMESPACE, *more: str) -> bytes:
        done = subprocess.run(
            ("ssh-keygen", "-Y", "sign", "-q", "-n", namespace, *more, "-f", str(self.path(name))),
            input=message, capture_output=True, check=True, timeout=30,
        )  # fmt: skip
        return done.stdout

    def accepts(
        self, allowed: str, principal: str, message: bytes, signature: bytes,
        namespace: str = NAMESPACE,
    ) -> bool:  # fmt: skip
        """What `ssh-keygen -Y verify` says."""
        file, signed = self.directory / "allowed", self.directory / "signature"
        file.write_text(allowed)
        signed.write_bytes(signature)
        done = subprocess.run(
            ("ssh-keygen", "-Y", "verify", "-f", str(file), "-I", principal, "-n", namespace,
             "-s", str(signed)),
            input=message, capture_output=True, check=False, timeout=30,
        )  # fmt: skip
        return done.returncode == 0


class Token:
    """A security token, as far as signatures show one: Ed25519, and whether it was touched."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._blob = _strings(_TOKEN_KIND, self._key.public_key().public_bytes_raw(), b"ssh:")

    def public(self) -> str:
        return f"{_TOKEN_KIND.decode()} {base64.b64encode(self._blob).decode()}"

    def sign(self, message: bytes, namespace: str, *, touched: bool = True) -> bytes:
        head, flags = _strings(namespace.encode(), b"", b"sha512"), bytes((touched, 0, 0, 0, 7))
        inner = b"SSHSIG" + head + _strings(hashlib.sha512(message).digest())
        sealed = hashlib.sha256(b"ssh:").digest() + flags + hashlib.sha256(inner).digest()
        signature = _strings(_TOKEN_KIND, self._key.sign(sealed)) + flags
        blob = b"SSHSIG\0\0\0\1" + _strings(self._blob) + head + _strings(signature)
        text = base64.b64encode(blob)
        lines = [text[at : at + 70] for at in range(0, len(text), 70)]
        begin, end = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
        return b"\n".join((begin, *lines, end, b""))


def _strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def keygen(*words: str) -> None:
    subprocess.run(("ssh-keygen", *words), check=True, capture_output=True, timeout=60)


def line(principal: str, public: str, options: str = f'namespaces="{NAMESPACE}"') -> str:
    """A line of a file of allowed signers."""
    return f"{principal} {options} {public}\n"
