from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory, load_inventory

Load = Callable[..., Inventory]
Refused = Callable[..., list[str]]
Write = Callable[[dict[str, str]], None]
ONE = "all: {hosts: {h: }}\n"


def test_directory_is_read_by_name_without_what_ansible_ignores(load: Load, write: Write) -> None:
    write({
        "d/b.yml": "all: {hosts: {b: {v: b}, a: {v: b}}}\n",
        "d/a.yaml": "all: {hosts: {a: {v: a}}}\n",
        "d/sub/c.json": '{"all": {"hosts": {"c": null}}}',
        "d/noextension": "all:\n  hosts:\n    n:\n",
        **{f"d/x{suffix}": "not read" for suffix in ("~", ".orig", ".cfg", ".bak", ".md", ".txt")},
        "d/.hidden.yml": "not read",
    })  # fmt: skip

    inventory = load("", "d")

    assert inventory.host_names == ("a", "b", "n", "c")
    assert inventory.variables("a") == {"v": "b"}


def test_list_of_names(load: Load) -> None:
    inventory = load("", "gw1,gw2:2222, gw[3:4],")

    assert inventory.match("all") == ("gw1", "gw2", "gw3", "gw4")
    assert inventory.match("ungrouped") == inventory.match("all")
    assert inventory.select("gw2")[0].address.port == 2222


def test_list_of_names_does_not_move_known_hosts(load: Load, write: Write) -> None:
    write({"hosts.yml": "web: {hosts: {a: }}\n"})

    inventory = load("", "hosts.yml", "a,b,")

    assert inventory.match("ungrouped") == ("b",)


@pytest.mark.parametrize("text", ["-x,", "a b,c", "a[3:1],b", "%h,"])
def test_bad_names_in_a_list_are_refused(refused: Refused, text: str) -> None:
    assert refused("", text)[0].split()[1] in ("I106", "I108")


@pytest.mark.parametrize("sources", [[], [""], ["hosts.yml", " "], ["missing.yml"], ["gone/"]])
def test_source_that_is_not_there_is_refused(
    tmp_path: Path, write: Write, sources: list[str]
) -> None:
    write({"hosts.yml": ONE})

    with pytest.raises(PlanError) as caught:
        load_inventory(sources, cwd=tmp_path)

    assert caught.value.code == "I101"


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("hosts.toml", "[all]\n", "TOML"),
        ("hosts", "#!/bin/sh\necho {}\n", "script"),
        ("hosts.yml", "#!/usr/bin/python3\n", "script"),
        ("hosts.yml", "plugin: amazon.aws.aws_ec2\n", "plugin"),
    ],
)
def test_other_kinds_of_inventory_are_named_with_a_way_out(
    tmp_path: Path, write: Write, name: str, text: str, part: str
) -> None:
    write({name: text})

    with pytest.raises(PlanError, match=part) as caught:
        load_inventory([name], cwd=tmp_path)

    assert caught.value.code == "I103"
    assert caught.value.hint


def test_executable_without_extension_is_never_run(refused: Refused, tmp_path: Path) -> None:
    script = tmp_path / "hosts"
    script.write_text("all:\n")
    script.chmod(0o755)

    assert refused("", "hosts") == ["0:0 I103"]


def test_link_out_of_the_inventory_is_refused(
    refused: Refused, write: Write, tmp_path: Path
) -> None:
    write({"secret": "v: 1\n", "d/hosts.yml": ONE})
    (tmp_path / "d/group_vars").mkdir()
    (tmp_path / "d/group_vars/all.yml").symlink_to(tmp_path / "secret")

    assert refused("", "d") == ["0:0 I111"]


