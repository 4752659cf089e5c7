"""`rollout completion`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.options import Common, command
from orchestrator.cli.streams import put
from orchestrator.errors import ExitCode

app = typer.Typer()


class Shell(StrEnum):
    """Shells we can complete in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@command(
    app,
    examples="""
rollout completion bash > ~/.local/share/bash-completion/completions/rollout
rollout completion fish > ~/.config/fish/completions/rollout.fish
""",
)
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    *,
    common: Common,  # noqa: ARG001  every command takes the common options
) -> int:
    """Print a shell's completion script."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # no __all__

    script = get_completion_script(
        prog_name="rollout", complete_var="_ROLLOUT_COMPLETE", shell=str(shell)
    )
    put(script + "\n")
    return ExitCode.DONE
