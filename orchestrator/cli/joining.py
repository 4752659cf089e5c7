"""Devices that joined the fleet of a rollout under way: said, confirmed and asked for."""

from __future__ import annotations

from orchestrator import api
from orchestrator.cli.confirm import confirm_devices
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say
from orchestrator.errors import PlanError, TrustError
from orchestrator.render.text import escape, plural

NAMES_MAX = 5


def say_joiners(prepared: api.Prepared) -> None:
    """Names the devices that the plan appends to the last wave of its rollout."""
    for one in prepared.unfit[:NAMES_MAX]:
        detail = f": {escape(one.detail)}" if one.detail else ""
        say(f"{escape(one.device)} has joined the fleet and is left out, {one.reason}{detail}")
    names = [escape(name) for name in prepared.joiners]
    if not names:
        return
    more = len(names) - NAMES_MAX
    shown = ", ".join(names[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")
    wave = escape(prepared.resolved.waves[-1].name, limit=40)
    verb = "has" if len(names) == 1 else "have"
    where = f"rollout {prepared.continues} is under way, the last wave is `{wave}`"
    say(f"{plural(len(names), 'device')} {verb} joined the fleet: {shown}; {where}")


def take_in(session: Session, prepared: api.Prepared, *, yes: bool) -> None:
    """Takes late joiners into the rollout; where it takes nobody any more, it goes on without.

    Raises:
        OrchestratorError: not confirmed, or the store failed.
    """
    say_joiners(prepared)
    if prepared.continues is None or not prepared.joiners:
        return
    try:
        api.refuse_uncommitted(session.settings, prepared)
    except TrustError as error:
        say(f"they are left out: {escape(error.message)}")
        return
    confirm_devices(session, "Add", len(prepared.joiners), yes=yes)
    try:
        asked = wait_for(api.join(session.settings, prepared.continues, prepared.joiners))
    except PlanError as error:
        say(f"they are left out: {escape(error.message)}")
        return
    said = {"done": f"joined: {escape(asked.detail)}", "already": "they are in it already"}
    say(said.get(asked.answer, "recorded; the engine has not answered yet"))
