"""The form that all our signed texts share, and what is said where it is broken."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.trust.text import LINES_MAX, TEXT_BYTES_MAX, Lines

WORD = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=9)


def refusal(data: bytes) -> str:
    with pytest.raises(TrustError) as caught:
        Lines(data, "text")
    assert caught.value.code == "T170"
    return caught.value.message


@given(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=20))
def test_lines_come_in_order(pairs):
    lines = Lines("".join(f"{key} {value}\n" for key, value in pairs).encode(), "text")

    assert [lines.one(key) for key, _ in pairs] == [value for _, value in pairs]
    lines.end()


@given(st.binary(max_size=200))
def test_bytes_are_a_text_or_are_refused(data):
    try:
        Lines(data, "text")
    except TrustError:
        return
    lines = data.decode("ascii").removesuffix("\n").split("\n")
    assert all(line == " ".join(line.split()) and line for line in lines)


def test_limits_hold_before_anything_is_parsed():
    Lines(b"a b\n" * LINES_MAX, "text")
    Lines(b"a " + b"b" * (TEXT_BYTES_MAX - 3) + b"\n", "text")

    assert refusal(b"a b\n" * (LINES_MAX + 1)) == "the text has more than 512 lines"
    assert refusal(b"a " + b"b" * (TEXT_BYTES_MAX - 2) + b"\n") == (
        "the text is more than 16384 bytes"
    )
    assert refusal(b"") == "the text is empty"
    assert refusal(b"a b") == "the last line of the text has no end"
    assert refusal(b"a b\n\nc d\n") == "line 2 of the text is not words parted by one blank each"
    assert refusal(b"a b\n c d\n") == "line 2 of the text is not words parted by one blank each"


def test_messages_name_the_line_and_what_was_wanted():
    lines = Lines(b"serial 1\nname " + b"x" * 60 + b"\n", "text")

    with pytest.raises(TrustError) as caught:
        lines.one("fleet")
    assert caught.value.message == "line 1 of the text is `serial 1`; wanted `fleet ...`"
    lines.one("serial")
    lines.one("name")
    with pytest.raises(TrustError) as caught:
        lines.one("more")
    assert caught.value.message == "line 3 of the text is missing; wanted `more ...`"
    with pytest.raises(TrustError) as caught:
        lines.number("x" * 60)
    shown = "x" * 40
    assert caught.value.message == (
        f"line 2 of the text has `{shown}...`; wanted a number of at most 15 digits"
    )


@pytest.mark.parametrize("text", ["0", "1", "999999999999999"])
def test_numbers(text):
    assert Lines(b"a b\n", "text").number(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", "1.0", "1e3", "0x1", "1_0", "1000000000000000", "\u0661"]
)
def test_what_is_no_number(text):
    with pytest.raises(TrustError) as caught:
        Lines(b"a b\n", "text").number(text)

    assert caught.value.code == "T172"


@given(st.binary(min_size=1, max_size=80))
def test_base64_is_taken_in_one_form_only(data):
    import base64

    lines = Lines(b"a b\n", "text")
    text = base64.b64encode(data).decode()

    assert lines.base64(text) == data
    for other in (text + "=", text.rstrip("=") + "===", text + "\n", " " + text, text[:-1]):
        with pytest.raises(TrustError):
            lines.base64(other)
