"""What `rollout preview` makes of its options, over the real api and without a device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode
from orchestrator.secret_names import shown_url
from tests.in_process import empty_project, run
from tests.unit.render.reports import code_quality_issues, commands, junit_suites, sarif_run

PLAN = """\
schema: 1
name: app
hosts: all
artifact: app-1.0.mender
waves: [1, rest]
gates: [{name: healthy, check: app, success_when: result.exit == 0}]
"""
PREVIEW = "preview app.yml -i hosts.yml --offline"


PIPELINES = (
    "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_RUN_ID", "GITHUB_REPOSITORY",
    "GITHUB_SERVER_URL", "CI_JOB_URL",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    empty_project(tmp_path, monkeypatch)
    for name in PIPELINES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "hosts.yml").write_text("gateways: {hosts: {'gw-[1:4]': }}\n")
    (tmp_path / "app.yml").write_text(PLAN)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/run").write_text("#!/bin/sh\n")
    build = "artifact build directory tree --dest /opt/app -n app-1.0 -t lab -o app-1.0.mender"
    assert invoke(["key", "generate", "release.key"]) == 0
    assert invoke([*build.split(), "--key", "release.key"]) == 0
    capsys.readouterr()
    return tmp_path


def test_the_same_plan_again_has_the_digest_that_was_reviewed(project: Path, capsys) -> None:
    assert run(capsys, f"{PREVIEW} --out old.plan")[0] == 0

    code, out, _ = run(capsys, f"{PREVIEW} --diff old.plan --out old.plan")

    assert code == 0
    assert "nothing has changed, the digest is the same" in " ".join(out.split())


@pytest.mark.parametrize(
    "words", ["--out app.yml", "--out hosts.yml", "-o app.yml", "-o ./app.yml"]
)
def test_what_a_person_wrote_is_not_replaced(words: str, project: Path, capsys) -> None:
    written = {name: (project / name).read_bytes() for name in ("app.yml", "hosts.yml")}

    code, out, err = run(capsys, f"{PREVIEW} {words}")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[P307]" in err
    assert {name: (project / name).read_bytes() for name in written} == written


UNREADABLE = "a" * 300 + ".yml"  # no system has such a name; root may read all others


@pytest.mark.parametrize(
    "words",
    [f"validate app.yml {UNREADABLE}", f"preview {UNREADABLE}", f"apply {UNREADABLE} --yes"],
)
def test_file_that_cannot_be_looked_at_is_a_finding(words: str, project: Path, capsys) -> None:
    code, out, err = run(capsys, words)

    assert code == ExitCode.REFUSED
    assert "error[P003]" in out + err
    assert "1 error in " in out + err


def test_an_empty_file_takes_a_saved_plan(project: Path, capsys) -> None:
    (project / "made.by.mktemp").touch()

    assert run(capsys, f"{PREVIEW} --out made.by.mktemp")[0] == 0

    assert run(capsys, "show made.by.mktemp")[0] == 0


SECRET, OTHER = "aB3dE5fG7hJ9kL1mN3pQ5rS7", "zZ3dE5fG7hJ9kL1mN3pQ5rS7"
HOOK = "hooks: [{{events: [halted], http: 'https://hooks.slack.com/services/T0/B0/{}'}}]\n"


@pytest.mark.parametrize("form", ["text", "json", "markdown", "github"])
def test_what_opens_the_address_of_a_hook_is_not_shown(project: Path, capsys, form: str) -> None:
    (project / "app.yml").write_text(PLAN + HOOK.format(SECRET))
    assert run(capsys, f"{PREVIEW} --out old.plan")[0] == 0
    (project / "app.yml").write_text(PLAN + HOOK.format(OTHER))

    code, out, _ = run(capsys, f"{PREVIEW} --diff old.plan --format {form} -q")

    masked = shown_url(f"https://hooks.slack.com/services/T0/B0/{OTHER}")
    assert code == 0
    assert masked.replace("<", "&lt;").replace(">", "&gt;") in out or masked in out
    assert SECRET not in out
    assert OTHER not in out


def test_what_changed_since_is_text_and_data(project: Path, capsys) -> None:
    assert run(capsys, f"{PREVIEW} --out old.plan")[0] == 0
    (project / "hosts.yml").write_text("gateways: {hosts: {'gw-[1:5]': }}\n")
    (project / "app.yml").write_text(PLAN + "soak: 1h\n")

    text = run(capsys, f"{PREVIEW} --diff old.plan")[1]
    found = json.loads(run(capsys, f"{PREVIEW} --diff old.plan --format json")[1])["diff"]

    assert "waves    wave-1, wave-2: soak 0s → 1h" in text
    assert (found["against"]["file"], found["same"]) == ("old.plan", False)
    assert [move["change"] for move in found["devices"]].count("in") == 1


def test_only_a_saved_plan_can_be_compared_with(project: Path, capsys) -> None:
    code, out, err = run(capsys, f"{PREVIEW} --diff app.yml")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "error[P302]: `app.yml` is not JSON" in err


def test_every_report_of_a_preview_fits_what_its_reader_asks_for(project: Path, capsys) -> None:
    assert run(capsys, f"{PREVIEW} --out app.plan")[0] == 0

    def shown(form: str) -> str:
        code, out, _ = run(capsys, f"preview app.plan --format {form}")
        assert code == 0
        return out

    assert shown("markdown").startswith("<!-- rollout:preview:app -->\n### Rollout of `app-1.0`")
    assert json.loads(shown("gitlab-terraform")) == {"create": 0, "update": 4, "delete": 0}
    assert code_quality_issues(shown("gitlab")) == []
    assert [suite.get("name") for suite in junit_suites(shown("junit"))] == [
        "app.yml", "wave wave-1", "wave wave-2",
    ]  # fmt: skip
    assert sarif_run(shown("sarif"))["results"] == []


def test_risks_are_findings_with_the_meaning_of_their_code(project: Path, capsys) -> None:
    (project / "app.yml").write_text(PLAN + "slow_start: false\n")

    run_ = sarif_run(run(capsys, f"{PREVIEW} --format sarif")[1])

    (rule,) = run_["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "warning: slow start is off"
    assert run_["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def test_a_step_of_github_gets_annotations_a_summary_and_outputs(
    project: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(project / "output"))
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/fleet")
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    (project / "output").write_text("before=1\n")

    code, out, _ = run(capsys, f"{PREVIEW} --format github --detailed-exitcode")

    assert code == 2
    ((kind, _, text),) = commands(out)
    assert (kind, text[:13]) == ("notice", "4 to update; ")
    assert "4 to update. Nothing was changed." in out
    summary = (project / "summary").read_text()
    assert "[Log of this job](https://github.example/acme/fleet/actions/runs/7)" in summary
    assert (project / "output").read_text() == (
        f"before=1\nplan_sha={text.partition('; digest ')[2]}\nchanges=true\nexit=2\n"
    )


def test_findings_of_an_inventory_are_annotations_and_nothing_else(project: Path, capsys) -> None:
    (project / "::add-mask::x.yml").write_text("gateways: {hosts: {'gw-[1:4]': }}\n")
    (project / "group_vars").mkdir()
    (project / "group_vars/nobody.yml").write_text("a: 1\n")

    code, out, err = run(capsys, f"{PREVIEW} -i ::add-mask::x.yml --format github")

    assert code == 0
    assert [(kind, given.get("title")) for kind, given, _ in commands(out)] == [
        ("warning", "I120"), ("notice", "rollout"),
    ]  # fmt: skip
    assert "::" not in err


def test_a_summary_that_cannot_be_written_is_told(project: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "no/summary"))

    code, _, err = run(capsys, f"{PREVIEW} --format github")

    assert code == ExitCode.USAGE
    assert "cannot write" in err


@pytest.mark.parametrize(
    ("url", "linked"),
    [("https://gitlab.example/a/b/-/jobs/7", True), ("javascript:x", False), ("http://e/)", False)],
)
def test_a_comment_links_to_the_job_where_its_address_is_one(
    project: Path, capsys, monkeypatch, url: str, linked: bool
) -> None:
    monkeypatch.setenv("CI_JOB_URL", url)

    out = run(capsys, f"{PREVIEW} --format markdown")[1]

    assert ("[Log of this job]" in out) is linked


def test_every_report_of_validate_fits_and_ends_as_its_findings_say(project: Path, capsys) -> None:
    (project / "bad.yml").write_text(PLAN.replace("waves: [1, rest]", "waves: [1, 200%]"))

    def shown(form: str) -> str:
        code, out, _ = run(capsys, f"validate app.yml bad.yml -i hosts.yml --format {form}")
        assert code == ExitCode.REFUSED
        return out

    assert [each[1]["file"] for each in commands(shown("github"))] == ["bad.yml"]
    assert [each["location"]["path"] for each in code_quality_issues(shown("gitlab"))] == [
        "bad.yml"
    ]
    assert [(suite.get("name"), suite.get("failures")) for suite in junit_suites(shown("junit"))] == [
        ("hosts.yml", "0"), ("app.yml", "0"), ("bad.yml", "1"),
    ]  # fmt: skip
    assert [each["level"] for each in sarif_run(shown("sarif"))["results"]] == ["error"]


BROKEN = PLAN.replace("hosts: all", "hosts: none_of_them")


def test_where_there_is_no_preview_the_comment_takes_the_place_of_the_old_one(
    project: Path, capsys
) -> None:
    assert run(capsys, f"{PREVIEW} --format markdown -o comment.md")[0] == 0
    before = (project / "comment.md").read_text()
    (project / "app.yml").write_text(BROKEN)

    code, _, err = run(capsys, f"{PREVIEW} --format markdown -o comment.md")

    after = (project / "comment.md").read_text()
    assert code == ExitCode.REFUSED
    assert "error[I201]" in err
    assert after.splitlines()[0] == before.splitlines()[0]
    assert "### Rollout by plan `app`: no preview" in after
    assert "- `I201` no group and no host is called `none_of_them`" in after


@pytest.mark.parametrize(("more", "expected"), [("", 1), (" --detailed-exitcode", 1)])
def test_a_refusal_is_an_annotation_in_a_step_of_github_and_nothing_on_stderr(
    project: Path, capsys, monkeypatch: pytest.MonkeyPatch, more: str, expected: int
) -> None:
    (project / "app.yml").write_text(PLAN.replace("[1, rest]", "[1, 200%]"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(project / "output"))

    code, out, err = run(capsys, f"{PREVIEW} --format github{more}")

    ((kind, given, _),) = commands(out)
    assert (code, err) == (expected, "")
    assert (kind, given["title"], given["file"], given["line"]) == ("error", "P111", "app.yml", "5")
    assert "no preview" in (project / "summary").read_text()
    assert (project / "output").read_text() == "exit=1\n"


def test_reports_of_a_refusal_have_its_findings(project: Path, capsys) -> None:
    (project / "app.yml").write_text("schema: 1\nwaves: []\n")

    def shown(form: str) -> str:
        code, out, _ = run(capsys, f"{PREVIEW} --format {form}")
        assert code == ExitCode.REFUSED
        return out

    codes = {issue["check_name"] for issue in code_quality_issues(shown("gitlab"))}
    assert "P102" in codes
    assert {each["ruleId"] for each in sarif_run(shown("sarif"))["results"]} == codes
    (suite,) = junit_suites(shown("junit"))
    assert suite.get("failures") != "0"
    assert shown("text") == shown("json") == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("name: gw-1  # the one\nwaves: [", "gw-1"),
        ('name: "gw.2"', "gw.2"),
        ("name: [a]", "odd-file"),
        ('{"format_version": 1, "plan": {"name": "saved"}}', "saved"),
        ('{"format_version": 1, "plan": {"name": "x -->"}}', "odd-file"),
        ('{"format_version": 1', "odd-file"),
        ("\x00name: x", "odd-file"),
        (None, "odd-file"),
    ],
)
def test_a_plan_that_cannot_be_read_has_a_name_for_comments(tmp_path: Path, text, name) -> None:
    path = tmp_path / "odd file!.yml"
    if text is not None:
        path.write_text(text)

    assert api.plan_name(path) == name
