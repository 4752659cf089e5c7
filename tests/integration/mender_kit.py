"""The stock Mender clients on a device of their own, with update modules of the test.

`mender` is that of Debian (3.4); a `mender-update` (4 or 5) is not there, and is used where somebody built one.

The client has its modules' directory compiled in, so each call runs in a mount namespace of its
own, with the modules bound over that directory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODULES_OF_CLIENT = Path("/usr/share/mender/modules/v3")
TIME_LIMIT_S = 60
OLD, NEW = "mender", "mender-update"
# What each calls its options.
_WORDS = {OLD: "--no-syslog --data {home}/data", NEW: "--datastore {home}/data"}
# Each call is in a mount namespace of its own; `$@` are the client's words.
_IN_NAMESPACE = (
    "unshare -m sh -c 'mount --bind {home}/etc /etc/mender && mount --bind {home}/modules {modules} && "
    'exec {program} --config {home}/cfg/mender.conf --fallback-config {home}/data/mender.conf {words} "$@"\' sh "$@"'
)


def missing(client: str = OLD) -> str | None:
    """Why that client cannot run here."""
    for program in (client, "mender-artifact", "openssl", "unshare", "mount"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "a mount namespace needs root"
    if not MODULES_OF_CLIENT.is_dir():
        return f"{MODULES_OF_CLIENT} does not exist"
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else "this machine allows no mount namespace"


@dataclass(frozen=True)
class Client:
    """A Mender client with a device of its own below `home`."""

    home: Path
    program: str = OLD

    @classmethod
    def make(cls, home: Path, program: str = OLD) -> Client:
        """A device of type `lab` that runs `factory`, with a key and no modules."""
        for name in ("etc", "cfg", "data", "modules"):
            (home / name).mkdir(parents=True)
        key, public = home / "key.pem", home / "public.pem"
        commands = (
            ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(key)],
            ["openssl", "ec", "-in", str(key), "-pubout", "-out", str(public)],
        )
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)
        (home / "etc/artifact_info").write_text("artifact_name=factory\n")
        (home / "data/device_type").write_text("device_type=lab\n")
        config = {
            "ArtifactVerifyKey": str(public),
            "DeviceTypeFile": str(home / "data/device_type"),
        }
        (home / "cfg/mender.conf").write_text(json.dumps(config))
        (home / "data/mender.conf").write_text("{}")  # which the newer client wants to be there
        return cls(home, program)

    @property
    def script(self) -> str:
        """A program that is this client, on this device."""
        words = _WORDS[self.program].format(home=self.home)
        program = shutil.which(self.program)
        line = _IN_NAMESPACE.format(
            home=self.home, modules=MODULES_OF_CLIENT, program=program, words=words
        )
        return f"#!/bin/sh\nexec {line}\n"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", self.script, "sh", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIME_LIMIT_S,
        )

    def artifact(
        self, kind: str, name: str, files: Mapping[str, bytes], more: Sequence[str] = ()
    ) -> str:
        """An artifact of the vendor's own tool; `more` are options of it."""
        place = self.home / name
        place.mkdir()
        out = place.with_suffix(".mender")
        argv = ["mender-artifact", "write", "module-image", "-T", kind, "-t", "lab", "-n", name]
        argv += ["-o", str(out), "-k", str(self.home / "key.pem"), *more]
        for file, data in files.items():
            (place / file).write_bytes(data)
            argv += ["-f", str(place / file)]
        subprocess.run(argv, check=True, capture_output=True, timeout=TIME_LIMIT_S)
        return str(out)


def frames_of(artifact: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a device of ours is sent of an artifact that the vendor's tool wrote."""

    def member(name: str) -> bytes:
        argv = ["tar", "-xOf", artifact, name]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    names = ("version", "manifest", "manifest.sig", "header.tar.gz")
    frames = {name: member(name) for name in names}
    return frames | {f"data/0000/{name}": data for name, data in files.items()}
