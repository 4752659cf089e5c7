"""The form that tickets, roots and signature files share: lines `key value`, and nothing else.

Laws:
1. Bytes 0x20 to 0x7e and line feeds; the last byte is a line feed; no empty line; words are
   parted by one blank. 1 to 16384 bytes and at most 512 lines, counted before anything is parsed.
2. Lines stand in the order in which a format has them. What is not expected is refused.
3. There is one way to write a value: numbers without sign and leading zero, lower-case digests,
   base64 with its padding and without stray bits.

A device checks the same with `sh`: whatever one of the two takes, the other takes.
"""

from __future__ import annotations

import base64
import binascii
import re

from orchestrator.device.trust import FLEET_NAME, NUMBER
from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse

TEXT_BYTES_MAX = 16 * 1024  # a device holds it in a shell's variable
LINES_MAX = 512
_SHOWN_MAX = 40  # characters of a value in a message
_ALPHABET = re.compile(rb"[ -~\n]*")
_LONG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Lines:
    """The lines of a text, taken one after the other.

    Args:
        data: the whole text.
        what: its name in messages, such as `ticket`.

    Raises:
        TrustError: from the constructor: it has not the form that all texts have.
    """

    __slots__ = ("_at", "_lines", "what")

    def __init__(self, data: bytes, what: str) -> None:
        self.what = what
        self._at = 0
        self._lines = _split(data, what)

    def one(self, key: str) -> str:
        """The value of the next line, which has this key.

        Raises:
            TrustError: the next line has another key, or there is none.
        """
        found = self.maybe(key)
        if found is None:
            rest = self._lines[self._at :]
            there = f"is `{_shorten(rest[0])}`" if rest else "is missing"
            raise self._refuse(TrustRule.TEXT_LINE, self._at + 1, f"{there}; wanted `{key} ...`")
        return found

    def maybe(self, key: str) -> str | None:
        """The value of the next line if it has this key."""
        if self._at == len(self._lines):
            return None
        word, _, value = self._lines[self._at].partition(" ")
        if word != key or not value:
            return None
        self._at += 1
        return value

    def many(self, key: str, count_max: int) -> list[str]:
        """The values of all the lines with this key that come next.

        Raises:
            TrustError: there are more than `count_max`.
        """
        found: list[str] = []
        while (value := self.maybe(key)) is not None:
            if len(found) == count_max:
                raise self.wrong(TrustRule.TEXT_LINE, f"is one `{key}` line too many")
            found.append(value)
        return found

    def end(self) -> None:
        """Nothing follows.

        Raises:
            TrustError: something does.
        """
        if self._at < len(self._lines):
            shown = _shorten(self._lines[self._at])
            message = f"is `{shown}`, which is unknown, or not in its place"
            raise self._refuse(TrustRule.TEXT_LINE, self._at + 1, message)

    def wrong(self, rule: TrustRule, message: str) -> TrustError:
        """The error about the line that was taken last."""
        return self._refuse(rule, self._at, message)

    def number(self, text: str, *, least: int = 0, most: int | None = None) -> int:
        """The number that a value of the line taken last is.

        Raises:
            TrustError: it is none, or out of bounds.
        """
        if NUMBER.fullmatch(text) is None:
            message = f"has `{_shorten(text)}`; wanted a number of at most 15 digits"
            raise self.wrong(TrustRule.TEXT_VALUE, message)
        found = int(text)
        if found < least or (most is not None and found > most):
            bounds = f"from {least}" + ("" if most is None else f" to {most}")
            raise self.wrong(TrustRule.TEXT_VALUE, f"has {found}; it goes {bounds}")
        return found

    def name(self, text: str) -> str:
        """A fleet's name.

        Raises:
            TrustError: it is none.
        """
        return self._fits(FLEET_NAME, text, "a name of 1 to 63 letters, digits and `. _ + -`")

    def long_name(self, text: str) -> str:
        """A device type or the name of an artifact.

        Raises:
            TrustError: it is none.
        """
        return self._fits(_LONG_NAME, text, "a name of 1 to 128 letters, digits and `. _ + -`")

    def sha256(self, text: str) -> str:
        """A digest.

        Raises:
            TrustError: it is none.
        """
        return self._fits(_SHA256, text, "64 lower-case hexadecimal digits")

    def base64(self, text: str) -> bytes:
        """The bytes that a text stands for.

        Raises:
            TrustError: it is not the one way to write them, or stands for none.
        """
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error:
            data = b""
        if not data or base64.b64encode(data).decode("ascii") != text:
            message = f"has `{_shorten(text)}`; wanted exact base64"
            raise self.wrong(TrustRule.TEXT_VALUE, message)
        return data

    def words(self, value: str, count: int) -> list[str]:
        """The words of a value.

        Raises:
            TrustError: there are more or fewer.
        """
        found = value.split(" ")
        if len(found) != count:
            raise self.wrong(TrustRule.TEXT_LINE, f"has {len(found)} values; wanted {count}")
        return found

    def _fits(self, pattern: re.Pattern[str], text: str, wanted: str) -> str:
        if pattern.fullmatch(text) is None:
            message = f"has `{_shorten(text)}`; wanted {wanted}"
            raise self.wrong(TrustRule.TEXT_VALUE, message)
        return text

    def _refuse(self, rule: TrustRule, line: int, message: str) -> TrustError:
        return refuse(rule, f"line {line} of the {self.what} {message}")


def _split(data: bytes, what: str) -> tuple[str, ...]:
    if not 0 < len(data) <= TEXT_BYTES_MAX:
        size = f"more than {TEXT_BYTES_MAX} bytes" if data else "empty"
        raise refuse(TrustRule.TEXT_FORM, f"the {what} is {size}")
    if _ALPHABET.fullmatch(data) is None:
        message = f"the {what} has bytes other than printable ASCII and line feeds"
        raise refuse(TrustRule.TEXT_FORM, message)
    if not data.endswith(b"\n"):
        raise refuse(TrustRule.TEXT_FORM, f"the last line of the {what} has no end")
    if data.count(b"\n") > LINES_MAX:
        raise refuse(TrustRule.TEXT_FORM, f"the {what} has more than {LINES_MAX} lines")
    lines = tuple(data.decode("ascii").split("\n")[:-1])
    for number, line in enumerate(lines, start=1):
        if "" in line.split(" "):  # an empty line, a blank at an end, or two in a row
            message = f"line {number} of the {what} is not words parted by one blank each"
            raise refuse(TrustRule.TEXT_FORM, message)
    return lines


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
