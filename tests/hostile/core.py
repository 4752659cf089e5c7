"""Deliveries as the root core of a device finds them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.device.kit import TRUST, Shell, sha
from tests.hostile.artifacts import Frames
from tests.hostile.batch import CoreBatch, own, write_tree

TXN = "01TEST00000000000000000000"  # as the loop of `CoreBatch` calls it
PROVIDES = Path(__file__).with_name("provides.txt")  # what ran before said of itself
DEVICE_TYPE = b"dt\n"
MODULES = ("single-file", "directory", "rootfs-image")


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
        write_tree(place / "lib", files)
        for file in ("trust.sh", *(f"modules/{name}" for name in MODULES)):
            (place / "lib" / file).chmod(0o755)

    def says(
        self, frames: Frames, keys: Mapping[str, bytes] | None = None, root: bytes = b""
    ) -> str:
        """`0/ok`, or exit code and reason of the refusal."""
        return self.tells(frames, keys, root).partition(" ")[0]

    def tells(self, frames: Frames, keys: Mapping[str, bytes] | None, root: bytes) -> str:
        """The same, and what was made of a release that is taken."""
        files = {"stream": stream(frames)} | ({"etc/rollout/root.txt": root} if root else {})
        return self._judge(self._case(files, keys), len(frames))

    def finds(self, parts: Mapping[str, bytes], moved: Mapping[str, Path]) -> str:
        """The same of parts that are in the spool already, or are moved there."""
        spool = f"var/spool/main/{TXN}"
        case = self._case({f"{spool}/{name}": data for name, data in parts.items()}, None)
        for name, file in moved.items():
            (case / spool / name).parent.mkdir(parents=True, exist_ok=True)
            file.rename(case / spool / name)
        return self._judge(case, 0).partition(" ")[0]

    def _case(self, files: Mapping[str, bytes], keys: Mapping[str, bytes] | None) -> Path:
        case = self._place / "case"
        shutil.rmtree(case, ignore_errors=True)
        etc = {"device_type": DEVICE_TYPE, "device_id": b"dev-1\n"}
        etc |= {f"keys/{name}.pem": pem for name, pem in (keys or {"k": self._key}).items()}
        before = {"var/component/main/provides.none": PROVIDES.read_bytes()}
        write_tree(
            case, {f"etc/rollout/{name}": data for name, data in etc.items()} | before | files
        )
        return case

    def _judge(self, case: Path, frames: int) -> str:
        own(case)
        return self._batch.ask(f"{case} {case}/etc/rollout {self._place}/lib {frames}")


def stream(frames: Frames) -> bytes:
    """The bytes of a delivery; names may stand twice, or be none."""
    return b"".join(
        f"frame {name} {len(data)} {sha(data)} 0\n".encode() + data for name, data in frames
    )
