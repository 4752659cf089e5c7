"""Only what the keys of the device signed is ever unpacked or run."""

from __future__ import annotations

import base64
import gzip
import random
import tarfile
from collections.abc import Callable

import pytest

from orchestrator.device.protocol import Reply
from tests.device.kit import VERSION, Device, Key, Release, compact, directory, script, sha, tar


def untouched(device: Device) -> None:
    """No byte of a refused release is outside the helper's own directories, or left in them."""
    assert not (device.root / "opt").exists()
    assert not (device.root / "marker").exists()
    assert not list(device.root.glob("var/lib/rollout/component/main/txn/*"))
    assert not list(device.root.glob("var/lib/rollout/spool/main/0*"))


def refused(device: Device, release: Release, *, key: Key | None = None) -> Reply:
    reply = device.deliver(1, release.frames(key or device.key))
    assert (reply.rc, reply.fields["reason"]) == (65, "denied"), reply
    assert reply.fields["state"] == "aborted"
    untouched(device)
    return reply


@pytest.mark.parametrize("kind", ["ec", "der", "rsa"])
def test_signatures_of_each_kind_are_accepted(device: Device, kind: str):
    key = Key(kind)
    (device.root / "etc/rollout/keys/release.pem").write_bytes(key.public_pem)

    assert device.deliver(1, directory("r1").frames(key)).rc == 0


@pytest.mark.parametrize("compression", ["", ".gz", ".xz"])
def test_header_of_each_compression(device: Device, compression: str):
    release = directory("r1", compression=compression, meta=b'{"a":1}')

    assert device.deliver(1, release.frames(device.key)).rc == 0

    tree = next(device.root.glob("var/lib/rollout/component/main/txn/*/tree"))
    assert (tree / "header/meta-data").read_bytes() == b'{"a":1}'
    assert (tree / "header/artifact_name").read_text() == "r1"
    assert (tree / "header/payload_type").read_text() == "directory"
    assert (tree / "version").read_text() == "3\n"
    assert (tree / "current_device_type").read_text() == "lab\n"


def test_short_raw_signatures_are_read_right(one: Device):
    """r or s with leading zeros, or with the high bit set, need different lengths in DER."""
    manifests = [directory(f"r{i}") for i in range(12)]

    for number, release in enumerate(manifests):
        assert one.deliver(number, release.frames(one.key)).rc == 0
        assert one.do("rollback", number).rc == 0


