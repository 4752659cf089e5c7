import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.text import (
    TEXT_CELLS_MAX,
    Look,
    Style,
    Symbol,
    cells,
    clip,
    clip_start,
    colour_wanted,
    escape,
    fold,
    number,
    pad,
    plural,
    unicode_wanted,
    wrap,
)

CORPUS = {
    "D-01 colour and cursor": ("\x1b[2J\x1b[1;1H\x1b[31mroot#", r"\x1b[2J\x1b[1;1H\x1b[31mroot#"),
    "D-02 clipboard (OSC 52)": ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
    "D-03 fake progress line": ("\r 100 % done\nok", r"\x0d 100 % done\x0aok"),
    "D-04 bidi": ("safe\u202egpj.exe\u2066x\u2069", r"safe\u202egpj.exe\u2066x\u2069"),
    "D-05 zero width and BOM": ("ad\u200bmin\ufeff\u00ad", r"ad\u200bmin\ufeff\xad"),
    "D-06 C1 introducer": ("\x9b31m\x85next\u2028line", r"\x9b31m\x85next\u2028line"),
}


@pytest.mark.parametrize(("hostile", "shown"), CORPUS.values(), ids=CORPUS)
def test_hostile_text_is_shown_by_code_point(hostile: str, shown: str) -> None:
    assert escape(hostile) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x00\x7f", r"\x00\x7f"),
        ("a\u00a0b", r"a\xa0b"),
        ("\ud800", r"\ud800"),
        ("\ue000", r"\ue000"),
        ("\U000e0041", r"\U000e0041"),
        ("x\ufe0f", r"x\ufe0f"),
        ("\u3164\u2800", r"\u3164\u2800"),
        ("e\u0301", "e\u0301"),
        ("naïve 日本 ✓ [bold]", "naïve 日本 ✓ [bold]"),
    ],
)
def test_only_what_acts_or_hides_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_stacked_marks_are_shown_beyond_two() -> None:
    assert escape("a" + "\u0301" * 4) == "a\u0301\u0301" + r"\u0301" * 2


def test_long_text_is_cut_and_says_how_much_is_missing() -> None:
    shown = escape("x" * 5000)

    assert shown == "x" * TEXT_CELLS_MAX + "(+4800 characters)"


@given(st.text(st.characters(codec=None), max_size=400))
def test_escaped_text_never_holds_a_control_or_format_character(text: str) -> None:
    shown = escape(text)

    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)
    assert cells(shown) <= TEXT_CELLS_MAX + len("(+400 characters)")


@given(st.text(max_size=60), st.integers(3, 40))
def test_clipped_text_fits(text: str, width: int) -> None:
    assert cells(clip(escape(text), width, Look())) <= width


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=200), st.integers(12, 60))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrap(text, width, first="> ", indent="  ")

    assert all(cells(line) <= width for line in lines)
    joined = "".join(line.removeprefix("> ").strip() for line in lines)
    assert joined == "".join(text.split()) or "".join(joined.split()) == "".join(text.split())


def test_wrap_keeps_words_whole_where_they_fit() -> None:
    lines = wrap("one two three four", 11, first="- ", indent="  ")

    assert lines == ["- one two", "  three", "  four"]


def test_wide_characters_take_two_cells() -> None:
    assert cells("日本") == 4
    assert pad("日本", 6) == "日本  "
    assert clip("日本語", 5, Look()) == "日本…"
    assert clip("日本語", 5, Look(unicode=False)) == "日..."


def test_paint_is_plain_without_colour() -> None:
    assert Look().paint("ok", Style.GOOD) == "ok"
    assert Look(colour=True).paint("ok", Style.GOOD) == "\x1b[32mok\x1b[0m"
    assert Look(colour=True).paint("", Style.GOOD) == ""


@pytest.mark.parametrize("symbol", list(Symbol))
def test_every_symbol_has_an_ascii_form(symbol: Symbol) -> None:
    assert Look(unicode=False).sign(symbol).isascii()


def test_bar_is_full_only_when_all_is_done() -> None:
    look = Look(unicode=False)

    assert look.bar(0.999, 10) == "#########."
    assert look.bar(1.0, 10) == "##########"


def test_counts_read_well() -> None:
    assert number(1284) == "1 284"
    assert plural(1, "device") == "1 device"
    assert plural(0, "device") == "0 devices"
    assert plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("flag", "environment", "terminal", "wanted"),
    [
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1", "TERM": "dumb"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {}, False, False),
    ],
)
def test_colour_policy(flag: str, environment: dict, terminal: bool, wanted: bool) -> None:
    assert colour_wanted(flag, environment, is_terminal=terminal) is wanted


@pytest.mark.parametrize(
    ("encoding", "wanted"),
    [("utf-8", True), ("UTF8", True), ("ascii", False), ("latin-1", False), (None, False)],
)
def test_signs_need_an_encoding_that_has_them(encoding: str | None, wanted: bool) -> None:
    assert unicode_wanted(encoding, {"LC_ALL": ""}) is wanted
    assert not unicode_wanted(encoding, {"LC_ALL": "C"})


def test_painted_line_is_folded_by_what_is_seen() -> None:
    painted = Look(colour=True).paint("12:00", Style.DIM) + "   ! one two three"

    folded = fold(painted, 17, indent="      ")

    assert [line.replace("\x1b[0m", "").split("m")[-1] for line in folded] == [
        "12:00   ! one two",
        "      three",
    ]
    assert fold("a " + "x" * 50, 20) == ["a " + "x" * 50]


@given(st.text(alphabet="ab 世", max_size=80), st.integers(4, 40))
def test_folding_loses_no_word(line: str, width: int) -> None:
    folded = fold(line, width)

    assert " ".join(folded) == line


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("group_vars/web.yml:3", 20, "group_vars/web.yml:3"),
        ("inventory/group_vars/web.yml:3", 20, "…roup_vars/web.yml:3"),
        ("日本日本/web.yml:3", 13, "…本/web.yml:3"),
        ("web本", 2, "…"),
        ("inventory", 1, "…"),
        ("inventory", 0, ""),
    ],
)
def test_the_end_of_a_path_is_kept_where_it_is_too_long(text, width, shown) -> None:
    found = clip_start(text, width, Look())

    assert found == shown
    assert cells(found) <= width
