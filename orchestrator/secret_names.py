"""What is a secret by its name (`api_token`, `dbPass`, `AWS_SECRET_ACCESS_KEY`), and in an address by its look.

Chat services give a web hook an address that lets post whoever knows it: what opens it stands in
the path (`https://hooks.slack.com/services/T0/B0/...`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

WORDS = "password|passwd|passphrase|psk|secret|token|credential"
KEYS = "(?:api|access|private|secret|signing|encryption)[_.-]?key"
# Names are judged by their last words, for `token_file` holds none; `pass` alone, for `bypass` is none.
_NAME = re.compile(rf"(?:^|[_.-])(?:pass|{WORDS}|{KEYS})s?$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # in `apiToken`


def is_secret_name(name: str) -> bool:
    """Whether a name says so."""
    return _NAME.search(_HUMP.sub("_", name).lower()) is not None


PATH = "path"
_WORD = re.compile(r"[A-Za-z0-9]+")
_WORD_CHARACTERS = 16  # of as many, and not all small letters or digits: no name of a page
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MARK_CHARACTERS = 4  # of a digest: two of them can be told apart, none can be guessed


def secrets_of(url: str) -> tuple[str, ...]:
    """What in a web address looks like a secret, for who wrote it: names of parameters, `path`."""
    return tuple(dict.fromkeys(name for name, _start, _end in _places(url)))


def shown_url(url: str) -> str:
    """A web address as it may be shown: without what looks like a secret in it.

    A secret of the path keeps a mark, by which it is seen that another one stands there; one of a
    parameter has none, for it may be short enough to be guessed by it.
    """
    shown, last = "", 0
    for name, start, end in _places(url):
        mark = hashlib.sha256(url[start:end].encode()).hexdigest()[:_MARK_CHARACTERS]
        shown += url[last:start] + (f"<secret:{mark}>" if name == PATH else "<secret>")
        last = end
    return shown + url[last:]


def _places(url: str) -> Iterator[tuple[str, int, int]]:
    """Each of them in order: of what kind it is, and from where to where it stands."""
    begin = re.match(r"[a-z]+://[^/?#]*", url, re.IGNORECASE)
    if begin is None:
        return
    path = re.compile(r"[^?#]*").match(url, begin.end())
    assert path is not None, "it matches nothing, too"
    for part in re.compile(r"[^/]+").finditer(url, path.start(), path.end()):
        if _is_token(part[0]):
            yield PATH, part.start(), part.end()
    end = len(url.partition("#")[0])  # what is behind it is never sent
    for part in re.compile(r"(?<=[?&])([^=&]*)=([^&]+)").finditer(url, path.end(), end):
        name = unquote_plus(part[1])
        if is_secret_name(name):
            yield name, part.start(2), part.end(2)


def _is_token(part: str) -> bool:
    return bool(_UUID.search(part)) or any(
        len(word) >= _WORD_CHARACTERS and not word.isdigit() and not _is_lower(word)
        for word in _WORD.findall(part)
    )


def _is_lower(word: str) -> bool:
    return word.isalpha() and word.islower()
