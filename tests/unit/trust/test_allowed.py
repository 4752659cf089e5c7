"""The file of allowed signers: stricter than OpenSSH, and all problems at once."""

import pytest

from orchestrator.errors import TrustError
from orchestrator.trust.allowed import FILE_BYTES_MAX, read_allowed_signers
from tests.unit.trust.ssh_keys import NAMESPACE, SshKeys, line


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    made = SshKeys(tmp_path_factory.mktemp("keys"))
    made.make("ann")
    made.make("bob")
    made.make("weak", "rsa", "-b", "2048")
    return made


def problem(text):
    with pytest.raises(TrustError) as caught:
        read_allowed_signers(text.encode(), "allowed")
    assert caught.value.code == "T133"
    return caught.value


def test_lines_are_people_with_what_they_may_sign(keys):
    text = (
        "# who\n\n"
        + line("ann@corp", keys.public("ann"))
        + line(
            "bob",
            f"{keys.public('bob')} bob at his desk",
            f'valid-after="20260101Z",namespaces="git,{NAMESPACE}"',
        )
    )

    ann, bob = read_allowed_signers(text.encode(), "allowed")

    assert (ann.principal, ann.namespaces, ann.is_authority) == (
        "ann@corp", {NAMESPACE}, False,
    )  # fmt: skip
    assert (bob.principal, bob.namespaces, bob.after_at) == (
        "bob", {"git", NAMESPACE}, 1767225600.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("principal", "options", "says"),
    [
        ("ann", "", "no namespaces"),
        ("ann", 'valid-before="20300101Z"', "no namespaces"),
        ("*", 'namespaces="a"', "not one person"),
        ("ann,bob", 'namespaces="a"', "not one person"),
        ("!ann", 'namespaces="a"', "not one person"),
        ("ann", 'namespaces="rollout-*"', "pattern"),
        ("ann", 'namespaces=""', "empty"),
        ("ann", "namespaces", "without its value"),
        ("ann", 'namespaces="a",namespaces="b"', "twice"),
        ("ann", 'namespaces="a",touch-required', "not known"),
        ("ann", 'namespaces="a",cert-authority="x"', "without its value"),
        ("ann", 'namespaces="a", valid-before="20300101"', "cannot be read"),
        ("ann", 'namespaces="a",valid-before="2030"', "not YYYYMMDD"),
        ("ann", 'namespaces="a",valid-before="20301301"', "no calendar"),
    ],
)
def test_line_that_could_mean_more_than_it_says_is_an_error(keys, principal, options, says):
    error = problem("# first\n" + line(principal, keys.public("ann"), options))

    assert says in error.message
    assert error.where is not None
    assert (error.where.file, error.where.line) == ("allowed", 2)


@pytest.mark.parametrize("end", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_line_feed_ends_a_line(keys, end):
    """What OpenSSH, and whoever looks at the file, sees as a comment makes nobody a signer."""
    text = line("ann", keys.public("ann")) + f"# gone:{end}" + line("bob", keys.public("bob"))

    assert [one.principal for one in read_allowed_signers(text.encode(), "allowed")] == ["ann"]


def test_weak_and_broken_keys_are_errors(keys):
    assert "weak key" in problem(line("ann", keys.public("weak"))).message
    assert "cannot be read" in problem(line("ann", "ssh-ed25519 AAAA")).message
    assert "cannot be read" in problem(line("ann", "ssh-ed25519 not-base64")).message


def test_one_key_is_one_person(keys):
    text = line("ann", keys.public("ann")) + line("bob", f"{keys.public('ann')} another comment")

    assert "has the key of line 1" in problem(text).message


def test_all_problems_of_a_file_are_told_at_once(keys):
    text = line("*", keys.public("ann")) + "rubbish\n" + line("bob", keys.public("bob"), "")

    message = problem(text).message

    assert "line 1 names `*`" in message
    assert "line 2 is not" in message
    assert "line 3 says no namespaces" in message


def test_empty_and_huge_files_allow_nobody():
    assert "allows nobody" in problem("# nobody\n").message
    assert "larger" in problem("#" * (FILE_BYTES_MAX + 1)).message
    with pytest.raises(TrustError, match="not UTF-8"):
        read_allowed_signers(b"\xff", "allowed")