@pytest.mark.parametrize(
    "frame",
    [
        "version",
        "manifest",
        "manifest.sig",
        "header.tar.gz",
        "data/0000/update.tar",
        "data/0000/dest_dir",
    ],
)
def test_a_flipped_bit_in_any_frame_is_refused(one: Device, frame: str):
    rng = random.Random(frame)
    whole = directory("r1").frames(one.key)

    for number in range(4):
        deny_flipped(one, number, whole, frame, rng.randrange(len(whole[frame])), rng.randrange(8))


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_flipped_bit_at_the_end_of_a_signature_is_refused(one: Device, kind: str):
    """Base64 may end with bits that say nothing; they are not free either."""
    key = Key(kind)
    (one.root / "etc/rollout/keys/release.pem").write_bytes(key.public_pem)
    frames = directory("r1").frames(key)
    size = len(frames["manifest.sig"])

    for number in range(3 * 8):
        deny_flipped(one, number, frames, "manifest.sig", size - 3 + number // 8, number % 8)


@pytest.mark.parametrize("kind", ["der", "rsa"])
def test_bytes_behind_a_signature_are_refused(one: Device, kind: str):
    """`openssl dgst` reads no more of a file than the longest signature of the key."""
    key = Key(kind)
    (one.root / "etc/rollout/keys/release.pem").write_bytes(key.public_pem)
    frames = directory("r1").frames(key)
    raw = base64.b64decode(frames["manifest.sig"])

    for number, more in enumerate((b"\0", b"\0" * 3, b"\0" * 500)):
        spoilt = frames | {"manifest.sig": base64.b64encode(raw + more)}
        reply = one.deliver(number, spoilt)
        assert (reply.rc, reply.fields["reason"]) == (65, "denied")
        untouched(one)


@pytest.mark.night
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("frame", ["version", "manifest", "manifest.sig", "header.tar.gz"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_every_flipped_bit_of_what_describes_a_release_is_refused(
    one: Device, kind: str, frame: str
):
    key = Key(kind)
    (one.root / "etc/rollout/keys/release.pem").write_bytes(key.public_pem)
    frames = directory("r1").frames(key)

    for number in range(len(frames[frame]) * 8):
        deny_flipped(one, number, frames, frame, *divmod(number, 8))


def deny_flipped(
    device: Device, number: int, frames: dict[str, bytes], frame: str, at: int, bit: int
) -> None:
    spoilt = bytearray(frames[frame])
    spoilt[at] ^= 1 << bit
    reply = device.deliver(number, frames | {frame: bytes(spoilt)})
    assert (reply.rc, reply.fields["reason"]) == (65, "denied"), (frame, at, bit, reply)
    untouched(device)


def test_a_bit_flipped_in_the_spool_is_refused(device: Device):
    """The helper checks what it installs, not what was sent."""
    frames = directory("r1").frames(device.key)
    for name, data in frames.items():
        assert device.do("stage", 1, data, name=name, size=len(data), sha=sha(data)).rc == 0
    spool = next(device.root.glob("var/lib/rollout/spool/main/0*"))
    staged = spool / "data/0000/update.tar"
    staged.write_bytes(staged.read_bytes()[:-1] + b"\x01")

    assert device.do("verify", 1).fields["reason"] == "denied"
    untouched(device)


@pytest.mark.parametrize("what", ["link", "fifo", "extra", "directory", "linked-directory", "dot"])
def test_a_spool_with_other_things_in_it_is_refused(one: Device, what: str):
    frames = directory("r1").frames(one.key)
    for name, data in frames.items():
        assert one.do("stage", 1, data, name=name, size=len(data), sha=sha(data)).rc == 0
    spool = next(one.root.glob("var/lib/rollout/spool/main/0*"))
    if what == "link":
        (spool / "version").rename(one.root / "elsewhere")
        (spool / "version").symlink_to(one.root / "elsewhere")
    elif what == "fifo":
        (spool / "version").unlink()
        __import__("os").mkfifo(spool / "version")
    elif what == "extra":
        (spool / "data/0000/extra").write_bytes(b"")
    elif what == "directory":
        (spool / "data/0001").mkdir()
    elif what == "linked-directory":
        (spool / "data/0000").rename(one.root / "elsewhere")
        (spool / "data/0000").symlink_to(one.root / "elsewhere")
    else:
        (spool / ".hidden").write_bytes(b"")

    reply = one.do("verify", 1)

    assert (reply.rc, reply.fields["reason"]) == (65, "denied")


def test_unsigned_and_foreign_signatures_are_refused(device: Device):
    for signature in (b"", b"\n", b"AAAA", b"not base64!", b"A" * 88, b"=" * 88):
        reply = device.deliver(1, directory("r1", signature=signature).frames(device.key))
        assert reply.rc == 65, signature
        (device.root / "var/lib/rollout/component/main/state.a").unlink()
        (device.root / "var/lib/rollout/component/main/state.b").unlink(missing_ok=True)

    refused(device, directory("r1"), key=Key("ec"))


def test_a_missing_signature_frame_is_refused(one: Device):
    frames = directory("r1").frames(one.key)
    del frames["manifest.sig"]

    assert one.deliver(1, frames).fields["reason"] == "denied"


@pytest.mark.parametrize(
    "state",
    ["no-directory", "empty", "broken", "broken-beside-good", "short-rsa", "p384", "private"],
)
def test_keys_that_cannot_be_trusted_refuse_everything(one: Device, state: str):
    keys = one.root / "etc/rollout/keys"
    signer = one.key
    if state in ("no-directory", "empty"):
        (keys / "release.pem").unlink()
    if state == "no-directory":
        keys.rmdir()
    if state == "broken":
        (keys / "release.pem").write_bytes(b"-----BEGIN PUBLIC KEY-----\nnonsense\n")
    if state == "broken-beside-good":
        (keys / "zz.pem").write_bytes(b"")
    if state in ("short-rsa", "p384"):
        signer = Key("rsa", bits=2048) if state == "short-rsa" else Key("p384")
        (keys / "release.pem").write_bytes(signer.public_pem)
    if state == "private":
        (keys / "release.pem").write_bytes(one.key.public_pem.replace(b"PUBLIC", b"PRIVATE"))

    refused(one, directory("r1"), key=signer)


def test_refused_keys_are_named_where_there_is_one(one: Device):
    key = one.root / "etc/rollout/keys/release.pem"
    frames = directory("r1").frames(one.key)
    key.write_bytes(b"-----BEGIN PUBLIC KEY-----\nnonsense\n")

    broken = one.deliver(1, frames).fields["detail"]
    key.unlink()
    none = one.deliver(2, frames).fields["detail"]

    assert none == "no key, or a broken, weak or unknown one"
    assert broken == f"{none}: release.pem"


def test_any_of_several_keys_will_do(one: Device):
    other = Key("rsa")
    (one.root / "etc/rollout/keys/other.pem").write_bytes(other.public_pem)

    assert one.deliver(1, directory("r1").frames(other)).rc == 0
    assert one.do("rollback", 1).rc == 0
    assert one.deliver(2, directory("r1").frames(one.key)).rc == 0


def manifest_of(release: Release, key: Key) -> list[str]:
    return release.frames(key)["manifest"].decode().splitlines()


MANIFESTS: dict[str, Callable[[list[str]], list[str]]] = {
    "one missing": lambda lines: lines[1:],
    "one too many": lambda lines: [*lines, f"{'0' * 64}  data/0000/ghost"],
    "twice": lambda lines: [*lines, lines[0]],
    "twice with another sum": lambda lines: [*lines, "0" * 64 + lines[0][64:]],
    "upper case": lambda lines: [line[:64].upper() + line[64:] for line in lines],
    "one blank": lambda lines: [line.replace("  ", " ") for line in lines],
    "binary mark": lambda lines: [line.replace("  ", " *") for line in lines],
    "carriage return": lambda lines: [line + "\r" for line in lines],
    "empty line": lambda lines: [*lines, ""],
    "itself": lambda lines: [*lines, f"{'0' * 64}  manifest"],
    "its signature": lambda lines: [*lines, f"{'0' * 64}  manifest.sig"],
    "no version": lambda lines: [line for line in lines if not line.endswith("version")],
    "no header": lambda lines: [line for line in lines if "header" not in line],
    "two headers": lambda lines: [*lines, f"{'0' * 64}  header.tar"],
    "augment": lambda lines: [*lines, f"{'0' * 64}  header-augment.tar.gz"],
    "traversal": lambda lines: [*lines, f"{'0' * 64}  data/0000/../../evil"],
    "dots": lambda lines: [*lines, f"{'0' * 64}  data/0000/.."],
    "second payload": lambda lines: [*lines, f"{'0' * 64}  data/0001/x"],
    "absolute": lambda lines: [*lines, f"{'0' * 64}  /etc/passwd"],
    "short sum": lambda lines: [line[1:] for line in lines],
    "nothing": lambda lines: [],
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifests_with_other_than_one_line_for_each_file_are_refused(one: Device, case: str):
    lines = MANIFESTS[case](manifest_of(directory("r1"), one.key))
    manifest = "".join(f"{line}\n" for line in lines).encode()

    refused(one, directory("r1", manifest=manifest))


def test_a_frame_that_the_manifest_does_not_list_is_refused(one: Device):
    release = directory("r1")
    frames = release.frames(one.key) | {"data/0000/extra": b"x"}

    assert one.deliver(1, frames).fields["reason"] == "denied"
    untouched(one)


@pytest.mark.parametrize(
    "version",
    [
        b'{"format":"mender","version":2}',
        b'{"format":"mender","version":4}',
        VERSION + b"\n{}",
        b"",
        b'{"format": "mender", "version": 3}',
    ],
)
def test_other_formats_are_refused(one: Device, version: bytes):
    refused(one, directory("r1", version=version))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def header(
    *extra: tuple[str | tarfile.TarInfo, bytes],
) -> list[tuple[str | tarfile.TarInfo, bytes]]:
    info = {
        "payloads": [{"type": "directory"}],
        "artifact_provides": {"artifact_name": "r1"},
        "artifact_depends": {"device_type": ["lab"]},
    }
    return [
        ("header-info", compact(info)),
        ("headers/0000/type-info", compact({"type": "directory"})),
        *extra,
    ]


HEADERS: dict[str, list[tuple[str | tarfile.TarInfo, bytes]]] = {
    "nothing": [],
    "no type-info": header()[:1],
    "order": header()[::-1],
    "twice": [*header(), header()[0]],
    "other file": header(("headers/0000/other", b"")),
    "second payload": header(("headers/0001/type-info", b"{}")),
    "dot slash": [("./" + str(name), data) for name, data in header()],
    "traversal": header(("../evil", b"")),
    "link": [header()[0], (member("headers/0000/type-info", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "hard link": [
        header()[0],
        (member("headers/0000/type-info", tarfile.LNKTYPE, "header-info"), b""),
    ],
    "fifo": header((member("headers/0000/meta-data", tarfile.FIFOTYPE), b"")),
    "directory": header((member("headers", tarfile.DIRTYPE), b"")),
    "large": header(("headers/0000/meta-data", bytes(300_000))),
    "newline": header(("headers/0000/meta-data\nx", b"{}")),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_with_other_members_are_refused(one: Device, case: str):
    refused(one, directory("r1", header_members=HEADERS[case]))


@pytest.mark.parametrize("case", ["order", "twice", "traversal", "link", "newline", "large"])
def test_headers_with_other_members_are_refused_by_each_tar(device: Device, case: str):
    refused(device, directory("r1", header_members=HEADERS[case]))


def test_a_header_that_is_no_archive_or_a_bomb_is_refused(one: Device):
    bomb = gzip.compress(bytes(300 << 20))
    for number, data in enumerate((b"", b"x", gzip.compress(b"x"), bomb, tar(header()))):
        reply = one.deliver(number, directory("r1", header=data).frames(one.key))
        assert (reply.rc, reply.fields["reason"]) == (65, "denied"), data[:20]
    untouched(one)


def test_a_header_after_the_bomb_limit_stops_early(one: Device):
    """300 MiB of zeros are not unpacked: at most 1 MiB of them ever stands on the device."""
    release = directory("r1", header=gzip.compress(tar(header()) + bytes(300 << 20)))

    reply = one.deliver(1, release.frames(one.key))

    assert reply.rc in (0, 65)
    assert not list(one.root.glob("var/lib/rollout/component/main/txn/*/header"))


@pytest.mark.parametrize(
    "names",
    [
        ["Download_Enter_00"],
        ["ArtifactInstall_Enter_1"],
        ["ArtifactInstall_Enter_01_a b"],
        ["../ArtifactInstall_Enter_01"],
        ["ArtifactInstall_Enter_01", "ArtifactInstall_Enter_01"],
    ],
    ids=str,
)
def test_state_scripts_that_may_not_act_are_refused(one: Device, names: list[str]):
    members = header()
    members[1:1] = [(f"scripts/{name}", b"#!/bin/sh\n") for name in names]

    reply = one.deliver(1, directory("r1", header_members=members).frames(one.key))

    assert (reply.rc, reply.fields["reason"]) == (65, "denied")
    untouched(one)


def test_state_scripts_of_a_release_run_around_its_states(device: Device):
    members = header()
    for name in (
        "ArtifactCommit_Leave_00",
        "ArtifactInstall_Enter_01",
        "ArtifactInstall_Leave_01_x",
    ):
        body = f'#!/bin/sh\necho {name} >>"$ROLLOUT_ROOT/calls"\n# {"x" * 700}\n'
        members.insert(1, (f"scripts/{name}", body.encode()))
    calls = device.root / "calls"

    assert device.deliver(1, directory("r1", header_members=members).frames(device.key)).rc == 0
    before = calls.read_text().split()
    assert device.commit(1).rc == 0

    assert before == ["ArtifactInstall_Enter_01", "ArtifactInstall_Leave_01_x"]
    assert calls.read_text().split() == [*before, "ArtifactCommit_Leave_00"]


def test_a_commit_stands_when_its_last_script_fails(device: Device):
    members = header()
    members.insert(1, ("scripts/ArtifactCommit_Leave_00", b"#!/bin/sh\nexit 1\n"))
    assert device.deliver(1, directory("r1", header_members=members).frames(device.key)).rc == 0

    reply = device.commit(1)

    assert (reply.rc, reply.fields["reason"]) == (69, "commit_failed")
    assert device.fields()["state"] == "committed"


def test_scripts_of_refused_releases_never_run(device: Device):
    release = script("r1")
    release.signature = b"A" * 88

    refused(device, release)
