"""Bundles: the same bytes each time, readable by tar and sha256sum, and nothing else is one."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from orchestrator.evidence.bundle import INDEX, BundleError, index_of, read_bundle, write_bundle
from orchestrator.evidence.masking import masked

FILES = {"bundle.json": b"{}", "plan/plan.json": b'{"a":1}', "audit/journal.jsonl": b""}


def tarred(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_bundle_is_the_same_for_the_same_files_in_any_order() -> None:
    data = write_bundle(FILES)

    assert write_bundle(dict(reversed(FILES.items()))) == data
    assert read_bundle(data) == FILES


def test_tar_and_sha256sum_read_it(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(write_bundle(FILES))

    done = subprocess.run(
        ["sh", "-euc", f"tar xf b.tar; sha256sum -c {INDEX}"], cwd=tmp_path, check=True,
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout.count(": OK") == len(FILES)


INDEXED = (INDEX, index_of({"a": b"1"}))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no tar"),
        (b"no tar at all" * 100, "no tar"),
        (write_bundle(FILES)[:700], "no tar"),
        (tarred(("a", b"1")), "there is no"),
        (tarred(INDEXED), "`a` is missing"),
        (tarred(INDEXED, ("a", b"2")), "not the file that the index names"),
        (tarred(INDEXED, ("a", b"1"), ("b", b"1")), "does not stand in the index"),
        (tarred(INDEXED, ("a", b"1"), ("a", b"1")), "there twice"),
        (tarred(INDEXED, ("../a", b"1")), "no file of a bundle"),
        (tarred(INDEXED, ("/a", b"1")), "no file of a bundle"),
        (tarred(INDEXED, ("a/../a", b"1")), "no file of a bundle"),
        (tarred(("a", b""), kind=tarfile.SYMTYPE), "no file of a bundle"),
        (tarred(("a", b""), kind=tarfile.FIFOTYPE), "no file of a bundle"),
        (tarred((INDEX, b"xyz")), "a line that names no file"),
        (tarred((INDEX, INDEXED[1] * 2), ("a", b"1")), "a line that names no file"),
    ],
)
def test_anything_else_is_no_bundle(data, words) -> None:
    with pytest.raises(BundleError, match=words):
        read_bundle(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ann:s3cret@db/x", "postgresql://ann:***@db/x"),
        ('{"to":"https://u:p4ss@h/hook"}', '{"to":"https://u:***@h/hook"}'),
        ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
        (r'{"detail":"{\"token\":\"abc\"}"}', r'{"detail":"{\"token\":\"***\"}"}'),
        ("API_KEY=abc123 rest", "API_KEY=*** rest"),
        ('{"api_token": "abc"}', '{"api_token": "***"}'),
        ("login failed: DB_PASSWORD=abc", "login failed: DB_PASSWORD=***"),
        ("accessToken: abc", "accessToken: ***"),
        ("AWS_SECRET_ACCESS_KEY=abc/d", "AWS_SECRET_ACCESS_KEY=***"),
        ("http://h/x?client_secret=abc&n=1", "http://h/x?client_secret=***&n=1"),
        ("db_pass=abc", "db_pass=***"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY-----",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked_once(text, expected) -> None:
    assert masked(text) == (expected, 1)
    assert masked(expected) == (expected, 0)


@pytest.mark.parametrize(
    "text",
    [
        '{"sha256":"ab","sticky":false}',
        "https://host:8443/path@x",
        '{"token":null}',
        "tokens: 3",
        "pass: 3",
        "token_file=/etc/x",
        "a/secret/b",
    ],
)
def test_what_is_no_secret_stays(text) -> None:
    assert masked(text) == (text, 0)
