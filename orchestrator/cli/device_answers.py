"""Asking many devices: answers shown as they come, or as one document."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import hosts
from orchestrator.cli.confirm import confirm_key
from orchestrator.cli.options import Format
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say, write_result
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode, PlanError
from orchestrator.render.gathered import gathered_text
from orchestrator.render.json_text import dump
from orchestrator.render.shown import AnswerFacts, answer_line, answer_text, answers_document
from orchestrator.render.text import plural

PatternArgument = Annotated[
    str, typer.Argument(metavar="PATTERN", help="Ansible host pattern.", autocompletion=hosts)
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")]
ChosenArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="PATTERN", help="Ansible host pattern; all that -l leaves.", autocompletion=hosts
    ),
]
KeysOption = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="PUB", help="Public key whose artifacts are taken; may repeat."),
]
RootOption = Annotated[
    Path | None,
    typer.Option("--root", metavar="FILE", help="Trust root; signatures in FILE.sig."),
]
ChecksOption = Annotated[
    list[Path] | None,
    typer.Option("--check", metavar="FILE", help="Health check to place; may repeat."),
]
FingerprintOption = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="SHA256:...", help="The host key it must show."),
]
FingerprintsOption = Annotated[
    Path | None,
    typer.Option("--fingerprints", metavar="FILE", help="Lines `DEVICE SHA256:...` of many."),
]
PinsOption = Annotated[
    Path | None,
    typer.Option("--pins", metavar="FILE", help="Inventory file to keep the host keys in."),
]
ParallelOption = Annotated[
    int,
    typer.Option("--parallel", metavar="N", min=1, max=1000, help="Devices at one time."),
]
OnAnswer = Callable[[api.DeviceAnswer], None]
Answers = tuple[api.DeviceAnswer, ...]


def ask_all(
    session: Session,
    form: Format,
    work: Callable[[OnAnswer], Coroutine[object, object, Answers]],
    *,
    with_facts: bool = False,
) -> int:
    """Asks devices, shows answers as they come (text) or all at the end (JSON)."""

    def show(answer: api.DeviceAnswer) -> None:
        line = answer_text if with_facts else answer_line
        if form is Format.TEXT:
            write_result(line(facts_of(answer), session.out) + "\n", None)

    answers = wait_for(work(show))
    if form is Format.JSON:
        write_result(dump(answers_document([facts_of(answer) for answer in answers])), None)
    bad_count = sum(not answer.ok for answer in answers)
    if bad_count and not session.quiet:
        say(f"{bad_count} of {plural(len(answers), 'device')} did not answer well")
    return ExitCode.PARTIAL if bad_count else ExitCode.DONE


def facts_of(answer: api.DeviceAnswer) -> AnswerFacts:
    """The answer as views take it."""
    return AnswerFacts(answer.device, answer.ok, answer.reason, answer.detail, answer.facts)


def named_pattern(pattern: str | None, source: api.Source) -> str:
    """Which devices: of the argument, else all that `--limit` leaves.

    Raises:
        PlanError: neither was given.
    """
    if pattern is None and source.limit is None:
        message = "no devices were named"
        raise PlanError(
            message, hint="give a PATTERN, or `-l PATTERN`; `all` means all", code="D117"
        )
    return pattern or "all"


def accepting(session: Session) -> Callable[[str, str], bool]:
    """Asks a person about a device's host key."""

    def accept(device: str, fingerprint: str) -> bool:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:  # the event loop waits for the person: Ctrl-C must end the question
            return confirm_key(session, device, fingerprint)
        finally:
            signal.signal(signal.SIGINT, before)

    return accept


def worst(answers: Answers) -> ExitCode:
    """The exit code of the worst device; one that may be changed in part needs somebody to look."""
    bad = {answer.reason for answer in answers if not answer.ok}
    if Reason.INTERRUPTED in bad:
        return ExitCode.NEEDS_HUMAN
    return ExitCode.PARTIAL if bad else ExitCode.DONE


class Many:
    """Work of an administrator on devices: each as it ends, then counts and the exceptions."""

    def __init__(
        self, session: Session, form: Format, device_count: int, done: str, *, details: bool
    ) -> None:
        self._session = session
        self._form = form
        self._device_count = device_count
        self._done = done
        self._details = details or device_count == 1
        self._ended_count = 0

    def run(self, work: Callable[[OnAnswer], Coroutine[object, object, Answers]]) -> int:
        """Does the work; the exit code is that of the worst device."""
        if not self._session.quiet and self._device_count > 1:
            say(plural(self._device_count, "device"))
        answers = wait_for(work(self._show))
        facts = [facts_of(answer) for answer in answers]
        if self._form is Format.JSON:
            write_result(dump(answers_document(facts)), None)
        elif len(facts) > 1:
            write_result(gathered_text(facts, self._session.out, done=self._done), None)
        return worst(answers)

    def _show(self, answer: api.DeviceAnswer) -> None:
        self._ended_count += 1
        if self._form is not Format.TEXT:
            return
        if self._details:
            write_result(answer_text(facts_of(answer), self._session.out) + "\n", None)
        elif not self._session.quiet:
            line = answer_line(facts_of(answer), self._session.err)
            say(f"{self._ended_count}/{self._device_count} {line}")
