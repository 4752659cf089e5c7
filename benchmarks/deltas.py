"""What a difference saves: bytes and seconds for two images of a system of which a third was rebuilt.

`python -m benchmarks.deltas [MEGABYTES]` makes both images of this machine's own programs and libraries
(ext4, without a mount), writes the difference with `rollout artifact delta`, has it applied by
the program that devices have, and prints one line for each way. As root or not; it takes minutes.

A rebuilt file differs as real ones were measured to do: one page in twenty is another, three in ten have
a few other bytes each (addresses), and half of the files have another length.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

from orchestrator.api import artifact_delta
from orchestrator.artifact.delta import read_delta
from orchestrator.artifact.model import Compression
from orchestrator.artifact.spec import ArtifactSpec, SoftwareVersion, module_payload
from orchestrator.artifact.writer import write_artifact

MEGABYTES = 100
MEGABYTE = 1 << 20
SOURCES = ("/usr/bin", "/usr/lib", "/usr/sbin", "/usr/share")
REBUILT_SHARE = 1 / 3
PAGE_BYTES = 4096
OTHER_SHARE = 0.05  # of the pages of a rebuilt file
TOUCHED_SHARE = 0.3
FILE_BYTES_MAX = 16 * MEGABYTE
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def main(megabytes: int = MEGABYTES) -> None:
    """Prints what each way costs."""
    with tempfile.TemporaryDirectory(prefix="rollout-deltas-") as place:
        root = Path(place)
        old, new = _images(root, megabytes * MEGABYTE)
        image = new.read_bytes()
        print(f"image: {len(image)} bytes, a third of its files rebuilt")
        pack: dict[str, Callable[[bytes], bytes]] = {
            "whole, gzip -9": lambda data: gzip.compress(data, 9),
            "whole, xz -3": lambda data: lzma.compress(data, preset=3),
        }
        for name, packed in pack.items():
            started_at = time.process_time()
            _line(name, len(packed(image)), time.process_time() - started_at, None)
        _difference(root, old, new)


def _difference(root: Path, old: Path, new: Path) -> None:
    artifacts = []
    for image in (old, new):
        spec = ArtifactSpec(
            name=image.stem,
            device_types=("box",),
            payload=module_payload("rootfs-image", (image,)),
            software=SoftwareVersion(version=None),
            compression=Compression.NONE,
        )
        artifacts.append(image.with_suffix(".mender"))
        write_artifact(spec, artifacts[-1], sign=None)
    started_at = time.monotonic()
    made = artifact_delta(*artifacts)
    make_s = time.monotonic() - started_at
    delta = read_delta(made.path)
    assert delta is not None
    work = root / "device"
    work.mkdir()
    (work / "old").symlink_to(old)
    with (work / "patch").open("wb") as out:
        out.writelines(delta.patch.chunks(0))
    program = str(resources.files("orchestrator.device").joinpath("delta.sh"))
    started_at = time.monotonic()
    argv = ["sh", program, "make", str(work), str(delta.size_bytes), delta.sha256]
    subprocess.run(argv, check=True)
    _line("difference", made.patch_bytes, make_s, time.monotonic() - started_at)


def _line(name: str, size_bytes: int, make_s: float, apply_s: float | None) -> None:
    applied = "" if apply_s is None else f", applied on the device in {apply_s:.1f} s"
    print(f"{name}: {size_bytes} bytes, made in {make_s:.1f} s{applied}", flush=True)


def _images(root: Path, size_bytes: int) -> tuple[Path, Path]:
    """The older and the newer system."""
    tree, drawn = root / "tree", random.Random(1)
    taken = 0
    for number, path in enumerate(_files()):
        taken += path.stat().st_size
        if taken > size_bytes:
            break
        place = tree / f"{number % 100}" / f"{number}-{path.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    old = _image(root, tree, root / "system-1.img", size_bytes)
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        if drawn.random() < REBUILT_SHARE:
            path.write_bytes(_rebuilt(path.read_bytes(), drawn))
    return old, _image(root, tree, root / "system-2.img", size_bytes)


def _files() -> Iterator[Path]:
    """Regular files of this machine, in an order that mixes them and is the same each time."""
    found = [path for top in SOURCES for path in Path(top).rglob("*")]
    found.sort(key=lambda path: hashlib.sha256(str(path).encode()).digest())
    for path in found:
        readable = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
        if readable and 0 < path.stat().st_size <= FILE_BYTES_MAX:
            yield path


def _rebuilt(data: bytes, drawn: random.Random) -> bytes:
    made = bytearray(data)
    for start in range(0, len(made), PAGE_BYTES):
        size_bytes = min(PAGE_BYTES, len(made) - start)
        kind = drawn.random()
        if kind < OTHER_SHARE:
            made[start : start + size_bytes] = drawn.randbytes(size_bytes)
        elif kind < OTHER_SHARE + TOUCHED_SHARE:
            for _ in range(4):
                at = start + drawn.randrange(size_bytes)
                made[at : at + 1] = drawn.randbytes(1)
    if drawn.random() < 0.5:  # noqa: PLR2004  half of them have another length
        at = drawn.randrange(len(made) + 1)
        made[at:at] = drawn.randbytes(drawn.randrange(1, 400))
    return bytes(made)


def _image(root: Path, tree: Path, image: Path, size_bytes: int) -> Path:
    room = f"{size_bytes * 3 // 2 // MEGABYTE}M"
    fixed = [
        "-U",
        "8a5c4d0e-7a55-4a3f-9c1e-0e6b6d1b2f11",
        "-E",
        "hash_seed=8a5c4d0e-7a55-4a3f-9c1e-0e6b6d1b2f11",
    ]
    argv = [
        "mke2fs",
        "-q",
        "-q",
        "-t",
        "ext4",
        "-m",
        "0",
        *fixed,
        "-d",
        str(tree),
        str(image),
        room,
    ]
    environment = {**os.environ, "PATH": PATH}
    subprocess.run(argv, check=True, cwd=root, env=environment)
    return image


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
