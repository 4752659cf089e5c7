"""Checkpoints: ssh-keygen judges beside us, and nothing else than a checkpoint is one."""

import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.rollout.audit import Fault, Head, Seal
from orchestrator.trust.allowed import read_allowed_signers
from orchestrator.trust.checkpoint import Checkpoint, Judge, namespace_of, read_checkpoint
from orchestrator.trust.checkpoint_file import append, public_file, read, signer_of_key
from orchestrator.trust.revoked import Revoked, read_revoked
from tests.unit.trust.ssh_keys import SshKeys, line

STORE = "8092778c80be3599"
HEAD = Head("r-7f3a", 120, "1" * 64, 17, "2" * 64)
MADE = Checkpoint("acme", STORE, HEAD, 1_800_000_000)
NUMBERS = st.integers(0, 10**15 - 1)
CHECKPOINTS = st.builds(
    Checkpoint,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    st.builds(
        Head,
        st.from_regex(r"[!-~]{1,128}", fullmatch=True),
        NUMBERS,
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
        NUMBERS,
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    ),
    NUMBERS,
)


class Desk:
    """A key and a file of checkpoints, and what is judged of them."""

    def __init__(self, directory):
        self.key, self.file = directory / "own" / "audit.key", directory / "own" / "checkpoints"

    def append(self, *checkpoints, key=None):
        for one in checkpoints:
            append(one, key or self.key, self.file, may_make_key=key is None)

    def judge(self, data=None, *, allowed=None, revoked=None, store=STORE):
        if allowed is None:
            allowed = signer_of_key(self.key, ["acme"])
        judge = Judge(store, ("acme", STORE), allowed, revoked or Revoked())
        seals, findings = judge.judge(read(self.file) if data is None else data)
        return seals, [(one.fault, one.rollout_id, one.seq) for one in findings]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@given(CHECKPOINTS)
def test_checkpoint_is_read_as_it_was_written(checkpoint):
    assert read_checkpoint(checkpoint.text().encode()) == checkpoint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rollout-audit 1", "rollout-audit 2"), ("rollout-audit 1", "rollout-approval 1"),
        ("seq 120", "seq 0120"), ("seq 120", "seq -1"), ("seq 120", "seq 1e3"), ("seq", "Seq"),
        ("1" * 64, "1" * 63), ("2" * 64, "G" * 64), ("made", "note x\nmade"), ("r-7f3a", "r 7f3a"),
        ("\n", "\r\n"), ("acme", "ac me"), ("made 1800000000\n", "made 1800000000"),
    ],
)  # fmt: skip
def test_what_is_written_otherwise_is_none(old, new):
    assert read_checkpoint(MADE.text().replace(old, new).encode()) is None


def test_signed_checkpoints_vouch_in_their_order(desk):
    later = replace(MADE, head=replace(HEAD, seq=121, hash="3" * 64), made_at=MADE.made_at + 60)
    desk.append(MADE, later)

    seals, findings = desk.judge()

    assert findings == []
    assert seals == [
        Seal(HEAD, MADE.made_at, "the checkpoint in line 1 by `engine`"),
        Seal(later.head, later.made_at, "the checkpoint in line 16 by `engine`"),
    ]


