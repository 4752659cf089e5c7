"""A machine whose power can be cut: QEMU without hardware virtualisation, which is everywhere the same."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path

from tests.loopback import free_port

QEMU = (
    "qemu-system-x86_64 -accel tcg,tb-size=64 -cpu max -M pc -m 192 -smp 1 -display none -nodefaults"
    " -no-user-config -serial stdio -device virtio-net-pci,netdev=n,romfile="
)
BOOT_S_MAX = 240.0  # ten seconds where nobody else computes
READ_BYTES_MAX = 65536


class Machine:
    """One machine with `disk`, switched off.

    A cut takes what its system had not yet written to the disk. What the disk was given stays, as
    with a disk without a cache of its own.
    """

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.port = free_port()
        self.said = ""  # on its serial line, since it was first switched on
        self._process: subprocess.Popen[bytes] | None = None

    def power_on(self) -> None:
        """It begins to boot."""
        forward = f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        drive = f"file={self.disk},format=raw,if=virtio,cache=unsafe"
        self._process = subprocess.Popen(
            [*QEMU.split(), "-drive", drive, "-netdev", forward],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def power_cut(self) -> None:
        """It stands still at once, wherever it is."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            rest, _ = process.communicate()
            self.said += rest.decode(errors="replace")

    def until(self, pattern: str, *, after: int = 0, limit_s: float = BOOT_S_MAX) -> str:
        """Waits until it says so on its serial line; gives what matched behind the character `after`."""
        assert self._process is not None
        assert self._process.stdout is not None
        end_at = time.monotonic() + limit_s
        while not (found := re.search(pattern, self.said[after:])):
            left_s = end_at - time.monotonic()
            assert left_s > 0, f"no {pattern!r} within {limit_s} seconds:\n{self.said[after:]}"
            self._read(left_s)
        return found[0]

    def run_for(self, seconds: float) -> None:
        """Lets time pass while it runs."""
        end_at = time.monotonic() + seconds
        while (left_s := end_at - time.monotonic()) > 0:
            self._read(left_s)

    def heard(self) -> int:
        """How many characters it has said up to now."""
        while self._process is not None and self._read(0):
            pass
        return len(self.said)

    @property
    def cpu_s(self) -> float:
        """What it has used of a processor since it was switched on."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self, limit_s: float) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            return False
        data = os.read(self._process.stdout.fileno(), READ_BYTES_MAX)
        assert data, f"the machine ended:\n{self.said}"
        self.said += data.decode(errors="replace")
        return True
