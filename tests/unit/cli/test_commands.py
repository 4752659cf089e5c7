"""Commands that need no device, over the real api: what they print, where, and how they end."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.device.shipped import helper_version
from orchestrator.engine.ports import Changes
from orchestrator.errors import ExitCode
from orchestrator.plan.digest import digest
from orchestrator.plan.envelope import from_saved
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.schema import SCHEMA
from orchestrator.store.sql import open_store
from tests.in_process import empty_project, run, user_file

PLAN = """\
schema: 1
name: app
hosts: all
artifact: app-1.0.mender
waves: [1, rest]
gates:
  - name: healthy
    check: app
    success_when: result.exit == 0
"""
HOSTS = """\
gateways:
  hosts:
    gw-[1:3]:
  vars:
    site: berlin
lab:
  hosts:
    bench-1:
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch, capsys) -> Path:
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text(HOSTS)
    (tmp_path / "app.yml").write_text(PLAN)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "run").write_text("#!/bin/sh\n")
    assert invoke(["key", "generate", "release.key"]) == 0
    build = "artifact build directory tree --dest /opt/app -n app-1.0 -t lab -o app-1.0.mender"
    assert invoke([*build.split(), "--key", "release.key"]) == 0
    capsys.readouterr()
    return tmp_path


def test_key_show_never_shows_the_private_part(fleet, capsys) -> None:
    code, out, _ = run(capsys, "key show release.key --format json")

    shown = json.loads(out)
    assert code == 0
    assert "PRIVATE" not in out
    assert shown["public_pem"] == (fleet / "release.key.pub").read_text()
    assert (fleet / "release.key").stat().st_mode & 0o777 == 0o600


def test_keys_are_never_replaced(fleet, capsys) -> None:
    code, out, err = run(capsys, "key generate release.key")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "exists" in err


def test_artifact_verify_ends_0_with_the_key_and_1_with_another(fleet, capsys) -> None:
    assert run(capsys, "artifact verify app-1.0.mender --key release.key.pub")[0] == 0

    run(capsys, "key generate other.key")
    code, out, err = run(capsys, "artifact verify app-1.0.mender --key other.key.pub")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert err.startswith("error")


def test_artifact_verify_wants_a_key(fleet, capsys) -> None:
    code, _, err = run(capsys, "artifact verify app-1.0.mender")

    assert code == ExitCode.REFUSED
    assert "--key" in err