def test_ssh_keygen_accepts_what_we_sign_and_nothing_else(desk, tmp_path):
    desk.append(MADE)
    text, begin, signature = read(desk.file).partition(b"-----BEGIN")
    (tmp_path / "sig").write_bytes(begin + signature)
    namespace = namespace_of("acme")
    public = public_file(desk.key).read_text()
    (tmp_path / "allowed").write_text(line("engine", public.strip(), f'namespaces="{namespace}"'))

    def verifies(message, named=namespace):
        words = ("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "engine", "-n", named)
        done = subprocess.run(
            (*words, "-s", "sig"), cwd=tmp_path, input=message, capture_output=True, check=False,
            timeout=30,
        )  # fmt: skip
        return done.returncode == 0

    assert verifies(text)
    assert not verifies(text.replace(b"seq 120", b"seq 121"))
    assert not verifies(text, named="rollout-plan@acme")


def test_checkpoint_that_ssh_keygen_signed_counts(desk, tmp_path):
    keys = SshKeys(tmp_path)
    public = keys.make("auditor", "ecdsa", "-b", "256")
    data = MADE.text().encode()
    data += keys.sign("auditor", MADE.text().encode(), namespace_of("acme"))
    options = f'namespaces="{namespace_of("acme")}"'
    allowed = read_allowed_signers(line("ann", public, options).encode(), "allowed")

    seals, findings = desk.judge(data, allowed=allowed)

    assert ([seal.by for seal in seals], findings) == (
        ["the checkpoint in line 1 by `ann`"],
        [],
    )


UNSIGNED = [(Fault.SEAL_UNSIGNED, "r-7f3a", 120)]


def test_forged_checkpoint_is_named(desk):
    desk.append(MADE)
    data = read(desk.file)

    assert desk.judge(data.replace(b"1" * 64, b"4" * 64)) == ([], UNSIGNED)
    assert desk.judge(data.replace(b"made 1800000000", b"made 1800000001")) == ([], UNSIGNED)


def test_key_of_somebody_else_does_not_count(desk, tmp_path):
    desk.append(MADE)
    keys = SshKeys(tmp_path)
    keys.make("mallory")
    desk.append(MADE, key=keys.path("mallory"))

    seals, findings = desk.judge()

    assert (len(seals), findings) == (1, UNSIGNED)


def test_signature_for_something_else_does_not_count(desk, tmp_path):
    keys = SshKeys(tmp_path)
    public = keys.make("ann")
    options = f'namespaces="rollout-plan@acme,{namespace_of("acme")}"'
    allowed = read_allowed_signers(line("ann", public, options).encode(), "allowed")
    text = MADE.text().encode()

    judged = desk.judge(text + keys.sign("ann", text, "rollout-plan@acme"), allowed=allowed)

    assert judged == ([], UNSIGNED)


def test_checkpoint_of_another_store_or_fleet_does_not_count(desk):
    desk.append(MADE, replace(MADE, fleet="other"))

    assert desk.judge()[1] == UNSIGNED
    assert desk.judge(store="0" * 16) == ([], UNSIGNED * 2)


def test_checkpoints_of_another_store_are_one_finding_that_says_which(desk):
    desk.append(*[MADE] * 3)

    judge = Judge("0" * 16, ["acme"], signer_of_key(desk.key, ["acme"]), Revoked())
    seals, (finding,) = judge.judge(read(desk.file))

    assert seals == []
    assert finding.message.startswith(
        f"the checkpoint in line 1 (and 2 more) is of another store, `{MADE.controller_id}`, and "
        "this one is `0000000000000000`: each wants a file of its own"
    )


def test_key_counts_for_what_it_signed_in_its_time(desk, tmp_path):
    desk.append(MADE, replace(MADE, made_at=MADE.made_at + 86400 * 365))
    options = f'namespaces="{namespace_of("acme")}",valid-before="20270601Z"'
    own = public_file(desk.key).read_text().strip()
    allowed = read_allowed_signers(line("engine", own, options).encode(), "allowed")

    seals, findings = desk.judge(allowed=allowed)

    assert ([seal.made_at for seal in seals], findings) == ([MADE.made_at], UNSIGNED)


def test_revoked_key_vouches_for_nothing(desk):
    desk.append(MADE)
    revoked = read_revoked(public_file(desk.key).read_bytes(), "revoked")

    assert desk.judge(revoked=revoked) == ([], UNSIGNED)


def test_other_things_between_checkpoints_are_named(desk):
    desk.append(MADE)
    data = read(desk.file)

    seals, findings = desk.judge(b"hello\n" + data + data)

    assert (len(seals), findings) == (1, [(Fault.SEAL_FORM, "", 0)])


@pytest.mark.parametrize("left", [0, 1, 40, 300, 500])
def test_block_that_was_not_finished_is_nothing_and_is_cut_off_by_the_next(desk, left):
    desk.append(MADE)
    whole = read(desk.file)
    desk.file.write_bytes(whole + whole[:left])

    assert len(desk.judge()[0]) == 1
    assert desk.judge()[1] == []
    desk.append(MADE)
    assert read(desk.file)[: len(whole)] == whole
    assert len(desk.judge()[0]) == 2
    assert desk.judge()[1] == []


def test_key_is_made_once_and_nobody_else_reads_it(desk):
    desk.append(MADE)
    first = desk.key.read_bytes()
    desk.append(MADE)

    assert desk.key.read_bytes() == first
    assert first.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert (desk.key.stat().st_mode & 0o777, desk.file.stat().st_mode & 0o777) == (0o600, 0o600)
    assert public_file(desk.key).read_text().startswith("ssh-ed25519 ")
    there = sorted(path.name for path in desk.key.parent.iterdir())
    assert there == ["audit.key", "audit.key.pub", "checkpoints"]


def test_key_that_was_named_is_never_made(desk, tmp_path):
    with pytest.raises(TrustError) as caught:
        desk.append(MADE, key=tmp_path / "none")

    assert caught.value.code == "J120"
    assert not (tmp_path / "none").exists()


def test_key_with_a_passphrase_is_refused(desk, tmp_path):
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked"))
    subprocess.run(words, check=True, timeout=60)

    with pytest.raises(TrustError) as caught:
        desk.append(MADE, key=tmp_path / "locked")

    assert caught.value.code == "J121"


def test_key_that_others_may_read_signs_nothing(desk, tmp_path):
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "known"))
    subprocess.run(words, check=True, timeout=60)
    (tmp_path / "known").chmod(0o644)

    with pytest.raises(TrustError, match="others may read it") as caught:
        desk.append(MADE, key=tmp_path / "known")

    assert caught.value.code == "J121"


def test_file_of_something_else_is_left_as_it_is(desk):
    desk.file.parent.mkdir()
    for data in (b"alias ll='ls -l'\n", b"rollout-audit 1\n" + b"x" * 200_000):
        desk.file.write_bytes(data)

        with pytest.raises(TrustError, match="no file of checkpoints"):
            desk.append(MADE)

        assert desk.file.read_bytes() == data


def test_store_without_a_key_has_no_signer_of_its_own(desk):
    assert signer_of_key(desk.key, ["acme"]) == ()
