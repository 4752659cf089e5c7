"""Secrets in texts that leave the house: what looks like one is replaced by `***`.

Plans and journals hold no secrets by rule; people and devices write into them all the same. So this
is a net and no proof: passwords in URLs, private keys in PEM, bearer tokens, and values under names
such as `password` or `token`.
"""

from __future__ import annotations

import re

from orchestrator.secret_names import KEYS, WORDS

MASK = "***"
_NAMES = rf"{WORDS}|credentials|_pass|{KEYS}"  # also behind others, as in `DB_PASSWORD` and `accessToken`
_QUOTE = r"(?:\\?[\"'])"  # also within a text that stands in JSON
_PATTERNS = (
    re.compile(
        r"(?P<keep>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/@:\"'\\]*:)(?P<secret>[^\s/@\"'\\]+)(?=@)"
    ),
    re.compile(
        r"(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?P<secret>.*?)(?=-----END|\"|$)", re.DOTALL
    ),
    re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)(?P<secret>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE),
    re.compile(
        rf"(?P<keep>(?:{_NAMES}){_QUOTE}?\s*[:=]\s*{_QUOTE}?)(?P<secret>[^\s\"'\\,;&}}\]\[{{]+)",
        re.IGNORECASE,
    ),
)
_NOTHING = frozenset({MASK, "null", "true", "false"})


def masked(text: str) -> tuple[str, int]:
    """The text without what looks like a secret, and how many of them there were."""
    count = 0

    def hide(match: re.Match[str]) -> str:
        nonlocal count
        if match["secret"] in _NOTHING:
            return match[0]
        count += 1
        return match["keep"] + MASK

    for pattern in _PATTERNS:
        text = pattern.sub(hide, text)
    return text, count
