"""Text with `{{ }}`, rendered from plan and inventory variables; Jinja2 held very short.

Laws:
1. Only expressions: names, parts of plain data by `.name` or `[...]`, literals and filters of
   a short list. No calls, operators, statements or comments; checked before anything is rendered.
2. Values are plain text, numbers, booleans, lists and mappings of plan and inventory. Facts or
   answers of devices never come here.
3. What comes out is at most 64 KiB and holds no control characters; a missing variable is an
   error, never an empty text.

Source: design "operator", "Templates" (what Jinja's sandbox lets through).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.plan.template_paths import missing_part

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

TEMPLATE_CHARS_MAX = 4096  # longer text is no value of a plan
OUTPUT_CHARS_MAX = 64 * 1024
DEPTH_MAX = 16
FILTERS = ("default", "join", "lower", "replace", "ternary", "trim", "upper")
_STATEMENT = re.compile(r"\{%|\{#")
_CACHED_MAX = 256

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


class TemplateError(ValueError):
    """A template that cannot be used or rendered; `offset` counts characters from its start."""

    def __init__(self, message: str, *, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint


@dataclass(frozen=True, slots=True)
class CheckedTemplate:
    """A template that passed law 1; `names` are the variables it reads."""

    text: str
    names: frozenset[str]


def is_template(text: str) -> bool:
    """Whether the text has anything that Jinja would look at."""
    return any(mark in text for mark in ("{{", "{%", "{#"))


@functools.lru_cache(maxsize=_CACHED_MAX)
def check_template(text: str) -> CheckedTemplate:
    """The template with the names it reads; plain text reads none.

    Raises:
        TemplateError: it is no template of ours (law 1), with the place.
    """
    if not is_template(text):
        return CheckedTemplate(text, frozenset())
    _check_text(text)
    from jinja2 import TemplateSyntaxError

    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        message = f"the template does not parse: {(error.message or '').rstrip('.').lower()}"
        raise TemplateError(message, offset=_first(text), hint='as "{{ site }}"') from error
    except RecursionError as error:
        raise TemplateError("the template is nested too deeply", offset=_first(text)) from error
    return CheckedTemplate(text, _names(tree, text))


def render(text: str, variables: Mapping[str, object]) -> str:
    """The text with its variables in place. Cost: some microseconds after the first time.

    Raises:
        TemplateError: no such variable, a value that is no text, or one of the laws.
    """
    checked = check_template(text)
    if not checked.names and not is_template(text):
        return text
    from jinja2 import TemplateError as JinjaError

    known = {name: plain(variables[name]) for name in checked.names if name in variables}
    try:
        return _checked_output(_compiled(text).generate(known), text)
    except JinjaError as error:
        message, hint = _why(error, text, known, variables)
        raise TemplateError(message, offset=_first(text), hint=hint) from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, TemplateError):
            raise TemplateError(error.message, offset=_first(text), hint=error.hint) from error
        raise TemplateError("a filter got a value it cannot use", offset=_first(text)) from error


def _why(
    error: Exception, text: str, known: Mapping[str, object], variables: Mapping[str, object]
) -> tuple[str, str]:
    """Message and hint for what could not be rendered."""
    from jinja2 import UndefinedError

    if not isinstance(error, UndefinedError):
        return (str(error) or "the template cannot be rendered").rstrip("."), ""
    return missing_part(_environment().parse(text), known, variables)


def plain(value: object) -> Plain:
    """A copy that holds plain data only: exact built-in types, nothing with methods of ours.

    Raises:
        TemplateError: it holds anything else.
    """
    match value:
        case None | bool():
            return value
        case str():
            return "".join(value)  # the characters only, without methods of a subclass
        case int():
            return int(value)
        case float():
            return float(value)
        case list() | tuple():
            return [plain(item) for item in value]
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            raise TemplateError(f"a variable is a `{type(value).__name__}`, not plain data")


# -- checking -----------------------------------------------------------------------------------


def _check_text(text: str) -> None:
    if len(text) > TEMPLATE_CHARS_MAX:
        message = f"a template of {len(text)} characters; the limit is {TEMPLATE_CHARS_MAX}"
        raise TemplateError(message)
    statement = _STATEMENT.search(text)
    if statement:
        message = f"`{statement[0]}` is not used in plans: only `{{{{ }}}}` is"
        hint = "choose with a variable or `| ternary(a, b)`, loop with several entries"
        raise TemplateError(message, offset=statement.start(), hint=hint)
    depth = 0
    for offset, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth > DEPTH_MAX:
            raise TemplateError("the template is nested too deeply", offset=offset)


def _names(tree: nodes.Template, text: str) -> frozenset[str]:
    from jinja2 import nodes

    names: set[str] = set()
    pending: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > DEPTH_MAX + 4:
            raise TemplateError("the template is nested too deeply", offset=_first(text))
        _check_node(node, text)
        if isinstance(node, nodes.Name):
            names.add(node.name)
        pending.extend((child, depth + 1) for child in node.iter_child_nodes())
    return frozenset(names)


def _check_node(node: nodes.Node, text: str) -> None:
    from jinja2 import nodes

    match node:
        case nodes.Template() | nodes.Output() | nodes.TemplateData() | nodes.Getitem():
            return
        case nodes.Name():
            _check_word(node.name, text)
        case nodes.Getattr():
            _check_word(node.attr, text)
        case nodes.Const():
            return
        case nodes.Filter():
            if node.name not in FILTERS or node.kwargs or node.dyn_args or node.dyn_kwargs:
                message = f"filter `{node.name}` is not used in plans"
                if node.name in FILTERS:
                    message = f"filter `{node.name}` takes plain arguments only"
                hint = "there are " + ", ".join(f"`{name}`" for name in FILTERS)
                raise TemplateError(message, offset=_place(text, node.name), hint=hint)
        case _:
            word = _FORMS.get(type(node).__name__, "this form")
            message = f"{word} in `{{{{ }}}}` is not used in plans"
            hint = "name a variable, a part of it, or a filter"
            raise TemplateError(message, offset=_first(text), hint=hint)


_FORMS = {
    "Call": "a call", "CondExpr": "`if`", "Concat": "`~`", "Add": "`+`", "Mul": "`*`",
    "Pow": "`**`", "Mod": "`%`", "Sub": "`-`", "Div": "`/`", "FloorDiv": "`//`",
    "Test": "a test", "Compare": "a comparison", "Slice": "a slice", "List": "a list",
    "Tuple": "a list", "Dict": "a mapping", "Neg": "`-`", "Not": "`not`", "And": "`and`",
    "Or": "`or`",
}  # fmt: skip


def _check_word(word: str, text: str) -> None:
    if word.startswith("_"):
        message = f"`{word}`: names in templates do not begin with `_`"
        raise TemplateError(message, offset=_place(text, word))


def _first(text: str) -> int:
    return max(text.find("{{"), 0)


def _place(text: str, word: str) -> int:
    found = text.find(word, _first(text))
    return found if found >= 0 else _first(text)


def _checked_output(pieces: Iterator[str], text: str) -> str:
    result = ""
    for piece in pieces:
        result += piece
        if len(result) > OUTPUT_CHARS_MAX:
            message = f"rendered text is longer than {OUTPUT_CHARS_MAX} characters"
            raise TemplateError(message, offset=_first(text))
    bad = next((char for char in result if not char.isprintable()), "")
    if bad:
        message = f"rendered text holds the control character U+{ord(bad):04X}"
        raise TemplateError(message, offset=_first(text), hint="mend the variable it comes from")
    return result


# -- rendering ----------------------------------------------------------------------------------


@functools.lru_cache(maxsize=_CACHED_MAX)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@functools.cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class PlainEnvironment(ImmutableSandboxedEnvironment):
        """Looks into mappings and lists only: no attribute of any object is reachable."""

        def getattr(self, obj: object, attribute: str) -> object:
            return self.getitem(obj, attribute)

        def getitem(self, obj: object, argument: object) -> object:
            if isinstance(obj, dict) and isinstance(argument, str) and argument in obj:
                return obj[argument]
            if isinstance(obj, list) and isinstance(argument, int):
                return obj[argument] if -len(obj) <= argument < len(obj) else self.undefined()
            return obj if isinstance(obj, StrictUndefined) else self.undefined(name=str(argument))

    environment = PlainEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        finalize=_as_text,
        cache_size=0,
        optimized=False,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update(_filters())
    return environment


def _filters() -> dict[str, Callable[..., object]]:
    return {
        "default": _default,
        "join": _of_there(_join),
        "lower": _of_there(lambda value: _text(value).lower()),
        "replace": _of_there(_replace),
        "ternary": _of_there(_ternary),
        "trim": _of_there(lambda value: _text(value).strip()),
        "upper": _of_there(lambda value: _text(value).upper()),
    }


def _of_there(apply: Callable[..., object]) -> Callable[..., object]:
    """The filter; what is undefined is told as that, not as a value of the wrong kind."""
    from jinja2 import Undefined

    def applied(*values: object) -> object:
        for value in values:
            if isinstance(value, Undefined):
                str(value)  # raises: undefined values are strict here
        return apply(*values)

    return applied


def _default(value: object, fallback: object) -> object:
    from jinja2 import Undefined

    return fallback if isinstance(value, Undefined) else value


def _join(value: object, separator: object = "") -> str:
    if not isinstance(value, list):
        raise TemplateError("`join` takes a list")
    glue = _text(separator)
    parts = [_text(item) for item in value]
    _limited(sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def _replace(value: object, old: object, new: object) -> str:
    text, before, after = _text(value), _text(old), _text(new)
    if not before:
        raise TemplateError("`replace` has nothing to look for")
    _limited(len(text) + text.count(before) * len(after))
    return text.replace(before, after)


def _ternary(value: object, if_true: object, if_false: object) -> object:
    if not isinstance(value, bool):
        raise TemplateError("`ternary` takes true or false")
    return if_true if value else if_false


def _limited(chars_count: int) -> None:
    if chars_count > OUTPUT_CHARS_MAX:
        raise TemplateError(f"rendered text is longer than {OUTPUT_CHARS_MAX} characters")


def _text(value: object) -> str:
    """Text of a single value; `true` and `false` as in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(f"{_KINDS.get(type(value), 'this')} is no text", hint="name a part of it")


_KINDS: dict[type, str] = {list: "a list", dict: "a mapping", type(None): "nothing (`null`)"}


def _as_text(value: object) -> str:
    from jinja2 import Undefined

    return str(value) if isinstance(value, Undefined) else _text(value)
