from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode, PlanError
from orchestrator.inventory import Inventory, load_inventory

Load = Callable[..., Inventory]
Write = Callable[[dict[str, str]], None]


def test_one_finding_is_the_message_of_the_error(load: Load) -> None:
    with pytest.raises(PlanError) as caught:
        load("all: {host: {a: }}\n")

    assert str(caught.value.where) == "hosts.yml:1:7"
    assert caught.value.code == "I105"
    assert caught.value.exit_code is ExitCode.REFUSED


def test_several_findings_are_counted_and_all_there(load: Load) -> None:
    with pytest.raises(PlanError, match="2 findings") as caught:
        load("all: {host: {a: }, hots: }\n")

    assert len(caught.value.diagnostics) == 2
    assert caught.value.where is None


def test_warnings_do_not_refuse(load: Load) -> None:
    inventory = load("all: {hosts: {a: {mac: 52:54:00:12:34:56}}}\n")

    assert [warning.code for warning in inventory.findings()] == ["Y119"]
    assert inventory.variables("a") == {"mac": 41135085296}


def test_one_broken_source_fails_the_whole(load: Load, write: Write) -> None:
    write({"good.yml": "all: {hosts: {a: }}\n", "bad.yml": "all: [\n"})

    with pytest.raises(PlanError) as caught:
        load("", "good.yml", "bad.yml")
    assert caught.value.diagnostics[0].where.file == "bad.yml"


def test_relative_working_directory_is_fine(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"d/hosts.yml": "all: {hosts: {a: {ansible_ssh_private_key_file: key}}}\n"})
    monkeypatch.chdir(tmp_path)

    inventory = load_inventory(["hosts.yml"], cwd=Path("d"))

    assert inventory.select("a")[0].address.key_file == str(tmp_path / "d/key")


def test_source_above_and_absolute_sources_are_fine(write: Write, tmp_path: Path) -> None:
    write(
        {
            "hosts.yml": "all: {hosts: {a: }}\n",
            "group_vars/all.yml": "v: 1\n",
            "sub/x.yml": "all:\n",
        }
    )

    for source in ("../hosts.yml", str(tmp_path / "hosts.yml")):
        assert load_inventory([source], cwd=tmp_path / "sub").variables("a") == {"v": 1}


def test_garbage_collector_is_on_after_a_failure(load: Load) -> None:
    with pytest.raises(PlanError):
        load("all: [\n")

    assert gc.isenabled()


def test_problems_of_all_sources_are_told_at_once(load: Load, write: Write) -> None:
    write({
        "a.yml": "all: {hsts: {a: }}\n",
        "b.yml": "web: {hosts: {b: {ansible_port: 0}}}\n",
        "group_vars/web.yml": "- no mapping\n",
        "group_vars/wbe.yml": "x: 1\n",
    })  # fmt: skip

    with pytest.raises(PlanError, match="3 findings") as caught:
        load("", "missing.yml", "a.yml", "b.yml")

    found = [(str(each.severity), each.code) for each in caught.value.diagnostics]
    errors = [code for severity, code in found if severity == "error"]
    warnings = [code for severity, code in found if severity == "warning"]
    assert sorted(errors) == ["I101", "I104", "I105"]
    assert sorted(set(warnings)) == ["I112", "I120"]
