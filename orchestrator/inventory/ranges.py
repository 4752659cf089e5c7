"""Host ranges: `web[01:20]`, `rack[a:d]-[0:30:10]`, and the port behind a host.

Laws:
1. Both ends are included; several ranges multiply, the left one slowest.
2. A first end that begins with 0 and has more digits asks for zero-padding; then both ends
   have the same length. `[:3]` begins at 0. Letters run over a-z, then A-Z.
3. What Ansible expands to nothing (`[3:1]`) is an error here: it is a typing error.
4. The number of names is known before the first one is made.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Sequence

from orchestrator.source import is_ipv6

HOSTS_MAX = 1_000_000  # names per key; a longer range is a typing error
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_PARTS = re.compile(r"([0-9]*|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?")
_PORT = re.compile(r"(.*):([0-9]+)")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]+))?")
_PORT_MAX = 65535
_DIGITS_MAX = 9


class RangeError(ValueError):
    """A host key that does not expand; `hint` says how to write it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def split_port(key: str) -> tuple[str, int | None]:
    """Host and port of a host key: `gw:2222`, `[fe80::1]:2222`, `gw[1:9]:22`, bare IPv6.

    Raises:
        RangeError: port outside 1..65535, or colons that are neither port nor IPv6.
    """
    bracketed = _BRACKETED.fullmatch(key)
    if bracketed and is_ipv6(bracketed[1]):
        return bracketed[1], _port(bracketed[2]) if bracketed[2] else None
    bare = _RANGE.sub("1", key)
    if ":" not in bare or is_ipv6(bare):
        return key, None
    match = _PORT.fullmatch(key)
    if not match or ":" in _RANGE.sub("1", match[1]):
        message = f"`{key}` has colons, but no port at its end and no IPv6 address"
        raise RangeError(message, "write `host:port`, or `[address]:port` for IPv6")
    return match[1], _port(match[2])


def expand(key: str) -> Sequence[str]:
    """The names of a host key without its port, in order.

    Raises:
        RangeError: a range that is malformed, empty or too large.
    """
    if "[" not in key and "]" not in key:
        return (key,)
    pieces = _RANGE.split(key)
    texts, bodies = pieces[::2], pieces[1::2]
    if any("[" in text or "]" in text for text in texts):
        message = f"`{key}` has a bracket without its partner"
        raise RangeError(message, "write a range as `[1:9]`")
    ranges = [_range(body) for body in bodies]
    count = 1
    for values in ranges:
        count *= len(values)
    if count > HOSTS_MAX:
        raise RangeError(f"`{key}` stands for {count} hosts; at most {HOSTS_MAX}")
    names = []
    for chosen in itertools.product(*ranges):
        parts = [texts[0]]
        for value, text in zip(chosen, texts[1:], strict=True):
            parts += (value, text)
        names.append("".join(parts))
    return names


def _range(body: str) -> Sequence[str]:
    match = _PARTS.fullmatch(body)
    if not match:
        fix = body.replace("-", ":") if re.fullmatch(r"\w+-\w+", body) else "1:9"
        raise RangeError(f"`[{body}]` is not a range", f"write `[{fix}]`, both ends included")
    first, last, step_text = match[1], match[2], match[3] or "1"
    if max(map(len, (first, last, step_text))) > _DIGITS_MAX:
        raise RangeError(f"`[{body}]` has an end of more than {_DIGITS_MAX} digits")
    step = int(step_text)
    if step == 0:
        raise RangeError(f"`[{body}]` has the step 0", "leave the step out, or write 1 or more")
    if first.isalpha() or last.isalpha():
        return _letters(body, first, last, step)
    return _numbers(body, first or "0", last, step)


def _letters(body: str, first: str, last: str, step: int) -> Sequence[str]:
    letters = string.ascii_letters
    start, end = letters.find(first or "0"), letters.find(last)
    if start < 0 or end < 0:
        raise RangeError(f"`[{body}]` mixes a letter and a number")
    if start > end:
        raise RangeError(f"`[{body}]` is empty: `{first}` comes after `{last}`")
    return letters[start : end + 1 : step]


def _numbers(body: str, first: str, last: str, step: int) -> Sequence[str]:
    width = len(first) if len(first) > 1 and first.startswith("0") else 0
    if width and len(last) != width:
        message = f"`[{body}]` has ends of different length"
        raise RangeError(message, f"write `[{first}:{last.zfill(width)}]`")
    start, end = int(first), int(last)
    if start > end:
        raise RangeError(f"`[{body}]` is empty: {first} is more than {last}", "swap the ends")
    numbers = range(start, end + 1, step)
    if len(numbers) > HOSTS_MAX:
        raise RangeError(f"`[{body}]` stands for {len(numbers)} hosts; at most {HOSTS_MAX}")
    return [str(number).zfill(width) for number in numbers]


def _port(text: str) -> int:
    port = int(text[:6])
    if not 1 <= port <= _PORT_MAX:
        raise RangeError(f"port {text} is outside 1..{_PORT_MAX}")
    return port
