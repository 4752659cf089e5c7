"""Package URLs, and under which name OSV knows the package."""

from __future__ import annotations

import pytest

from orchestrator.evidence.osv import names_of
from orchestrator.evidence.purl import parse_purl


@pytest.mark.parametrize(
    ("text", "names", "version"),
    [
        ("pkg:deb/debian/curl@7.88.1-10?arch=arm64", ("Debian", "curl"), "7.88.1-10"),
        ("pkg:deb/debian/libssl3@3.0.11?upstream=openssl", ("Debian", "openssl"), "3.0.11"),
        ("pkg:deb/ubuntu/libc6@2.35?upstream=glibc%402.35-0", ("Ubuntu", "glibc"), "2.35-0"),
        ("pkg:deb/debian/vim@9.0?epoch=2", ("Debian", "vim"), "2:9.0"),
        ("pkg:deb/raspbian/curl@1", ("", "curl"), "1"),
        ("pkg:pypi/Zope.Interface@5", ("PyPI", "zope-interface"), "5"),
        ("pkg:npm/%40angular/core@1.2.3", ("npm", "@angular/core"), "1.2.3"),
        ("pkg:golang/github.com/acme/app@v1.2.3#cmd/x", ("Go", "github.com/acme/app"), "v1.2.3"),
        ("pkg:cargo/serde@1.0.0", ("crates.io", "serde"), "1.0.0"),
        ("pkg:maven/org.acme/app@1", ("Maven", "org.acme:app"), "1"),
        ("pkg:apk/alpine/musl@1.2-r1?distro=3.18", ("Alpine", "musl"), "1.2-r1"),
        ("pkg:generic/acme/blob@7", ("", "acme/blob"), "7"),
        ("pkg:deb/debian/%4Fpenssl@3", ("Debian", "openssl"), "3"),
        (
            "pkg:golang/github.com/Masterminds/semver@v3",
            ("Go", "github.com/masterminds/semver"),
            "v3",
        ),
    ],
)
def test_package_has_its_name_in_osv(text, names, version) -> None:
    found = parse_purl(text)

    assert found is not None
    assert names_of(found) == names
    assert found.source[1] == version


@pytest.mark.parametrize(
    "text", ["", "curl", "pkg:", "pkg:deb", "pkg:deb/", "http://x/y", "pkg:/@1"]
)
def test_what_is_no_package_url_is_none(text) -> None:
    assert parse_purl(text) is None


def test_a_package_names_itself_in_its_version_or_in_any() -> None:
    one, other = parse_purl("pkg:npm/left@1?x=1"), parse_purl("pkg:npm/left@2")
    every = parse_purl("pkg:npm/left")

    assert (one.names(one), one.names(other), every.names(one)) == (True, False, True)
    assert not one.names(every)


def test_release_is_what_the_distribution_says() -> None:
    assert parse_purl("pkg:deb/debian/curl@1?distro=debian-12").release == "12"
    assert parse_purl("pkg:deb/debian/curl@1?distro=bookworm").release == "bookworm"
    assert parse_purl("pkg:deb/debian/curl@1").release == ""
