"""Files that appear complete, or not at all."""

import errno
import lzma
import tarfile
import zlib

import pytest

from orchestrator.artifact import ArtifactError, Compression, Rule, read_artifact
from orchestrator.artifact.output import new_packer, publish, tar_header
from tests.unit.artifact.crafting import Craft, header

GOOD = Craft().build()


def write_good(file):
    file.write(GOOD)


def test_file_appears_with_its_artifact(tmp_path):
    path = tmp_path / "a.mender"

    artifact = publish(path, write_good, overwrite=False)

    assert path.read_bytes() == GOOD
    assert artifact == read_artifact(path)
    assert list(tmp_path.iterdir()) == [path]


def test_existing_file_is_kept_unless_told(tmp_path):
    path = tmp_path / "a.mender"
    path.write_text("mine")

    with pytest.raises(ArtifactError) as caught:
        publish(path, write_good, overwrite=False)

    assert caught.value.rule is Rule.WRITE_EXISTS
    assert path.read_text() == "mine"
    publish(path, write_good, overwrite=True)
    assert path.read_bytes() == GOOD
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "a.mender"

    def write(file):
        path.write_text("mine")
        write_good(file)

    with pytest.raises(ArtifactError) as caught:
        publish(path, write, overwrite=False)

    assert caught.value.rule is Rule.WRITE_EXISTS
    assert path.read_text() == "mine"


def test_what_our_reader_refuses_never_appears(tmp_path):
    path = tmp_path / "a.mender"

    with pytest.raises(ArtifactError) as caught:
        publish(path, lambda file: file.write(GOOD[:-1]), overwrite=True)

    assert caught.value.rule is Rule.TRUNCATED
    assert str(caught.value.where) == str(path)
    assert list(tmp_path.iterdir()) == []


def test_failure_of_the_writer_leaves_nothing(tmp_path):
    def write(file):
        file.write(GOOD)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ArtifactError, match="the disk is full") as caught:
        publish(tmp_path / "a.mender", write, overwrite=True)

    assert caught.value.rule is Rule.WRITE_INPUT
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        publish(tmp_path / "none" / "a.mender", write_good, overwrite=False)

    assert caught.value.rule is Rule.WRITE_INPUT


def test_header_is_plain_ustar():
    ours = tarfile.TarInfo.frombuf(tar_header("a", 7, 0o640), "ascii", "strict")
    reference = tarfile.TarInfo.frombuf(header("a", 7, mode=0o640), "ascii", "strict")

    assert ours.get_info() == reference.get_info()


@pytest.mark.parametrize(
    ("compression", "unpack"),
    [
        (Compression.NONE, bytes),
        (Compression.GZIP, lambda data: zlib.decompress(data, 31)),
        (Compression.XZ, lzma.decompress),
    ],
)
def test_packers_can_be_undone_and_repeat(compression, unpack):
    packed = []
    for _ in range(2):
        packer = new_packer(compression)
        packed.append(packer.compress(b"ab" * 999) + packer.compress(b"c") + packer.flush())

    assert unpack(packed[0]) == b"ab" * 999 + b"c"
    assert packed[0] == packed[1]
