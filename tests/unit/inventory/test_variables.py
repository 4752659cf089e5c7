"""Precedence of variables; every case was also run through Ansible once (inventory.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.inventory import Inventory

Load = Callable[..., Inventory]
Write = Callable[[dict[str, str]], None]

LEVELS = {
    "all vars": "hosts.yml",
    "group vars": "hosts.yml",
    "group_vars/all": "group_vars/all.yml",
    "group_vars/web": "group_vars/web.yml",
    "host vars": "hosts.yml",
    "host_vars": "host_vars/a.yml",
}


@pytest.mark.parametrize("top", range(1, 7))
def test_higher_level_wins(load: Load, write: Write, top: int) -> None:
    on = list(LEVELS)[:top]
    lines = ["all:"]
    lines += ["  vars: {v: all vars}"] if "all vars" in on else []
    lines += ["  children:", "    web:", "      hosts:"]
    lines += ["        a: {v: host vars}" if "host vars" in on else "        a:"]
    lines += ["      vars: {v: group vars}"] if "group vars" in on else []
    write({LEVELS[level]: f"v: {level}\n" for level in on if LEVELS[level] != "hosts.yml"})

    inventory = load("\n".join(lines) + "\n")

    assert inventory.variables("a") == {"v": on[-1]}
    origin = inventory.origin("a", "v")
    assert origin is not None
    assert origin.file == LEVELS[on[-1]]
    assert inventory.origin("a", "nothing") is None


def test_deeper_group_wins_and_depth_is_the_longest_path(load: Load) -> None:
    inventory = load(
        "top: {children: {mid: {children: {low: }}, low: }, vars: {v: top, w: top}}\n"
        "mid: {vars: {v: mid}}\nlow: {hosts: {a: }, vars: {v: low}}\n"
        "zz: {hosts: {a: }, vars: {v: shallow, w: zz}}\n"
    )

    assert inventory.variables("a") == {"v": "low", "w": "zz"}
    assert inventory.select("a")[0].groups == ("low", "mid", "top", "zz")


def test_name_decides_between_siblings_and_priority_before_it(load: Load) -> None:
    text = "a: {hosts: {h: }, vars: {v: a%s}}\nb: {hosts: {h: }, vars: {v: b}}\n"

    assert load(text % "").variables("h") == {"v": "b"}
    assert load(text % ", ansible_group_priority: 10").variables("h") == {"v": "a"}


def test_priority_in_a_group_vars_file_has_no_effect(load: Load, write: Write) -> None:
    write({"group_vars/a.yml": "ansible_group_priority: 10\nv: a\n", "group_vars/b.yml": "v: b\n"})

    inventory = load("a: {hosts: {h: }}\nb: {hosts: {h: }}\n")

    assert inventory.variables("h") == {"v": "b", "ansible_group_priority": 10}


def test_mappings_are_replaced_not_merged(load: Load) -> None:
    inventory = load("all: {vars: {m: {a: 1, b: 2}}, hosts: {h: {m: {a: 9}}}}\n")

    assert inventory.variables("h") == {"m": {"a": 9}}


def test_later_source_wins_within_a_step_only(load: Load, write: Write) -> None:
    write({
        "one/hosts.yml": "web: {hosts: {h: }}\n",
        "one/group_vars/web.yml": "v: one web\nw: one web\n",
        "two/hosts.yml": "all: {hosts: {h: }}\n",
        "two/group_vars/all.yml": "v: two all\n",
        "two/group_vars/web.yml": "w: two web\n",
    })  # fmt: skip

    inventory = load("", "one/hosts.yml", "two/hosts.yml")

    assert inventory.variables("h") == {"v": "one web", "w": "two web"}


def test_variables_directories_belong_to_their_source_only(load: Load, write: Write) -> None:
    write({
        "d/hosts.yml": "all: {hosts: {h: }}\n",
        "d/sub/more.yml": "all: {hosts: {i: }}\n",
        "d/group_vars/all": "v: d\n",
        "d/sub/group_vars/all.yml": "v: sub\n",
        "group_vars/all.yml": "v: working directory\n",
    })  # fmt: skip

    inventory = load("", "d")

    assert inventory.variables("h") == {"v": "d"}
    assert inventory.variables("i") == {"v": "d"}


def test_directory_of_variables_is_read_by_name_and_hides_the_file(
    load: Load, write: Write
) -> None:
    write({
        "group_vars/all/a.yml": "v: a\na: 1\n",
        "group_vars/all/b": "v: b\n",
        "group_vars/all/sub/c.json": '{"v": "c"}',
        "group_vars/all/ignored.txt": "v: txt\n",
        "group_vars/all/.hidden.yml": "v: hidden\n",
        "group_vars/all/x.d/y.yml": "v: dotted\n",
        "group_vars/all.yml": "w: hidden by the directory\n",
    })  # fmt: skip

    inventory = load("all: {hosts: {h: }}\n")

    assert inventory.variables("h") == {"v": "c", "a": 1}
    assert [(w.code, w.where.file) for w in inventory.findings()] == [
        ("I121", "group_vars/all.yml")
    ]


@pytest.mark.parametrize("winner", ["h", "h.yml", "h.yaml", "h.json"])
def test_first_extension_wins_and_the_others_are_named(
    load: Load, write: Write, winner: str
) -> None:
    order = ["h", "h.yml", "h.yaml", "h.json"]
    present = order[order.index(winner) :]
    write({f"host_vars/{name}": f'{{"v": "{name}"}}' for name in present})

    inventory = load("all: {hosts: {h: }}\n")

    assert inventory.variables("h") == {"v": winner}
    assert len(inventory.findings()) == len(present) - 1


def test_variables_for_a_group_that_is_not_there_are_named(load: Load, write: Write) -> None:
    write(
        {
            "group_vars/gatewais.yml": "v: 1\n",
            "host_vars/x.yml": "v: 1\n",
            "host_vars/README.md": "x",
        }
    )

    inventory = load("gateways: {hosts: {h: }}\n")

    assert [(w.code, w.where.file) for w in inventory.findings()] == [
        ("I120", "group_vars/gatewais.yml"),
        ("I120", "host_vars/x.yml"),
    ]
    assert "did you mean `gateways`" in inventory.findings()[0].message


def test_empty_file_of_variables_is_fine(load: Load, write: Write) -> None:
    write({"group_vars/all.yml": "", "host_vars/h.yml": "---\n# nothing\n"})

    assert load("all: {hosts: {h: }}\n").variables("h") == {}


@pytest.mark.parametrize(
    ("text", "finding"),
    [("- a\n", "1:1 I104"), ("a: 1\na: 2\n", "2:1 Y111"), ("a: {{ b }}\n", "1:4 Y117"),
     ("$ANSIBLE_VAULT;1.1;AES256\n31\n", "0:0 I126")],
)  # fmt: skip
def test_broken_file_of_variables_is_refused(
    refused: Callable[..., list[str]], write: Write, text: str, finding: str
) -> None:
    write({"group_vars/all.yml": text})

    assert refused("all: {hosts: {h: }}\n") == [finding]
