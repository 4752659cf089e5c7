"""The command line's entry: finds the command, loads only that one, maps errors to exit codes.

Laws:
1. `rollout --help` imports no command: their names and summaries stand in `COMMANDS`
   (`tests/unit/cli` compares them with the commands' own).
2. Results go to stdout, everything else to stderr.
3. Every error of ours becomes its message, hint and exit code, and so does what the system
   refuses (a full disk, a file that may not be read); anything else is a bug of ours, says so, and
   ends with `ExitCode.USAGE`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, TextIO

import typer

from orchestrator.cli.closed import Closed, LostOutputError
from orchestrator.cli.options import Common, spread
from orchestrator.cli.signals import ended_by
from orchestrator.errors import ExitCode, OrchestratorError, system_reason

PROGRAM = "rollout"
COMPLETE_VARIABLE = "_ROLLOUT_COMPLETE"


class Command(NamedTuple):
    """A command: the module that has its `app`, and its line in `rollout --help`."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "init": Command("init", "Write a small project to start from."),
    "key": Command("key", "Make and show signing keys."),
    "artifact": Command("artifact", "Build, sign, verify and inspect artifacts."),
    "root": Command("root", "Make, sign and verify trust roots."),
    "release": Command("release", "Make, sign and verify release tickets."),
    "validate": Command("validate", "Check plans: offline, nothing is run."),
    "preview": Command("preview", "Show what a plan would do; changes nothing."),
    "show": Command("show", "Show a saved plan, or that of a rollout, as `preview` showed it."),
    "apply": Command("apply", "Roll a plan out, or go on with its rollout."),
    "status": Command("status", "Show where a rollout stands and why."),
    "watch": Command("watch", "Follow a rollout that another terminal or machine drives."),
    "events": Command("events", "Print a rollout's journal."),
    "logs": Command("logs", "Show what happened to one device of a rollout, step by step."),
    "report": Command("report", "Write one page with all that became of a rollout."),
    "pause": Command("pause", "Start no further device until resumed."),
    "resume": Command("resume", "Go on with a paused or halted rollout."),
    "halt": Command("halt", "Stop a rollout as if a limit had tripped."),
    "promote": Command(
        "promote",
        "End the present wait of one wave: its soak, or that its evidence is inconclusive.",
    ),
    "approve": Command("approve", "Approve what a rollout waits for: its start, or its next wave."),
    "reconcile": Command("reconcile", "Advance every rollout that waits for time or approvals."),
    "abort": Command("abort", "End a rollout; devices past the point of no return finish."),
    "retry": Command("retry", "Try failed devices again."),
    "rollback": Command("rollback", "Take devices back to what they ran before."),
    "freeze": Command("freeze", "Pause every rollout of the state store."),
    "unfreeze": Command("unfreeze", "Let the rollouts go on that were frozen."),
    "ca": Command("ca", "Vouch for devices and logins by OpenSSH certificates."),
    "device": Command("device", "Enrol, release, check and look at devices."),
    "inventory": Command("inventory", "Show the inventory as it was read."),
    "fleet": Command("fleet", "Show what runs where, as last seen, and who stands out."),
    "drift": Command("drift", "Tell whether devices are as the last rollout left them."),
    "hosts": Command("hosts", "List the devices of a pattern."),
    "audit": Command(
        "audit",
        "Show what was done beside rollouts; verify that the journals are what was written.",
    ),
    "state": Command("state", "Migrate, export and back up the state store."),
    "config": Command("configuring", "Show the configuration in force."),
    "lab": Command("lab", "A local fleet of real SSH devices to try things on."),
    "explain": Command("explain", "Say what a code of an error, a failure or an exit means."),
    "schema": Command("schema", "Print the JSON schema of a format."),
    "version": Command("version", "Print the version."),
    "completion": Command("completion", "Print a shell's completion script."),
}

HELP = """Roll signed artifacts out to fleets of Linux devices, in waves, guarded by gates.

\b
Start here:
  rollout init my-fleet            a project with a plan and an inventory
  rollout lab up                   a local fleet to try it on
  rollout preview plan.yml         what would happen; changes nothing
  rollout apply plan.yml           make it happen

Exit codes: 0 done, 1 refused, 2 usage or internal error, 3 some devices failed within tolerance,
4 halted, 5 halted and rolled back, 6 needs a human, 7 waiting, 8 locked, 9 plan is stale.
"""


