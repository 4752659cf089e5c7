"""A retry or a rollback to be reviewed: who is concerned and why, and who is left alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.plan.digest import to_document
from orchestrator.render.causes import likeness
from orchestrator.render.limit_lines import labelled
from orchestrator.render.markdown import COMMENT_BYTES_MAX, Fold, code, document, prose, table
from orchestrator.render.names import fold_lines
from orchestrator.render.text import (
    Look,
    Style,
    Symbol,
    cells,
    escape,
    first_painted,
    in_full,
    number,
    pad,
    plural,
    wrap,
)
from orchestrator.render.words import DEVICE_WORDS, instant, reason_words, state_words
from orchestrator.rollout.events import Ask
from orchestrator.rollout.proposal import FORMAT_VERSION, Concerned, Proposal
from orchestrator.rollout.states import DeviceState

DIGEST_CHARS = 12
FOLD_LOOK = Look(width=100)
NAME_LINES_MAX = 3  # of devices that have all in common; with -v they are all there
WAVES_MAX = 40


@dataclass(frozen=True, slots=True)
class _Alike:
    """Devices of one wave that come to the same for the same reason."""

    wave: str
    devices: tuple[str, ...]
    words: str


def proposal_text(proposal: Proposal, digest: str, look: Look, *, all_names: bool = False) -> str:
    """The proposal for people; ends by saying that nothing was changed."""
    return f"{proposal_body(proposal, digest, look, all_names=all_names)} Nothing was changed.\n"


def proposal_body(proposal: Proposal, digest: str, look: Look, *, all_names: bool = False) -> str:
    """The proposal without its last words, for those who are about to carry it out."""
    lines = [
        *_head(proposal, digest, look),
        "",
        *_devices(proposal, look, all_names=all_names),
        "",
        *_rest(proposal, look),
        "",
    ]
    return "\n".join([*lines, look.paint(f"{proposal_counts(proposal)}.", Style.BOLD)])


def proposal_counts(proposal: Proposal) -> str:
    """`2 to try again`, `13 to go back`."""
    verb = "try again" if proposal.ask is Ask.RETRY else "go back"
    return f"{number(len(proposal.concerned))} to {verb}"


def proposal_document(proposal: Proposal, digest: str) -> Mapping[str, object]:
    """The proposal as data (schemas/proposal.v1.json)."""
    head = {"format_version": FORMAT_VERSION, "kind": "proposal", "digest": digest}
    return head | to_document(proposal)


def proposal_widget(proposal: Proposal) -> str:
    """How many devices would change, as GitLab's widget counts resources."""
    return json.dumps({"create": 0, "update": len(proposal.concerned), "delete": 0}) + "\n"


def proposal_markdown(proposal: Proposal, digest: str, *, link: str = "") -> str:
    """The comment; its hidden first line is for whoever replaces the last one."""
    waves = Counter(one.wave for one in proposal.concerned)
    rows = [[code(name, limit=64), number(count), _way(proposal)] for name, count in waves.items()]
    head = [
        f"<!-- rollout:proposal:{proposal.rollout}:{proposal.ask} -->",
        f"### {_title(proposal)} of rollout {code(proposal.rollout)} of {code(proposal.artifact)}",
        "",
        f"**{proposal_counts(proposal)}** · plan {code(proposal.plan)} · digest {code(digest)}",
        "",
        *([f"Reason: {prose(proposal.why)}", ""] if proposal.why else []),
        *table(("wave", "devices", ""), rows[:WAVES_MAX]),
        *([f"and {plural(len(rows) - WAVES_MAX, 'more wave')}"] if len(rows) > WAVES_MAX else []),
        "",
        *(prose(words) for _, words in _terms(proposal)),
    ]
    folds = [Fold("Devices and reasons", tuple(_devices(proposal, FOLD_LOOK, all_names=False)))]
    foot = "Nothing was changed." + (f" [Log of this job]({link})" if link else "")
    more = f"see {link}" if link else "`rollout show` shows all"
    return document(head, folds, foot, more=more, limit_bytes=COMMENT_BYTES_MAX)


def _title(proposal: Proposal) -> str:
    return "Retry" if proposal.ask is Ask.RETRY else "Rollback"


def _way(proposal: Proposal) -> str:
    return "tried again" if proposal.ask is Ask.RETRY else "to what each ran before"


