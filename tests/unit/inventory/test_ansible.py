"""Every case means to us what it means to Ansible, whose answers are recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import load_inventory
from orchestrator.inventory.ansible_cfg import find_defaults
from orchestrator.source import to_plain
from tests.ansible_cases import Case, all_cases
from tests.ansible_oracle import recorded, write_files

CASES = all_cases()
RECORDED = recorded()


def our_answer(case: Case, directory: Path) -> dict[str, Any]:
    """In the recording's shape; a refusal has the code of the first error."""
    write_files(case, directory)
    try:
        if case.is_config:
            return {"config": our_configuration(directory)}
        inventory = load_inventory(case.ours or case.sources, cwd=directory)
        if case.variable:
            return {"value": inventory.select(case.pattern)[0].variables[case.variable]}
        if case.pattern:
            return {"hosts": list(inventory.match(case.pattern, limit=case.limit or None))}
        return {"listing": json.loads(json.dumps(inventory.to_ansible_list()))}
    except PlanError as error:
        return {"refused": True, "code": error.code}


def our_configuration(directory: Path) -> dict[str, Any]:
    """What Ansible calls the options that are variables to us."""
    found = find_defaults({}, cwd=directory, home=directory, system=directory / "none")
    values = {
        name.removeprefix("ansible_"): to_plain(entry.value)
        for name, entry in found.variables.items()
    }
    for ours, theirs in (("ssh_host_key_checking", "host_key_checking"), ("user", "remote_user")):
        if ours in values:
            values[theirs] = values.pop(ours)
    if "host_key_checking" in values:
        values["host_key_checking"] = values["host_key_checking"] == "yes"
    values |= {"port": int(values["port"])} if "port" in values else {}
    values |= {"inventory": list(found.inventory)} if found.inventory else {}
    return dict(json.loads(json.dumps(values).replace(f"{directory}/", "")))


def test_every_case_was_asked() -> None:
    assert [case.name for case in CASES if case.digest not in RECORDED] == []
    assert len(RECORDED) >= 300


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_means_what_it_means_to_ansible(case: Case, tmp_path: Path) -> None:
    ours, theirs = our_answer(case, tmp_path), RECORDED[case.digest]

    if case.refused:
        assert "refused" not in theirs, "a deliberate refusal differs from Ansible"
        assert ours == {"refused": True, "code": case.refused}
    else:
        assert {key: ours[key] for key in ours if key != "code"} == theirs