def build(words: Collection[str]) -> typer.Typer:
    """The program with the commands named in `words` loaded and the others known by name."""
    app = typer.Typer(
        name=PROGRAM,
        help=HELP,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(spread(_root, after=lambda _code: None))
    for name, command in COMMANDS.items():
        if name not in words:
            app.command(name, help=command.summary)(_unloaded)
            continue
        loaded: typer.Typer = importlib.import_module(f"orchestrator.cli.{command.module}").app
        if loaded.registered_callback or len(loaded.registered_commands) > 1:
            app.add_typer(loaded, name=name)
        else:
            (only,) = loaded.registered_commands
            only.name = name
            app.registered_commands.append(only)
    return app


def _unloaded() -> None:
    """Never called: a command that is named on the command line is loaded."""
    message = "a command was called that was not loaded"
    raise AssertionError(message)


def _show_version(wanted: bool) -> None:
    if wanted:
        from orchestrator import __version__

        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


def _root(
    *,
    common: Common,  # noqa: ARG001  `spread` keeps it for the command
    version: Annotated[  # noqa: ARG001  its callback has answered
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> int:
    return 0


def invoke(arguments: Sequence[str]) -> int:
    """Runs one command line and gives its exit code."""
    words = set(arguments)
    if COMPLETE_VARIABLE in os.environ:
        words |= _prepare_completion()
    try:
        build(words)(args=list(arguments), prog_name=PROGRAM)
    except SystemExit as stop:
        if stop.__context__ is not None and isinstance(
            by := stop.__context__.__cause__, KeyboardInterrupt
        ):
            return ended_by(by)  # typer makes an exit of it, without a word
        code = stop.code if isinstance(stop.code, int) else ExitCode.USAGE
        # A command ends by `typer.Exit`; all else that ends here is wrong usage.
        return code if isinstance(stop.__context__, typer.Exit) else _failed(code, arguments)
    except KeyboardInterrupt as by:
        return ended_by(by)
    except Exception as error:  # noqa: BLE001  the last resort: a bug must not look like a refusal
        ours = _ours(error)
        if ours is None:
            _report_bug(error, arguments)
            return _failed(ExitCode.USAGE, arguments)
        _report(ours)
        return _failed(ours.exit_code, arguments)
    return ExitCode.DONE


def _failed(code: int, arguments: Sequence[str]) -> int:
    """With --detailed-exitcode, and of `drift`, 2 says what was found: every failure is 1 there."""
    finds = _command_of(arguments) == "drift" or "--detailed-exitcode" in arguments
    return ExitCode.REFUSED if finds else code


def _command_of(arguments: Sequence[str]) -> str:
    """The command's name: the first word that is no option, nor the value of one."""
    before = ""
    for word in arguments:
        if not word.startswith("-") and before not in _WITH_VALUE:
            return word
        before = word
    return ""


# of the options that may stand before a command, those whose value is a word of its own
_WITH_VALUE = frozenset({
    "-C", "--config", "--state", "--color", "--log-file", "--log-format",
})  # fmt: skip


def _prepare_completion() -> set[str]:
    """Lets typer answer a shell that completes; gives the words typed so far."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()  # registers the shells
    return set(os.environ.get("COMP_WORDS", os.environ.get("_TYPER_COMPLETE_ARGS", "")).split())


def _ours(error: Exception) -> OrchestratorError | None:
    """The error of ours in it: itself, or the first of a task group that holds nothing else."""
    if isinstance(error, LostOutputError):
        return OrchestratorError(f"cannot write the result: {error.strerror}")
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error)
    if not isinstance(error, ExceptionGroup):
        return error if isinstance(error, OrchestratorError) else None
    found = [_ours(each) for each in error.exceptions]
    return found[0] if all(found) else None


def _of_system(error: OSError) -> OrchestratorError:
    """What the system refused: nobody's bug, though no command had words of its own for it."""
    place = f"`{error.filename}`: " if error.filename is not None else ""
    found = OrchestratorError(f"{place}{system_reason(error)}")
    found.__cause__ = error
    return found


def _report(error: OrchestratorError) -> None:
    from orchestrator.cli.streams import look_of
    from orchestrator.log import Log
    from orchestrator.render.diagnostics import error_text

    Log("command").error("failed", code=error.code, message=error.message)

    sys.stderr.write(error_text(error, look_of(sys.stderr)))


def _report_bug(error: Exception, arguments: Sequence[str]) -> None:
    from orchestrator.render.text import escape

    if any(word.startswith("-v") or word == "--verbose" for word in arguments):
        import traceback

        traceback.print_exception(error)
    text = escape(f"{type(error).__name__}: {error}")
    sys.stderr.write(f"internal error: {text}\n  hint: this is a bug; run again with -v for more\n")


def run() -> None:
    """Entry point of the console script."""
    # A service manager may have closed them; Python then has None in their place.
    sys.stdout = sys.stdout or Closed()
    sys.stderr = sys.stderr or _nowhere()
    sys.exit(invoke(sys.argv[1:]))


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
