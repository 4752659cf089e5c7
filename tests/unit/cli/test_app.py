import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import typer

from orchestrator.cli.app import COMMANDS, HELP, build, invoke
from orchestrator.errors import ExitCode, LeaseError
from tests.cost import slowness
from tests.schema_of import SCHEMAS

SINGLE = ("init", "validate", "preview", "apply", "status", "events", "hosts", "completion")
GROUPS = {
    "key": ("generate", "show"),
    "artifact": ("sign", "verify", "inspect", "build"),
    "root": ("init", "add", "rotate", "sign", "verify", "show"),
    "release": ("create", "attach", "evidence", "sign", "verify", "inspect"),
    "ca": ("init", "sign-host", "sign-user"),
    "config": ("show",),
    "device": (
        "enroll",
        "bundle",
        "pin",
        "release",
        "adopt",
        "root",
        "check",
        "facts",
        "unhold",
        "attest",
    ),
    "inventory": ("list",),
    "lab": ("up", "down", "status", "break"),
    "audit": ("verify", "checkpoint"),
    "state": ("migrate", "export", "backup"),
}
BUILD = ("directory", "single-file", "script", "module", "helper")
HELP_CPU_S_MAX = 0.2  # of `rollout --help`, the interpreter's start included
VALIDATE_CPU_S_MAX = 0.5  # of `rollout validate` with a plan of 1000 lines
HEAVY = (
    "asyncssh",
    "sqlalchemy",
    "psycopg",
    "rich",
    "jinja2",
    "jsonschema",
    "httpx",
    "opentelemetry",
    "prometheus_client",
    "cryptography",
    "yaml",
)


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [(name,) for name in COMMANDS if name not in GROUPS]
    found += [(group, name) for group, names in GROUPS.items() for name in names]
    found.remove(("artifact", "build"))
    return found + [("artifact", "build", name) for name in BUILD]


