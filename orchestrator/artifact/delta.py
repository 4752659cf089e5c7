"""The difference between two artifacts, as a file beside the newer one: what it is for, and a patch.

Laws:
1. The file says which artifact it is for and which it starts from, by their manifests; the payload
   file that it makes is the largest one of the newer artifact, of the one of that name of the
   older artifact, or of its largest.
2. It is neither signed nor trusted: what a device makes of it is checked against the newer
   artifact's signed manifest, as if it had been sent.

Format: one line `rollout-delta 1 NEW-MANIFEST OLD-MANIFEST NAME SHA256 SIZE OLD-SHA256 OLD-SIZE
PATCH-SHA256`, then the patch, as `xdelta3` writes it (VCDIFF, RFC 3284).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import CHUNK_BYTES, PAYLOAD_FOLDER, Artifact, ArtifactFrame
from orchestrator.artifact.source import ArtifactSource
from orchestrator.errors import Where

SUFFIX = ".delta"
TOOL = "xdelta3"
WINDOW_BYTES = (
    16 * 1024 * 1024
)  # of the old file that a device holds in memory: delta.sh has it, too
SHORT = 12  # digits of a manifest in a file's name
HEAD_BYTES_MAX = 1024
_HEAD = re.compile(
    rb"rollout-delta 1 (?P<new>[0-9a-f]{64}) (?P<old>[0-9a-f]{64}) (?P<name>[A-Za-z0-9_.,-]{1,90})"
    rb" (?P<sha>[0-9a-f]{64}) (?P<size>[1-9][0-9]{0,11})"
    rb" (?P<from>[0-9a-f]{64}) (?P<had>[1-9][0-9]{0,11}) (?P<patch>[0-9a-f]{64})\n"
)


@dataclass(frozen=True, slots=True)
class ArtifactDelta:
    """A patch that makes the payload file `name` of the largest one of the older artifact."""

    path: Path
    new_manifest: str
    old_manifest: str
    name: str
    sha256: str
    size_bytes: int
    old_sha256: str
    old_size_bytes: int
    patch: ArtifactFrame


def make_delta(old: Path, new: Path) -> ArtifactDelta:
    """Writes the difference beside the newer artifact; replaces nothing.

    Cost: unpacks both; time and memory of `xdelta3 -9`.

    Raises:
        ArtifactError: one of them breaks a rule, they have no difference that is worth it, the
            file exists, or xdelta3 is not there.
    """
    if shutil.which(TOOL) is None:
        message = f"`{TOOL}` is not installed"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint="it makes the patches: install it")
    with (
        ArtifactSource(old) as before,
        ArtifactSource(new) as after,
        tempfile.TemporaryDirectory(prefix="rollout-delta-") as place,
    ):
        made, had = _pair(before, after, old, new)
        for frame, name in ((had, "old"), (made, "new")):
            with (Path(place) / name).open("wb") as out:
                out.writelines(frame.chunks(0))
        _encode(Path(place))
        patch = (Path(place) / "patch").read_bytes()
        if len(patch) >= made.size_bytes:
            message = f"the difference between `{old}` and `{new}` is no smaller than the whole"
            hint = "packed files have little in common: leave the payload unpacked"
            raise ArtifactError(Rule.WRITE_INPUT, message, hint=hint)
        head = (
            f"rollout-delta 1 {after.artifact.manifest_sha256} {before.artifact.manifest_sha256}"
            f" {made.name.removeprefix(PAYLOAD_FOLDER)} {made.sha256} {made.size_bytes}"
            f" {had.sha256} {had.size_bytes} {hashlib.sha256(patch).hexdigest()}\n"
        )
        path = _path(new, before.artifact)
        try:
            with path.open("xb") as out:
                out.write(head.encode("ascii") + patch)
        except FileExistsError:
            message = f"`{path}` exists already"
            raise ArtifactError(
                Rule.WRITE_EXISTS, message, hint="remove it first", where=Where(str(path))
            ) from None
    delta = read_delta(path)
    assert delta is not None, "what was just written can be read"
    return delta


def deltas_beside(path: Path, artifact: Artifact) -> tuple[ArtifactDelta, ...]:
    """Those that lie beside an artifact and are for it; others are left alone."""
    files = {(file.name, file.sha256, file.size_bytes) for file in artifact.payload.files}
    return tuple(
        delta
        for delta in deltas_to(path, artifact.manifest_sha256)
        if (delta.name, delta.sha256, delta.size_bytes) in files
    )


def deltas_to(path: Path, manifest_sha256: str) -> tuple[ArtifactDelta, ...]:
    """Those beside an artifact that say they are for the one with that manifest."""
    found = (read_delta(file) for file in sorted(path.parent.glob(f"*{SUFFIX}")))
    return tuple(
        delta for delta in found if delta is not None and delta.new_manifest == manifest_sha256
    )


def read_delta(path: Path) -> ArtifactDelta | None:
    """What such a file says of itself; None where it is none, or cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.readline(HEAD_BYTES_MAX)
        size_bytes = path.stat().st_size - len(head)
    except OSError:
        return None
    found = _HEAD.fullmatch(head)
    if found is None or size_bytes <= 0:
        return None
    said = {key: value.decode("ascii") for key, value in found.groupdict().items()}

    def chunks(offset: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(len(head) + offset)
            while piece := file.read(CHUNK_BYTES):
                yield piece

    return ArtifactDelta(
        path=path,
        new_manifest=said["new"],
        old_manifest=said["old"],
        name=said["name"],
        sha256=said["sha"],
        size_bytes=int(said["size"]),
        old_sha256=said["from"],
        old_size_bytes=int(said["had"]),
        patch=ArtifactFrame("patch", size_bytes, said["patch"], chunks),
    )


def _pair(
    before: ArtifactSource, after: ArtifactSource, old: Path, new: Path
) -> tuple[ArtifactFrame, ArtifactFrame]:
    """The file that is made and the one that it is made of."""
    kinds = before.artifact.payload.type, after.artifact.payload.type
    made = max(_payload(after), key=lambda frame: frame.size_bytes, default=None)
    named = [frame for frame in _payload(before) if made is not None and frame.name == made.name]
    had = max(named or _payload(before), key=lambda frame: frame.size_bytes, default=None)
    if kinds[0] != kinds[1]:
        message = f"`{old}` is of type `{kinds[0]}`, `{new}` of type `{kinds[1]}`"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint="a difference is within one type")
    if not set(before.artifact.device_types) & set(after.artifact.device_types):
        message = f"`{old}` and `{new}` fit no device type in common"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint="no device could run both")
    if made is None or had is None or made.sha256 == had.sha256:
        message = f"`{old}` and `{new}` have no payload that differs"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint="give the older one, then the newer")
    return made, had


def _payload(source: ArtifactSource) -> list[ArtifactFrame]:
    return [frame for frame in source.frames if frame.name.startswith(PAYLOAD_FOLDER)]


def _encode(place: Path) -> None:
    words = f"-e -9 -f -S djw -B {WINDOW_BYTES} -s old new patch"
    done = subprocess.run((TOOL, *words.split()), cwd=place, capture_output=True, check=False)  # noqa: S603  fixed words
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-200:]
        message = f"`{TOOL}` failed with {done.returncode}: {said!a}"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint="is there enough room for its files?")


def _path(new: Path, before: Artifact) -> Path:
    return new.with_name(f"{new.stem}.from-{before.manifest_sha256[:SHORT]}{SUFFIX}")
