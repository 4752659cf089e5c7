"""Groups that labels make: what they hold, and where they are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory

Load = Callable[..., Inventory]
Write = Callable[[dict[str, str]], None]
Refused = Callable[..., list[str]]

FLEET = """\
web: {hosts: {w1: {site: bern}, w2: {labels: {site: basel}}, w3: {}}, vars: {tier: front}}
db: {hosts: {d1: {site: bern}}}
"""
BY_SITE = "groups_by:\n- {label: site}\n"


def test_hosts_that_share_a_label_are_a_group(load: Load) -> None:
    inventory = load(FLEET + "groups_by: [{label: site, prefix: at-}, {label: tier}]\n")

    assert inventory.match("at-bern") == ("w1", "d1")
    assert inventory.match("at-basel") == ("w2",)
    assert inventory.match("tier_front:!at-bern") == ("w2", "w3")
    assert inventory.groups_of("w1") == ("at-bern", "tier_front", "web")


def test_rules_of_one_file_hold_for_the_hosts_of_all_sources(load: Load, write: Write) -> None:
    write({"hosts.ini": "[web]\nw1 site=bern\n", "by.yml": BY_SITE})

    assert load("", "by.yml", "hosts.ini").match("site_bern") == ("w1",)


def test_groups_have_variables_and_places_like_others(load: Load, write: Write) -> None:
    write({"group_vars/site_bern.yml": "ntp: time.bern\n", "group_vars/site_bren.yml": "a: 1\n"})
    inventory = load(FLEET + "south: {children: {site_bern: }}\n" + BY_SITE)

    assert inventory.variables("d1")["ntp"] == "time.bern"
    assert inventory.match("south") == ("w1", "d1")
    assert [str(found.where) for found in inventory.findings()] == ["group_vars/site_bren.yml"]
    assert inventory.history("d1")["ntp"][0].step == "group_vars/site_bern"


def test_labels_of_groups_and_files_and_templates_count(load: Load, write: Write) -> None:
    write({"group_vars/db.yml": "site: '{{ city }}'\ncity: genf\n"})

    assert load("db: {hosts: {d1: }}\n" + BY_SITE).match("site_genf") == ("d1",)


def test_host_of_such_a_group_alone_is_not_ungrouped(load: Load) -> None:
    inventory = load("all: {hosts: {a: {site: bern}, b: }}\n" + BY_SITE)

    assert inventory.groups_of("a") == ("site_bern",)
    assert inventory.match("ungrouped") == ("b",)


def test_encrypted_value_makes_no_group(load: Load) -> None:
    text = "all: {hosts: {a: {site: !vault x}, b: {site: bern}}}\n"

    assert load(text + BY_SITE).match("all:!site_bern") == ("a",)


def test_label_that_nobody_has_is_told_with_what_was_meant(load: Load) -> None:
    warnings = load(FLEET + "groups_by: [{label: sites}]\n").findings()

    assert [(found.code, str(found.where)) for found in warnings] == [("I128", "hosts.yml:3:13")]
    assert "did you mean `site`?" in warnings[0].message


def test_group_that_changes_the_label_it_is_made_of_is_refused(load: Load, write: Write) -> None:
    write({"group_vars/site_bern.yml": "site: basel\n"})

    with pytest.raises(PlanError) as caught:
        load("db: {hosts: {d1: }, vars: {}}\nall: {vars: {site: bern}}\n" + BY_SITE)

    assert caught.value.code == "I127"
    assert str(caught.value.where) == "hosts.yml:4:3"
    assert "`d1` is in `site_bern`" in caught.value.message


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("site", "1:12 I104"),
        ("{label: site}", "1:12 I104"),
        ("[site]", "1:13 I104"),
        ("[{prefix: x_}]", "1:13 I104"),
        ("[{label: 7}]", "1:21 I104"),
        ("[{label: site, prefix: [x]}]", "1:35 I104"),
        ("[{labl: site}]", "1:14 I105"),
        ("[{label: site, prefix: ''}]", "1:13 I110"),
        ("[{label: city}]", "1:13 I110"),
    ],
)
def test_rules_that_cannot_be_used_are_errors_with_their_place(
    refused: Refused, rules: str, found: str
) -> None:
    hosts = "all: {hosts: {a: {site: all, city: Bad Ragaz}}}\n"

    assert refused(f"groups_by: {rules}\n{hosts}") == [found]
