"""What devices say of journals: words of a fixed form, or nothing."""

import pytest

from orchestrator.device.protocol import Reply, encode
from orchestrator.device.witness import KEPT_MAX, Known, known_of, parameters

HASH = "0123456789abcdef" * 4


def reply(*values):
    return Reply(0, tuple(("audit", value) for value in values))


def test_request_says_rollout_number_and_hash():
    assert parameters("r-7f3a", 120, HASH) == {"seq": "r-7f3a.120", "audit": HASH}


def test_lines_are_read_in_their_order():
    said = reply(f"c0ffee r-2 3 {HASH}", f"c0ffee r-1 120 {HASH}")

    assert known_of(said) == (Known("c0ffee", "r-2", 3, HASH), Known("c0ffee", "r-1", 120, HASH))


def test_older_helper_knows_nothing():
    assert known_of(Reply(0, (("state", "none"),))) == ()


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"c r-1 {HASH}",
        f"c r-1 1 {HASH} more",
        f"c r-1 -1 {HASH}",
        f"c r-1 {'9' * 19} {HASH}",
        f"c r-1 \u0661 {HASH}",
        f"c r-1 1 {HASH[1:]}",
        f"c r-1 1 {HASH.upper()}",
        f"c r\x1b[2J 1 {HASH}",
        f"C r-1 1 {HASH}",
        f"c {'r' * 65} 1 {HASH}",
        f"c  r-1 1 {HASH}",
    ],
    ids=encode,
)
def test_line_of_another_form_is_no_word(value):
    assert known_of(reply(value, f"c r-1 1 {HASH}")) == (Known("c", "r-1", 1, HASH),)


def test_device_is_not_listened_to_for_ever():
    said = reply(*(f"c r-{number} 1 {HASH}" for number in range(2000)))

    assert len(known_of(said)) == KEPT_MAX
