from __future__ import annotations

import ast

import pytest

from orchestrator.plan.expression import ExpressionError, Kind, Scope
from orchestrator.plan.expression_parser import parse_expression

SCOPE = Scope(
    {"result.exit": Kind.NUMBER, "result.value": Kind.ANY},
    open_prefix="",
    elsewhere={"value": "write `result.value`"},
)
OPEN = Scope({"result.exit": Kind.NUMBER}, open_prefix="result.")


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("result.exit = 0", 12, "`=` is not part of conditions"),
        ("result.exit == '0'", 15, "never equal"),
        ("result.exit == 0 and", 19, "not complete"),
        ("result.exit == 0 result.value", 0, "not complete"),
        ("result.exit == 010", 15, "not complete"),
        ("result.exit == 1e3", 15, "a number is written with digits"),
        ("result.exit == 0x1f", 15, "a number is written with digits"),
        ("result.exit == 1_000", 15, "a number is written with digits"),
        ("result.exit == .5", 15, "a number is written with digits"),
        ("result.exit == 1234567890123456", 15, "digits"),
        ("result.exit is 0", 0, "`is` is not part"),
        ("result.exit + 1 == 0", 12, "`+` is not part"),
        ("result.exit ** 2 == 0", 12, "`*` is not part"),
        ("result.exit - 1 == 0", 12, "`-` is not part"),
        ("0 == result.exit -1", 5, "this form"),
        ("- 1 == result.exit", 0, "`-` is not part"),
        ('result.value == ""', 16, "empty text"),
        ("result.value == 'a' 'b'", 20, "text follows directly"),
        ("result.value == f'a'", 17, "text follows directly"),
        ("result.value == 'a\\n'", 16, "quotes are never closed"),
        ("result.value == 'a", 16, "quotes are never closed"),
        ("result.value == True", 16, "`True` is written `true`"),
        ("result.value == None", 16, "no `None` in conditions"),
        ("result.value == null", 16, "no `null` in conditions"),
        ("result.exit", 0, "a number is neither true nor false"),
        ("result.value and 1", 17, "neither true nor false"),
        ("not 'a'", 4, "neither true nor false"),
        ("0 == 0", 0, "reads nothing of the sample"),
        ("true", 0, "reads nothing of the sample"),
        ("exit == 0", 0, "no field `exit` here"),
        ("result.exit == value", 15, "no field `value` here"),
        ("result.exist == 0", 0, "did you mean `result.exit`?"),
        ("result.exit.real == 0", 0, "one dot"),
        ("other.exit == 0", 0, "no field `other.exit`"),
        ("__import__('os') == 0", 0, "this form"),
        ("print() == 0", 0, "this form"),
        ("result.value[0] == 0", 0, "this form"),
        ("[result.exit] == 0", 1, "a list holds"),
        ("[1, 2] == result.value", 10, "right of `in`"),
        ("result.exit in ['a']", 15, "never equal"),
        ("result.exit in []", 15, "a list holds at least one"),
        ("result.exit in [1, 'a']", 15, "all of one kind"),
        ("result.exit in 5", 15, "looks into a list or a text"),
        ("'a' < result.value", 6, "`<` compares numbers"),
        ("true > result.value", 7, "`>` compares numbers"),
        ("result.value if true else result.exit", 0, "this form"),
        ("lambda: 0", 6, "`:` is not part"),
        ("{1: 2}", 0, "`{` is not part"),
        ("{{ result.exit }}", 0, "`{` is not part"),
        ("result.exit == 0 # fine", 17, "`#` is not part"),
        ("result.exit == 0; 1", 16, "`;` is not part"),
        ("result.exit && 1", 12, "`&` is not part"),
        ("(yield) == 0", 1, "this form"),
        ("'äöü' == result.value and exit", 26, "no field `exit`"),
        ("  result.exit == 0 and exit", 23, "no field `exit`"),
    ],
)
def test_error_names_problem_and_place(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, SCOPE)

    assert message in caught.value.message
    if "not complete" not in message:  # the place of those is Python's own
        assert caught.value.offset == offset


def test_names_that_exist_elsewhere_are_explained() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression("value > 0", SCOPE)

    assert caught.value.hint == "write `result.value`"


def test_open_scope_admits_any_field_of_the_result() -> None:
    assert parse_expression("result.free_bytes > 5", OPEN).names == {"result.free_bytes"}


def test_closed_scope_refuses_other_fields() -> None:
    with pytest.raises(ExpressionError, match=r"no field `result\.free_bytes`"):
        parse_expression("result.free_bytes > 5", SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 450 + "result.value" + ")" * 450,
        "not " * 240 + "result.value",
        "[" * 900,
        "result.value and " * 1000 + "result.value",
        "-" * 900 + "1",
    ],
)
def test_deep_or_long_text_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, OPEN)

    assert caught.value.message


@pytest.mark.parametrize("trouble", [MemoryError, RecursionError, ValueError])
def test_trouble_of_the_parser_is_an_error_of_the_condition(
    monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    def parse(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(ast, "parse", parse)

    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse_expression("result.exit == 0", OPEN)


def test_long_chain_is_read() -> None:
    text = "1 == " * 150 + "result.value"

    assert parse_expression(text, OPEN).names == {"result.value"}


def test_nesting_up_to_the_limit_is_read() -> None:
    text = "not " * 20 + "result.value"

    assert parse_expression(text, OPEN).names == {"result.value"}
