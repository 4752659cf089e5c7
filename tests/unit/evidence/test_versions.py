"""Orders of versions against those who define them: dpkg, packaging, and semver's own examples."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest
from packaging.version import InvalidVersion, Version

from orchestrator.evidence.versions import debian, order_of, pep440, semver

DEBIAN = [
    "0", "0~", "0.0~rc1-1", "0.1", "1", "1.0", "1.0~", "1.0~~", "1.0~~a", "1.0~a", "1.0~rc1-1", "1.0-0",
    "1.0-0~", "1.0-1", "1.0-1+b1", "1.0-1~bpo12", "1.0.0", "1.0a", "1.0+", "1.0+dfsg-1", "1.0-1.1", "1.00",
    "1.10", "1.9", "1:0.9", "2:1.0~beta", "3.0.11-1~deb12u2", "3.0.11-1~deb12u10", "3.0.11-1", "1.a", "1.a1",
    "1.0-a", "1.0-z", "7.88.1-10+deb12u5", "1.0z.2", "1.0-2-3", "2024a-0+deb12u1",
]  # fmt: skip
PEP440 = [
    "0", "0.0", "1", "1.0", "1.0.0", "1.0.dev1", "1.0a1", "1.0a1.dev2", "1.0alpha1", "1.0b2", "1.0c1",
    "1.0rc1", "1.0-pre2", "1.0rc1.post1", "1.0rc1.post1.dev3", "1.0.post1", "1.0-1", "1.0.post1.dev4",
    "1.0.post", "1.0+local", "1.0+local.1", "1.0+local.10", "1.0+1", "1.1", "1!0.5", "2024.1", "v2.0",
    "1.0-r4", "1.0_rev5", "1.0.dev", "1.10", "1.9", "1.0+ubuntu-1",
]  # fmt: skip
SEMVER = [
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
    "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2", "v2", "10.0.0",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
def test_debian_versions_compare_as_dpkg_says() -> None:
    pairs = [pair for number in range(1, 5) for pair in zip(DEBIAN, DEBIAN[number:], strict=False)]
    script = "\n".join(
        f"dpkg --compare-versions '{a}' lt '{b}' && echo lt || "
        f"{{ dpkg --compare-versions '{a}' eq '{b}' && echo eq || echo gt; }}"
        for a, b in pairs
    )
    told = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout

    ours = [_word(debian(a), debian(b)) for a, b in pairs]

    assert ours == told.split()


def test_python_versions_compare_as_packaging_says() -> None:
    for a, b in itertools.combinations(PEP440, 2):
        assert _word(pep440(a), pep440(b)) == _word(Version(a), Version(b)), (a, b)


@pytest.mark.parametrize("text", ["", "1.0-x", "latest", "1..2", "1.0+", "1.0a1b2", "x" * 999])
def test_what_packaging_refuses_is_no_version_here(text) -> None:
    assert pep440(text) is None
    with pytest.raises(InvalidVersion):
        Version(text)


def test_semantic_versions_compare_as_their_text_says() -> None:
    keys = [semver(text) for text in SEMVER]

    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert semver("1.0.0+build") == semver("1.0.0")
    assert semver("1.0.0.0") is None


def test_orders_that_are_not_known_are_said_to_be_so() -> None:
    assert order_of("Maven", is_semver=False) is None
    assert order_of("Alpine", is_semver=False) is None
    assert order_of("Maven", is_semver=True) is semver
    assert order_of("Debian", is_semver=False) is debian


def _word(a, b) -> str:
    assert a is not None
    assert b is not None
    return "eq" if a == b else "lt" if a < b else "gt"
