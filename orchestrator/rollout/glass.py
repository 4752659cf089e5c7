"""Break-glass: for a short time a rollout goes on without the approvals that are missing.

Laws:
1. It stands for approvals and for nothing else: halts, pauses, budgets, gates and windows hold, and
   devices check signatures, tickets and floors as ever.
2. It is for one rollout, with a person and a reason, and over after `GLASS_S`. A start that it let
   through and that has not come by then waits for its approvals anew. A signature breaks it once,
   whoever kept a copy of it.
3. Nothing about it is quiet: the journal has when it was broken and what for, each approval that was
   passed over, and its end; whoever looks at the rollout sees it from then on, and every hook is
   told.

Source: design "device and trust", B.1; threats 34.
"""

from __future__ import annotations

from dataclasses import asdict

from orchestrator.rollout import approving
from orchestrator.rollout.answers import Answer, already, done, refused
from orchestrator.rollout.events import OperatorAsked
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import Glass
from orchestrator.rollout.timers import GLASS_TIMER

GLASS_S = 900.0  # for what cannot wait; who needs longer can ask people, or break it again
REASON_CHARS_MAX = 300


def judge(led: Ledger, event: OperatorAsked) -> Answer:
    """What comes of breaking the glass."""
    if event.problem:
        return refused(event.problem)
    if not 0 < len(event.why.strip()) <= REASON_CHARS_MAX:
        return refused(
            f"the glass is broken for a reason, of at most {REASON_CHARS_MAX} characters"
        )
    if event.digest != led.plan_digest:
        return refused("it is for another plan", "look at the plan of this rollout again")
    if led.broken_glass:
        return already("the glass is broken already")
    if approving.waited_for(led) is None:
        return refused("nothing waits for an approval")
    problem = approving.of_other_devices(led, event) or _of_the_signature(led, event)
    return problem or done(lambda: _break(led, event))


def _of_the_signature(led: Ledger, event: OperatorAsked) -> Answer | None:
    """Why a signature does not break it now: it is as short-lived as what it allows."""
    signed = event.signed
    if signed is None:
        return None
    if signed.wave != approving.waited_for(led):
        return refused("the signature is for an approval that is not waited for now")
    ahead_s = signed.made_at - led.now
    if not -GLASS_S <= ahead_s <= approving.CLOCKS_APART_S:
        return refused("the signature was not made just now", "sign it anew")
    if led.glass is not None and signed.made_at <= led.glass.at + approving.CLOCKS_APART_S:
        return refused("the glass was broken since the signature was made", "sign it anew")
    return None


def _break(led: Ledger, event: OperatorAsked) -> None:
    name = approving.waited_for(led) or approving.START
    who = approving.person_of(event.who)
    led.glass = Glass(who, event.why.strip(), led.now, led.now + GLASS_S)
    led.set_timer(GLASS_TIMER, led.glass.until_at)
    data = {"what": "broken", **asdict(led.glass), "who": event.who}
    detail = f"{approving.progress(led, name)}: {led.glass.why}"
    data |= {"detail": detail, "digest": led.plan_digest}
    if event.signed is not None:
        data |= {"key": event.signed.key, "statement": event.statement}
        data |= {"signature": event.signature}
    led.note("break_glass", wave=name, data=data)
