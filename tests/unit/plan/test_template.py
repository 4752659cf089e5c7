from __future__ import annotations

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plan.template import (
    OUTPUT_CHARS_MAX,
    TemplateError,
    check_template,
    is_template,
    plain,
    render,
)

VARIABLES = {
    "site": "ber",
    "n": 3,
    "share": 0.5,
    "ok": True,
    "names": ["a", "b"],
    "zone": {"items": "plain", "deep": {"port": 80}},
    "nothing": None,
    "big": "a" * 40_000,
    "escape": "\x1b[31m",
    "lines": "a\nb",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("{ not a template }", "{ not a template }"),
        ("{{ site }}", "ber"),
        ("https://{{ site }}.example:{{ n }}/", "https://ber.example:3/"),
        ("{{ ok }}{{ share }}", "true0.5"),
        ("{{ zone.items }}", "plain"),
        ("{{ zone['deep'].port }}", "80"),
        ("{{ names[1] }}{{ names[0] }}", "ba"),
        ("{{ names | join('-') }}", "a-b"),
        ("{{ site | upper }}{{ 'ABC' | lower }}", "BERabc"),
        ("{{ site | replace('b', 'p') | upper }}", "PER"),
        ("{{ missing | default('x') }}", "x"),
        ("{{ zone.missing.port | default(22) }}", "22"),
        ("{{ ok | ternary('on', 'off') }}", "on"),
        ("{{ '  a ' | trim }}", "a"),
        ("{{ '{{' }}", "{{"),
    ],
)
def test_template_gives_text(text: str, expected: str) -> None:
    assert render(text, VARIABLES) == expected


@pytest.mark.parametrize(
    "text",
    [
        # attributes and objects
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ site|attr('__class__') }}",
        "{{ '{0.__class__}'.format(site) }}",
        "{{ _private }}",
        "{{ site._private }}",
        "{{ site.upper() }}",
        "{{ zone.keys() }}",
        "{{ self }}",
        "{{ namespace(a=1) }}",
        "{{ lipsum() }}",
        "{{ joiner }}",
        "{{ config }}",
        "{{ zone.pop('items') }}",
        # size and time
        "{{ range(99999) }}",
        "{{ 'a' * 10**9 }}",
        "{{ site|center(1000000000) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 9**9**9 }}",
        "{{ big }}{{ big }}",
        "{{ big|replace('a', 'aaaaaaaaaa') }}",
        "{{ big|replace('', 'a') }}",
        "{{ names|join(big) }}{{ names|join(big) }}",
        # statements, comments, operators
        "{% for x in names %}{{ x }}{% endfor %}",
        "{% set a = 1 %}",
        "{% raw %}{{ a }}{% endraw %}",
        "{# nothing #}",
        "{{ n + 1 }}",
        "{{ site ~ site }}",
        "{{ site if ok }}",
        "{{ not ok }}",
        "{{ n == 3 }}",
        "{{ n is defined }}",
        "{{ [1, 2] }}",
        "{{ {'a': 1} }}",
        "{{ names[0:1] }}",
        "{{ names[-1] }}",
        "{{ site|default(x=1) }}",
        "{{ site|upper(*names) }}",
        # broken
        "{{ site",
        "{{ }}",
        "{{ site }",
        "{{ " + "(" * 500 + " }}",
        "{{ " + "not " * 900 + "site }}",
        "{{ site" + ".a" * 1500 + " }}",
        "{{ site" + "|upper" * 600 + " }}",
        "{{ x" * 5000,
        # values that are no text, or missing
        "{{ missing }}",
        "{{ zone.missing }}",
        "{{ names[7] }}",
        "{{ names.append }}",
        "{{ zone }}",
        "{{ names }}",
        "{{ nothing }}",
        "{{ zone | upper }}",
        "{{ site | join(',') }}",
        "{{ site | ternary('a', 'b') }}",
        "{{ site | ternary('a') }}",
        "{{ site | replace('a') }}",
        # what would steer a terminal or break a line
        "{{ escape }}",
        "{{ lines }}",
    ],
)
def test_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, VARIABLES)

    assert caught.value.message
    assert 0 <= caught.value.offset <= len(text)


def test_error_points_at_the_word() -> None:
    with pytest.raises(TemplateError) as caught:
        check_template("x/{{ site | attr('a') }}")

    assert caught.value.offset == 12
    assert "`default`" in caught.value.hint


def test_missing_variable_is_named_with_what_to_do() -> None:
    with pytest.raises(TemplateError) as caught:
        render("a/{{ version }}", {})

    assert caught.value.message == "`version` is undefined"
    assert caught.value.offset == 2
    assert "`-e name=value`" in caught.value.hint


