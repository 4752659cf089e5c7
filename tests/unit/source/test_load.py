"""The table "YAML traps" of docs/reference/inventory.md and the design, row by row."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Severity
from orchestrator.source import (
    INVENTORY_POLICY,
    PLAN_POLICY,
    Document,
    MappingNode,
    Policy,
    ScalarNode,
    load_yaml,
    to_plain,
)
from tests.cost import spending

BOTH = pytest.mark.parametrize("policy", [PLAN_POLICY, INVENTORY_POLICY], ids=["plan", "inventory"])


def plan(text: str | bytes) -> Document:
    return load_as(text, PLAN_POLICY)


def inventory(text: str | bytes) -> Document:
    return load_as(text, INVENTORY_POLICY)


def load_as(text: str | bytes, policy: Policy) -> Document:
    data = text.encode("utf-8") if isinstance(text, str) else text
    return load_yaml(data, file="f.yml", policy=policy)


def found(document: Document) -> list[tuple[str, int, int]]:
    return [(d.code, d.where.line, d.where.column) for d in document.diagnostics]


def errors(document: Document) -> list[str]:
    return [d.code for d in document.diagnostics if d.severity is Severity.ERROR]


def warnings(document: Document) -> list[str]:
    return [d.code for d in document.diagnostics if d.severity is Severity.WARNING]


def values(document: Document) -> object:
    assert document.root is not None
    return to_plain(document.root)


def scalar(document: Document, name: str) -> ScalarNode:
    assert isinstance(document.root, MappingNode)
    node = document.root.get(name)
    assert isinstance(node, ScalarNode)
    return node


# -- what unquoted values mean -----------------------------------------------------------------


@pytest.mark.parametrize("word", ["no", "off", "yes", "on", "No", "OFF", "y", "n"])
def test_yes_and_no_are_text_in_plans_and_say_what_they_were_meant_to_be(word: str) -> None:
    document = plan(f"a: {word}\n")

    assert document.diagnostics == ()
    assert scalar(document, "a").value == word
    assert scalar(document, "a").meant_bool is (word.lower() in ("yes", "on", "y"))


def test_quoted_no_was_not_meant_as_a_boolean() -> None:
    assert scalar(plan('a: "no"\n'), "a").meant_bool is None
    assert scalar(plan("a: nothing\n"), "a").meant_bool is None
    assert scalar(plan("a: 1\n"), "a").meant_bool is None


@pytest.mark.parametrize(("word", "value"), [("no", False), ("off", False), ("yes", True)])
def test_yes_and_no_are_booleans_in_inventories(word: str, value: bool) -> None:
    document = inventory(f"a: {word}\n")

    assert document.ok
    assert values(document) == {"a": value}


@pytest.mark.parametrize("text", ["0755", "012", "08", "-012", "010.5"])
def test_leading_zero_is_an_error_with_the_fix_in_plans(text: str) -> None:
    document = plan(f"a: {text}\n")

    assert found(document) == [("Y118", 1, 4)]
    assert f'"{text}"' in document.diagnostics[0].hint


def test_octal_fix_is_offered_only_where_the_digits_are_octal() -> None:
    assert "0o755" in plan("a: 0755\n").diagnostics[0].hint
    assert "0o" not in plan("a: 08\n").diagnostics[0].hint


@pytest.mark.parametrize(
    ("text", "value"),
    [("0755", 493), ("012", 10), ("08", "08"), ("0o755", "0o755"), ("1_000", 1000), ("0x1f", 31)],
)
def test_leading_zero_is_read_as_ansible_reads_it_in_inventories(text: str, value: object) -> None:
    assert values(inventory(f"a: {text}\n")) == {"a": value}


def test_new_style_octal_is_a_number_in_plans() -> None:
    assert values(plan("a: 0o755\nb: 0x1F\n")) == {"a": 493, "b": 31}


@pytest.mark.parametrize("text", ["1e3", "1.0e3", "1e+3", "1E3", "1_000"])
def test_number_that_yaml_versions_disagree_on_is_an_error_in_plans(text: str) -> None:
    document = plan(f"a: {text}\n")

    assert found(document) == [("Y127", 1, 4)]
    assert document.diagnostics[0].hint.startswith("write 1000")


@pytest.mark.parametrize("text", ["1e-99", "1e99999999999"])
def test_exponent_far_away_has_a_hint_without_the_number(text: str) -> None:
    assert plan(f"a: {text}\n").diagnostics[0].hint.startswith("write it without `e`")


def test_exponent_without_point_is_text_in_inventories() -> None:
    assert values(inventory("a: 1e3\n")) == {"a": "1e3"}


@BOTH
def test_version_number_keeps_the_text_of_its_author(policy: Policy) -> None:
    node = scalar(load_as("a: 1.10\n", policy), "a")

    assert (node.value, node.text, node.quoted) == (1.1, "1.10", False)
    assert node.kind == "the number 1.1"


@pytest.mark.parametrize(
    "text", ["22:30", "1:30:00", "12:30:00", "52:54:00:12:34:56", "00:11:22", "01:00", "1:2.5"]
)
def test_base_60_is_an_error_in_plans_unless_quoted(text: str) -> None:
    assert found(plan(f"a: {text}\n")) == [("Y119", 1, 4)]
    assert values(plan(f'a: "{text}"\n')) == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"), [("22:30", 1350), ("1:30:00", 5400), ("52:54:00:12:34:56", 41135085296)]
)
def test_base_60_is_a_number_with_a_warning_in_inventories(text: str, value: int) -> None:
    document = inventory(f"a: {text}\n")

    assert values(document) == {"a": value}
    assert (errors(document), warnings(document)) == ([], ["Y119"])


def test_address_with_letters_stays_text_everywhere() -> None:
    assert values(plan("a: 52:54:00:ab:cd:ef\n")) == {"a": "52:54:00:ab:cd:ef"}
    assert inventory("a: 00:11:22:33:44:55\n").diagnostics == ()


def test_dates_are_text_as_written_in_plans_and_iso_text_in_inventories() -> None:
    text = "a: 2024-01-02\nb: 2024-01-02 03:04:05\n"

    assert values(plan(text)) == {"a": "2024-01-02", "b": "2024-01-02 03:04:05"}
    assert values(inventory(text)) == {"a": "2024-01-02", "b": "2024-01-02T03:04:05"}


def test_day_that_does_not_exist_is_an_error_in_inventories() -> None:
    assert found(inventory("a: 2024-13-45\n")) == [("Y129", 1, 4)]


@BOTH
@pytest.mark.parametrize("text", ["~", "", "null", "Null", "NULL"])
def test_nothing_is_none(text: str, policy: Policy) -> None:
    document = load_as(f"a: {text}\n", policy)

    assert values(document) == {"a": None}
    assert scalar(document, "a").kind == "nothing"


@pytest.mark.parametrize("text", ["=", "<<"])
def test_words_with_a_meaning_in_yaml_1_1(text: str) -> None:
    assert values(plan(f"a: {text}\n")) == {"a": text}
    assert found(inventory(f"a: {text}\n")) == [("Y128", 1, 4)]


@BOTH
@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", ".NaN"])
def test_numbers_that_are_not_finite_are_errors(text: str, policy: Policy) -> None:
    assert found(load_as(f"a: {text}\n", policy)) == [("Y126", 1, 4)]


@BOTH
def test_number_of_5000_digits_is_a_clean_error(policy: Policy) -> None:
    assert found(load_as("a: " + "9" * 5000 + "\n", policy)) == [("Y120", 1, 4)]


def test_long_text_with_many_digits_is_no_number() -> None:
    text = "serial-" + "7" * 40
    assert values(plan(f"a: {text}\n")) == {"a": text}
    assert errors(plan("a: 12345678901234567\n")) == ["Y120"]
    assert errors(inventory("a: 89882110000000000000\n")) == []


def test_plain_numbers_and_booleans_of_plans() -> None:
    text = "a: 1\nb: -2\nc: 2.5\nd: .5\ne: true\nf: False\ng: 0\nh: 1.2.3\ni: 10%\nj: 30m\n"
    assert values(plan(text)) == {
        "a": 1, "b": -2, "c": 2.5, "d": 0.5, "e": True, "f": False, "g": 0,
        "h": "1.2.3", "i": "10%", "j": "30m",
    }  # fmt: skip


# -- keys ----------------------------------------------------------------------------------------


@BOTH
def test_duplicate_key_is_an_error_that_names_both_places(policy: Policy) -> None:
    document = load_as("a: 1\nb: 2\na: 3\n", policy)

    assert found(document) == [("Y111", 3, 1)]
    assert "line 1" in document.diagnostics[0].message
    assert "f.yml:1:1" in document.diagnostics[0].hint
    assert values(document) == {"a": 1, "b": 2}


def test_same_key_in_two_mappings_is_no_duplicate() -> None:
    assert plan("a: {x: 1}\nb: {x: 1}\n").ok


@BOTH
@pytest.mark.parametrize("key", ["1", "1.5", "true", "~", "? [a]\n", "? {a: 1}\n"])
def test_keys_that_are_no_text_are_errors(key: str, policy: Policy) -> None:
    document = load_as(f"{key}: x\n", policy)

    assert errors(document) == ["Y112"]
    assert values(document) == {}


def test_on_is_a_text_key_in_plans_and_an_error_in_inventories() -> None:
    assert values(plan("on: push\n")) == {"on": "push"}
    assert errors(inventory("on: push\n")) == ["Y112"]
    assert values(inventory('"on": push\n')) == {"on": "push"}


def test_key_that_readers_disagree_on_is_an_error_in_plans() -> None:
    assert errors(plan("0755: x\n")) == ["Y112"]
    assert errors(plan("22:30: x\n")) == ["Y112"]


# -- aliases and merge keys ------------------------------------------------------------------------


def test_anchors_aliases_and_merge_keys_are_off_in_plans() -> None:
    document = plan("a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n")

    assert found(document) == [("Y113", 1, 4), ("Y113", 2, 4), ("Y115", 4, 3), ("Y113", 4, 7)]


def test_merge_keys_work_in_inventories_and_explicit_keys_win() -> None:
    text = (
        "a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc:\n  <<: *a\n  k: 9\nd:\n  <<: [*a, *b]\n  m: 9\n"
    )
    document = inventory(text)

    assert document.ok
    plain = values(document)
    assert isinstance(plain, dict)
    assert plain["c"] == {"k": 9, "l": 1}
    assert plain["d"] == {"k": 1, "l": 1, "m": 9}


def test_merge_of_something_else_is_an_error() -> None:
    assert errors(inventory("a: &a 1\nb:\n  <<: *a\n")) == ["Y115"]
    assert errors(inventory("a: &a {k: 1}\nb:\n  <<: *a\n  <<: *a\n")) == ["Y111"]


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a\n  - b: [*a]\n"])
def test_alias_inside_itself_is_an_error(text: str) -> None:
    assert errors(inventory(text)) == ["Y114"]


def test_alias_without_anchor_is_an_error() -> None:
    assert errors(inventory("a: *b\nb: &b 1\n")) == ["Y113"]


def test_alias_as_key_is_an_error() -> None:
    assert errors(inventory("a: &k x\n*k : 1\n")) == ["Y112"]


def test_billion_laughs_ends_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        lines.append(f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]")

    document = inventory("\n".join(lines) + "\n")

    assert errors(document)[-1] in ("Y109", "Y113")


def test_expansion_is_counted_even_with_few_aliases() -> None:
    lines = ["a0: &a0 [" + "x, " * 40 + "x]"]
    for level in range(1, 10):
        lines.append(f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 9) + "]")

    assert errors(inventory("\n".join(lines) + "\n")) == ["Y109"]


def test_more_than_a_hundred_aliases_are_an_error() -> None:
    text = "a: &a 1\nb: [" + ", ".join(["*a"] * 101) + "]\n"
    assert errors(inventory(text)) == ["Y113"]
    assert inventory(text.replace("*a, ", "", 1)).ok


def test_depth_counts_through_aliases() -> None:
    lines = ["a0: &a0 " + "[" * 40 + "]" * 40, "a1: " + "[" * 40 + "*a0" + "]" * 40]
    assert errors(inventory("\n".join(lines) + "\n")) == ["Y108"]


# -- depth, count, size ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_ends_at_the_65th_level(opening: str, policy: Policy) -> None:
    with spending() as cost:
        document = load_as(opening * 200_000, policy)

    assert errors(document) == ["Y108"]
    assert cost.cpu_s < 2


@BOTH
def test_64_levels_are_read(policy: Policy) -> None:
    assert load_as("[" * 64 + "]" * 64, policy).ok


def test_too_many_values_are_an_error() -> None:
    small = Policy(
        name="a test", bytes_max=10_000, compat=True, aliases_max=0,
        invisible=Severity.ERROR, scalar_chars_max=10, digits_max=10, nodes_max=5,
    )  # fmt: skip
    assert errors(load_as("[1, 2, 3, 4, 5]", small)) == ["Y109"]
    assert load_as("[1, 2, 3, 4]", small).ok


def test_byte_limits() -> None:
    assert errors(plan(b"a: " + b"x" * 4 * 1024 * 1024)) == ["Y102"]
    assert PLAN_POLICY.bytes_max == 4 * 2**20
    assert INVENTORY_POLICY.bytes_max == 64 * 2**20


def test_huge_scalar_is_an_error() -> None:
    assert errors(plan("a: " + "x" * 70_000 + "\n")) == ["Y122"]
    assert inventory("a: " + "x" * 70_000 + "\n").ok


# -- characters and encodings ----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\r"])
def test_line_breaks_that_no_editor_shows_are_errors(char: str, policy: Policy) -> None:
    assert found(load_as(f"x: 1\na: x{char}b: 2\n", policy)) == [("Y105", 2, 5)]


@BOTH
def test_crlf_is_fine(policy: Policy) -> None:
    assert values(load_as("a: 1\r\nb: x\r\n", policy)) == {"a": 1, "b": "x"}


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u00ad"])
def test_invisible_characters_are_errors_in_plans_and_warnings_in_inventory_values(
    char: str,
) -> None:
    text = f"a: x{char}y\n# c{char}\n"

    assert found(plan(text)) == [("Y106", 1, 5), ("Y106", 2, 4)]
    assert (errors(inventory(text)), warnings(inventory(text))) == ([], ["Y106", "Y106"])
    assert f"U+{ord(char):04X}" in plan(text).diagnostics[0].message


@BOTH
@pytest.mark.parametrize("char", ["\u202e", "\u200b", "\u00a0", "\u3000", "\ue000"])
def test_invisible_characters_in_keys_are_errors(char: str, policy: Policy) -> None:
    assert set(errors(load_as(f'"a{char}b": 1\n', policy))) <= {"Y106", "Y104"}
    assert not load_as(f'"a{char}b": 1\n', policy).ok


def test_escaped_characters_count_like_written_ones() -> None:
    assert errors(plan('a: "\\u202e"\n')) == ["Y106"]
    assert errors(plan('a: "\\e[2J"\n')) == ["Y104"]
    assert warnings(inventory('a: "\\u202e"\n')) == ["Y106"]
    assert errors(inventory('a: "\\0"\n')) == ["Y104"]
    assert plan('a: "tab\\tline\\n"\n').ok


@BOTH
@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f"])
def test_control_characters_are_errors(char: str, policy: Policy) -> None:
    assert found(load_as(f"a: x{char}\n", policy)) == [("Y104", 1, 5)]


def test_mixed_scripts_in_keys_are_a_warning() -> None:
    document = plan("g\u0430teway: 1\n")

    assert (errors(document), warnings(document)) == ([], ["Y124"])
    assert "Latin and Cyrillic" in document.diagnostics[0].message
    assert plan("gr\u00f6\u00dfe: 1\n").diagnostics == ()


@BOTH
@pytest.mark.parametrize(
    "value", ["g\u0430teways:&production", "[a, r\u0435st]", "'x/w\u0435b.mender'"]
)
def test_mixed_scripts_in_values_are_a_warning(value: str, policy: Policy) -> None:
    document = load_as(f"a: {value}\n", policy)

    assert (errors(document), warnings(document)) == ([], ["Y124"])
    assert "cyrillic small letter" in document.diagnostics[0].message


@BOTH
@pytest.mark.parametrize(
    "value", ["gr\u00f6\u00dfe", "app \u0442\u0435\u0441\u0442", "'\u03b1 < 5'"]
)
def test_words_of_one_script_each_are_fine(value: str, policy: Policy) -> None:
    assert load_as(f"a: {value}\n", policy).diagnostics == ()


@BOTH
def test_byte_order_mark_at_the_start_is_fine(policy: Policy) -> None:
    document = load_as("\ufeffa: 0\n", policy)

    assert values(document) == {"a": 0}
    assert scalar(document, "a").where.column == 4


@BOTH
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "utf-32"])
def test_other_encodings_are_errors(encoding: str, policy: Policy) -> None:
    document = load_as("a: 1\nb: \u00e4\n".encode(encoding), policy)

    assert errors(document)[0] in ("Y103", "Y104")
    assert document.root is None


def test_place_of_a_byte_that_is_not_utf8() -> None:
    assert found(plan(b"a: 1\nb: \xff\n")) == [("Y103", 2, 4)]


@BOTH
def test_half_of_a_surrogate_pair_is_an_error(policy: Policy) -> None:
    assert errors(load_as('a: "\\ud800"\n', policy)) == ["Y121"]


# -- syntax ----------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a:\n\tb: 1\n", 2, 1),
        ("a: x\n\tb: 2\n", 2, 1),
        ("a: b\nc:\t- d\n", 2, 3),
    ],
)
def test_tab_is_named_with_its_place(text: str, line: int, column: int, policy: Policy) -> None:
    document = load_as(text, policy)

    assert found(document) == [("Y107", line, column)]
    assert f"tab at {line}:{column}" in document.diagnostics[0].message


def test_tabs_between_json_values_are_fine() -> None:
    assert values(inventory('{\n\t"a": 1,\n\t"b": "x\\/y"\n}\n')) == {"a": 1, "b": "x/y"}


@BOTH
def test_second_document_is_an_error(policy: Policy) -> None:
    document = load_as("---\na: 1\n---\nb: 2\n", policy)

    assert found(document) == [("Y110", 3, 1)]
    assert values(document) == {"a": 1}


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!x", "!!binary", "!!set", "!!str"])
@pytest.mark.parametrize("content", ["{}", "[]", "x"])
def test_tags_are_refused_with_the_list_of_allowed_ones(tag: str, content: str) -> None:
    for document in (plan(f"a: {tag} {content}\n"), inventory(f"a: {tag} {content}\n")):
        assert errors(document) == ["Y116"]
        assert tag in document.diagnostics[0].message
        assert "allowed tags" in document.diagnostics[0].hint


def test_unsafe_tag_is_text_in_inventories_only() -> None:
    document = inventory('a: !unsafe "{{ x }}"\nb: !unsafe 1\n')

    assert values(document) == {"a": "{{ x }}", "b": "1"}
    assert scalar(document, "a").tag == "!unsafe"
    assert errors(plan("a: !unsafe x\n")) == ["Y116"]


def test_encrypted_values_belong_into_inventories() -> None:
    assert "belong into inventories" in load_as("a: !vault x\n", PLAN_POLICY).diagnostics[0].message
    assert not inventory("a: !vault x\n").diagnostics


@BOTH
@pytest.mark.parametrize(
    "text", ["a: {{ x }}\n", "a: {{ x }}-1\n", "a: {{ x['k'] }}\n", "- {{ x }}/b\n"]
)
def test_unquoted_template_has_the_hint_to_quote_it(text: str, policy: Policy) -> None:
    document = load_as(text, policy)

    assert errors(document) == ["Y117"]
    assert "quote" in document.diagnostics[0].hint


def test_directives_are_named() -> None:
    text = "%YAML 1.2\n---\na: 1\n"
    assert found(plan(text)) == [("Y123", 1, 1)]
    assert warnings(inventory(text)) == ["Y123"]
    assert errors(plan("%FOO 1\n---\na: 1\n")) == ["Y123"]
    assert errors(plan("%YAML 3.0\n---\na: 1\n")) == ["Y123"]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: b: c\n", 1, "second `: `"),
        ("a: @x\n", 1, "cannot begin with `@`"),
        ("a: `x`\n", 1, "cannot begin with ```"),
        ("a: 'x\nb: 1\n", 3, "inside a quoted value"),
        ("a: [1,\nb: 2\n", 3, "is missing"),
        ("- a\nb: 1\n", 2, "is missing"),
        ('a: "\\q"\n', 1, "escape"),
        ("a: !x!y z\n", 1, "tag"),
    ],
)
def test_syntax_errors_have_place_and_words(text: str, line: int, part: str) -> None:
    document = plan(text)

    assert len(document.diagnostics) == 1
    assert document.diagnostics[0].where.line == line
    assert part in document.diagnostics[0].message
    assert document.diagnostics[0].message[0].islower() or "`" in document.diagnostics[0].message


def test_all_problems_of_a_file_are_reported_in_order() -> None:
    document = plan("a: 0755\nb: 22:30\na: 1\nc: !x y\nd: {{ z }}\n1: x\ne: 1e3\nf: [\n")

    codes = [code for code, _, _ in found(document)]
    assert codes[:7] == ["Y118", "Y119", "Y111", "Y116", "Y117", "Y112", "Y127"]


def test_findings_carry_the_text_of_their_line() -> None:
    assert plan("a: 1\nb: 0755 # mode\n").diagnostics[0].excerpt == "b: 0755 # mode"


def test_flood_of_findings_is_cut() -> None:
    document = plan("".join(f"k{number}: 0755\n" for number in range(1000)))

    assert len(document.diagnostics) == 201
    assert document.diagnostics[-1].code == "Y199"
    assert "800" in document.diagnostics[-1].message


@BOTH
@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_empty_file_has_no_findings(text: str, policy: Policy) -> None:
    document = load_as(text, policy)

    assert document.diagnostics == ()
    assert document.root is None or values(document) is None


def test_positions_count_from_one() -> None:
    document = plan("a:\n  - b: x\n    c: [1, two]\n")

    assert isinstance(document.root, MappingNode)
    assert str(document.root.entries[0].key.where) == "f.yml:1:1"
    inner = document.root.entries[0].value
    assert (inner.where.line, inner.where.column) == (2, 3)


def test_document_makes_findings_at_nodes_and_places() -> None:
    document = plan("a: 1\nb: two\n")
    node = scalar(document, "b")

    made = document.diagnostic(node, "P101", "no", "hint", Severity.WARNING)

    assert (str(made.where), made.excerpt, made.code) == ("f.yml:2:4", "b: two", "P101")
    assert document.diagnostic(node.where, "P101", "no").where == made.where


def test_garbage_collector_is_as_before() -> None:
    assert gc.isenabled()
    plan("a: 1\n")
    assert gc.isenabled()


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document(data: bytes) -> None:
    for policy in (PLAN_POLICY, INVENTORY_POLICY):
        document = load_as(data, policy)
        assert document.root is not None or isinstance(document.diagnostics, tuple)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@#,? \n\t<1.0e", max_size=60))
def test_any_punctuation_gives_a_tree_or_a_finding(text: str) -> None:
    for policy in (PLAN_POLICY, INVENTORY_POLICY):
        document = load_as(text, policy)
        if document.ok and document.root is not None:
            to_plain(document.root)
        for diagnostic in document.diagnostics:
            assert diagnostic.message
            assert diagnostic.code.startswith("Y")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.text(alphabet=st.characters(codec="ascii", min_codepoint=32), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet="abcxyz_", min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_means_the_same_here(value: object) -> None:
    import json

    text = json.dumps({"v": value})
    assert values(plan(text)) == {"v": value}
    assert values(inventory(text)) == {"v": value}
