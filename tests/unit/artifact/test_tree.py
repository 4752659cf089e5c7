"""The tar file of a directory payload: deterministic, and only what is safe to unpack."""

import io
import os
import socket
import tarfile

import pytest

from orchestrator.artifact import ArtifactError, Rule
from orchestrator.artifact.tree import tree_chunks


def pack(root):
    return b"".join(tree_chunks(root))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "app").write_text("#!/bin/sh\n")
    (root / "bin" / "app").chmod(0o755)
    (root / "b").write_text("b")
    (root / "b").chmod(0o640)
    return root


def test_tree_is_packed_sorted_without_owner_and_time(root):
    (root / "a").symlink_to("bin/app")

    with tarfile.open(fileobj=io.BytesIO(pack(root))) as file:
        found = [(m.name, m.type, m.mode, m.uid, m.gid, m.uname, m.mtime) for m in file]

    assert found == [
        ("a", tarfile.SYMTYPE, 0o777, 0, 0, "", 0),
        ("b", tarfile.REGTYPE, 0o640, 0, 0, "", 0),
        ("bin", tarfile.DIRTYPE, 0o755, 0, 0, "", 0),
        ("bin/app", tarfile.REGTYPE, 0o755, 0, 0, "", 0),
    ]


def test_same_tree_elsewhere_gives_same_bytes(root, tmp_path):
    before = pack(root)
    os.utime(root / "b", (1, 1))
    moved = root.rename(tmp_path / "moved")

    assert pack(moved) == before


def test_long_and_foreign_names_survive(root):
    deep = root / ("d" * 90) / ("é" * 60)
    deep.mkdir(parents=True)
    (deep / ("f" * 120)).write_text("x")

    with tarfile.open(fileobj=io.BytesIO(pack(root))) as file:
        names = file.getnames()

    assert f"{'d' * 90}/{'é' * 60}/{'f' * 120}" in names


@pytest.mark.parametrize(
    ("place", "target"),
    [("l", "bin"), ("l", "./bin/app"), ("bin/l", "../b"), ("bin/l", "app"), ("l", "missing")],
)
def test_links_that_stay_inside_are_packed(root, place, target):
    (root / place).symlink_to(target)

    with tarfile.open(fileobj=io.BytesIO(pack(root))) as file:
        assert file.getmember(place).linkname == target


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("l", "/etc/passwd"),
        ("l", ".."),
        ("l", "../tree/b"),
        ("bin/l", "../../x"),
        ("l", "bin/../../x"),
        ("l", "bin/../b"),
        ("l", "a\nb"),
        ("l", "a\\b"),
        ("l", "a -> b"),
    ],
)
def test_links_that_may_lead_outside_are_refused(root, place, target):
    (root / place).symlink_to(target)

    with pytest.raises(ArtifactError) as caught:
        pack(root)

    assert caught.value.rule is Rule.WRITE_TREE


@pytest.mark.parametrize(
    "kind", ["fifo", "socket", "setuid", "a\nb", "a\\b", "a -> b", "a link to b", "bytes", "empty"]
)
def test_what_is_not_packed_is_refused(root, kind, monkeypatch):
    if kind == "fifo":
        os.mkfifo(root / "f")
    elif kind == "socket":
        monkeypatch.chdir(root)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    elif kind == "setuid":
        (root / "b").chmod(0o4755)
    elif kind.startswith("a"):  # a name that no device takes
        (root / kind).write_text("")
    elif kind == "bytes":
        os.close(os.open(os.fsencode(root) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    else:
        root = root / "none"
        root.mkdir()

    with pytest.raises(ArtifactError) as caught:
        pack(root)

    assert caught.value.rule is Rule.WRITE_TREE


def test_what_is_no_directory_is_refused(root):
    with pytest.raises(ArtifactError) as caught:
        pack(root / "b")

    assert caught.value.rule is Rule.WRITE_INPUT


def test_file_that_grows_meanwhile_is_refused(root):
    chunks = tree_chunks(root)
    next(chunks)
    (root / "b").write_text("longer")

    with pytest.raises(ArtifactError) as caught:
        list(chunks)

    assert caught.value.rule is Rule.WRITE_CHANGED


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_disappears_meanwhile_is_refused(root, what):
    chunks = tree_chunks(root)
    next(chunks)
    if what == "folder":
        (root / "bin" / "app").unlink()
        (root / "bin").rmdir()
    else:
        (root / "b").unlink()

    with pytest.raises(ArtifactError) as caught:
        list(chunks)

    assert caught.value.rule is Rule.WRITE_INPUT
