"""Approvals: of the whole rollout before it starts, and of single waves before they begin.

Laws:
1. An approval is for one plan (its digest) and for one wave, or for the start of the rollout. It
   can be given once it is waited for. Each person counts once, by login name: another machine
   makes nobody another person, and neither does another name for the key that signed.
2. It is waited for at most as long as the plan says. Then a rollout that has not started expires;
   one under way is paused, what was given for that wave is void, and `resume` asks anew.
3. A denial rejects a rollout that has not started; later it pauses, as an operator does.
4. Where it is signed, the signature's own words count: of this plan, these devices and this wave,
   made while it was waited for.
5. Halting, pausing, aborting and going back never need an approval.

Source: design "rollout-rules", "States of a rollout" and "approvals".
"""

from __future__ import annotations

from orchestrator.plan.controls import Approval
from orchestrator.plan.joiners import target_set_digest
from orchestrator.rollout import brakes
from orchestrator.rollout.answers import Answer, already, done, refused
from orchestrator.rollout.events import OperatorAsked
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import WaveRecord
from orchestrator.rollout.states import Pause, RolloutState, WaveState
from orchestrator.rollout.timers import APPROVAL_TIMER

CLOCKS_APART_S = 120.0  # of who signs and who reads
START = ""  # stands for the start of the rollout where others name a wave
_LOOKING = frozenset({
    RolloutState.AWAITING_APPROVAL, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.HALTED,
})  # fmt: skip


def person_of(who: str) -> str:
    """The person behind `user@host`."""
    return who.rpartition("@")[0] or who


def waited_for(led: Ledger) -> str | None:
    """The wave whose approval is waited for, START, or None where none is."""
    if led.state not in _LOOKING:
        return None
    if led.begun_at is None:
        return START if led.plan.approval is not None and not is_given(led, START) else None
    wave = led.waves[led.current]
    return wave.name if wave.state is WaveState.AWAITING_APPROVAL else None


def policy_of(led: Ledger, name: str) -> Approval | None:
    """Who must approve it; None where nobody must."""
    if name == START:
        return led.plan.approval
    return next((wave.plan.approval for wave in led.waves if wave.name == name), None)


def givers(led: Ledger, name: str) -> tuple[str, ...]:
    """The people who approved it."""
    return tuple(str(given["who"]) for given in led.approvals if given["wave"] == name)


def is_given(led: Ledger, name: str) -> bool:
    """Whether as many approved it as must, or a broken glass stands for those that are missing."""
    return not is_missing(led, name) or led.broken_glass is not None


def is_missing(led: Ledger, name: str) -> bool:
    """Whether fewer people approved it than must."""
    policy = policy_of(led, name)
    return policy is not None and len(givers(led, name)) < policy.required


def pass_over(led: Ledger, name: str) -> None:
    """Journals an approval that nobody gave, where a broken glass stands for it."""
    glass = led.broken_glass
    if glass is not None and is_missing(led, name):
        data = {"what": "used", "who": glass.who, "why": glass.why, "detail": progress(led, name)}
        led.note("break_glass", wave=name, data=dict(data))


def ask_for(led: Ledger, wave: WaveRecord) -> None:
    """The wave waits for its approval: the rollout is paused until it is given."""
    if wave.state is not WaveState.AWAITING_APPROVAL:
        wave.state = WaveState.AWAITING_APPROVAL
        _ask(led, wave.name)
    brakes.pause(led, Pause.APPROVAL, progress(led, wave.name))


def ask_for_start(led: Ledger) -> None:
    """A new rollout waits for its approval."""
    led.state = RolloutState.AWAITING_APPROVAL
    _ask(led, START)


def ask_anew(led: Ledger) -> None:
    """After a resume: an approval that nobody gave in time is waited for once more."""
    name = waited_for(led)
    if name is not None and led.asked_at is None:
        _ask(led, name)


def _ask(led: Ledger, name: str) -> None:
    policy = policy_of(led, name)
    assert policy is not None, "only what needs an approval waits for one"
    led.asked_at = led.now
    led.note("approval", wave=name, data={"what": "asked", "required": policy.required})


