"""Files appear whole or not at all, and nothing is replaced by accident."""

import os
import stat

import pytest

from orchestrator.errors import TrustError
from orchestrator.trust.files import read_start, replace_file, write_new


def names(directory):
    return [path.name for path in directory.iterdir()]


def code_of(action, *given):
    with pytest.raises(TrustError) as caught:
        action(*given)
    return caught.value.code


def test_new_file_is_written_once(tmp_path):
    path = tmp_path / "f"
    write_new(path, b"one", mode=0o600)

    assert code_of(write_new, path, b"two") == "T106"
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["f"]


def test_file_is_replaced_whole(tmp_path):
    path = tmp_path / "f"
    for data in (b"one", b"two"):
        replace_file(path, data)

        assert path.read_bytes() == data
    assert names(tmp_path) == ["f"]


def test_what_is_no_file_is_left_alone(tmp_path):
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")

    for name in ("directory", "pipe", "dangling"):
        for write in (write_new, replace_file):
            assert code_of(write, tmp_path / name, b"data") == "T106"


def test_trouble_is_told_and_leaves_nothing(tmp_path):
    assert code_of(write_new, tmp_path / "none" / "f", b"data") == "T100"
    assert code_of(read_start, tmp_path / "none", 10) == "T100"
    assert names(tmp_path) == []


def test_reading_stops_at_the_limit(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 100)

    assert read_start(tmp_path / "f", 10) == b"x" * 10


def test_pipe_is_read_to_its_end_and_never_waited_for(tmp_path):
    named = tmp_path / "pipe"
    os.mkfifo(named)
    reader, writer = os.pipe()
    os.write(writer, b"a key")
    os.close(writer)

    found = [read_start(path, 100) for path in (named, f"/dev/fd/{reader}")]

    os.close(reader)
    assert found == [b"", b"a key"]
