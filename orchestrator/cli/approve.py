"""`rollout approve`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, RolloutArgument, WaveOption, WhyOption, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import put, say
from orchestrator.errors import ExitCode, PlanError
from orchestrator.rollout.events import Ask

app = typer.Typer()

_SIGNED_HINT = (
    "sign with `--key FILE` (a key file, or the public key of one in an agent), or elsewhere: "
    "`--print` writes the text to sign, `--statement FILE --signature FILE` hand over both"
)


@command(
    app,
    examples="""
rollout approve r-7f3a
rollout approve r-7f3a --wave broad --reason 'canary looks good'
rollout approve r-7f3a --key ~/.ssh/id_ed25519
rollout approve r-7f3a --print > approval
rollout approve r-7f3a --statement approval --signature approval.sig
rollout approve r-7f3a --break-glass 'CVE-2026-1234 is being used against us'
rollout approve r-7f3a --deny --reason 'not on a Friday'
""",
)
def approve(  # noqa: PLR0913  each is an option of the command line
    rollout: RolloutArgument = None,
    *,
    common: Common,
    wave: WaveOption = None,
    digest: Annotated[
        str,
        typer.Option("--digest", metavar="SHA256", help="Only the plan with this digest."),
    ] = "",
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Sign with this SSH key, or an agent's."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--print", help="Write the text to sign; approve nothing.")
    ] = False,
    statement: Annotated[
        Path | None,
        typer.Option("--statement", metavar="FILE", help="A text that was signed elsewhere."),
    ] = None,
    signature: Annotated[
        Path | None,
        typer.Option("--signature", metavar="FILE", help="Its signature by ssh-keygen."),
    ] = None,
    break_glass: Annotated[
        str,
        typer.Option(
            "--break-glass",
            metavar="REASON",
            help="Go on without the approvals that are missing, for 15 minutes.",
        ),
    ] = "",
    deny: Annotated[bool, typer.Option("--deny", help="Speak against it instead.")] = False,
    why: WhyOption = "",
) -> int:
    """Approve what a rollout waits for: its start, or its next wave.

    A denial rejects a rollout that has not started, and pauses one under way. Where your
    configuration names allowed signers, approvals are signed, and only signatures count.

    --break-glass is for what cannot wait, and for those who have the role `break-glass`: it is
    journalled, shown from then on and told to every hook. Devices check everything as ever.
    """
    from orchestrator.cli.driving import ask

    session = start(common)
    if show:
        text = wait_for(api.approval_statement(session.settings, rollout, wave, break_glass)).text()
        put(text)
        return ExitCode.DONE
    if break_glass and deny:
        message = "speaks for going on, --deny against it"
        raise typer.BadParameter(message, param_hint="--break-glass")
    verb = Ask.DENY if deny else Ask.BREAK_GLASS if break_glass else Ask.APPROVE
    request = api.AskRequest(rollout, verb, why=break_glass or why, wave=wave, digest=digest)
    if (statement is None) != (signature is None):
        message = "goes together with --signature, the one is signed by the other"
        raise typer.BadParameter(message, param_hint="--statement")
    if statement is not None and signature is not None:
        text, signed = api.approval_text(statement), api.approval_text(signature)
        request = replace(request, statement=text, signature=signed)
    elif verb is not Ask.DENY and api.approvals_are_signed(session.settings):
        request = _signed(session, request, key)
    return ask(session, request)


def _signed(session: Session, request: api.AskRequest, key: Path | None) -> api.AskRequest:
    if key is None:
        message = "approvals of this fleet are signed"
        raise PlanError(message, hint=_SIGNED_HINT, code="S214")
    reason = request.why if request.ask is Ask.BREAK_GLASS else ""
    asked = api.approval_statement(session.settings, request.rollout, request.wave, reason)
    text = wait_for(asked).text()
    say(f"this is signed with `{key}`:\n{text}")
    return replace(
        request, statement=text, signature=api.approval_sign(session.settings, text, key)
    )
