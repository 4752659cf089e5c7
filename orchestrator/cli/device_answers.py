"""Asking many devices: answers shown as they come, or as one document."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Format
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode
from orchestrator.render.documents import dump
from orchestrator.render.shown import AnswerFacts, answer_line, answer_text, answers_document
from orchestrator.render.text import plural

PatternArgument = Annotated[str, typer.Argument(metavar="PATTERN", help="Ansible host pattern.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")]
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
