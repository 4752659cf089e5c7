from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchestrator.render.markdown import Fold, code, document, prose, table

PARSER = MarkdownIt("commonmark")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")  # CommonMark, 6.1: equal runs of backticks


def outside(markdown: str) -> str:
    """What of a line stands in no code span: where a forge looks for meaning."""
    return _SPAN.sub("", markdown)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("gw-1", "`gw-1`"),
        ("", '`""`'),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a``b```", "```` a``b``` ````"),
        (" a", "`  a `"),
        ("\x1b[0m\n", "`\\x1b[0m\\x0a`"),
    ],
)
def test_foreign_text_is_one_code_span(text: str, span: str) -> None:
    assert code(text) == span


@given(st.text(max_size=60))
def test_nothing_of_any_text_stands_outside_its_span(text: str) -> None:
    assert outside(code(text, limit=10_000)) == ""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("wave `rest` has no device", "wave `rest` has no device"),
        (
            "a rate below 95 % (95 % confidence), 1.5 h",
            "a rate below 95 % (95 % confidence), 1.5 h",
        ),
        ("only after 10h31m30s.", "only after 10h31m30s."),
        ("p < 0.05: 2 against 9", "p &lt; 0.05: 2 against 9"),
        ("ask @all or #12 now", "ask `@all` or `#12` now"),
        ("see http://evil/x, www.evil.com", "see `http://evil/x, www.evil.com`"),
        ("past `a`, `b` and `c`: (`d`)", "past `a`, `b` and `c`: (`d`)"),
        ("``` `x` `", "``` ``  ```x`   `"),
        ("`a``b`", "`ab`"),
        ("![x](y) <b>z</b>", "`![x](y) <b>z</b>`"),
        ("/close this", "`/close` this"),
        ("an *odd* one", "an `*odd*` one"),
        ("it's the host-key", "it's the host-key"),
        ("unbalanced ` tick", "unbalanced `` ` `` tick"),
        ("deadbeef1234567 a@b.c", "`deadbeef1234567 a@b.c`"),
    ],
)
def test_plain_words_of_a_message_stay_and_all_else_is_code(message: str, line: str) -> None:
    assert prose(message) == line


@settings(max_examples=300)
@given(
    st.text(
        st.sampled_from("`` ab1.,:;()<>[]!@#*_~\\/&-|\n\u202eé→") | st.characters(), max_size=40
    )
)
def test_a_parser_sees_but_plain_text_and_code_in_a_message(message: str) -> None:
    (inline,) = [token for token in PARSER.parse(f"- x {prose(message)}") if token.children]

    kinds = {child.type for child in inline.children}
    assert kinds <= {"text", "code_inline"}
    said = "".join(child.content for child in inline.children if child.type == "text")
    assert not set(said) & set('@#!&$~[]{}>\\*_|/"^?`')
    assert not re.search(r"[A-Za-z][.:][A-Za-z]", said)


def test_cells_of_a_table_cannot_end_early() -> None:
    lines = table(["a", "b"], [[code("x|y"), "1"]])

    assert lines == ["| a | b |", "| --- | --- |", "| `x\\|y` | 1 |"]


def test_a_fence_is_longer_than_any_in_its_text() -> None:
    text = document(["#"], [Fold("t", ("````", "x"))], "end", more="", limit_bytes=1000)

    assert "\n`````text\n````\nx\n`````\n" in text


def test_what_does_not_fit_is_cut_by_lines_and_says_so() -> None:
    folds = [
        Fold("first", ("x" * 99,) * 5),
        Fold("second", ("ö" * 49,) * 50),
        Fold("third", ("z",)),
    ]

    text = document(["head"], folds, "foot", more="see the log", limit_bytes=2000)

    assert len(text.encode()) <= 2000
    assert text.count("x" * 99) == 5
    kept = text.count("ö" * 49)
    assert 1 < kept < 50
    assert f"... {50 - kept} more lines are left out here: see the log\n" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.endswith("\nfoot\n")


def test_a_part_without_room_for_a_line_is_left_out() -> None:
    text = document(["h"], [Fold("t", ("x" * 500,))], "f", more="", limit_bytes=200)

    assert text == "h\n\nf\n"
