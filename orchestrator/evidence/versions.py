"""How versions compare, by OSV ecosystem; None where this program does not know the order.

Each gives a key that sorts as the ecosystem orders versions, or None for a text that is none of its
versions. Sources: deb-version(7); PEP 440; Semantic Versioning 2.0.0, section 11.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Key = tuple[Any, ...]  # keys of one ecosystem compare with one another
Order = Callable[[str], Key | None]

_SEMVER = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_DEBIAN = re.compile(r"(?:(\d+):)?([A-Za-z0-9.+~:-]*?)(?:-([A-Za-z0-9.+~]+))?", re.ASCII)
_PEP440 = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<pre_number>\d*))?"
    r"(?P<post>-(?P<bare>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.ASCII,
)
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_BEFORE_ALL, _FINAL = (-1, 0), (9, 0)
_NUMBER_CHARACTERS_MAX = 256  # longer is no version


def order_of(ecosystem: str, *, is_semver: bool) -> Order | None:
    """The order of an ecosystem's versions; of a range that says SEMVER, that one."""
    return semver if is_semver else _ORDERS.get(ecosystem)


def semver(text: str) -> Key | None:
    """Semantic versions; a `v` before and missing parts are taken, as Go and OSV write them."""
    match = _SEMVER.fullmatch(text) if len(text) <= _NUMBER_CHARACTERS_MAX else None
    if match is None:
        return None
    numbers = tuple(int(part or 0) for part in match.group(1, 2, 3))
    if match[4] is None:
        return (*numbers, 1, ())
    words = tuple(
        (0, int(word), "") if word.isdigit() else (1, 0, word) for word in match[4].split(".")
    )
    return (*numbers, 0, words)


def debian(text: str) -> Key | None:
    """Versions of Debian and those who do as it does: epoch, upstream, revision."""
    match = _DEBIAN.fullmatch(text) if 0 < len(text) <= _NUMBER_CHARACTERS_MAX else None
    if match is None:
        return None
    return int(match[1] or 0), _debian_part(match[2]), _debian_part(match[3] or "0")


def pep440(text: str) -> Key | None:
    """Versions of Python packages; local parts come after the version without one."""
    plain = text.strip().lower()
    match = _PEP440.fullmatch(plain) if len(plain) <= _NUMBER_CHARACTERS_MAX else None
    if match is None:
        return None
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    pre = _FINAL
    if match["pre"]:
        pre = (_PRE[match["pre"]], int(match["pre_number"] or 0))
    elif match["dev"] and not match["post"]:
        pre = _BEFORE_ALL
    post = int(match["bare"] or match["post_number"] or 0) if match["post"] else -1
    dev = (0, int(match["dev_number"] or 0)) if match["dev"] else (1, 0)
    local = tuple(
        (1, int(word), "") if word.isdigit() else (0, 0, word)
        for word in re.split(r"[-_.]", match["local"] or "")
        if word
    )
    return int(match["epoch"] or 0), tuple(release), pre, post, dev, local


def _debian_part(text: str) -> Key:
    """Words and numbers in turn; each word ends with 0, which `~` sorts before and all else after."""
    words = [pair for pair in re.findall(r"([^0-9]*)([0-9]*)", text) if any(pair)]
    return tuple(
        ((*map(_weight, word), 0), int(digits or 0)) for word, digits in [*words, ("", "")]
    )


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


_ORDERS: dict[str, Order] = {
    "Debian": debian,
    "Ubuntu": debian,
    "PyPI": pep440,
    "npm": semver,
    "crates.io": semver,
    "Go": semver,
    "Hex": semver,
    "Pub": semver,
}
