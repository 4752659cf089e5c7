"""One inventory file: what is read, and what Ansible passes over and we refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory

Load = Callable[..., Inventory]
Refused = Callable[..., list[str]]


def listing(inventory: Inventory) -> dict[str, object]:
    return inventory.to_ansible_list()


def test_groups_hosts_children_and_variables(load: Load) -> None:
    inventory = load(
        "all:\n  vars: {a: 1}\n  hosts: {lone: }\n  children:\n"
        "    web:\n      hosts:\n        w[1:2]: {b: 2}\n      vars: {c: 3}\n"
        "    db:\n      children:\n        db_a: {hosts: {w1: }}\n"
        "    empty:\n"
    )

    assert listing(inventory) == {
        "_meta": {
            "hostvars": {
                "lone": {"a": 1},
                "w1": {"a": 1, "c": 3, "b": 2},
                "w2": {"a": 1, "c": 3, "b": 2},
            }
        },
        "all": {"children": ["ungrouped", "web", "db", "empty"]},
        "ungrouped": {"hosts": ["lone"]},
        "web": {"hosts": ["w1", "w2"]},
        "db": {"children": ["db_a"]},
        "db_a": {"hosts": ["w1"]},
    }


def test_top_level_groups_need_no_all(load: Load) -> None:
    inventory = load("web: {hosts: {w1: }}\ndb: {hosts: d1}\n")

    assert inventory.match("all") == ("w1", "d1")
    assert inventory.group_names == ("all", "ungrouped", "web", "db")
    assert inventory.host_names == ("w1", "d1")


def test_group_may_be_written_in_pieces(load: Load) -> None:
    inventory = load(
        "web: {hosts: {w1: }}\nall: {children: {web: {hosts: {w2: }, vars: {a: 1}}}}\n"
    )

    assert inventory.match("web") == ("w1", "w2")
    assert inventory.variables("w1") == {"a": 1}


def test_host_in_a_real_group_leaves_ungrouped(load: Load) -> None:
    inventory = load("ungrouped: {hosts: {a: , b: }}\nweb: {hosts: {a: }}\n")

    assert inventory.match("ungrouped") == ("b",)
    assert [device.groups for device in inventory.select("a,b")] == [("web",), ("ungrouped",)]


def test_port_behind_a_name_counts_unless_the_variable_is_written(load: Load) -> None:
    inventory = load(
        "all:\n  vars: {ansible_port: 7}\n"
        '  hosts:\n    "a:2222":\n    "b:2222": {ansible_port: 33}\n    "[::1]:44":\n    c:\n'
    )

    ports = {device.id: device.address.port for device in inventory.select("all")}
    assert ports == {"a": 2222, "b": 33, "::1": 44, "c": 7}


def test_json_is_read_too(load: Load, write: Callable[[dict[str, str]], None]) -> None:
    write({"hosts.json": '{"all": {"hosts": {"a": {"v": [1, true, null]}}}}'})

    assert load("", "hosts.json").variables("a") == {"v": [1, True, None]}


def test_merge_keys_share_variables(load: Load) -> None:
    inventory = load("all:\n  hosts:\n    a: &x {v: 1, w: 1}\n    b:\n      <<: *x\n      w: 2\n")

    assert inventory.variables("b") == {"v": 1, "w": 2}


@pytest.mark.parametrize("text", ["", "---\n", "# nothing yet\n", "all:\n"])
def test_empty_inventory_has_no_hosts(load: Load, text: str) -> None:
    assert load(text or "\n").match("all") == ()


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("all:\n  host:\n    a:\n", ["2:3 I105"]),
        ("all:\n  hosts: {a: }\n  child:\n    web:\n", ["3:3 I105"]),
        ("web:\n  w1:\n  w2:\n", ["2:3 I105", "3:3 I105"]),
        ("- a\n", ["1:1 I104"]),
        ("a\n", ["1:1 I104"]),
        ("all: [a]\n", ["1:6 I104"]),
        ("all: a\n", ["1:6 I104"]),
        ("all:\n  hosts:\n    - a\n", ["3:5 I104"]),
        ("all:\n  hosts: 3\n", ["2:10 I104"]),
        ("all:\n  children: [web]\n", ["2:13 I104"]),
        ("all:\n  vars: [a]\n", ["2:9 I104"]),
        ("all:\n  hosts:\n    a: text\n", ["3:8 I104"]),
        ("all:\n  hosts:\n    a: [1]\n", ["3:8 I104"]),
        ("all:\n  hosts:\n    -oProxyCommand=id:\n", ["3:5 I106"]),
        (
            "all:\n  hosts:\n    '%h':\n    \"a\\e\":\n    'a b':\n",
            ["3:5 I106", "4:5 Y104", "4:5 I106", "5:5 I106"],
        ),
        ("all:\n  hosts:\n    'a[3:1]':\n    'b[1-2]':\n", ["3:5 I108", "4:5 I108"]),
        ("all:\n  hosts:\n    a:70000:\n    b:0:\n", ["3:5 I108", "4:5 I108"]),
        ("all:\n  hosts:\n    'a[1:2]':\n    'b[1:999999]':\n", ["4:5 I108"]),
        ("all:\n  hosts:\n    1:\n", ["3:5 Y112"]),
        ("all:\n  hosts:\n    a:\n    a:\n", ["4:5 Y111"]),
        ("a b:\n  hosts: {x: }\n", ["1:1 I110"]),
        ("web: {children: {all: }}\n", ["1:18 I110"]),
        ("web: {children: {ungrouped: }}\n", ["1:18 I110"]),
        ("ungrouped: {children: {web: }}\n", ["1:24 I110"]),
        ("a: {children: {b: }}\nb: {children: {a: }}\n", ["1:16 I109"]),
        ("a: {children: {a: }}\n", ["1:16 I109"]),
        ("a: {children: {b: {children: {c: {children: {a: }}}}}}\n", ["1:16 I109"]),
        ("a: {vars: {ansible_group_priority: high}}\n", ["1:36 I125"]),
        ("plugin: constructed\nstrict: true\n", ["0:0 I103"]),
        ("_meta: {hostvars: {}}\n", ["1:9 I105"]),
        ("all:\n  hosts:\n\ta:\n", ["3:1 Y107"]),
        ("all: {}\n---\nall: {}\n", ["2:1 Y110"]),
        ("all: {vars: {a: {{ x }}}}\n", ["1:17 Y117"]),
        ("all: {vars: {a: !other x}}\n", ["1:17 Y116"]),
    ],
)
def test_typing_errors_are_refused_with_their_place(
    refused: Refused, text: str, findings: list[str]
) -> None:
    assert refused(text) == findings


def test_all_findings_of_all_files_come_at_once(
    refused: Refused, write: Callable[[dict[str, str]], None]
) -> None:
    write({"d/a.yml": "all: {host: {x: }}\n", "d/b.yml": "all: {hosts: {'-x': }}\nweb: 1\n"})

    assert refused("", "d") == ["1:7 I105", "1:15 I106", "2:6 I104"]


def test_unknown_key_has_a_suggestion(load: Load) -> None:
    with pytest.raises(PlanError, match="did you mean `hosts`"):
        load("all: {host: {x: }}\n")
