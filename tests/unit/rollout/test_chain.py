"""The form of the hashes: fixed for ever, and made here a second time in other words."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rollout.chain import Written, beginning, link, origin

FIRST = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
ENTRY = Written(7, 1763812800.25, "device_state", "wave ä", "dev-1", '{"to":"\\u0000"}', 3)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
ENTRIES = st.builds(
    Written,
    st.integers(1, 2**40),
    st.floats(0, 1e11),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    st.integers(0, 2**40),
)


def again(previous, *columns):
    text = json.dumps(columns, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode("ascii")).hexdigest()


def test_hashes_have_the_form_that_they_have_had_ever_since():
    assert beginning("8092778c80be3599") == (
        "3fc025bf886d1cc00665d47192e12432a4ed669f683f3db5e13cb079c74e9069"
    )
    assert origin(FIRST, 2, "r-7f3a", "9" * 64) == again(FIRST, 2, "r-7f3a", "9" * 64)
    assert link(FIRST, ENTRY) == (
        "a691f54aa4650a25fe2458c08c5ebfb79020679cac264d15250d0bcecd53050e"
    )


@given(ENTRIES)
def test_hash_is_that_of_the_columns_as_json(entry):
    assert link(FIRST, entry) == again(FIRST, *entry)


@pytest.mark.parametrize("column", range(len(ENTRY)))
def test_every_column_counts(column):
    other = list(ENTRY)
    other[column] = other[column] + (1 if isinstance(other[column], int | float) else "x")

    assert link(FIRST, Written._make(other)) != link(FIRST, ENTRY)


def test_what_stood_before_counts():
    assert link("0" * 64, ENTRY) != link("1" * 64, ENTRY)
    assert origin("0" * 64, 1, "r", "9" * 64) != origin("1" * 64, 1, "r", "9" * 64)


@given(TEXTS, TEXTS)
def test_no_text_can_pass_for_another_column(first, second):
    one = ENTRY._replace(wave=first + '","' + second, device="")
    other = ENTRY._replace(wave=first, device=second)

    assert link(FIRST, one) != link(FIRST, other)