def gather_anew(led: Ledger, name: str) -> None:
    """What was approved has changed: approvals of it are void, and asked for once more."""
    led.approvals = [given for given in led.approvals if given["wave"] != name]
    _ask(led, name)
    if Pause.APPROVAL.value in led.causes:
        led.causes[Pause.APPROVAL.value] = progress(led, name)


def progress(led: Ledger, name: str, *, more: int = 0) -> str:
    """How many of how many have approved it, with `more` that are about to."""
    policy = policy_of(led, name)
    required = 0 if policy is None else policy.required
    what = f"wave `{name}`" if name else "start"
    return f"{what}: {len(givers(led, name)) + more} of {required} approved"


def look(led: Ledger) -> None:
    """Goes on when enough have approved; ends the wait when its time is over."""
    if led.state is RolloutState.SCHEDULED and not is_given(led, START):
        ask_for_start(led)  # the broken glass that let it through is over, and it has not begun
        return
    if led.state is RolloutState.AWAITING_APPROVAL and is_given(led, START):
        pass_over(led, START)
        _stop_asking(led)
        led.state = RolloutState.SCHEDULED
        return
    name = waited_for(led)
    if name is None:
        return
    if is_given(led, name):
        _stop_asking(led)
        led.waves[led.current].state = WaveState.PENDING
        brakes.unpause(led, Pause.APPROVAL)
        return
    policy = policy_of(led, name)
    if led.asked_at is None or policy is None or policy.expires_s is None:
        return
    until = led.asked_at + policy.expires_s
    if led.now < until:
        led.set_timer(APPROVAL_TIMER, until)
    else:
        _expire(led, name)


def _stop_asking(led: Ledger) -> None:
    led.asked_at = None
    led.set_timer(APPROVAL_TIMER, None)


def _expire(led: Ledger, name: str) -> None:
    if name == START and led.state is not RolloutState.AWAITING_APPROVAL:
        return  # it is paused or halted, and expires when it is not any more
    led.note("approval", wave=name, data={"what": "expired"})
    _stop_asking(led)
    if name == START:
        led.state = RolloutState.EXPIRED
        return
    led.approvals = [given for given in led.approvals if given["wave"] != name]
    brakes.pause(led, Pause.DEADLINE, f"approval of wave `{name}` was not given in time")


def judge(led: Ledger, event: OperatorAsked, *, denies: bool) -> Answer:
    """What comes of an approval or a denial."""
    if event.problem:
        return refused(event.problem)
    name = waited_for(led) if event.wave is None else event.wave
    if name is None:
        return _of_nothing(led, event, denies=denies)
    problem = _stranger(led, event, name)
    if problem is not None:
        return problem
    if name != waited_for(led) or led.asked_at is None:
        return _not_asked(led, name, denies=denies)
    return _of_what_is_asked(led, event, name, denies=denies)


def _of_nothing(led: Ledger, event: OperatorAsked, *, denies: bool) -> Answer:
    """An approval where none is waited for."""
    given = led.approvals and led.approvals[-1]["who"] == person_of(event.who)
    if given and not denies:
        return already("your approval is given already, and nothing else waits for one")
    return refused("nothing waits for an approval")


def _of_what_is_asked(led: Ledger, event: OperatorAsked, name: str, *, denies: bool) -> Answer:
    if denies:
        return done(lambda: _deny(led, event, name))
    if person_of(event.who) in givers(led, name):
        return already(f"you approved it already; {progress(led, name)}")
    said = progress(led, name, more=1)
    problem = (
        _of_the_author(led, event, name)
        or _of_the_key(led, event, name)
        or of_other_devices(led, event)
        or _of_the_signature(led, event, name)
    )
    return problem or done(lambda: _give(led, event, name), said)


def of_other_devices(led: Ledger, event: OperatorAsked) -> Answer | None:
    """An approval that was under way while devices joined: nobody has looked at those."""
    seen = event.targets if event.signed is None else event.signed.targets_sha256
    if not seen or seen == target_set_digest(led.plan):
        return None
    return refused("the approval is for other devices", "look at the rollout again")


