from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evidence.masking import masked
from orchestrator.render.markup import BLOCK_LINES_MAX, Markup, block, moment, table, tag, text
from orchestrator.render.text import escape

NASTY = st.text(st.sampled_from("<>&\"'=/-! \n\x00\x1b\u202eab;#x") | st.characters())


@given(NASTY)
def test_any_text_is_shown_and_never_markup(words: str) -> None:
    shown = escape(masked(words)[0])

    assert unescape(text(words)) == shown
    assert not set(text(words)) & set("<>\"'")
    assert tag("p", aria_label=words[:30]).count('"') == 2
    assert tag("p", aria_label=words[:30]).count(">") == 2


def test_text_is_visible_limited_and_escaped() -> None:
    assert text("<b>\x1b[2J & \"'\u202e") == "&lt;b&gt;\\x1b[2J &amp; &quot;&#x27;\\u202e"
    assert text("x" * 50, limit=10) == "x" * 10 + "(+40 characters)"


def test_secrets_are_masked_before_anything_is_cut_or_escaped() -> None:
    assert text("token: abc<def>") == "token: ***"
    assert block("a\nBearer abcdefgh12\nb") == "a\nBearer ***\nb"


def test_block_keeps_its_lines_and_says_how_many_are_missing() -> None:
    shown = block("\n".join(f"<{number}>" for number in range(BLOCK_LINES_MAX + 5)))

    assert shown.startswith("&lt;0&gt;\n&lt;1&gt;\n")
    assert shown.endswith("\n(5 more lines)")


def test_values_of_attributes_cannot_leave_them() -> None:
    assert tag("p", aria_label='" onload="x\n') == (
        '<p aria-label="&quot; onload=&quot;x\\x0a"></p>'
    )


def test_elements_without_content_have_no_end() -> None:
    assert tag("meta", http_equiv="x", content="y") == '<meta http-equiv="x" content="y">'
    assert tag("text", Markup("a"), class_="b", x=1.0, y=2.25) == (
        '<text class="b" x="1" y="2.2">a</text>'
    )


def test_table_has_a_caption_and_heads_and_scrolls_with_the_keyboard() -> None:
    shown = table("<What>", ["A", "B"], [[text("1"), text("2")]])

    assert shown == (
        '<div class="wide" role="group" aria-label="&lt;What&gt;" tabindex="0"><table>'
        "<caption>&lt;What&gt;</caption>"
        '<thead><tr><th scope="col">A</th><th scope="col">B</th></tr></thead>'
        '<tbody><tr><th scope="row">1</th><td>2</td></tr></tbody></table></div>'
    )


def test_times_are_for_people_and_programs() -> None:
    assert moment(1_795_000_000.0) == (
        '<time datetime="2026-11-18T11:06:40Z">2026-11-18 11:06:40Z</time>'
    )
