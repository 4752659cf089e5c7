"""People of a simulation: who they are, what they may approve, and the rule that is made of that.

The rule reads what really was asked, with the time at which it was, and not what the rollout made
of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.plan.resolved import Approval
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked
from orchestrator.testing.seen import Books, expect, is_start

AUTHOR = "zoe@desk"
START = ""  # what an approval is for that is not of a wave
GLASS_S_MAX = 900.0
STRANGE_DIGEST = "f" * 64

_ROLES: Mapping[str, tuple[str, ...]] = {
    "zoe": ("ops",),
    "ann": ("ops", "safety"),
    "bob": ("safety",),
    "cat": (),
    "dan": ("ops",),
}


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a person to a question for approval, so many seconds after it."""

    delay_s: float
    ask: Ask
    who: str
    digest: str
    why: str = ""

    @property
    def roles(self) -> tuple[str, ...]:
        """What the person is."""
        return _ROLES[_person(self.who)]


def answers(rng: random.Random, digest: str) -> Iterator[Said]:
    """What people say to one question: mostly yes, some twice, some of another plan, some never."""
    mood = rng.random()
    if mood < 0.1:  # noqa: PLR2004  a probability
        return
    people = sorted(_ROLES)
    rng.shuffle(people)
    if mood < 0.25:  # noqa: PLR2004
        people = people[:1]  # the others never answer
    for person in people:
        delay_s = rng.choice((1.0, 20.0, 400.0, 5000.0)) * (0.5 + rng.random())
        ask = Ask.DENY if rng.random() < 0.05 else Ask.APPROVE  # noqa: PLR2004
        strange = rng.random() < 0.1  # noqa: PLR2004
        yield Said(delay_s, ask, f"{person}@desk", STRANGE_DIGEST if strange else digest)
        if rng.random() < 0.5:  # noqa: PLR2004
            yield Said(delay_s + 1.0, ask, f"{person}@laptop", digest)


def _person(who: str) -> str:
    return who.partition("@")[0]


def breaks_glass(rng: random.Random, digest: str) -> Iterator[Said]:
    """Who goes on without the people who are asked: seldom anybody, some for no reason."""
    if rng.random() < 0.25:  # noqa: PLR2004  a probability
        strange = rng.random() < 0.1  # noqa: PLR2004
        delay_s = rng.choice((1.0, 30.0, 600.0))
        why = rng.choice(("drawn", "drawn", "drawn", ""))
        about = STRANGE_DIGEST if strange else digest
        yield Said(delay_s, Ask.BREAK_GLASS, "dan@desk", about, why)


class Approvals:
    """Nothing begins that not as many of the right people approved as must, since it was asked.

    But for a broken glass: somebody really broke it, for this plan and with a reason, not longer
    ago than a quarter of an hour, while an approval was waited for; and each approval that it
    stands for is journalled.
    """

    def __init__(self, books: Books, digest: str) -> None:
        self._books = books
        self._digest = digest
        self._said: dict[str, dict[str, int]] = {}  # by wave: person -> number of the request
        self._answered = 0  # requests up to that number
        self._breakers: dict[str, int] = {}  # by person, the last request
        self._broken_until = -math.inf
        self._passed_over: set[str] = set()  # what a broken glass stood for
        self._let_through: set[str] = set()  # what a glass was broken for, since it was asked
        self._begun = False

    def hear(self, number: int, request: OperatorAsked) -> None:
        """Somebody really said so, in the request of that number."""
        if request.ask is Ask.BREAK_GLASS and request.why and request.digest == self._digest:
            self._breakers[request.who] = number
        policy = self._policy(request.wave)
        if request.ask is not Ask.APPROVE or policy is None or request.digest != self._digest:
            return
        person = _person(request.who)
        fits = not policy.roles or set(policy.roles) & set(_ROLES[person])
        if fits and not (policy.not_author and person == _person(AUTHOR)):
            self._said.setdefault(request.wave or START, {})[person] = number

    def see(self, entry: JournalEntry) -> None:
        """Looks at what begins; a question that is asked anew needs new answers."""
        if entry.type == "operator":
            self._answered = max(self._answered, int(str(entry.data["request"])))
        elif entry.type == "break_glass":
            self._glass(entry)
        elif entry.type == "approval" and entry.data["what"] == "asked":
            self._asked(entry.wave)
        elif entry.type == "approval" and entry.data["what"] == "expired":
            self._let_through.discard(entry.wave)
        elif entry.type == "wave_started":
            self._check(entry.wave, entry)
            in_time = self._begun or START not in self._passed_over or self._is_broken(entry)
            expect(in_time, "approval: begun after the glass that let it", entry)
        self._begun |= bool(entry.wave)
        if is_start(entry) or entry.type == "wave_started":
            self._check(START, entry)

    def _asked(self, wave: str) -> None:
        """Nobody takes an answer back because a glass that was broken is over, and it is missed."""
        if wave not in self._let_through:
            said = self._said.get(wave, {})
            self._said[wave] = {who: at for who, at in said.items() if at > self._answered}
        self._let_through.discard(wave)
        self._passed_over.discard(wave)

    def _check(self, what: str, entry: JournalEntry) -> None:
        policy = self._policy(what)
        if policy is None:
            return
        count = len(self._said.get(what, ()))
        message = f"approval: {count} of {policy.required} approved"
        expect(count >= policy.required or what in self._passed_over, message, entry)

    def _glass(self, entry: JournalEntry) -> None:
        if entry.data["what"] == "used":
            expect(self._is_broken(entry), "approval: passed over without a glass", entry)
            self._passed_over.add(entry.wave)
            return
        self._let_through.add(entry.wave)
        number = self._breakers.pop(str(entry.data["who"]), 0)
        expect(bool(number), "approval: nobody broke a glass for this, and why", entry)
        self._broken_until = float(str(entry.data["until_at"]))
        expect(self._broken_until <= entry.at + GLASS_S_MAX, "approval: broken for long", entry)

    def _is_broken(self, entry: JournalEntry) -> bool:
        return entry.at < self._broken_until

    def _policy(self, wave: str | None) -> Approval | None:
        if not wave:
            return self._books.plan.approval
        known = self._books.waves.get(wave)
        return None if known is None else known.approval
