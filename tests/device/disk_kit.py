"""Small file systems in memory, and how to fill them (root only)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def why_not() -> str:
    """Why nothing can be mounted here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root to mount a small file system"
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        done = subprocess.run(probe, capture_output=True, check=False, timeout=10)
    except OSError:
        return "unshare is not installed"
    return "" if done.returncode == 0 else "nothing can be mounted here"


def mount(place: Path, size_bytes: int, *, inodes: int = 0) -> None:
    """One of that size; of so many files at most, where that is not 0."""
    options = f"size={size_bytes}" + (f",nr_inodes={inodes}" if inodes else "")
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
    subprocess.run(command, check=True)


def fill(root: Path, left_bytes: int = 0, place: str = ".") -> Path:
    """Takes all room but some; gives the file that holds it."""
    ballast = root / place / "ballast"
    with ballast.open("ab", buffering=0) as file:
        room = os.statvfs(ballast)
        size_bytes = max(0, room.f_bavail * room.f_bsize - left_bytes)
        if size_bytes:
            os.posix_fallocate(file.fileno(), ballast.stat().st_size, size_bytes)
    return ballast