def _head(proposal: Proposal, digest: str, look: Look) -> list[str]:
    state = state_words(proposal.state)
    short = f"sha256:{digest[:DIGEST_CHARS]}{look.sign(Symbol.ELLIPSIS)}"
    words = f"of rollout {escape(proposal.rollout)}, {state}; plan {escape(proposal.plan)}; {short}"
    lines = labelled(_title(proposal), words, look)
    limits = [f"wave {escape(proposal.wave, limit=40)}"] if proposal.wave else []
    limits += [plural(len(proposal.devices), "named device")] if proposal.devices else []
    limits += [f"failures of class {proposal.only}"] if proposal.only else []
    if limits:
        lines += labelled("Only", ", ".join(limits), look)
    if proposal.why:
        lines += labelled("Reason", in_full(proposal.why), look)
    ran = Counter(_before(one) for one in proposal.concerned)
    olds = ", ".join(f"{name} ({number(count)})" for name, count in ran.most_common())
    new = escape(proposal.artifact)
    old, to = (olds, new) if proposal.ask is Ask.RETRY else (new, olds)
    lines += labelled("From", old, look) + labelled("To", to, look)
    made = f"{instant(proposal.made_at)} by rollout {escape(proposal.tool_version, limit=40)}"
    return lines + labelled("Made", made, look)


def _before(one: Concerned) -> str:
    if one.before is None:
        manifest = one.before_manifest[:DIGEST_CHARS]
        return f"what it ran before (manifest {manifest})" if manifest else "what it ran before"
    return escape(one.before, limit=60) or "nothing of ours"


def _devices(proposal: Proposal, look: Look, *, all_names: bool) -> list[str]:
    lines = [look.paint("Devices", Style.BOLD)]
    groups = list(_alike(proposal))
    width = max((cells(escape(one.wave, limit=40)) for one in groups), default=0)
    for one in groups:
        name = escape(one.wave, limit=40)
        first = f"  {pad(name, width)}  "
        indent = " " * cells(first)
        if all_names:
            names = " ".join(map(escape, one.devices))
            named = wrap(names, look.width, first=first, indent=indent)
        else:
            named = fold_lines(
                one.devices, look, first=first, indent=indent, lines_max=NAME_LINES_MAX
            )
        lines += [first_painted(named[0], name, look), *named[1:]]
        mark = f"{indent}{look.sign(Symbol.DOT)} "
        lines += wrap(one.words, look.width, first=mark, indent=f"{indent}  ")
    return lines


def _alike(proposal: Proposal) -> Iterator[_Alike]:
    """Devices put together by wave, state, cause and what they ran, in the order of the first."""
    groups: dict[tuple[object, ...], list[Concerned]] = {}
    for one in proposal.concerned:
        cause = likeness(one.reason, one.detail, one.device)
        groups.setdefault((one.wave, one.state, cause, _before(one)), []).append(one)
    for found in groups.values():
        first = found[0]
        yield _Alike(first.wave, tuple(one.device for one in found), _words(proposal, first))


def _words(proposal: Proposal, one: Concerned) -> str:
    """What became of a device, and what it comes to."""
    parts = [DEVICE_WORDS[one.state]]
    if one.state is not DeviceState.SUCCEEDED and (one.reason != "ok" or one.detail):
        parts.append(reason_words(one.reason, one.detail))
    if proposal.ask is Ask.ROLLBACK:
        parts.append(f"back to {_before(one)}")
    return "; ".join(parts)


def _rest(proposal: Proposal, look: Look) -> list[str]:
    return [line for label, words in _terms(proposal) for line in labelled(label, words, look)]


def _terms(proposal: Proposal) -> Iterator[tuple[str, str]]:
    """What is not touched, who has to agree, and what holds until it is carried out."""
    others = [
        f"{number(count)} {DEVICE_WORDS[DeviceState(state)]}"
        for state, count in proposal.others.items()
    ]
    yield "Untouched", ", ".join(others) or "no other device is in this rollout"
    if proposal.ask is Ask.RETRY:
        yield "Approval", "none is asked for again: those of the rollout hold"
        if proposal.stays_halted:
            go_on = f"`rollout resume {proposal.rollout} --accept-failures`"
            yield "Stays", f"halted: nobody is started until {go_on}"
    else:
        yield "Approval", "none is needed to go back"
    yield "Good for", "24 hours, and as long as none of these devices moves on"
