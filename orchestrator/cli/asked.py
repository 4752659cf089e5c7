"""What came of a request to a rollout, in a line."""

from __future__ import annotations

from orchestrator import api
from orchestrator.render.text import escape
from orchestrator.rollout.events import Ask


def what_came_of_it(request: api.AskRequest, asked: api.Asked) -> str:
    """One line of what is so now."""
    detail = f": {escape(asked.detail)}" if asked.detail else ""
    match asked.answer:
        case "done":
            said = f"{_DONE[request.ask]}{detail}"
        case "already":
            said = f"nothing to do{detail}"
        case _:
            who = escape(asked.engine) or "the next engine"
            said = f"{request.ask} is recorded; {who} has not answered yet"
    return f"rollout {asked.rollout_id}: {said}"


_DONE = {
    Ask.PAUSE: "paused; devices in flight finish",
    Ask.RESUME: "goes on",
    Ask.HALT: "halted; devices past the point of no return finish",
    Ask.ABORT: "ends when what is in flight has finished",
    Ask.PROMOTE: "promoted",
    Ask.RETRY: "tries them again",
    Ask.ROLLBACK: "rolls back",
    Ask.APPROVE: "approved",
    Ask.DENY: "denied",
    Ask.BREAK_GLASS: "the glass is broken: it goes on without approvals for 15 minutes",
}
