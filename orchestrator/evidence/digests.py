"""Digests as SBOM and VEX files say them, and whether two sets of them are of the same thing.

Laws:
1. Only strong algorithms tell that two things are the same; what MD5, SHA-1 or a checksum says is
   kept, so that nobody takes the thing for one without a digest, and never compared.
2. Where both sides have an algorithm they must agree in it; where they share none nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection

# The names of CycloneDX, SPDX and OpenVEX, lower case and without hyphens, and hex digits of each.
_STRONG = {
    "sha256": 64, "sha384": 96, "sha512": 128, "sha3256": 64, "sha3384": 96, "sha3512": 128,
    "blake2b256": 64, "blake2b384": 96, "blake2b512": 128, "blake2s256": 64, "blake3": 64,
}  # fmt: skip
SHA256 = "sha256"


def digest(algorithm: str, value: str) -> str:
    """`ALGORITHM:VALUE`, the same for each way to write it."""
    return f"{algorithm.lower().replace('-', '')}:{value.lower()}"


def is_same(one: Collection[str], other: Collection[str]) -> bool | None:
    """Whether they are digests of the same thing; None where no strong algorithm is on both sides."""
    here, there = _strong(one), _strong(other)
    shared = here.keys() & there.keys()
    if not shared:
        return None
    return all(not here[name].isdisjoint(there[name]) for name in shared)


def algorithms(digests: Collection[str]) -> str:
    """Their algorithms, for people."""
    return ", ".join(sorted({each.partition(":")[0] or "(no name)" for each in digests}))


def _strong(digests: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in digests:
        name, _, value = each.partition(":")
        if len(value) == _STRONG.get(name) and re.fullmatch(r"[0-9a-f]+", value):
            found.setdefault(name, set()).add(value)
    return found
