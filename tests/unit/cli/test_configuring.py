"""`rollout config show`: what is in force, and who said so."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.in_process import empty_project, run, user_file

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "config.v1.json").read_text(encoding="utf-8")
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    empty_project(tmp_path, monkeypatch, columns_count=300)
    return tmp_path


def test_what_is_shown_is_a_file_that_says_the_same(capsys, project, monkeypatch) -> None:
    user_file(project).write_text('people = ["ann=ops,safety"]\nrequire_signed_commit = true\n')
    (project / "rollout.toml").write_text('inventory = ["hosts.yml", "a\\u202eb"]\n')
    code, out, _ = run(capsys, "config show")

    user_file(project).write_text(out)
    (project / "rollout.toml").unlink()

    assert code == 0
    assert tomllib.loads(out) == {
        "state": str(project / ".rollout/state.db"),
        "inventory": [str(project / "hosts.yml"), str(project / "a\u202eb")],
        "color": "auto",
        "connections_max": 100,
        "people": ["ann=ops,safety"],
        "require_signed_commit": True,
    }
    assert "\u202e" not in out
    assert run(capsys, "config show")[1] == out


def test_origin_names_line_and_column_and_what_was_outdone(capsys, project, monkeypatch) -> None:
    user_file(project).write_text('\ncolor = "always"\n')
    (project / "rollout.toml").write_text('# ours\ncolor = "never"\n')
    monkeypatch.setenv("ROLLOUT_COLOR", "auto")

    lines = run(capsys, "config show --origin")[1].splitlines()

    at = lines.index('color = "auto"')
    assert lines[:3] == [
        f"# project: {project}",
        f"# its file: {project}/rollout.toml",
        f"# your file: {user_file(project)}",
    ]
    assert lines[at - 1] == "# environment variable ROLLOUT_COLOR"
    assert lines[at + 1 : at + 4] == [
        f'# not counted, {project}/rollout.toml:2:1: "never"',
        f'# not counted, {user_file(project)}:2:1: "always"',
        '# not counted, default: "auto"',
    ]


def test_as_data_it_fits_the_schema(capsys, project) -> None:
    user_file(project).write_text("connections_max = 7\n")

    document = json.loads(run(capsys, "--color never config show --format json")[1])

    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    found = {one["key"]: one for one in document["settings"]}
    assert found["color"] == {
        "key": "color",
        "value": "never",
        "source": "flag",
        "file": "--color",
        "line": None,
        "not_counted": [{"value": "auto", "source": "default", "file": None, "line": None}],
    }
    assert found["connections_max"]["line"] == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ann:s3cret@db/x", "postgresql://ann@db/x"),
        ("postgresql://ann@db/x?password=s3cret", "postgresql://ann@db/x"),
        ("redis://:s3cret@cache", "redis://..."),
    ],
)
def test_passwords_are_not_shown_also_where_they_do_not_count(
    capsys, project, monkeypatch, address, shown
) -> None:
    monkeypatch.setenv("ROLLOUT_STATE", address)
    other = f"--state {project}/state.db config show --origin"

    for words in ("config show", "config show --origin", "config show --format json", other):
        code, out, err = run(capsys, words)
        assert (code, "s3cret" in out + err) == (0, False)
        assert (shown in out) or words == other
