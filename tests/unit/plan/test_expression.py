from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plan.expression import (
    ANY_SCOPE,
    Expression,
    ExpressionError,
    ExpressionTypeError,
    NoData,
    evaluate,
    parse_expression,
)


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("result.exit == 0", {"exit": 0}, True),
        ("result.exit == 0", {"exit": 1}, False),
        ("result.exit != 0", {"exit": 1}, True),
        ("result.value > 64000000", {"value": 64000001}, True),
        ("result.value <= 0.5", {"value": 0.5}, True),
        ("result.value == -5", {"value": -5}, True),
        ("200 <= result.status < 300", {"status": 204}, True),
        ("200 <= result.status < 300", {"status": 300}, False),
        ("result.state == 'ok'", {"state": "ok"}, True),
        ('result.state in ["ok", "warm"]', {"state": "warm"}, True),
        ("result.state in ('ok', 'warm')", {"state": "cold"}, False),
        ("result.exit not in [1, 2]", {"exit": 0}, True),
        ("'ready' in result.text", {"text": "all ready"}, True),
        ("'ready' not in result.text", {"text": "all ready"}, False),
        ("result.ok", {"ok": True}, True),
        ("not result.ok", {"ok": True}, False),
        ("result.ok == false", {"ok": False}, True),
        ("result.a == 1 and result.b == 2", {"a": 1, "b": 3}, False),
        ("result.a == 1 or result.b == 2", {"a": 1, "b": 3}, True),
        ("not (result.a == 1 or result.b == 2)", {"a": 0, "b": 0}, True),
        ("result.a == result.b == 3", {"a": 3, "b": 3}, True),
        ("(result.a == 1) == true", {"a": 1}, True),
        ("value > 0", {"value": 1}, True),
        ("failures == 0 and successes > 3", {"failures": 0, "successes": 4}, True),
        ("result.exit\n  == 0", {"exit": 0}, True),
    ],
)
def test_condition_gives_truth(text: str, fields: dict[str, object], expected: bool) -> None:
    assert evaluate(text, fields) is expected


def test_checked_condition_and_its_text_mean_the_same() -> None:
    checked = parse_expression("result.ok in [true]", ANY_SCOPE)

    assert evaluate(checked, {"ok": True}) is evaluate(checked.text, {"ok": True}) is True


@pytest.mark.parametrize("value", [None, "", math.nan, math.inf, -math.inf])
def test_empty_or_infinite_value_is_no_data(value: object) -> None:
    with pytest.raises(NoData) as caught:
        evaluate("result.value < 5", {"value": value})

    assert caught.value.field == "result.value"


def test_absent_field_is_no_data_although_the_rest_decides() -> None:
    with pytest.raises(NoData):
        evaluate("result.exit == 0 or result.value < 5", {"exit": 0})


def test_zero_and_false_are_data() -> None:
    assert evaluate("result.value == 0 and not result.ok", {"value": 0, "ok": False})


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("result.value == 0", {"value": "0"}),
        ("result.value == 1", {"value": True}),
        ("result.value < 1", {"value": "a"}),
        ("result.value < result.other", {"value": "a", "other": "b"}),
        ("result.value < result.other", {"value": True, "other": False}),
        ("result.value", {"value": 1}),
        ("not result.value", {"value": "yes"}),
        ("result.value in [1, 2]", {"value": "1"}),
        ("'a' in result.value", {"value": 5}),
        ("result.value in result.other", {"value": 5, "other": "55"}),
    ],
)
def test_value_of_another_kind_is_an_error(text: str, fields: dict[str, object]) -> None:
    with pytest.raises(ExpressionTypeError):
        evaluate(text, fields)


def test_wrong_kind_is_not_hidden_by_a_decided_condition() -> None:
    with pytest.raises(ExpressionTypeError):
        evaluate("result.exit == 0 or result.value < 5", {"exit": 0, "value": "x"})


_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            "result.a < result.b",
            "result.a == result.b",
            "result.a in [1, 2, 3]",
            "result.a in result.b",
            "not result.a and result.b",
        ]
    ),
    st.fixed_dictionaries({"a": _scalars, "b": _scalars}),
)
def test_any_sample_gives_truth_no_data_or_a_kind_error(
    text: str, fields: dict[str, object]
) -> None:
    result = judged(text, fields)

    assert isinstance(result, bool | NoData | ExpressionTypeError)
    if isinstance(result, NoData):
        assert any(value in (None, "") or not _finite(value) for value in fields.values())


def _finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_condition_or_an_error_with_a_place(text: str) -> None:
    result = parsed(text)

    if isinstance(result, ExpressionError):
        assert 0 <= result.offset <= len(text)
        assert result.message
    else:
        assert result.names


_WORDS = [
    "result.exit", "value", "0", "1.5", "'a'", "true", "(", ")", "[", "]", ",", "and", "or",
    "not", "in", "==", "!=", "<", ">=", "is", "if", "else", "lambda", ":", "**", "-", "yield",
    "await", ":=", "{", "f'{x}'", ".", "*", "import", "__class__", "\n", "\\", "#",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=12))
def test_any_row_of_words_is_a_condition_or_an_error(words: list[str]) -> None:
    text = " ".join(words)

    result = parsed(text)

    if isinstance(result, ExpressionError):
        assert 0 <= result.offset <= len(text)
    else:
        assert result.names <= {"result.exit", "value"}


def parsed(text: str) -> Expression | ExpressionError:
    try:
        return parse_expression(text, ANY_SCOPE)
    except ExpressionError as error:
        return error


def judged(text: str, fields: dict[str, object]) -> bool | NoData | ExpressionTypeError:
    try:
        return evaluate(text, fields)
    except (NoData, ExpressionTypeError) as error:
        return error
