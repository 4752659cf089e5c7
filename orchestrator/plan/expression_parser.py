"""Text of a condition to a checked `Expression`, on Python's `ast` with an allow-list.

Laws:
1. Only text that our own scanner has taken apart reaches Python's parser: no calls, no
   attributes beyond `result.NAME`, no arithmetic, no escapes, no huge numbers.
2. Nothing is ever compiled or executed; the tree is copied into our own parts.
3. What can be known to be of the wrong kind is an error at load, with its place.
"""

from __future__ import annotations

import ast
import re

from orchestrator.plan.expression_model import (
    All,
    AnyOf,
    Choices,
    Comparison,
    Expression,
    ExpressionError,
    Kind,
    Literal,
    Name,
    Not,
    Part,
    Scalar,
    Scope,
)
from orchestrator.source.suggest import did_you_mean

TEXT_CHARS_MAX = 1000  # a condition is read by people
DEPTH_MAX = 24
DIGITS_MAX = 15  # beyond 2**53 floats are not exact

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?(?![\w.]))
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<text>"[^"\\\n]*"|'[^'\\\n]*')
      | (?P<sign>==|!=|<=|>=|<|>|[()\[\],]|-(?=\d))""",
    re.VERBOSE | re.ASCII,
)
_HINTS = {
    "=": "compare with `==`",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=` to compare",
    "*": "there is no arithmetic in conditions",
    "+": "there is no arithmetic in conditions",
    "/": "there is no arithmetic in conditions",
    "%": "there is no arithmetic in conditions",
    "-": "there is no arithmetic in conditions",
    "{": "conditions are no templates; name the fields directly, as `result.exit == 0`",
    "\\": "text in conditions has no escapes",
}
_WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_FOREIGN_WORDS = {"True": "true", "False": "false", "AND": "and", "OR": "or", "NOT": "not"}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.In: "in", ast.NotIn: "not in",  # codespell:ignore notin
}  # fmt: skip
_ORDERED = frozenset({"<", "<=", ">", ">="})
_MEMBERSHIP = frozenset({"in", "not in"})


def parse_expression(text: str, scope: Scope) -> Expression:
    """The checked condition.

    Raises:
        ExpressionError: what is wrong, with its offset in the text.
    """
    if len(text) > TEXT_CHARS_MAX:
        message = f"a condition of {len(text)} characters; the limit is {TEXT_CHARS_MAX}"
        raise ExpressionError(message)
    if not text.strip():
        raise ExpressionError("the condition is empty", hint="as `result.exit == 0`")
    _scan(text)
    builder = _Builder(text, scope)
    root = builder.truth(_python_tree(text))
    if not builder.names:
        message = "the condition reads nothing of the sample, so it never changes"
        raise ExpressionError(message, hint="use a field, as `result.exit == 0`")
    return Expression(text, root, frozenset(builder.names))


def _scan(text: str) -> None:
    """Refuses everything that is not a token of the language, before Python sees it."""
    position, depth, before = 0, 0, ""
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _foreign(text, position)
        token, kind = match[0], match.lastgroup or ""
        depth += (token in ("(", "[")) - (token in (")", "]"))
        _check_token(token, kind, before, match.start())
        if depth > DEPTH_MAX:
            raise ExpressionError(f"nested deeper than {DEPTH_MAX} levels", offset=position)
        if kind != "space":
            before = "word" if token in _WORDS else kind
        position = match.end()


def _check_token(token: str, kind: str, before: str, offset: int) -> None:
    if kind == "number" and len(token) > DIGITS_MAX:
        message = f"a number of {len(token)} digits; at most {DIGITS_MAX} are exact"
        raise ExpressionError(message, offset=offset)
    if kind == "text" and before in ("name", "text", "number"):
        message = f"text follows directly on a {before}"
        raise ExpressionError(message, offset=offset, hint='compare them, as `a == "b"`')
    if token in ("None", "null"):
        hint = "a field that is absent makes the sample no data by itself"
        raise ExpressionError(f"there is no `{token}` in conditions", offset=offset, hint=hint)
    if kind == "name" and token in _FOREIGN_WORDS:
        message = f"`{token}` is written `{_FOREIGN_WORDS[token]}`"
        raise ExpressionError(message, offset=offset)


def _foreign(text: str, offset: int) -> ExpressionError:
    char = text[offset]
    if char in "\"'":
        return ExpressionError(
            "the quotes are never closed, or hold a backslash", offset=offset,
            hint="text in conditions has no escapes",
        )  # fmt: skip
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    if char.isdigit() or (char == "." and text[offset + 1 : offset + 2].isdigit()):
        message = "a number is written with digits and at most one `.` between them"
        return ExpressionError(message, offset=offset, hint="as `10` or `0.5`")
    return ExpressionError(
        f"`{shown}` is not part of conditions", offset=offset, hint=_HINTS.get(char, "")
    )


def _python_tree(text: str) -> ast.expr:
    flat = re.sub(r"\s", " ", text)  # line breaks of block text mean nothing
    try:
        return ast.parse(flat.strip(), mode="eval").body
    except SyntaxError as error:
        blanks = len(flat) - len(flat.lstrip())
        offset = (error.offset - 1 if error.offset else len(flat.strip())) + blanks
        offset = min(max(offset, 0), len(text) - 1)
        message = "the condition is not complete or out of order"
        hint = "as `result.exit == 0 and result.value < 5`"
        raise ExpressionError(message, offset=offset, hint=hint) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError("the condition is nested too deeply") from error


class _Builder:
    """Copies allowed parts of a Python tree and checks their kinds."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._encoded = re.sub(r"\s", " ", text).encode()
        self._blank_count = len(text) - len(text.lstrip())
        self._scope = scope
        self._depth = 0
        self.names: set[str] = set()

    def truth(self, node: ast.expr) -> Part:
        """A part that must be true or false."""
        part, kind = self.part(node)
        if kind not in (Kind.TRUTH, Kind.ANY):
            message = f"{kind} is neither true nor false"
            raise self._error(node, message, "compare it, as `result.exit == 0`")
        return part

    def part(self, node: ast.expr) -> tuple[Part, Kind]:
        """Any allowed part, with its kind."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._error(node, f"nested deeper than {DEPTH_MAX} levels")
        try:
            return self._allowed(node)
        finally:
            self._depth -= 1

    def _allowed(self, node: ast.expr) -> tuple[Part, Kind]:
        match node:
            case ast.BoolOp(op=op, values=values):
                operands = tuple(self.truth(value) for value in values)
                return (All if isinstance(op, ast.And) else AnyOf)(operands), Kind.TRUTH
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.truth(operand)), Kind.TRUTH
            case ast.Compare():
                return self._comparison(node), Kind.TRUTH
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return self._choices(node, items), Kind.LIST
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.Constant() | ast.UnaryOp(op=ast.USub()):
                value = self._literal(node)
                return Literal(value), kind_of(value)
            case _:
                raise self._error(node, "this form is not part of conditions")

    def _comparison(self, node: ast.Compare) -> Comparison:
        first, kind = self.part(node.left)
        rest: list[tuple[str, Part]] = []
        for operator, right in zip(node.ops, node.comparators, strict=True):
            sign = _COMPARE.get(type(operator))
            if sign is None:
                raise self._error(node, "`is` is not part of conditions", "compare with `==`")
            part, right_kind = self.part(right)
            self._check_kinds(right, sign, (kind, right_kind), part)
            rest.append((sign, part))
            kind = right_kind
        return Comparison(first, tuple(rest))

    def _check_kinds(
        self, node: ast.expr, sign: str, kinds: tuple[Kind, Kind], right: Part
    ) -> None:
        left_kind, right_kind = kinds
        if sign in _MEMBERSHIP:
            if isinstance(right, Choices):
                right_kind = kind_of(right.values[0])
            elif Kind.NUMBER in kinds or Kind.TRUTH in kinds:
                hint = 'as `result.state in ["ok", "warm"]`'
                raise self._error(node, f"`{sign}` looks into a list or a text", hint)
        elif Kind.LIST in kinds:
            raise self._error(node, f"a list stands right of `in`, not of `{sign}`")
        elif sign in _ORDERED and (Kind.TEXT in kinds or Kind.TRUTH in kinds):
            raise self._error(node, f"`{sign}` compares numbers", "numbers stand without quotes")
        if isinstance(right, Literal) and right.value == "":
            message = "an empty text is no data, so nothing is ever equal to it"
            raise self._error(node, message)
        if Kind.ANY not in (left_kind, right_kind) and left_kind is not right_kind:
            message = f"{left_kind} and {right_kind} are never equal"
            raise self._error(node, message, "numbers stand without quotes, text within")

    def _choices(self, node: ast.expr, items: list[ast.expr]) -> Choices:
        values = tuple(self._literal(item) for item in items)
        if len({kind_of(value) for value in values}) != 1:
            message = "a list holds at least one literal, and all of one kind"
            raise self._error(node, message, 'as `["ok", "warm"]`')
        return Choices(values)

    def _literal(self, node: ast.expr) -> Scalar:
        match node:
            case ast.Constant(value=str() | int() | float() as value):
                return value
            case ast.Name(id="true" | "false" as word):
                return word == "true"
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case _:
                raise self._error(node, "a list holds numbers or texts, no fields or conditions")

    def _name(self, node: ast.expr) -> tuple[Part, Kind]:
        match node:
            case ast.Name(id="true" | "false" as word):
                return Literal(word == "true"), Kind.TRUTH
            case ast.Name(id=text):
                pass
            case ast.Attribute(value=ast.Name(id=base), attr=attribute):
                text = f"{base}.{attribute}"
            case _:
                raise self._error(node, "a field has one dot at most", "as `result.value`")
        kind = self._scope.names.get(text)
        if kind is None and self._scope.open_prefix and text.startswith(self._scope.open_prefix):
            kind = Kind.ANY
        if kind is None:
            hint = self._scope.elsewhere.get(text, "")
            guess = "" if hint else did_you_mean(text, self._scope.names)
            known = ", ".join(f"`{name}`" for name in self._scope.names)
            message = f"no field `{text}` here{guess}"
            raise self._error(node, message, hint or f"this gate gives {known}")
        self.names.add(text)
        return Name(text), kind

    def _error(self, node: ast.expr, message: str, hint: str = "") -> ExpressionError:
        before = self._encoded.lstrip()[: node.col_offset].decode(errors="replace")
        return ExpressionError(message, offset=self._blank_count + len(before), hint=hint)


def kind_of(value: Scalar) -> Kind:
    """The kind of a value; a boolean is no number."""
    if isinstance(value, bool):
        return Kind.TRUTH
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER
