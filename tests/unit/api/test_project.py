"""Scaffolding, validation and reading of a project's files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from orchestrator import api
from orchestrator.api.project import read_file
from orchestrator.errors import PlanError, Severity

INVENTORIES = Path(__file__).parents[3] / "inventories"


def test_new_project_passes_its_own_validation(tmp_path: Path) -> None:
    written = api.init(tmp_path)

    found = api.validate([tmp_path / "plans"])

    assert {path.name for path in written} >= {"rollout.toml", "example.yml", "hosts.yml"}
    assert found.file_count == 1
    assert found.diagnostics == ()


def test_new_project_has_an_inventory_that_loads(tmp_path: Path) -> None:
    api.init(tmp_path)
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    source = api.Source(inventory=(str(tmp_path / "inventory/hosts.yml"),))

    names = api.hosts(settings, "gateways", source).names

    assert names == tuple(f"gw-{number:02}.example.net" for number in (1, 2, 3))


def test_editors_find_the_schemas_that_the_files_of_a_new_project_name(tmp_path: Path) -> None:
    api.init(tmp_path)

    for name in ("plans/example.yml", "inventory/hosts.yml"):
        file = tmp_path / name
        head, _, rest = file.read_text().partition("\n")
        schema = json.loads((file.parent / head.partition("$schema=")[2]).read_text())
        assert head.startswith("# yaml-language-server: $schema=")
        jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(rest))


@pytest.mark.parametrize("path", sorted(INVENTORIES.glob("*/*.yml")), ids=lambda path: path.name)
def test_example_inventories_fit_the_schema_of_inventories(path: Path) -> None:
    schema = json.loads(api.schema_named("inventory-file"))

    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_groups_of_labels_fit_the_schema_of_inventories() -> None:
    text = "groups_by: [{label: site, prefix: site_}, {label: hardware}]\ngw: {hosts: {a: }}\n"

    schema = json.loads(api.schema_named("inventory-file"))

    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "gw: {host: {a: }}",
        "gw: {hosts: [a]}",
        "gw: {vars: {ansible_port: 70000}}",
        "gw: {children: {x: {hosts: {a: {rollout_host_keys: 5}}}}}",
        "groups_by: [{prefix: site_}]",
        "[a]",
    ],
)
def test_mistakes_in_inventories_are_seen_by_editors(text: str) -> None:
    schema = json.loads(api.schema_named("inventory-file"))

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_schema_of_inventories_has_the_variables_of_the_reference() -> None:
    page = (INVENTORIES.parent / "docs/reference/inventory.md").read_text()
    table = page.partition("## Connection")[2].partition("### Templates")[0]
    told = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))

    schema = json.loads(api.schema_named("inventory-file"))

    assert told <= set(schema["$defs"]["variables"]["properties"])


def test_existing_files_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "rollout.toml").write_text("mine")

    with pytest.raises(PlanError, match="would be overwritten"):
        api.init(tmp_path)

    assert (tmp_path / "rollout.toml").read_text() == "mine"
    assert not (tmp_path / "plans").exists()


@pytest.mark.parametrize("name", ["plan.v1.json", "preview.v1.json", "events.v1.json"])
def test_schemas_are_found(name: str) -> None:
    assert json.loads(api.schema_named(name))["$schema"]


def test_all_plans_of_a_directory_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("schema: 1\nnmae: x\n")
    (tmp_path / "b.yaml").write_text("schema: 2\n")
    (tmp_path / "notes.txt").write_text("no plan")

    found = api.validate([tmp_path])

    assert found.file_count == 2
    assert {Path(one.where.file).name for one in found.diagnostics} == {"a.yml", "b.yaml"}


def test_directory_without_plans_is_a_finding(tmp_path: Path) -> None:
    (found,) = api.validate([tmp_path]).diagnostics

    assert (found.code, found.severity) == ("P005", Severity.ERROR)
    assert "holds no plan" in found.message


def test_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no file"):
        read_file(tmp_path / "none.yml")


def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")

    with pytest.raises(PlanError, match="no regular file"):
        read_file(tmp_path / "pipe.yml")


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.yml").write_bytes(b"x" * 11)

    with pytest.raises(PlanError, match="larger than"):
        read_file(tmp_path / "large.yml", 10)


def test_request_without_any_inventory_says_how_to_name_one(tmp_path: Path) -> None:
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))

    with pytest.raises(PlanError, match="no inventory") as caught:
        api.hosts(settings, "all", api.Source())

    assert "-i" in caught.value.hint


def test_request_without_any_inventory_asks_the_one_of_ansible_cfg(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = fleet/hosts.ini\n")
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet/hosts.ini").write_text("[gw]\na\n")
    settings = api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))

    assert api.hosts(settings, "gw", api.Source()).names == ("a",)
    named = api.Settings(root=tmp_path, state=settings.state, inventory=("b,",))
    assert api.hosts(named, "all", api.Source()).names == ("b",)


def test_what_cannot_be_read_hides_nothing_of_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.yml").symlink_to("nowhere")
    (tmp_path / "b.yml").write_text("schema: 2\n")

    found = api.validate([tmp_path / "missing.yml", tmp_path])

    codes = [(Path(one.where.file).name, one.code) for one in found.diagnostics]
    assert ("missing.yml", "P001") in codes
    assert ("a.yml", "P001") in codes
    assert ("b.yml", "P105") in codes


def test_directory_of_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    api.key_generate(tmp_path / "keys" / "release.key")

    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "release.key.pub").is_file()


def test_key_is_a_file_and_no_directory(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="is a directory"):
        api.key_generate(tmp_path)


def test_all_schemas_are_named_alike() -> None:
    names = sorted(path.name for path in (Path(__file__).parents[3] / "schemas").iterdir())

    for name in names:
        word = name.removesuffix(".v1.json")
        assert (
            json.loads(api.schema_named(name))["$id"]
            == f"urn:rollout-orchestrator:schema:{word}:v1"
        )
