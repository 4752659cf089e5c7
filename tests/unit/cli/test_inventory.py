"""`rollout inventory`: the tree, one device, every value written for it, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode
from tests.in_process import empty_project, run

SCHEMA = Path(__file__).parents[3] / "schemas" / "host.v1.json"
FILES = {
    "hosts.ini": "lone\n[web]\nweb[1:9] site=berlin\n[edge:children]\nweb\ndb\n[db]\n"
    'db1 ansible_password=hunter2\n[web:vars]\nansible_user=a\nrack="\\x1b[2J"\n',
    "group_vars/all.yml": "ansible_user: b\n",
    "host_vars/web1.yml": "ansible_user: c\nlabels: {a: b}\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    empty_project(tmp_path, monkeypatch)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_graph_shows_which_groups_stand_below_which(project, capsys) -> None:
    _, out, _ = run(capsys, "inventory graph -i hosts.ini")
    code, below, _ = run(capsys, "inventory graph db -i hosts.ini")

    assert out.splitlines() == [
        "@all  11 devices",
        "  @ungrouped  1 device",
        "    lone",
        "  @edge  10 devices",
        "    @web  9 devices",
        "      web{1..9}",
        "    @db  1 device",
        "      db1",
    ]
    assert (code, below) == (0, "@db  1 device\n  db1\n")


def test_host_shows_the_value_that_counts_and_its_place(project, capsys) -> None:
    _, out, _ = run(capsys, "inventory host web1 -i hosts.ini")

    assert out.splitlines()[0] == "web1 in edge, web"
    assert [line.split() for line in out.splitlines()[3:]] == [
        ["ansible_user", '"c"', "host_vars/web1.yml:1"],
        ["labels", '{"a":', '"b"}', "host_vars/web1.yml:2"],
        ["rack", '"\\u001b[2J"', "hosts.ini:11"],
        ["site", '"berlin"', "hosts.ini:3"],
    ]


def test_explain_shows_every_value_and_who_won(project, capsys) -> None:
    _, out, _ = run(capsys, "inventory explain web1 ansible_user -i hosts.ini")

    assert [line.split() for line in out.splitlines()[2:]] == [
        ["ansible_user"],
        ["counts", '"c"', "host_vars/web1", "host_vars/web1.yml:1"],
        ["overridden", '"b"', "group_vars/all", "group_vars/all.yml:1"],
        ["overridden", '"a"', "group", "web", "hosts.ini:10"],
    ]


@pytest.mark.parametrize("verb", ["host", "explain"])
def test_secrets_are_named_and_not_shown(project, capsys, verb: str) -> None:
    _, text, _ = run(capsys, f"inventory {verb} db1 -i hosts.ini")
    _, data, _ = run(capsys, f"inventory {verb} db1 -i hosts.ini --format json")

    assert "hunter2" not in text + data
    assert "(hidden)" in text
    document = json.loads(data)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["variables"][0]["name"] == "ansible_password"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("graph wbe", "`web`"),
        ("host wbe1", "`web1`"),
        ("explain web1 ansible_usr", "`ansible_user`"),
    ],
)
def test_misspelt_names_are_refused_with_what_was_meant(
    project, capsys, words: str, meant: str
) -> None:
    code, out, err = run(capsys, f"inventory {words} -i hosts.ini")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert f"did you mean {meant}" in err


def test_check_tells_every_problem_of_every_source(project, capsys) -> None:
    (project / "bad.ini").write_text("w1 a\n[b c]\nw2 ansible_port=99999\n")
    (project / "worse.yml").write_text("web: {host: {w3: }}\n")

    clean, _, _ = run(capsys, "inventory check -i hosts.ini")
    code, out, _ = run(capsys, "inventory check -i bad.ini -i worse.yml --format concise")

    assert (clean, code) == (0, ExitCode.REFUSED)
    errors = [line.split()[0] for line in out.splitlines() if "I120" not in line]
    assert errors == [
        "bad.ini:1:4",
        "bad.ini:2:1",
        "worse.yml:1:7",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "device check spare", "device facts spare", "device check web -l db", "device pin spare",
        "device enroll spare --key release.key.pub", "device release spare --yes", "device attest spare",
    ],
)  # fmt: skip
def test_doing_something_with_no_device_is_no_success(project, capsys, words: str) -> None:
    (project / "hosts.ini").write_text(FILES["hosts.ini"] + "[spare]\n")
    run(capsys, "key generate release.key")

    code, out, err = run(capsys, f"{words} -i hosts.ini")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[I207]: no device is in `" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hosts spare", "no device is in `spare`"),
        ("hosts web -l db", "no device is in `web` cut down to `db`"),
        ("fleet all -l spare", "no device is in `spare`"),
    ],
)
def test_listing_no_device_says_so(project, capsys, words: str, said: str) -> None:
    (project / "hosts.ini").write_text(FILES["hosts.ini"] + "[spare]\n")

    code, _, err = run(capsys, f"{words} -i hosts.ini")

    assert code == 0
    assert f"I207 warning: {said} (" in err


@pytest.mark.parametrize("words", [["hosts", "all"], ["drift"], ["fleet"]])
def test_empty_name_of_an_inventory_is_not_this_directory(project, capsys, words) -> None:
    code = invoke([*words, "-i", ""])

    shown = capsys.readouterr()
    assert (code, shown.out) == (ExitCode.REFUSED, "")
    assert "error[I101]: the name of an inventory is empty" in shown.err


@pytest.mark.parametrize("source", ["empty.ini", "empty.yml", "nothing"])
def test_inventory_without_devices_passes_no_check(project, capsys, source: str) -> None:
    (project / "group_vars/all.yml").unlink()
    (project / "host_vars/web1.yml").unlink()
    (project / "nothing").mkdir()
    (project / "empty.ini").touch()
    (project / "empty.yml").touch()

    code, out, _ = run(capsys, f"inventory check -i {source} --format concise")
    listed, _, err = run(capsys, f"inventory list -i {source}")

    assert (code, listed) == (ExitCode.REFUSED, 0)
    assert out.startswith(f"{source} I207 the inventory has no devices (")
    assert "I207 warning: the inventory has no devices" in err