@pytest.fixture(autouse=True)
def _plain(monkeypatch, tmp_path) -> None:
    for name in list(os.environ):
        if name.startswith("ROLLOUT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_help_with_examples(words, capsys) -> None:
    code = invoke([*words, "--help"])

    shown = capsys.readouterr().out
    assert code == ExitCode.DONE
    assert f"Usage: rollout {' '.join(words)}" in shown
    examples = shown.partition("Examples:\n")[2]
    assert f"  rollout {' '.join(words)}" in examples
    assert "MISSING" not in shown
    assert "-C DIR" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_in_the_table_is_the_commands_own(name) -> None:
    """`rollout --help` reads the table only, so it must not drift from what commands say."""
    app: typer.Typer = importlib.import_module(f"orchestrator.cli.{COMMANDS[name].module}").app
    own = app.info.help
    if name not in GROUPS:
        (command,) = app.registered_commands
        own = command.callback.__doc__

    assert own.partition("\n")[0].rstrip(".") or own
    assert COMMANDS[name].summary.endswith(".")


def test_help_lists_every_command_and_exit_code(capsys) -> None:
    assert invoke(["--help"]) == ExitCode.DONE

    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert all(f"{int(code)} " in HELP for code in ExitCode if code < ExitCode.INTERRUPTED)


@pytest.mark.parametrize(
    "words", [["--bad"], ["nonsense"], ["preview"], ["version", "extra"], ["lab", "nonsense"]]
)
def test_wrong_usage_ends_with_2_on_stderr(words, capsys) -> None:
    assert invoke(words) == ExitCode.USAGE

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Usage: rollout" in shown.err


def test_a_mistyped_command_names_the_nearest(capsys) -> None:
    invoke(["previw"])

    assert "preview" in capsys.readouterr().err


def test_errors_of_ours_become_text_and_exit_code(capsys, tmp_path) -> None:
    (tmp_path / "rollout.toml").write_text("stat = 1\n")

    code = invoke(["hosts", "all"])

    shown = capsys.readouterr()
    assert code == ExitCode.USAGE
    assert shown.out == ""
    assert shown.err.startswith("error[C102]: unknown key `stat`; did you mean `state`?\n")


def test_a_bug_says_that_it_is_one(capsys, monkeypatch) -> None:
    def broken(_words: object) -> typer.Typer:
        raise RuntimeError("\x1b[2J oh")

    monkeypatch.setattr("orchestrator.cli.app.build", broken)

    assert invoke(["version"]) == ExitCode.USAGE
    shown = capsys.readouterr().err
    assert shown.startswith(r"internal error: RuntimeError: \x1b[2J oh")
    assert "Traceback" not in shown

    invoke(["version", "-v"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "code"),
    [((), ExitCode.LOCKED), ((RuntimeError("bug"),), ExitCode.USAGE)],
)
def test_a_group_of_our_errors_is_its_first_and_a_bug_among_them_is_a_bug(
    others, code, capsys, monkeypatch
) -> None:
    def broken(_words: object) -> typer.Typer:
        inner = ExceptionGroup("inner", [LeaseError("another engine holds it"), *others])
        raise ExceptionGroup("outer", [inner])

    monkeypatch.setattr("orchestrator.cli.app.build", broken)

    assert invoke(["version"]) == code
    assert ("another engine holds it" in capsys.readouterr().err) is not bool(others)


def test_ctrl_c_in_a_quick_command_ends_with_130(monkeypatch) -> None:
    def interrupted(_words: object) -> typer.Typer:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.app.build", interrupted)

    assert invoke(["version"]) == ExitCode.INTERRUPTED


def test_version_in_all_ways(capsys) -> None:
    from orchestrator import __version__

    for words in (["--version"], ["version"]):
        assert invoke(words) == ExitCode.DONE
        assert capsys.readouterr().out == f"rollout {__version__}\n"
    assert invoke(["version", "--format", "json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, json.loads((SCHEMAS / "version.v1.json").read_text()))
    assert found["version"] == __version__


def test_common_options_may_stand_before_and_after_the_command(tmp_path, capsys) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "rollout.toml").write_text("wrong = 1\n")

    before = invoke(["-C", "one", "hosts", "all"])
    os.chdir(tmp_path)
    after = invoke(["hosts", "all", "-C", "one"])

    assert before == after == ExitCode.USAGE
    assert capsys.readouterr().err.count("unknown key `wrong`") == 2


def test_only_named_commands_are_loaded() -> None:
    names = [command.name for command in build({"version"}).registered_commands]

    assert sorted(names) == sorted(COMMANDS)


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from orchestrator.cli.app import invoke; invoke(['--help']);"
        "print(sorted(sys.modules), file=sys.stderr)"
    )

    modules = set(eval(python(code).stderr))

    assert not modules & set(HEAVY)
    assert not [name for name in modules if name.startswith("orchestrator.render")]


def cpu_s(arguments: list[str], *, promised_s: float, tries: int = 10) -> float:
    """CPU time of the program, its start included: the least of some tries, as the machine may be busy.

    The first that keeps the promise is enough: no program needs less than it needs.
    """
    spent: list[float] = []
    while len(spent) < tries and (not spent or spent[-1] >= promised_s):
        slow = slowness()
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
        after = os.times()
        assert done.returncode == 0, done.stderr + done.stdout
        used_s = after.children_user - before.children_user
        used_s += after.children_system - before.children_system
        spent.append(used_s / slow)
    return min(spent)


def test_help_is_quick() -> None:
    assert cpu_s(["--help"], promised_s=HELP_CPU_S_MAX) < HELP_CPU_S_MAX


def thousand_lines() -> str:
    """A plan that passes, of every part that may be long: variables, freezes, waves and gates."""
    lines = ["schema: 1", "name: long", 'release: "2.4"', "hosts: all", "artifact: app.mender"]
    lines += ["vars:", *(f'  name_{number}: "value {number}"' for number in range(100))]
    windows = '  - {days: [mon, tue], start: "01:00", duration: 4h, timezone: Europe/Berlin}'
    lines += ["windows:", windows, "freezes:"]
    for day in range(1, 21):
        lines += [f"  - from: 2026-12-{day:02}T00:00:00Z", f"    to: 2026-12-{day:02}T12:00:00Z"]
        lines += ["    reason: counting"]
    lines += ["waves:"]
    for number in range(59):
        lines += [
            f"  - name: part-{number}",
            "    size: 1%",
            "    soak: 30m",
            "    max_failures: 1",
        ]
    lines += ["  - name: last", "    size: rest", "gates:"]
    for number in range(42):
        lines += [f"  - name: site {number}", "    http:", f"      url: https://site/{number}"]
        lines += ["    interval: 30s", "    success_when: result.status < 500", "    count: 3"]
        lines += [f"  - name: unit {number}", f"    check: unit-{number}", "    count: 5"]
        lines += ["    interval: 10s", "    success_when: result.exit == 0 and result.value > 3"]
        lines += ["    failure_limit: 1", "    timeout: 10s", "    dry_run: false"]
    lines += ["# the thousandth line"] * (1000 - len(lines))
    return "\n".join(lines) + "\n"


def test_a_plan_of_a_thousand_lines_is_validated_quickly(tmp_path) -> None:
    plan = tmp_path / "long.yml"
    plan.write_text(thousand_lines())

    spent_s = cpu_s(["validate", str(plan)], promised_s=VALIDATE_CPU_S_MAX)

    assert spent_s < VALIDATE_CPU_S_MAX


def test_validating_loads_neither_the_rollout_nor_forms_that_nobody_asked_for(tmp_path) -> None:
    plan = tmp_path / "long.yml"
    plan.write_text(thousand_lines())
    code = (
        f"import sys; from orchestrator.cli.app import invoke; invoke(['validate', {str(plan)!r}]);"
        "print(sorted(sys.modules), file=sys.stderr)"
    )

    modules = set(eval(python(code).stderr))

    assert not modules & (set(HEAVY) - {"yaml"})
    assert not [name for name in modules if name.startswith("orchestrator.rollout")]
    assert {name for name in modules if name.startswith("orchestrator.render.")} == {
        "orchestrator.render.diagnostics",
        "orchestrator.render.folds",
        "orchestrator.render.text",
    }


def test_a_terminal_that_went_away_is_no_bug() -> None:
    code = "from orchestrator.cli.app import run; import sys; sys.argv = ['rollout', 'completion', 'bash']; run()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    child.stdout.close()
    deadline = time.monotonic() + 30
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)

    with child.stderr:
        assert "internal error" not in child.stderr.read()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_us(shell, capsys) -> None:
    assert invoke(["completion", shell]) == ExitCode.DONE

    assert "_ROLLOUT_COMPLETE=complete_" in capsys.readouterr().out


def test_completion_knows_commands_and_options(capsys, monkeypatch) -> None:
    monkeypatch.setenv("_ROLLOUT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "rollout preview --det")
    monkeypatch.setenv("COMP_CWORD", "2")

    invoke([])

    assert capsys.readouterr().out.strip() == "--detailed-exitcode"


def test_wrong_usage_never_reads_as_changes(capsys) -> None:
    assert invoke(["preview"]) == ExitCode.USAGE
    assert invoke(["preview", "--detailed-exitcode"]) == ExitCode.REFUSED
    assert invoke(["preview", "p.yml", "--detailed-exitcode", "--bogus"]) == ExitCode.REFUSED
    assert "No such option" in capsys.readouterr().err


def test_what_the_system_refuses_is_no_bug_of_ours(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)

    code = invoke(["reconcile", "--once", "--git", "x" * 300])

    said = capsys.readouterr().err
    assert code == ExitCode.USAGE
    assert "internal error" not in said
    assert "file name too long" in " ".join(said.split())
