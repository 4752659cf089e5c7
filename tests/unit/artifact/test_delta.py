"""Differences between artifacts: what is written, what is found again, what is refused."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.artifact.delta import deltas_beside, make_delta, read_delta
from orchestrator.artifact.errors import ArtifactError
from orchestrator.artifact.reader import read_artifact
from orchestrator.artifact.spec import ArtifactSpec, SoftwareVersion, module_payload
from orchestrator.artifact.writer import write_artifact

needs_tool = pytest.mark.skipif(not shutil.which("xdelta3"), reason="xdelta3 is not installed")
OLD = random.Random(1).randbytes(100_000)
NEW = OLD[:50_000] + b"news" + OLD[50_000:]


def artifact(
    place: Path, name: str, kind: str = "app", device_type: str = "box", **files: bytes
) -> Path:
    """One with `files`, and a small one beside them."""
    folder = place / f"{name}.files"
    folder.mkdir()
    for file, content in {"note": name.encode(), **files}.items():
        (folder / file).write_bytes(content)
    spec = ArtifactSpec(
        name=name,
        device_types=(device_type,),
        payload=module_payload(kind, sorted(folder.iterdir())),
        software=SoftwareVersion(version=None),
    )
    write_artifact(spec, place / f"{name}.mender", sign=None)
    return place / f"{name}.mender"


@needs_tool
def test_difference_makes_the_newer_file_of_the_older_one(tmp_path: Path):
    old, new = artifact(tmp_path, "v1", image=OLD), artifact(tmp_path, "v2", image=NEW)

    made = make_delta(old, new)

    before = read_artifact(old)
    assert made.path == tmp_path / f"v2.from-{before.manifest_sha256[:12]}.delta"
    assert made.old_manifest == before.manifest_sha256
    assert (made.name, made.size_bytes, made.old_size_bytes) == ("image", len(NEW), len(OLD))
    assert made.patch.size_bytes < 1000
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "patch").write_bytes(b"".join(made.patch.chunks(0)))
    argv = ["xdelta3", "-d", "-s", "old", "patch", "made"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    assert (tmp_path / "made").read_bytes() == NEW


@needs_tool
def test_difference_is_found_beside_the_artifact_that_it_is_for(tmp_path: Path):
    old, new = artifact(tmp_path, "v1", image=OLD), artifact(tmp_path, "v2", image=NEW)
    other = artifact(tmp_path, "v3", image=NEW + b"x")
    made = make_delta(old, new)
    (tmp_path / "garbage.delta").write_bytes(b"rollout-delta 1 what is this\n")
    (tmp_path / "empty.delta").touch()

    (found,) = deltas_beside(new, read_artifact(new))

    assert (found.path, found.patch.sha256) == (made.path, made.patch.sha256)
    assert hashlib.sha256(b"".join(found.patch.chunks(0))).hexdigest() == found.patch.sha256
    assert b"".join(found.patch.chunks(7)) == b"".join(made.patch.chunks(0))[7:]
    assert deltas_beside(other, read_artifact(other)) == ()


@needs_tool
def test_file_of_the_same_name_goes_before_the_largest(tmp_path: Path):
    old = artifact(tmp_path, "v1", image=OLD, larger=bytes(200_000))
    new = artifact(tmp_path, "v2", image=NEW)

    assert make_delta(old, new).old_sha256 == hashlib.sha256(OLD).hexdigest()


@needs_tool
def test_what_makes_no_sense_is_refused(tmp_path: Path):
    old, new = artifact(tmp_path, "v1", image=OLD), artifact(tmp_path, "v2", image=NEW)
    other = artifact(tmp_path, "v3", "another", image=NEW)
    unlike = artifact(tmp_path, "v4", image=random.Random(2).randbytes(100_000))
    foreign = artifact(tmp_path, "v5", device_type="can", image=NEW)
    make_delta(old, new)

    for pair, why in (
        ((old, new), "exists already"),
        ((old, old), "no payload that differs"),
        ((old, other), "of type `app`"),
        ((old, foreign), "no device type in common"),
        ((old, unlike), "no smaller than the whole"),
    ):
        with pytest.raises(ArtifactError, match=why):
            make_delta(*pair)


def test_without_the_tool_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ArtifactError, match="`xdelta3` is not installed"):
        make_delta(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("path", ["none.delta", "."])
def test_what_cannot_be_read_is_no_difference(tmp_path: Path, path: str):
    assert read_delta(tmp_path / path) is None
