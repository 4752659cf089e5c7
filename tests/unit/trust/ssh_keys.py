"""Keys and signatures by ssh-keygen, for the tests: the oracle makes what we read."""

import subprocess
from pathlib import Path

NAMESPACE = "rollout-plan@acme"


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

    def accepts(self, allowed: str, principal: str, message: bytes, signature: bytes) -> bool:
        """What `ssh-keygen -Y verify` says."""
        file, signed = self.directory / "allowed", self.directory / "signature"
        file.write_text(allowed)
        signed.write_bytes(signature)
        done = subprocess.run(
            ("ssh-keygen", "-Y", "verify", "-f", str(file), "-I", principal, "-n", NAMESPACE,
             "-s", str(signed)),
            input=message, capture_output=True, check=False, timeout=30,
        )  # fmt: skip
        return done.returncode == 0


def keygen(*words: str) -> None:
    subprocess.run(("ssh-keygen", *words), check=True, capture_output=True, timeout=60)


def line(principal: str, public: str, options: str = f'namespaces="{NAMESPACE}"') -> str:
    """A line of a file of allowed signers."""
    return f"{principal} {options} {public}\n"