def test_a_flipped_bit_is_a_refusal_with_a_reason(fleet, capsys) -> None:
    data = bytearray((fleet / "app-1.0.mender").read_bytes())
    data[len(data) // 2] ^= 1
    (fleet / "bad.mender").write_bytes(data)

    code, _, err = run(capsys, "artifact verify bad.mender --key release.key.pub")

    assert code == ExitCode.REFUSED
    assert err.startswith("error")


def test_artifact_inspect_as_text_and_data(fleet, capsys) -> None:
    _, text, _ = run(capsys, "artifact inspect app-1.0.mender")
    _, data, _ = run(capsys, "artifact inspect app-1.0.mender --format json")

    shown = json.loads(data)
    assert "artifact     app-1.0\n" in text
    assert "present, not verified here" in text
    assert (shown["name"], shown["signed"], shown["signed_by"]) == ("app-1.0", True, "")


def test_a_single_file_is_built_with_its_owner(fleet, capsys) -> None:
    line = "artifact build single-file tree/run --dest /opt/run --owner app:app"
    code, out, _ = run(capsys, f"{line} -n f-1 -t lab -o f.mender")

    assert code == 0
    assert "payload file owner" in out


def test_an_unsigned_artifact_can_be_signed_later(fleet, capsys) -> None:
    run(capsys, "artifact build single-file tree/run --dest /opt/run -n f-1 -t lab -o f.mender")
    assert run(capsys, "artifact verify f.mender --key release.key.pub")[0] == ExitCode.REFUSED

    assert run(capsys, "artifact sign f.mender --key release.key")[0] == 0
    assert run(capsys, "artifact verify f.mender --key release.key.pub")[0] == 0


def test_artifact_of_the_helper_has_its_version_and_a_component_of_its_own(fleet, capsys) -> None:
    version = helper_version()
    build = "artifact build helper -t lab -o helper.mender --key release.key --format json"
    (fleet / "helper.yml").write_text(PLAN.replace("app-1.0", "helper"))

    built = json.loads(run(capsys, build)[1])
    again = json.loads(run(capsys, build.replace("helper.m", "copy.m"))[1])
    named = json.loads(run(capsys, build.replace("helper.m", "named.m") + " -n h-1")[1])
    refused = run(capsys, "preview helper.yml -i hosts.yml --offline")
    with (fleet / "helper.yml").open("a") as plan:
        plan.write("component: helper\n")
    fits = run(capsys, "preview helper.yml -i hosts.yml --offline")

    assert (built["name"], built["payload_type"]) == (f"rollout-helper-{version}", "rollout-helper")
    assert built["provides"] == {"rootfs-image.rollout-helper.version": version}
    assert {"helper.sh", "module.rollout-helper"} <= {file["name"] for file in built["files"]}
    assert again["manifest_sha256"] == built["manifest_sha256"]
    assert named["name"] == "h-1"
    assert (refused[0], "P306" in refused[2]) == (ExitCode.REFUSED, True)
    assert "component: helper" in refused[2]
    assert fits[0] == 0


def test_validate_prints_findings_and_ends_with_1(fleet, capsys) -> None:
    (fleet / "bad.yml").write_text(PLAN.replace("waves", "waves_").replace("hosts", "host"))

    code, out, err = run(capsys, "validate bad.yml --format concise")

    assert code == ExitCode.REFUSED
    assert all(line.startswith(("bad.yml:", "bad.yml ")) for line in out.splitlines())
    assert "did you mean `hosts`" in out
    assert "errors in 1 file" in err


def test_validate_is_content_with_a_good_plan(fleet, capsys) -> None:
    code, out, _ = run(capsys, "validate app.yml")

    assert (code, out) == (0, "no problems in 1 file\n")


def test_validate_writes_json_to_a_file(fleet, capsys) -> None:
    code, out, _ = run(capsys, "validate app.yml --format json -o found.json")

    assert (code, out) == (0, "")
    assert json.loads((fleet / "found.json").read_text())["error_count"] == 0


def test_hosts_prints_names_in_inventory_order(fleet, capsys) -> None:
    assert run(capsys, "hosts gateways -i hosts.yml")[1] == "gw-1\ngw-2\ngw-3\n"

    code, out, _ = run(capsys, "hosts all:!lab -i hosts.yml -l gw-2 --format json")
    assert (code, json.loads(out)) == (0, ["gw-2"])


def test_an_empty_limit_is_refused(fleet, capsys) -> None:
    assert invoke(["hosts", "all", "-i", "hosts.yml", "-l", ""]) == ExitCode.REFUSED


def test_hosts_without_an_inventory_says_how_to_name_one(fleet, capsys) -> None:
    code, out, err = run(capsys, "hosts all")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "-i" in err


def test_inventory_list_has_the_shape_of_ansible(fleet, capsys) -> None:
    _, data, _ = run(capsys, "inventory list -i hosts.yml --format json")
    _, text, _ = run(capsys, "inventory list -i hosts.yml")

    listing = json.loads(data)
    assert listing["_meta"]["hostvars"]["gw-1"]["site"] == "berlin"
    assert listing["gateways"]["hosts"] == ["gw-1", "gw-2", "gw-3"]
    assert "gateways" in text
    assert "gw-{1..3}" in text


def test_preview_offline_shows_waves_and_changes_nothing(fleet, capsys) -> None:
    code, out, _ = run(capsys, "preview app.yml -i hosts.yml --offline")

    assert code == 0
    assert out.endswith("4 to update. Nothing was changed.\n")
    assert not (fleet / ".rollout").exists()


def test_preview_saves_a_plan_and_says_its_digest(fleet, capsys) -> None:
    code, out, err = run(
        capsys, "preview app.yml -i hosts.yml --offline --format json --out app.plan"
    )

    saved = from_saved((fleet / "app.plan").read_bytes(), file="app.plan")
    assert code == 0
    assert json.loads(out)["digest"] == digest(saved)
    assert digest(saved) in err


def test_an_edited_saved_plan_is_refused_by_apply_and_named_by_validate(fleet, capsys) -> None:
    assert run(capsys, "preview app.yml -i hosts.yml --offline --out app.plan")[0] == 0
    assert run(capsys, "validate app.plan")[0] == 0
    saved = fleet / "app.plan"
    saved.write_bytes(saved.read_bytes().replace(b'"soak_s":0', b'"soak_s":1', 1))

    applied = run(capsys, "apply app.plan --yes")
    validated = run(capsys, "validate app.plan --format concise")

    assert (applied[0], validated[0]) == (ExitCode.REFUSED, ExitCode.REFUSED)
    assert "error[P303]: `app.plan` was changed after it was saved" in applied[2]
    assert validated[1].startswith("app.plan P303 `app.plan` was changed after it was saved")
    assert len(validated[1].splitlines()) == 1
    assert not (fleet / ".rollout").exists()


def test_detailed_exit_codes(fleet, capsys) -> None:
    assert run(capsys, "preview app.yml -i hosts.yml --offline --detailed-exitcode")[0] == 2
    assert run(capsys, "preview no.yml -i hosts.yml --offline --detailed-exitcode")[0] == 1


def test_apply_refuses_when_no_device_can_take_part_and_stores_nothing(fleet, capsys) -> None:
    (fleet / "closed.yml").write_text("all: {hosts: {gw-1: {ansible_host: 127.0.0.1}}}\n")

    code, out, err = run(capsys, "apply app.yml -i closed.yml --yes")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "P209" in err
    assert "00:0" not in err


def test_status_without_any_rollout_says_so(fleet, capsys) -> None:
    code, out, err = run(capsys, "status")
    assert code != 0
    assert out == ""
    assert "rollout" in err

    assert run(capsys, "status --all")[:2] == (0, "no rollouts yet\n")


def test_state_is_migrated_and_copied(fleet, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    made, again = run(capsys, "state migrate"), run(capsys, "state migrate")
    copied = run(capsys, "state backup copy.db")
    refused = run(capsys, "state backup copy.db")

    assert made[0] == again[0] == 0
    assert made[1] == f"{fleet}/.rollout/state.db: made the tables of schema {SCHEMA}\n"
    assert again[1] == f"{fleet}/.rollout/state.db: schema {SCHEMA} already, nothing to do\n"
    assert copied == (0, "", "wrote copy.db\n")
    assert (refused[0], "`copy.db` exists" in refused[2]) == (1, True)


def test_export_goes_to_stdout_or_to_a_file(fleet, capsys) -> None:
    store_one_rollout(fleet / ".rollout/state.db")

    code, out, _ = run(capsys, "state export r-")
    written = run(capsys, "state export --all -o all.jsonl")

    assert code == 0
    assert [json.loads(line)["type"] for line in out.splitlines()] == [
        "version", "plan", "rollout", "entry", "end",
    ]  # fmt: skip
    assert written[:2] == (0, "")
    assert (fleet / "all.jsonl").read_text() == out


def store_one_rollout(path: Path) -> None:
    async def store() -> None:
        opened = await open_store(str(path))
        entry = JournalEntry(1, 1.0, "rollout_started")
        await opened.create("r-1", b'{"name":"app"}', Changes({"state": "running"}, {}, (entry,)))
        await opened.close()

    asyncio.run(store())


def test_export_of_nothing_and_of_too_much_is_refused(fleet, capsys) -> None:
    assert run(capsys, "state export")[0] == ExitCode.REFUSED
    assert run(capsys, "state export r-1 --all")[0] == ExitCode.USAGE


def test_init_writes_a_project_that_validates(fleet, capsys) -> None:
    assert run(capsys, "init made")[0] == 0
    assert run(capsys, "-C made validate")[0] == 0

    os.chdir(fleet)
    code, _, err = run(capsys, "init made")
    assert code == ExitCode.REFUSED
    assert "overwritten" in err


@pytest.mark.parametrize("place", ["hosts.yml", "hosts.yml/below", "/proc/none", "taken"])
def test_init_where_nothing_can_be_written_says_so_and_leaves_nothing(fleet, capsys, place) -> None:
    (fleet / "taken").mkdir()
    (fleet / "taken/releases").touch()
    before = sorted(fleet.rglob("*"))

    code, out, err = run(capsys, f"init {place}")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert f"`{place}`" in err
    assert "S111" in err
    assert sorted(fleet.rglob("*")) == before


def test_key_values_want_an_equals_sign(fleet, capsys) -> None:
    code, _, err = run(capsys, "preview app.yml -i hosts.yml --offline -e broken")

    assert code == ExitCode.USAGE
    assert "KEY=VALUE" in err


def test_a_result_file_that_cannot_be_written_is_an_error(fleet, capsys) -> None:
    code, out, err = run(capsys, "hosts all -i hosts.yml -o no/such/dir.txt")

    assert code == ExitCode.USAGE
    assert "cannot write" in err
    assert out == ""


def test_versions_as_data(fleet, capsys) -> None:
    _, out, _ = run(capsys, "version --format json")

    assert json.loads(out)["kind"] == "version"


@pytest.mark.parametrize("words", ["validate app.yml", "preview app.yml -i hosts.yml --offline"])
def test_what_stays_offline_loads_no_network_library(fleet, words) -> None:
    import subprocess
    import sys

    code = (
        f"import sys; from orchestrator.cli.app import invoke; invoke({words.split()!r});"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=fleet,
        env={**os.environ, "PYTHONPATH": str(root)},
    )

    modules = set(eval(found.stderr.splitlines()[-1]))
    assert not modules & {"asyncssh", "sqlalchemy", "aiosqlite", "httpx"}


def test_an_inventory_is_looked_for_where_the_person_stands(fleet, capsys, monkeypatch) -> None:
    (fleet / "rollout.toml").touch()
    (fleet / "elsewhere.yml").write_text("webs: {hosts: {web9: {}}}\n")
    (fleet / "below").mkdir()
    monkeypatch.chdir(fleet / "below")

    assert invoke(["hosts", "all", "-i", "../elsewhere.yml"]) == 0

    assert capsys.readouterr().out == "web9\n"


def test_a_stale_plan_is_refused_before_anybody_is_asked(fleet, capsys) -> None:
    assert run(capsys, "preview app.yml -i hosts.yml --offline --out app.plan")[0] == 0
    (fleet / "hosts.yml").write_text(HOSTS + "    bench-2:\n")

    code, _, err = run(capsys, "apply app.plan")

    assert code == ExitCode.STALE
    assert "the inventory has changed" in err


def test_a_saved_plan_takes_no_limit(fleet, capsys) -> None:
    assert run(capsys, "preview app.yml -i hosts.yml --offline --out app.plan")[0] == 0

    code, _, err = run(capsys, "apply app.plan -l gw-1 --yes")

    assert code == ExitCode.REFUSED
    assert "leave `-i`, `-l` and `-e` out" in err


BAD_HOSTS = """\
web:
  hosts:
    gw-1:
    bad: {ansible_port: 0}
    win: {ansible_connection: winrm}
"""


@pytest.mark.parametrize(
    "words", ["hosts gw-1", "inventory list", "preview app.yml --offline -l gw-1"]
)
def test_what_is_wrong_with_other_hosts_is_told_beside_the_result(fleet, capsys, words) -> None:
    (fleet / "hosts.yml").write_text(BAD_HOSTS)
    user_file(fleet).write_text(f'trusted_keys = ["{fleet}/release.key.pub"]\n')

    code, out, err = run(capsys, f"{words} -i hosts.yml")

    assert code == 0
    assert "gw-1" in out
    assert "hosts.yml:4:11 I112 warning: host `bad`" in err
    assert "hosts.yml:5:11 I118 warning: host `win`" in err


@pytest.mark.parametrize(
    "hosts", [BAD_HOSTS, "web: {hsts: {a: }}\n" + BAD_HOSTS.replace("web", "w")]
)
def test_preview_tells_problems_of_plan_and_inventory_at_once(fleet, capsys, hosts: str) -> None:
    (fleet / "hosts.yml").write_text(hosts)
    (fleet / "app.yml").write_text(PLAN.replace("waves", "wavs"))

    code, _, err = run(capsys, "preview app.yml -i hosts.yml --offline")

    assert code == ExitCode.REFUSED
    assert all(found in err for found in ("P107", "I112", "I118"))
    assert ("I105" in err) is ("hsts" in hosts)


def test_validate_names_every_problem_of_plans_and_inventory(fleet, capsys) -> None:
    (fleet / "hosts.yml").write_text(BAD_HOSTS)
    (fleet / "app.yml").write_text(PLAN.replace("waves", "wavs"))

    code, out, _ = run(capsys, "validate app.yml -i hosts.yml --format json")

    shown = json.loads(out)
    assert code == ExitCode.REFUSED
    assert [each["code"] for each in shown["diagnostics"]] == ["I112", "I118", "P107"]
    assert shown["file_count"] == 2
    assert run(capsys, "validate -i hosts.yml -l all:!bad:!win")[0] == 0
    assert run(capsys, "validate -i hosts.yml -l nobody")[0] == ExitCode.REFUSED


BUILD = "-n app-2 -t lab -o out.mender"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("single-file pipe --dest /opt/x", "A171"),
        ("single-file /dev/zero --dest /opt/x", "A171"),
        ("single-file tree --dest /opt/x", "A171"),
        ("script tree/run --rollback pipe", "A171"),
        ("module deb --file pipe", "A171"),
        ("directory tree --dest /opt/x -o tree/below.mender", "A173"),
        ("module directory", "A174"),
        ("module single-file --file tree/run", "A174"),
        ("module script --file tree/run", "A174"),
        ("script release.key", "A176"),
        ("script tree/run --file release.key", "A176"),
        ("single-file release.key --dest /etc/app.key", "A176"),
        ("module deb --file release.key", "A176"),
        ("directory secret --dest /opt/x", "A176"),
    ],
)
def test_what_should_not_be_packed_is_refused(fleet, capsys, words: str, code: str) -> None:
    os.mkfifo("pipe")
    Path("secret/tls").mkdir(parents=True)
    Path("secret/tls/app.pem").write_bytes(b"# ours\n" + Path("release.key").read_bytes())

    kind, _, rest = words.partition(" ")
    ended, out, err = run(capsys, f"artifact build {kind} {BUILD} {rest}")

    assert (ended, out) == (ExitCode.REFUSED, "")
    assert code in err
    assert not Path("out.mender").exists()


def test_private_keys_that_are_meant_are_packed(fleet, capsys) -> None:
    line = f"artifact build single-file release.key --dest /etc/app.key {BUILD}"

    assert run(capsys, f"{line} --allow-private-keys")[0] == 0


def test_public_keys_and_texts_about_keys_are_no_secrets(fleet, capsys) -> None:
    Path("about.txt").write_text("a key begins with -----BEGIN PRIVATE KEY----- as you know\n")
    line = f"artifact build script tree/run --file release.key.pub --file about.txt {BUILD}"

    assert run(capsys, line)[0] == 0