def _of_the_signature(led: Ledger, event: OperatorAsked, name: str) -> Answer | None:
    """Why a signature does not approve what is asked."""
    signed = event.signed
    if signed is None:
        return None
    if signed.made_at > led.now + CLOCKS_APART_S:
        return refused("the signature was made in the future", "look at the clock of who signed")
    if name == START and signed.made_at < led.plan.made_at - CLOCKS_APART_S:
        return refused("the signature was made before the plan was", "sign it anew")
    policy = policy_of(led, name)
    kept_s = policy.expires_s if policy is not None and name == START else 0.0
    if kept_s is None or led.asked_at is None:
        return None
    if signed.made_at < led.asked_at - kept_s - CLOCKS_APART_S:
        return refused("the signature was made before it was asked for", "sign it anew")
    return None


def _not_asked(led: Ledger, name: str, *, denies: bool) -> Answer:
    """The approval of a wave that does not wait for it: not yet, not any more, or too late."""
    if name == waited_for(led):
        hint = f"`rollout resume {led.rollout_id}` asks anew"
        return refused("it was not given in time, and is not waited for now", hint)
    if denies or not is_given(led, name):
        return refused(f"wave `{name}` does not wait for its approval now")
    return already(f"wave `{name}` is approved already")


def _stranger(led: Ledger, event: OperatorAsked, name: str) -> Answer | None:
    if event.digest != led.plan_digest:
        return refused("the approval is of another plan", "look at the plan of this rollout again")
    policy = policy_of(led, name)
    if policy is None:
        return refused(f"wave `{name}` needs no approval, or there is no such wave")
    if policy.roles and not set(policy.roles) & set(event.roles):
        roles = " or ".join(f"`{role}`" for role in policy.roles)
        return refused(f"`{person_of(event.who)}` has not the role {roles}")
    return None


def _of_the_author(led: Ledger, event: OperatorAsked, name: str) -> Answer | None:
    policy = policy_of(led, name)
    if policy is None or not policy.not_author:
        return None
    if not led.author:
        return refused("who applied the plan is not known, so that nobody else can be told apart")
    if _same_name(person_of(event.who), person_of(led.author)):
        return refused("who applied the plan may not approve it")
    return None


def _of_the_key(led: Ledger, event: OperatorAsked, name: str) -> Answer | None:
    """An authority may certify one key under several names: it is one person's all the same."""
    if event.signed is None:
        return None
    mine = {"wave": name, "key": event.signed.key}
    found = next((given for given in led.approvals if mine.items() <= given.items()), None)
    if found is None:
        return None
    return refused(f"`{found['who']}` approved it already, with the same key")


def _same_name(one: str, other: str) -> bool:
    """Whether it may be one person: signers are `ann@corp` where the account is `ann`."""
    return one.partition("@")[0] == other.partition("@")[0]


def _give(led: Ledger, event: OperatorAsked, name: str) -> None:
    given: dict[str, object] = {"wave": name, "who": person_of(event.who), "at": led.now}
    led.approvals.append(given | ({"key": event.signed.key} if event.signed else {}))
    data = {"what": "given", "who": event.who, "why": event.why, "digest": led.plan_digest}
    if event.signed is not None:
        data |= {"key": event.signed.key, "statement": event.statement}
        data |= {"signature": event.signature}
    led.note("approval", wave=name, data=dict(data))
    if Pause.APPROVAL.value in led.causes:
        led.causes[Pause.APPROVAL.value] = progress(led, name)


def _deny(led: Ledger, event: OperatorAsked, name: str) -> None:
    data = {"what": "denied", "who": event.who, "why": event.why, "digest": led.plan_digest}
    led.note("approval", wave=name, data=dict(data))
    person = person_of(event.who)
    mine = {"wave": name, "who": person}
    led.approvals = [given for given in led.approvals if not mine.items() <= given.items()]
    if name == START:
        _stop_asking(led)
        led.state = RolloutState.REJECTED
        return
    said = ": ".join(part for part in (f"wave `{name}` denied by {event.who}", event.why) if part)
    brakes.pause(led, Pause.OPERATOR, said)
