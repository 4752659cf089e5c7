"""`rollout completion`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.options import Common, command
from orchestrator.cli.streams import put
from orchestrator.errors import ExitCode

app = typer.Typer()

# bash splits words at `:`, which patterns of hosts are full of: they are put together again, and of
# what is offered goes what bash does not take for the present word ($2)
_BASH = """\
_rollout_completion() {
    local IFS=$'\\n' words=() rest=$COMP_LINE word at
    for (( at = 0; at <= COMP_CWORD; at++ )); do
        word=${COMP_WORDS[at]}
        if [[ $at -gt 0 && -n $word && $rest == "$word"* ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#*"$word"}
    done
    word=${words[${#words[@]}-1]}
    word=${word#[\\"\\']}
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" COMP_CWORD=$(( ${#words[@]} - 1 )) \\
                   _ROLLOUT_COMPLETE=complete_bash $1 ) )
    COMPREPLY=( "${COMPREPLY[@]#"${word%"$2"}"}" )
}
complete -o default -F _rollout_completion rollout"""


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
    put(_script(shell) + "\n")
    return ExitCode.DONE


def _script(shell: Shell) -> str:
    if shell is Shell.BASH:
        return _BASH
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # no __all__

    variable = "_ROLLOUT_COMPLETE"
    return get_completion_script(prog_name="rollout", complete_var=variable, shell=str(shell))