PARTS = {
    "l": [1, 2, 3],
    "empty": [],
    "n": 0,
    "site": {"zone": "a", "name": "b"},
    "t": "text",
    "i": 7,
    "deep": {"x": {"y": [{"k": 1}]}},
    "many": {f"k{index}": index for index in range(20)},
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ l[5] }}", "`l[5]` is not there: `l` is a list of 3, `l[0]` to `l[2]`"),
        ("{{ l[i] }}", "`l[7]` is not there: `l` is a list of 3, `l[0]` to `l[2]`"),
        (
            "{{ l.first }}",
            "`l.first` is not there: `l` is a list of 3; its parts have numbers, as `l[0]`",
        ),
        ("{{ empty[0] }}", "`empty[0]` is not there: `empty` is an empty list"),
        ("{{ l[n].x }}", "`l[n].x` is not there: `l[n]` is a number and has no parts"),
        ("{{ site[empty[0]] }}", "`empty[0]` is not there: `empty` is an empty list"),
        (
            "{{ site.zon }}",
            "`site.zon` is not there: `site` is a mapping of `zone`, `name`; did you mean `zone`?",
        ),
        ("{{ site[0] }}", "`site[0]` is not there: `site` is a mapping of `zone`, `name`"),
        ("{{ t.x }}", "`t.x` is not there: `t` is a text and has no parts"),
        ("{{ i[0] }}", "`i[0]` is not there: `i` is a number and has no parts"),
        (
            "{{ deep.x.y[0].j }}",
            "`deep.x.y[0].j` is not there: `deep.x.y[0]` is a mapping of `k`",
        ),
        ("{{ deep.x.z[0] }}", "`deep.x.z` is not there: `deep.x` is a mapping of `y`"),
        (
            "{{ site.q | default(1) }}{{ l[9] | upper }}",
            "`l[9]` is not there: `l` is a list of 3, `l[0]` to `l[2]`",
        ),
        (
            "{{ t | default(l[4]) | replace(l[3], t) }}",
            "`l[4]` is not there: `l` is a list of 3, `l[0]` to `l[2]`",
        ),
        ("{{ (t | upper).x.y }}", "a part of what a filter made is not there"),
        (
            "{{ site['zone'].x }}",
            "`site.zone.x` is not there: `site.zone` is a text and has no parts",
        ),
        (
            "{{ q | default(1) }}{{ l[9] }}",
            "`l[9]` is not there: `l` is a list of 3, `l[0]` to `l[2]`",
        ),
        ("{{ l[q] }}", "`q` is undefined"),
        ("{{ l[(t | upper)] }}", "a part of what a filter made is not there"),
        ("{{ (t | upper).x }}", "a part of what a filter made is not there"),
        ("{{ sitee.zone }}", "`sitee` is undefined; did you mean `site`?"),
        ("{{ nothing | join(',') }}", "`nothing` is undefined"),
    ],
)
def test_part_that_is_not_there_is_told_with_what_is(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, PARTS)

    assert caught.value.message == message
    assert "`vars:`" in caught.value.hint or "filters make texts" in caught.value.hint


def test_large_mapping_is_not_told_as_a_whole() -> None:
    with pytest.raises(TemplateError, match=r"`k0`, .*`k7` and 12 more$"):
        render("{{ many.x }}", PARTS)


def test_names_are_those_a_template_reads() -> None:
    checked = check_template("{{ site }}-{{ zone.deep.port | default(n) }}")

    assert checked.names == {"site", "zone", "n"}


def test_parser_that_runs_out_of_stack_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(jinja2.Environment, "parse", parse)

    with pytest.raises(TemplateError, match="nested too deeply"):
        check_template("{{ stack }}")


def test_objects_are_no_variables() -> None:
    class Device:
        def reboot(self) -> str:
            raise AssertionError("never called")

    with pytest.raises(TemplateError, match="`Device`"):
        render("{{ device }}", {"device": Device()})


def test_subclass_of_text_loses_its_methods() -> None:
    class Marked(str):
        __slots__ = ()

    assert type(plain(Marked("a"))) is str


def test_variables_are_copied() -> None:
    original = {"a": [1, (2, 3)]}

    copy = plain(original)

    assert copy == {"a": [1, [2, 3]]}
    assert copy is not original


def test_longest_output_is_allowed() -> None:
    text = "x" * OUTPUT_CHARS_MAX

    assert render("{{ a }}", {"a": text}) == text


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_renders_or_is_refused(text: str) -> None:
    result = rendered("{{" + text)

    assert isinstance(result, TemplateError) or len(result) <= OUTPUT_CHARS_MAX


def rendered(text: str) -> str | TemplateError:
    try:
        return render(text, VARIABLES)
    except TemplateError as error:
        return error


@settings(deadline=None)
@given(st.text(max_size=60).filter(lambda text: not is_template(text)))
def test_text_without_marks_is_left_alone(text: str) -> None:
    assert render(text, {}) == text
