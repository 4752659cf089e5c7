import pytest

from orchestrator.device.check import check_fields, json_fields
from orchestrator.device.protocol import CheckResult


def result(output="", code=0):
    return CheckResult("http-200", code, output)


def test_exit_code_alone_is_a_field():
    assert check_fields(result(code=3)) == {"exit": 3}


def test_json_line_adds_its_fields():
    line = '{"value": 1.5, "n": 7, "ok": true, "who": "web", "none": null}'

    fields = check_fields(result(line))

    assert fields == {"exit": 0, "value": 1.5, "n": 7, "ok": True, "who": "web", "none": None}


def test_text_for_people_brings_no_fields():
    assert check_fields(result("all good")) == {"exit": 0}
    assert check_fields(result("[1, 2]")) == {"exit": 0}


@pytest.mark.parametrize(("code", "word"), [(127, "no check `http-200`"), (124, "out of time")])
def test_check_that_did_not_run_is_an_error_never_a_sample(code, word):
    with pytest.raises(ValueError, match=word):
        check_fields(result('{"value": 1}', code=code))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_number_that_is_not_finite_is_left_out(number):
    assert json_fields(f'{{"value": {number}, "n": 1}}') == {"n": 1}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('{"value": [1]}', "'value' is a list or an object"),
        ('{"value": {"deep": 1}}', "'value' is a list or an object"),
        ('{"value": 1, "value": 2}', "'value' stands twice"),
        ('{"exit": 0}', "'exit' stands twice"),
        ('{"value": 1', "does not parse"),
        ('{"value": 1} trailing', "does not parse"),
        ('{"a":' + "[" * 100_000, "does not parse"),
        ('{"a": ' + "9" * 5000 + "}", "does not parse"),
        ('{"\x1b[2J": [1]}', "does not parse"),
        ('{"\\u001b[2J": [1]}', r"'\\x1b\[2J' is a list"),
    ],
)
def test_json_line_that_breaks_the_rules_is_an_error(line, word):
    with pytest.raises(ValueError, match=word):
        json_fields(line)
