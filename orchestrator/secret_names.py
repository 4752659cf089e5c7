"""Names that say that what stands under them is a secret: `api_token`, `dbPass`, `AWS_SECRET_ACCESS_KEY`."""

from __future__ import annotations

import re

WORDS = "password|passwd|passphrase|psk|secret|token|credential"
KEYS = "(?:api|access|private|secret|signing|encryption)[_.-]?key"
# Names are judged by their last words, for `token_file` holds none; `pass` alone, for `bypass` is none.
_NAME = re.compile(rf"(?:^|[_.-])(?:pass|{WORDS}|{KEYS})s?$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # in `apiToken`


def is_secret_name(name: str) -> bool:
    """Whether a name says so."""
    return _NAME.search(_HUMP.sub("_", name).lower()) is not None
