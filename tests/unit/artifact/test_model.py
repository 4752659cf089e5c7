"""What an artifact tells of itself."""

import dataclasses

import pytest

from orchestrator.artifact import Compression, read_artifact
from tests.unit.artifact.crafting import PACKERS, Craft, sha256


@pytest.fixture(params=PACKERS)
def craft(request):
    return Craft(suffix=request.param, files=[("a", b"123"), ("b", b"45")], signature=b"QUJD")


def test_sizes_and_digests_are_those_of_the_parts(craft, tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(craft.build())
    parts = dict(craft.members())

    artifact = read_artifact(path)

    assert artifact.header_name == f"header.tar{craft.suffix}"
    assert artifact.manifest_sha256 == sha256(parts["manifest"])
    assert artifact.payload.size_bytes == 5
    wanted = ("version", "manifest", "manifest.sig", artifact.header_name)
    assert artifact.delivery_size_bytes == 5 + sum(len(parts[name]) for name in wanted)


def test_artifact_is_immutable_and_short_to_show(craft, tmp_path):
    path = tmp_path / "a.mender"
    path.write_bytes(craft.build())

    artifact = read_artifact(path)

    assert "manifest=" not in repr(artifact)
    with pytest.raises(dataclasses.FrozenInstanceError):
        artifact.name = "other"


def test_each_compression_has_its_suffix():
    assert [kind.suffix for kind in Compression] == ["", ".gz", ".xz"]
