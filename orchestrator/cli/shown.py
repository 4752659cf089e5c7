"""A result on stdout, as text or as data: shared by the commands that show one thing."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.cli.options import Format
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump


def show_result(form: Format, document: Mapping[str, object], text: str, *, then: str = "") -> int:
    """Writes it in the form that was asked for; gives the exit code.

    Args:
        form: text or JSON.
        document: it as data.
        text: it for people.
        then: a line on stderr beside the text: what to do next.
    """
    if form is Format.JSON:
        write_result(dump(document), None)
        return ExitCode.DONE
    write_result(text, None)
    if then:
        say(then)
    return ExitCode.DONE
