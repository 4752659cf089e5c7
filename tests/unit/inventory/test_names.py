from __future__ import annotations

import pytest

from orchestrator.inventory.names import group_name_problem, host_name_problem, shown


@pytest.mark.parametrize(
    "name", ["gw-1", "gw_1.lan", "10.0.0.1", "fe80::1", "a@b", "0", "x" * 253, "_a"]
)
def test_ordinary_host_names_pass(name: str) -> None:
    assert host_name_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        "", "-oProxyCommand=id", "%h", "a%hb", "a b", "a\nb", "a\x1b[2J", "a\u202eb", "g\u0430teway",
        "a/b", "..", "a..b", ".hidden", "a:b", "a,b", "a*", "a[1]", "!a", "&a", "~a", "@file",
        "$(id)", "a;b", "a`b", 'a"b', "a\\b", "x" * 254, "fe80::1%eth0",
    ],
)  # fmt: skip
def test_dangerous_host_names_are_refused(name: str) -> None:
    assert host_name_problem(name)


@pytest.mark.parametrize("name", ["web", "us-1", "a.b", "9", "_x"])
def test_ordinary_group_names_pass(name: str) -> None:
    assert group_name_problem(name) == ""


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "a b", "a:b", "a,b", "!a", "a/b", "\u0430", "a" * 129]
)
def test_bad_group_names_are_refused(name: str) -> None:
    assert group_name_problem(name)


def test_names_are_shown_without_their_power() -> None:
    assert shown("a\x1b\u202e") == "a\\x1b\\u202e"
    assert len(shown("x" * 500)) == 60
