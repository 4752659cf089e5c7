"""A policy is whole or refused: no typing error makes it weaker."""

from __future__ import annotations

import pytest

from orchestrator.evidence.policy import Require, read_policy

WHOLE = """\
require = ["sbom", "vulnerabilities", "provenance"]
release_keys = ["ann.pub"]

[vulnerabilities]
snapshots = ["osv.zip"]
max_age = "36h"
own = ["pkg:generic/acme/"]

[provenance]
sources = ["git+https://git.example.org/acme/app"]

[provenance.builders]
"https://builder.example.org/v1" = ["builder.pub"]
"""


def test_policy_says_what_is_required_and_by_what_it_is_judged() -> None:
    policy, problems = read_policy(WHOLE.encode(), "p.toml")

    assert problems == []
    assert policy.require == set(Require)
    assert (policy.snapshots, policy.max_age_s, policy.own) == (
        ("osv.zip",), 36 * 3600.0, ("pkg:generic/acme/",),
    )  # fmt: skip
    assert policy.builders == {"https://builder.example.org/v1": ("builder.pub",)}


def test_the_shortest_policy_wants_an_sbom() -> None:
    policy, _ = read_policy(b'require = ["sbom"]', "p.toml")

    assert (policy.require, policy.max_age_s) == ({Require.SBOM}, 7 * 86_400.0)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"vulnerabilities", ', '"vulnerability", ', 1),
        ('require = ["sbom", ', "require = [", 1),
        ("require", "requires", 1),
        ('["ann.pub"]', "[]", 2),
        ("snapshots", "snapshot", 5),
        ('["osv.zip"]', "[]", 5),
        ('"36h"', "36", 6),
        ('"36h"', '"soon"', 6),
        ("own = [", "own = [3, ", 7),
        ("[provenance]", "[provenances]", 9),
        ("sources", "source", 10),
        ('["builder.pub"]', '"builder.pub"', 12),
        ('["builder.pub"]', "[]", 12),
        ('["sbom", "vulnerabilities", "provenance"]', '["sbom", "vulnerabilities"]', 9),
        ("[vulnerabilities]", "[vulnerabilities", 4),
    ],
)
def test_a_typing_error_is_refused_with_its_line(old, new, line) -> None:
    assert old in WHOLE

    policy, problems = read_policy(WHOLE.replace(old, new, 1).encode(), "p.toml")

    assert policy is None
    assert {str(each.rule) for each in problems} == {"E150"}
    assert any(each.where.line == line for each in problems), problems


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = WHOLE.replace("snapshots", "snapshot").replace("sources", "source")

    _, problems = read_policy(text.encode(), "p.toml")

    assert len(problems) == 3  # two unknown keys, and what is required without snapshots
