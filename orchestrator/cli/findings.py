"""What is odd in an inventory, said on stderr beside a command's result."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cli.session import Session
from orchestrator.cli.streams import say
from orchestrator.errors import Diagnostic
from orchestrator.render.diagnostics import concise_line

FINDINGS_MAX = 20  # more are a list to work through, which `rollout validate -i` gives


def say_findings(session: Session, findings: Sequence[Diagnostic]) -> None:
    """Says each with its place, one line each; nothing with `--quiet`."""
    if session.quiet:
        return
    for found in findings[:FINDINGS_MAX]:
        say(concise_line(found))
    if len(findings) > FINDINGS_MAX:
        more = len(findings) - FINDINGS_MAX
        say(f"and {more} more in the inventory: `rollout validate -i SRC` lists them")
