"""Completion as a shell asks for it: by the program's own protocol."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from tests.docs.test_commands_page import waiting_rollout
from tests.in_process import empty_project
from tests.unit.cli.test_app import HEAVY


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    empty_project(tmp_path, monkeypatch)
    waiting_rollout(tmp_path)
    (tmp_path / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    return tmp_path


@pytest.fixture
def offered(capsys, monkeypatch: pytest.MonkeyPatch):
    """What a shell is offered behind a line that it sends as `shell` does."""

    def ask(line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_ROLLOUT_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        invoke([])
        said = capsys.readouterr()
        assert said.err == ""
        return [line for line in said.out.split("\n") if line]

    return ask


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("rollout hosts w", ["web1", "web2", "webs"]),
        ("rollout hosts web1,!w", ["web1,!web1", "web1,!web2", "web1,!webs"]),
        ("rollout preview site.yml -l web", ["web1", "web2", "webs"]),
        ("rollout device check a", ["all"]),
        ("rollout inventory host web1", ["web1"]),
        ("rollout status r", ["r-7f3a"]),
        ("rollout watch ", ["r-7f3a", "old.plan", "site.yml"]),
        ("rollout show ", ["old.plan", "r-7f3a"]),
        ("rollout apply ", ["old.plan", "site.yml"]),
        ("rollout promote r-7f3a --wave wave-", ["wave-1", "wave-2"]),
        ("rollout promote r-0 --wave wave-", []),
        ("rollout retry --device w", ["web1", "web2"]),
        ("rollout status --why web2", ["web2"]),
        ("rollout explain P20", [f"P20{n}" for n in range(1, 10)]),
        ("rollout explain P203 check_", ["check_failed"]),
        ("rollout schema inv", ["inventory", "inventory-file", "inventory-listing"]),
        ("rollout -C elsewhere hosts gw", ["gw-1"]),
        ("rollout -C elsewhere inventory explain gw-1 ", ["labels", "rack"]),
        ("rollout inventory explain gw-1 r -i elsewhere/hosts.ini", []),
        ("rollout inventory explain -i elsewhere/hosts.ini gw-1 r", ["rack"]),
        ("rollout -C elsewhere inventory explain gw-2 ", []),
        ("rollout -C elsewhere fleet --by ", ["version", "hardware", "rack", "site"]),
        ("rollout -C elsewhere lab break lab", ["lab-01", "lab-02"]),
        ("rollout lab break lab", []),
        ("rollout hosts -i elsewhere/hosts.ini gw", ["gw-1"]),
        ("rollout --state elsewhere/none.db status ", []),
    ],
)
def test_names_are_offered_where_they_are_taken(project: Path, offered, line, names) -> None:
    (project / "elsewhere").mkdir()
    (project / "elsewhere/hosts.ini").write_text("gw-1 rack=4 labels=\"{'site': 'berlin'}\"\n")
    (project / "elsewhere/.rollout/lab").mkdir(parents=True)
    lab = "lab: {hosts: {'lab-[01:02]': }}\n"
    (project / "elsewhere/.rollout/lab/inventory.yml").write_text(lab)
    (project / "elsewhere/rollout.toml").write_text('inventory = ["hosts.ini"]\n')
    (project / "old.plan").write_text('{"plan":')

    assert sorted(offered(line)) == sorted(names)


def test_rollouts_say_what_they_are_where_a_shell_shows_it(project: Path, offered) -> None:
    assert offered("rollout status r", "fish") == ["r-7f3a\tsite: awaiting approval"]
    assert "site\\\\: awaiting approval" in "".join(offered("rollout status r", "zsh"))


def test_codes_say_what_they_mean_on_one_line(project: Path, offered) -> None:
    assert "P209\tno device can take part" in offered("rollout explain P2", "fish")
    lines = offered("rollout explain P2", "zsh")
    assert all('"P2' in line and '":"' in line for line in lines)


def test_nothing_is_run_asked_or_written(project: Path, offered) -> None:
    program = project / "list.sh"
    program.write_text(f"#!/bin/sh\necho ran > {project}/ran\necho '{{}}'\n")
    program.chmod(0o755)
    sources = '["list.sh", "https://127.0.0.1:9/api", "hosts.yml"]'
    (project / "rollout.toml").write_text(f"inventory = {sources}\n")
    user = Path(os.environ["ROLLOUT_CONFIG"])
    user.write_text(
        f'inventory_programs = ["{program}"]\ninventory_servers = ["https://127.0.0.1:9"]\n'
    )
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}

    assert offered("rollout hosts web") == ["web1", "web2", "webs"]
    assert offered("rollout status r-") == ["r-7f3a"]
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


@pytest.mark.parametrize("broken", ["rollout.toml", "hosts.yml", ".rollout/state.db", "site.yml"])
def test_what_is_broken_is_silent(project: Path, offered, broken) -> None:
    (project / broken).write_bytes(b"\xff{{: [")

    for line in (
        "rollout hosts w",
        "rollout status r",
        "rollout retry --device w",
        "rollout apply ",
    ):
        offered(line)


def test_without_a_store_or_inventory_nothing_is_offered(tmp_path, monkeypatch, offered) -> None:
    empty_project(tmp_path, monkeypatch)

    assert offered("rollout status ") == offered("rollout hosts x") == []
    assert not (tmp_path / ".rollout").exists()


def test_server_that_is_not_there_is_silent(project: Path, offered) -> None:
    for line in ("status ", "retry --device w", "promote --wave "):
        assert offered(f"rollout --state postgresql://u:p@127.0.0.1:9/db {line}") == []


def test_groups_that_labels_make_are_offered(project: Path, offered) -> None:
    (project / "hosts.yml").write_text(
        "groups_by: [{label: site}]\nwebs: {hosts: {web1: {}, web2: {site: lisbon}}}\n"
    )
    (project / "host_vars").mkdir()
    (project / "host_vars/web1.yml").write_text("site: berlin\n")

    assert offered("rollout hosts site") == ["site_berlin", "site_lisbon"]
    (project / "host_vars/web1.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    assert offered("rollout hosts site") == ["site_lisbon"]
    (project / "hosts.yml").write_text(
        "groups_by: [{label: site}]\n"
        "a: {children: {b: }, hosts: {web1: {site: berlin}}}\n"
        "b: {children: {a: }}\n"
    )
    assert offered("rollout hosts web") == ["web1"]


def test_names_that_a_terminal_could_obey_are_not_offered(project: Path, offered) -> None:
    with closing(sqlite3.connect(project / ".rollout/state.db")) as store:
        for name in ("web\x1b[2J", "web$(id)", "web 3"):
            store.execute("INSERT INTO devices VALUES ('r-7f3a', ?, 'pending', '{}')", (name,))
        store.commit()

    assert offered("rollout retry --device web") == ["web1", "web2"]


def test_completion_loads_nothing_heavy(project: Path) -> None:
    """So it takes as long as `--help` of a command, which loads what it runs when it runs."""
    lines = ("rollout hosts w", "rollout status r", "rollout retry --device w", "rollout apply s")
    code = (
        "import os, sys; from orchestrator.cli.app import invoke\n"
        f"for line in {lines}:\n"
        "    os.environ.update(COMP_WORDS=line, COMP_CWORD=str(line.count(' '))); invoke([])\n"
        "import importlib\n"
        "from orchestrator.cli.app import COMMANDS\n"
        "for name in COMMANDS.keys() - {'reconcile'}:\n"
        "    importlib.import_module(f'orchestrator.cli.{COMMANDS[name].module}')\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        (sys.executable, "-c", code), env={**os.environ, "_ROLLOUT_COMPLETE": "complete_bash"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.split() == ["web1", "web2", "webs", "r-7f3a", "web1", "web2", "site.yml"]
    loaded = set(eval(done.stderr))
    assert not loaded & (set(HEAVY) - {"yaml"})
    assert not loaded & {"orchestrator.rollout.machine", "orchestrator.plan.resolved"}
    assert not loaded & {"orchestrator.render.board", "orchestrator.render.documents"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script_that_we_print(project: Path, rollout_program: Path) -> None:
    """Its words are those that bash itself makes: split at `:`, unless there is a quote before."""
    script = """\
eval "$(rollout completion bash)"
complete -p rollout | grep -q _rollout_completion
offered() {  # the present word, then all words
    local present=$1; shift
    COMP_LINE=$1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
    _rollout_completion rollout "$present" before
    echo "${COMPREPLY[@]-}" | xargs
}
offered r- 'rollout status r-' rollout status r-
offered '' 'rollout  show ' rollout show ''
offered web 'rollout hosts webs:web' rollout hosts webs : web
offered '!w' 'rollout hosts -l webs  all:!w' rollout hosts -l webs all : '!w'
offered '' 'rollout hosts webs:' rollout hosts webs :
offered webs:w "rollout hosts 'webs:w" rollout hosts "'webs:w"
offered zz 'rollout hosts zz' rollout hosts zz
"""
    environment = {**os.environ, "PATH": f"{rollout_program}:{os.environ['PATH']}"}
    done = subprocess.run(
        ("bash", "--norc", "-euc", script), cwd=project, env=environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout.splitlines()) == (0, [
        "r-7f3a", "r-7f3a", "web1 web2 webs", "!web1 !web2 !webs", "web1 web2 all ungrouped webs",
        "webs:web1 webs:web2 webs:webs", "",
    ]), done.stderr  # fmt: skip
