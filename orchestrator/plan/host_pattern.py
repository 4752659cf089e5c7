"""Host patterns as text, before any inventory is asked: `gateways:&production:!held`.

What the terms mean is the inventory's matter; how they are written is looked at in plans too, so
that `rollout validate` finds what no inventory could make sense of.
"""

from __future__ import annotations

import re

from orchestrator.errors import PlanError
from orchestrator.source import is_ipv6, shown

PATTERN_CHARS_MAX = 64 * 1024  # a list of a thousand names
_COLON_OUTSIDE_BRACKETS = re.compile(r":(?![^\[\]]*\])")
_EXPRESSION_CHARS_MAX = 200
_REPEATS_MAX = 4  # each multiplies the steps by the length of a name
_ESCAPED_OR_CLASS = re.compile(r"\\[^0-9]|\[\^?\]?(?:[^\]\\]|\\.)*\]")
_REPEAT = re.compile(r"[*+{]")
_SLOW_GROUP = re.compile(r"\)[*+{]|\\[0-9]|\(\?P=")
_DASH = re.compile(r"(.+)\[([0-9]+)-([0-9]+)\]")


def split_pattern(pattern: str, what: str = "pattern") -> list[str]:
    """The terms of a pattern in the order written, each with its `&` or `!`.

    Args:
        pattern: as a person wrote it.
        what: word for messages: `pattern` or `limit`.

    Raises:
        PlanError: an empty or malformed term.
    """
    if not pattern.strip():
        hint = "write `all` if you mean every device"
        raise PlanError(f"the {what} is empty", hint=hint, code="I202")
    if len(pattern) > PATTERN_CHARS_MAX:
        message = f"the {what} has {len(pattern)} characters; at most {PATTERN_CHARS_MAX}"
        raise PlanError(message, code="I202")
    if pattern.strip().startswith("@"):
        hint = "write the names with commas between them"
        raise PlanError(f"the {what} `{shown(pattern)}` names a file; only a limit may",
                        hint=hint, code="I206")  # fmt: skip
    terms = [term.strip() for term in _raw_terms(pattern, what)]
    for term in terms:
        _check_term(term, pattern, what)
    return terms


def name_expression(text: str) -> re.Pattern[str]:
    """The regular expression behind `~`, which names match from their beginning.

    What could take for ever on a name of 253 characters is refused: a repeated group that holds
    a choice or a repetition, more than a few repetitions, references to groups.

    Raises:
        PlanError: no regular expression, or one of those.
    """
    hint = "Ansible splits patterns at `:` and `,` first, also inside regular expressions"
    try:
        compiled = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"`~{shown(text)}` is no regular expression: {error}"
        raise PlanError(message, hint=hint, code="I205") from error
    if not text or len(text) > _EXPRESSION_CHARS_MAX:
        message = f"a regular expression has 1 to {_EXPRESSION_CHARS_MAX} characters"
        raise PlanError(message, hint=hint, code="I205")
    plain = _ESCAPED_OR_CLASS.sub("x", text)
    repeats = len(_REPEAT.findall(plain))
    if repeats > _REPEATS_MAX or _SLOW_GROUP.search(plain):
        message = f"`~{shown(text)}` could take for ever on a long name"
        hint = f"at most {_REPEATS_MAX} of `*`, `+`, `{{`, and none of them behind a `)`"
        raise PlanError(message, hint=hint, code="I205")
    return compiled


def _raw_terms(pattern: str, what: str) -> list[str]:
    if is_ipv6(pattern.strip()):
        return [pattern]
    if "," not in pattern:
        return _COLON_OUTSIDE_BRACKETS.split(pattern)
    terms = pattern.split(",")
    for term in terms:
        if _COLON_OUTSIDE_BRACKETS.search(term) and not is_ipv6(term.strip().lstrip("&!")):
            message = f"the {what} `{shown(pattern)}` separates with both `,` and `:`"
            hint = "use one of the two; where a comma stands, Ansible does not split at colons"
            raise PlanError(message, hint=hint, code="I203")
    return terms


def _check_term(term: str, pattern: str, what: str) -> None:
    name = term[1:] if term[:1] in ("&", "!") else term
    if not name.strip():
        message = f"the {what} `{shown(pattern)}` has an empty term"
        hint = "an empty variable perhaps? remove the separator, or write the name"
        raise PlanError(message, hint=hint, code="I202")
    if name.startswith("~"):
        name_expression(name[1:])
        return
    if name[0] in "&!":
        message = f"`{shown(term)}` has two operators"
        raise PlanError(message, hint="write one of `&` and `!`", code="I204")
    if dash := _DASH.fullmatch(name):
        message = f"`{shown(term)}` is a slice with a dash"
        raise PlanError(message, hint=f"write `{dash[1]}[{dash[2]}:{dash[3]}]`", code="I204")
