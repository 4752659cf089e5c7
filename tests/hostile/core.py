"""Deliveries as the root core of a device finds them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.device.kit import TRUST, Shell, sha
from tests.hostile.artifacts import Frames
from tests.hostile.batch import TIME_LIMIT_S, CoreBatch, own, write_tree

TXN = "01TEST00000000000000000000"  # as the loop of `CoreBatch` calls it
SPOOL = f"var/spool/main/{TXN}"
PROVIDES = Path(__file__).with_name("provides.txt")  # what ran before said of itself
DEVICE_TYPE = b"dt\n"
MODULES = ("single-file", "directory", "rootfs-image")
OF_DEVICE = "of-the-device"  # a module that its owner has put beside those


@dataclass(frozen=True)
class Found:
    """What the core finds: frames of a delivery, or parts that lie in the spool already.

    A part whose name ends with `/` is a folder; `links` and `pipes` stand in the spool, and
    `beside` are files of the case to which links lead. `now` is where the transaction stands.
    """

    frames: Frames = ()
    keys: Mapping[str, bytes] = field(default_factory=dict)
    root: bytes = b""
    parts: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    pipes: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, bytes] = field(default_factory=dict)
    now: str = "staging"


class Core:
    """One device below a place, which forgets everything between two deliveries."""

    def __init__(
        self, batch: CoreBatch, place: Path, shell: Shell, key: bytes, trust: str | None = None
    ) -> None:
        self._batch, self._place, self._key = batch, place, key
        text = TRUST.read_text() if trust is None else trust
        words = " ".join((str(shutil.which(shell.argv[0])), *shell.argv[1:]))
        program = f"#!{words}\n{text.partition(chr(10))[2]}".encode()
        files = {"trust.sh": program} | {f"modules/{name}": b"#!/bin/sh\n" for name in MODULES}
        files |= {"modules/notes": b"", "modules/folder/": b""}  # which no device can run
        write_tree(place / "lib", files)
        write_tree(place / "base", {f"modules/{OF_DEVICE}": b"#!/bin/sh\n"})
        programs = ["lib/trust.sh", *(f"lib/modules/{name}" for name in MODULES)]
        for file in (*programs, f"base/modules/{OF_DEVICE}"):
            (place / file).chmod(0o755)

    def says(
        self, frames: Frames, keys: Mapping[str, bytes] | None = None, root: bytes = b""
    ) -> str:
        """`0/ok`, or exit code and reason of the refusal."""
        return self.tells(Found(frames, keys or {}, root)).partition(" ")[0]

    def tells(self, found: Found, limit_cpu_s: float = TIME_LIMIT_S) -> str:
        """The same, and what was made of a release that is taken."""
        words = f"{len(found.frames)} {found.now}"
        return self._judge(self._case(found), words, limit_cpu_s)

    def finds(self, parts: Mapping[str, bytes], moved: Mapping[str, Path]) -> str:
        """The same of parts that are in the spool already, or are moved there."""
        case = self._case(Found(parts=parts))
        for name, file in moved.items():
            (case / SPOOL / name).parent.mkdir(parents=True, exist_ok=True)
            file.rename(case / SPOOL / name)
        return self._judge(case, "0 staging").partition(" ")[0]

    def _case(self, found: Found) -> Path:
        case = self._place / "case"
        shutil.rmtree(case, ignore_errors=True)
        etc = {"device_type": DEVICE_TYPE, "device_id": b"dev-1\n"}
        etc |= {f"keys/{name}.pem": pem for name, pem in (found.keys or {"k": self._key}).items()}
        etc |= {"root.txt": found.root} if found.root else {}
        files = {f"etc/rollout/{name}": data for name, data in etc.items()}
        files |= {f"{SPOOL}/{name}": data for name, data in found.parts.items()}
        files |= {} if found.parts or found.beside else {"stream": stream(found.frames)}
        files |= {"var/component/main/provides.none": PROVIDES.read_bytes()} | found.beside
        write_tree(case, files)
        for name, target in found.links.items():
            (case / SPOOL / name).parent.mkdir(parents=True, exist_ok=True)
            (case / SPOOL / name).symlink_to(target)
        for name in found.pipes:
            os.mkfifo(case / SPOOL / name)
        return case

    def _judge(self, case: Path, words: str, limit_cpu_s: float = TIME_LIMIT_S) -> str:
        own(case)
        return self._batch.ask(f"{case} {case}/etc/rollout {self._place}/lib {words}", limit_cpu_s)


def stream(frames: Frames) -> bytes:
    """The bytes of a delivery; names may stand twice, or be none."""
    return b"".join(
        f"frame {name} {len(data)} {sha(data)} 0\n".encode() + data for name, data in frames
    )