def test_link_inside_the_inventory_or_its_work_tree_is_followed(
    load: Load, write: Write, tmp_path: Path
) -> None:
    write({"shared/all.yml": "v: 1\n", "d/hosts.yml": ONE, "d/web.bak": "w: 2\n"})
    (tmp_path / "d/group_vars").mkdir()
    (tmp_path / "d/group_vars/all.yml").symlink_to(tmp_path / "shared/all.yml")
    (tmp_path / "d/host_vars").mkdir()
    (tmp_path / "d/host_vars/h.yml").symlink_to("../web.bak")
    (tmp_path / ".git").mkdir()

    assert load("", "d").variables("h") == {"v": 1, "w": 2}


def test_links_that_go_in_circles_end(refused: Refused, write: Write, tmp_path: Path) -> None:
    write({"d/hosts.yml": ONE})
    (tmp_path / "d/loop").symlink_to(tmp_path / "d")
    (tmp_path / "d/self.yml").symlink_to(tmp_path / "d/self.yml")

    assert refused("", "d") == ["0:0 I111", "0:0 I102"]


def test_linked_directory_of_variables_is_read(load: Load, write: Write, tmp_path: Path) -> None:
    write({"d/hosts.yml": ONE, "d/x.bak/a.yml": "v: 1\n"})
    (tmp_path / "d/group_vars").mkdir()
    (tmp_path / "d/group_vars/all").symlink_to("../x.bak")

    assert load("", "d").variables("h") == {"v": 1}


def test_linked_directory_deeper_down_is_named_not_skipped(
    refused: Refused, write: Write, tmp_path: Path
) -> None:
    write({"d/hosts.yml": ONE, "d/x.bak/a.yml": "v: 1\n", "d/group_vars/all/a.yml": "v: 2\n"})
    (tmp_path / "d/group_vars/all/more").symlink_to("../../x.bak")

    assert refused("", "d") == ["0:0 I111"]


def test_extensionless_yaml_may_begin_with_a_marker(load: Load, write: Write) -> None:
    write({"hosts": "--- # fleet\nall: {hosts: {h: }}\n", "other": "# x\nall:  # y\n  hosts: h\n"})

    assert load("", "hosts").host_names == load("", "other").host_names == ("h",)


def test_directory_that_cannot_be_listed_is_refused(
    load: Load, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    write({"d/hosts.yml": ONE})
    monkeypatch.setattr(Path, "iterdir", fail)

    with pytest.raises(PlanError, match="cannot be read: permission denied"):
        load("", "d")


def test_names_of_files_cannot_steer_a_terminal(load: Load, write: Write) -> None:
    write({"hosts.yml": ONE, "group_vars/\x1b[2J.yml": "v: 1\n"})

    assert load("", "hosts.yml").findings()[0].where.file == "group_vars/\\x1b[2J.yml"


def test_pipe_is_refused_without_waiting(refused: Refused, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hosts.yml")

    assert refused("", "hosts.yml") == ["0:0 I102"]


def test_directory_named_like_a_file_of_variables(load: Load, write: Write) -> None:
    write({"group_vars/all.yml/a.yml": "v: 1\n"})

    assert load(ONE).variables("h") == {"v": 1}


def test_digest_covers_every_byte_and_no_path_of_the_machine(tmp_path: Path) -> None:
    digests = set()
    for checkout, value in (("one", "1"), ("two", "1"), ("three", "2")):
        base = tmp_path / checkout
        (base / "group_vars").mkdir(parents=True)
        (base / "hosts.yml").write_text(ONE)
        (base / "group_vars/all.yml").write_text(f"v: {value}\n")
        digests.add(load_inventory(["hosts.yml"], cwd=base).digest)

    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)


def test_digest_knows_where_one_file_ends(load: Load, write: Write) -> None:
    write({"a/1.yml": "all:\n", "a/2.yml": "web:\n", "b/1.yml": "all:\nweb:\n", "b/2.yml": ""})

    assert load("", "a").digest != load("", "b").digest
    assert load("", "x,y,").digest != load("", "x,z,").digest


def test_too_large_file_is_refused(refused: Refused, tmp_path: Path) -> None:
    with (tmp_path / "hosts.yml").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)

    assert refused("", "hosts.yml") == ["0:0 Y102"]
