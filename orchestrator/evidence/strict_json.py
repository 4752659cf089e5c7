"""JSON that others wrote, within limits, and where in the file a value stands.

Laws:
1. UTF-8 without a byte order mark; no key twice in an object; no NaN; no lone surrogate; limited in
   size and depth. What is refused is refused whole.
2. Places cost nothing while nothing is wrong: they are looked up again in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from orchestrator.errors import Where
from orchestrator.strict_json import KeyTwiceError, loads

Path = tuple[str | int, ...]

DEPTH_MAX = 64  # nested components of an SBOM are some ten deep
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_TOKEN = re.compile(r'([{}\[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}\[\],:"]+)')


class StrictJsonError(ValueError):
    """Why it is refused; `is_twice` tells that a key stands twice."""

    def __init__(self, message: str, where: Where, *, is_twice: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.is_twice = is_twice


@dataclass(frozen=True, slots=True)
class Document:
    """A file of JSON: its value, and the text to find places in."""

    file: str
    value: object
    text: str = field(repr=False)


def parse(data: bytes, file: str, *, size_bytes_max: int) -> Document:
    """The document that bytes hold.

    Args:
        data: the whole file.
        file: its name, for messages.
        size_bytes_max: the most that such a file may have.

    Raises:
        StrictJsonError: it breaks a law of this module.
    """
    if len(data) > size_bytes_max:
        message = f"`{file}` has more than {size_bytes_max} bytes"
        raise StrictJsonError(message, Where(file))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StrictJsonError(f"`{file}` is not UTF-8", Where(file, line, 1)) from error
    _check_depth(text, file)
    try:
        value = loads(text)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except KeyTwiceError as error:
        raise _twice(text, file) from error
    except json.JSONDecodeError as error:
        where = Where(file, error.lineno, error.colno)
        raise StrictJsonError(f"`{file}` is not JSON: {error.msg.lower()}", where) from error
    except UnicodeEncodeError as error:
        message = f"`{file}` has half of a surrogate pair in a text"
        raise StrictJsonError(message, Where(file)) from error
    except ValueError as error:
        raise StrictJsonError(f"`{file}` is not JSON: {error}", Where(file)) from error
    return Document(file, value, text)


def places(document: Document, paths: Collection[Path]) -> dict[Path, Where]:
    """Line and column of values; of one that is not there, those of what would hold it."""
    left = {path[:length] for path in paths for length in range(len(path) + 1)}
    found: dict[Path, int] = {}
    for path, at in _walk(document.text):
        if path in left and path not in found:
            found[path] = at
    return {path: _where(document, found, path) for path in paths}


def line_of(document: Document, number: int) -> str:
    """A line of the file, counted from 1."""
    at = 0
    for _ in range(number - 1):
        at = document.text.index("\n", at) + 1
    end = document.text.find("\n", at)
    return document.text[at:] if end < 0 else document.text[at:end]


def _where(document: Document, found: dict[Path, int], path: Path) -> Where:
    while path and path not in found:
        path = path[:-1]
    at = found.get(path, 0)
    before = document.text[:at]
    line = before.count("\n") + 1
    return Where(document.file, line, at - (before.rfind("\n") + 1) + 1)


def _check_depth(text: str, file: str) -> None:
    if text.count("{") + text.count("[") <= DEPTH_MAX:
        return
    depth = 0
    for match in _BRACKET.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                line = text.count("\n", 0, match.start()) + 1
                message = f"`{file}` is nested more than {DEPTH_MAX} deep"
                raise StrictJsonError(message, Where(file, line, 1))
        elif mark in "]}":
            depth -= 1


def _twice(text: str, file: str) -> StrictJsonError:
    """The first key that stands in an object twice, by name and place."""
    seen: set[Path] = set()
    for path, at in _walk(text):
        if path in seen:
            where = _where(Document(file, None, text), {path: at}, path)
            message = f"key `{path[-1]}` stands in an object twice"
            return StrictJsonError(message, where, is_twice=True)
        seen.add(path)
    message = "a key that stands twice stands twice in the text"
    raise AssertionError(message)


def _walk(text: str) -> Iterator[tuple[Path, int]]:
    """Each member of an object (at its key) and of an array, of a text that is JSON."""
    path: list[str | int] = []
    in_object: list[bool] = []
    is_key = False
    for match in _TOKEN.finditer(text):
        mark = match[1]
        if mark is None:
            if is_key:
                path[-1] = str(json.loads(match[0]))
                is_key = False
                yield tuple(path), match.start()
            elif not in_object or not in_object[-1]:
                yield tuple(path), match.start()
        elif mark in "{[":
            if not in_object or not in_object[-1]:
                yield tuple(path), match.start()
            is_key = mark == "{"
            in_object.append(is_key)
            path.append("" if is_key else 0)
        elif mark in "}]":
            in_object.pop()
            path.pop()
            is_key = False
        elif mark == "," and in_object[-1]:
            is_key = True
        elif mark == ",":
            path[-1] = int(path[-1]) + 1
