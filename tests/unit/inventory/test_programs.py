"""Programs that list hosts: run only where they are allowed, and read as strictly as files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PlanError, Severity
from orchestrator.inventory import Inventory, load_inventory
from orchestrator.inventory.files import Access
from orchestrator.inventory.programs import Programs, allowed_programs

Put = Callable[[str], Path]
LISTING = {
    "web": {"hosts": ["w1", "w2"], "vars": {"port": 80, "tags": ["a", {"b": None}]}},
    "db": ["d1"],
    "prod": {"children": ["web", "db"], "vars": {"ansible_group_priority": 5}},
    "all": {"children": ["ungrouped", "prod"]},
    "_meta": {"hostvars": {"w1": {"site": "bern", "ansible_host": "10.0.0.1"}}},
}


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes an executable script."""

    def write(body: str) -> Path:
        path = tmp_path / "inventory" / "cloud"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return write


def load(path: Path, programs: Programs | None = None) -> Inventory:
    allowed = Programs((path.resolve(),)) if programs is None else programs
    return load_inventory([str(path)], cwd=path.parent, access=Access(programs=allowed))


def refusal(path: Path, programs: Programs | None = None) -> tuple[str, str]:
    with pytest.raises(PlanError) as caught:
        load(path, programs)
    return caught.value.code, caught.value.message


def printing(listing: object) -> str:
    return f"cat <<'END'\n{json.dumps(listing)}\nEND"


def test_script_lists_groups_hosts_and_variables(put: Put) -> None:
    inventory = load(put(printing(LISTING)))

    assert inventory.match("prod") == ("w1", "w2", "d1")
    assert inventory.variables("w1") == {
        "port": 80, "tags": ["a", {"b": None}], "site": "bern", "ansible_host": "10.0.0.1",
    }  # fmt: skip
    assert inventory.select("w1")[0].address.host == "10.0.0.1"
    where = inventory.origin("w1", "site")
    assert where is not None
    assert where.file == "cloud --list"


def test_variables_beside_a_script_win(put: Put) -> None:
    path = put(printing(LISTING))
    (path.parent / "host_vars").mkdir()
    (path.parent / "host_vars" / "w1.yml").write_text("site: ulm\n")

    assert load(path).variables("w1")["site"] == "ulm"


def test_script_without_meta_is_asked_for_each_host(put: Put) -> None:
    inventory = load(
        put(
            'case $1 in --list) echo \'{"web": ["w1", "w2"]}\';; *) echo "{\\"me\\": \\"$2\\"}";; esac'
        )
    )

    assert inventory.variables("w2") == {"me": "w2"}


def test_script_that_is_not_allowed_is_not_run(put: Put, tmp_path: Path) -> None:
    path = put(f"touch {tmp_path}/ran")

    code, _ = refusal(path, Programs())

    assert code == "I103"
    assert not (tmp_path / "ran").exists()


def test_link_to_an_allowed_name_does_not_make_another_program_allowed(
    put: Put, tmp_path: Path
) -> None:
    path = put(f"touch {tmp_path}/ran")
    alias = path.parent / "zz-allowed"
    alias.symlink_to(path)

    assert refusal(alias, Programs((alias,)))[0] == "I103"
    assert not (tmp_path / "ran").exists()


def test_script_gets_no_more_of_the_environment_than_it_is_let(put: Put) -> None:
    path = put(
        'printf \'{"g": {"hosts": ["h"], "vars": {"a": "%s", "b": "%s"}}, "_meta": {}}\' "$TOKEN" "$SECRET"'
    )
    programs = allowed_programs([str(path)], ["TOKEN"], {"TOKEN": "t", "SECRET": "s"})

    assert load(path, programs).variables("h") == {"a": "t", "b": ""}
    assert (
        "t"
        not in repr(programs).replace("path", "").replace(str(path), "").split("environment")[-1:]
    )


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        ("exit 3", "I103", "exit code 3"),
        ("echo no json", "I103", "JSON"),
        ("echo '[1]'", "I103", "object"),
        ('echo \'{"a": ["h"], "a": ["i"]}\'', "I103", "twice"),
        ('echo \'{"a": {"hosts": ["h"], "x": 1}, "_meta": {}}\'', "I104", "unknown key"),
        ('echo \'{"a": {"hosts": "h"}, "_meta": {}}\'', "I104", "list of names"),
        ('echo \'{"a": {"hosts": ["h[1:3]"]}, "_meta": {}}\'', "I106", "h[1:3]"),
        ('echo \'{"a": 5, "_meta": {}}\'', "I104", "neither"),
        ('echo \'{"a": {"children": ["all"]}, "_meta": {}}\'', "I110", "all"),
        ('echo \'{"a": {"vars": {"n": NaN}}, "_meta": {}}\'', "I103", "NaN"),
        ('echo \'{"a": {"vars": {"n": 1e999}}, "_meta": {}}\'', "I104", "without end"),
        ('echo \'{"a": {"hosts": ["-oProxyCommand=x"]}, "_meta": {}}\'', "I106", "cannot hold"),
        ('echo \'{"a": {"hosts": ["h"]}, "_meta": []}\'', "I104", "_meta"),
        ("yes '[' | head -100000 | tr -d '\\n'", "I103", "JSON"),
        ("kill -9 $$", "I103", "signal"),
    ],
)
def test_what_a_script_does_wrong_is_told(put: Put, body: str, code: str, word: str) -> None:
    path = put(body if "--list" in body else f"[ $1 = --list ] || exit 0\n{body}")

    found, message = refusal(path)

    assert (found, word in message) == (code, True), message


def test_variables_of_a_host_that_no_group_names_are_warned_about(put: Put) -> None:
    inventory = load(put(printing({"web": ["w1"], "_meta": {"hostvars": {"w2": {"a": 1}}}})))

    found = inventory.findings()
    assert [(one.code, one.severity) for one in found] == [("I120", Severity.WARNING)]
    assert inventory.host_names == ("w1",)


def test_digest_covers_what_a_script_says(put: Put) -> None:
    body = 'echo "{\\"web\\": [\\"$(cat $(dirname $0)/../name)\\"], \\"_meta\\": {}}"'
    path = put(body)
    (path.parent.parent / "name").write_text("w1")
    before = load(path).digest
    (path.parent.parent / "name").write_text("w2")

    assert load(path).digest != before


def test_saved_listing_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(json.dumps(LISTING))

    inventory = load_inventory(["fleet.json"], cwd=tmp_path)

    assert inventory.match("prod") == ("w1", "w2", "d1")


def test_plugin_file_is_handed_to_ansible_where_that_is_allowed(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ansible-inventory"
    program.parent.mkdir()
    vault = {"web": {"hosts": ["w1"], "vars": {"a": {"__ansible_unsafe": "{{ x }}"}}}, "_meta": {}}
    program.write_text(f"#!/bin/sh\n[ $1 = --list ] && [ $2 = -i ] || exit 9\n{printing(vault)}\n")
    program.chmod(0o755)
    (tmp_path / "aws.yml").write_text("plugin: amazon.aws.aws_ec2\n")

    assert refusal(tmp_path / "aws.yml", Programs())[0] == "I103"
    inventory = load(tmp_path / "aws.yml", Programs((program,)))

    assert inventory.select("web")[0].variables == {"a": "{{ x }}"}
    assert not os.environ.get("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED")
