"""What the INI reader says about mistakes, and where; what files mean is in `test_ansible`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory, load_inventory

Write = Callable[[dict[str, str]], None]
LoadIni = Callable[[str], Inventory]


@pytest.fixture
def load_ini(tmp_path: Path, write: Write) -> LoadIni:
    def load_it(text: str) -> Inventory:
        write({"hosts.ini": text})
        return load_inventory(["hosts.ini"], cwd=tmp_path)

    return load_it


def findings(load_ini: LoadIni, text: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        load_ini(text)
    return [f"{d.where.line}:{d.where.column} {d.code}" for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[web server]\nw1\n", ["1:1 I107"]),
        ("[web:childrn]\nw1\n", ["1:1 I107"]),
        ("  [web:]\n", ["1:3 I107"]),
        ("[web]\nw1 a b=1 =2\n", ["2:4 I107", "2:10 I107"]),
        ("[web]\nw1\n[web:vars]\n  a\n", ["4:3 I107"]),
        ("[web]\nw1 a='x\nw2\n-w3\n", ["2:1 I107", "4:1 I106"]),
        ("[web]\nw[3:1] a=1\n", ["2:1 I108"]),
        ("[db:vars]\na=1\n", ["1:1 I107"]),
        ("[p:children]\nwbe\n[web]\nw1\n", ["2:1 I107"]),
        ("[p:children]\na b\n", ["2:1 I107"]),
        ("[p:children]\nall\n", ["2:1 I110"]),
        ("[ungrouped:children]\np\n[p]\n", ["2:1 I110"]),
        ("web:\n  hosts:\n    w1:\n", ["1:1 I107", "2:3 I107", "3:5 I107"]),
        ("---\nw1\n", ["1:1 I107"]),
        ("w1 a={1:2}\n", ["1:4 I125"]),
        ("w1 a=" + "[" * 70 + "]" * 70 + "\n", ["1:4 I125"]),
        ("[g]\nw1\n[g:vars]\nansible_group_priority=high\n", ["4:1 I125"]),
        ("w1\x00\n", ["1:3 Y104"]),
        ("[a\u2028b]\n", ["1:3 Y105"]),
    ],
)
def test_every_mistake_is_told_with_its_place(
    load_ini: LoadIni, text: str, found: list[str]
) -> None:
    assert findings(load_ini, text) == found


def test_misspelt_names_come_with_what_was_perhaps_meant(load_ini: LoadIni) -> None:
    with pytest.raises(PlanError, match="did you mean `web`"):
        load_ini("[all_of:children]\nwbe\n[web]\nw1\n")


def test_value_that_a_comment_cuts_off_is_warned_about(load_ini: LoadIni) -> None:
    inventory = load_ini("[g]\nw1 color=#fff b=1\nw2 color='#fff' # fine\n")

    assert [(w.where.line, w.where.column, w.code) for w in inventory.findings()] == [
        (2, 10, "I123")
    ]
    assert inventory.variables("w1") == {"color": ""}
    assert inventory.variables("w2") == {"color": "#fff"}


def test_values_know_where_they_were_written(load_ini: LoadIni) -> None:
    inventory = load_ini("[g]\nw1 site=berlin  rack='a b' n=1\n[g:vars]\n tier = edge\n")

    places = {name: inventory.origin("w1", name) for name in ("site", "rack", "n", "tier")}
    assert {name: (at.line, at.column) for name, at in places.items() if at} == {
        "site": (2, 4), "rack": (2, 17), "n": (2, 28), "tier": (4, 2),
    }  # fmt: skip


def test_labels_stay_as_they_were_written(load_ini: LoadIni) -> None:
    device = load_ini("w1 version=1.10 on=True off=true n=007\n").select("w1")[0]

    assert device.labels == {"version": "1.10", "on": "true", "off": "true", "n": "007"}


def test_value_that_python_would_take_for_ever_to_read_is_text(load_ini: LoadIni) -> None:
    deep = "(" * (sys.getrecursionlimit() * 4)

    assert load_ini(f"[g]\nw1\n[g:vars]\na={deep}\n").variables("w1") == {"a": deep}


def test_file_is_ini_by_its_extension_or_by_its_first_line(tmp_path: Path, write: Write) -> None:
    write({"hosts.prod": "w1\n", "hosts": "# c\n\nw2 a=1\n", "plain": "g:\n  hosts: {w3: }\n"})

    inventory = load_inventory(["hosts.prod", "hosts", "plain"], cwd=tmp_path)

    assert inventory.host_names == ("w1", "w2", "w3")
