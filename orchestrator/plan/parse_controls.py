"""Limits, approvals, hooks and conflicts of a whole rollout, from the nodes of a plan."""

from __future__ import annotations

import re

from orchestrator.plan import language
from orchestrator.plan.model import Controls, Deadline, LabelLimit, Text
from orchestrator.plan.parse_probes import url_problem, warn_of_secrets
from orchestrator.plan.parse_schedule import read_schedule
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.releases import constraint_problem
from orchestrator.plan.resolved import (
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    Approval,
    Budget,
    Burst,
    DeadlineAction,
    Hook,
    HookEvent,
    OnConflict,
    Rate,
    RateIncrease,
    Requirement,
    RequirePer,
)
from orchestrator.source import MappingNode, Node, ScalarNode

REQUIRES_MAX = 32
HOOKS_MAX = 32
APPROVERS_MAX = 32
ARGV_MAX = 64
FACTOR_MAX = 100
_EMAIL = re.compile(r"[^\s@<>,;]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_CHANNELS = ("http", "command", "email")


def read_controls(reader: Reader, fields: Fields) -> Controls:
    """What steers the rollout as a whole."""
    deadline = read_deadline(reader, fields.get("deadline"))
    priority = reader.integer(fields.get("priority"), "priority", most=PRIORITY_MAX)
    return Controls(
        schedule=read_schedule(reader, fields, deadline),
        max_parallel_per=_per_label(reader, fields.get("max_parallel_per")),
        rate=_rate(reader, fields.get("rate")),
        budget=_budget(reader, fields.get("budget")),
        approval=read_approval(reader, fields.get("approval")),
        requires=_requires(reader, fields.get("requires"), fields.get("name")),
        priority=PRIORITY_DEFAULT if priority is None else priority,
        on_conflict=reader.word(fields.get("on_conflict"), "on_conflict", OnConflict)
        or OnConflict.QUEUE,
        hooks=_hooks(reader, fields.get("hooks")),
        windows_where=fields.key_where("windows"),
        deadline_where=fields.key_where("deadline"),
        requires_where=fields.key_where("requires"),
    )


# -- also of a wave -------------------------------------------------------------------------------


def read_deadline(reader: Reader, node: Node | None) -> Deadline | None:
    """`deadline: 2d`, or a mapping that says what happens then."""
    if not isinstance(node, MappingNode):
        after_s = reader.duration(node, "deadline", positive=True)
        return None if after_s is None else Deadline(after_s)
    fields = reader.fields(node, language.DEADLINE, "`deadline`")
    after_s = reader.duration(fields.get("after"), "after", positive=True)
    action = reader.word(fields.get("action"), "action", DeadlineAction)
    return None if after_s is None else Deadline(after_s, action or DeadlineAction.HALT)


def read_burst(reader: Reader, node: Node | None) -> Burst | None:
    """Failures allowed within a span of time."""
    fields = None if node is None else reader.mapping(node, language.BURST)
    if fields is None:
        return None
    failures = reader.integer(fields.get("failures"), "failures")
    in_s = reader.duration(fields.get("in"), "in", positive=True)
    return None if failures is None or in_s is None else Burst(failures, in_s)


def read_approval(reader: Reader, node: Node | None) -> Approval | None:
    """How many must agree, and who may."""
    fields = None if node is None else reader.mapping(node, language.APPROVAL)
    if fields is None:
        return None
    required = reader.integer(fields.get("required"), "required", least=1, most=APPROVERS_MAX)
    items = reader.sequence(fields.get("from"), "from", "[ops, safety]")
    roles = [reader.name(item, "from") for item in items or ()]
    if items == ():
        message = "`from` is empty, so nobody could approve"
        reader.error(fields.key_where("from"), "P104", message, "remove it: then anybody may")
    return Approval(
        required=required or 1,
        roles=tuple(dict.fromkeys(filter(None, roles))),
        not_author=reader.boolean(fields.get("not_author"), "not_author") or False,
        expires_s=reader.duration(fields.get("expires"), "expires", positive=True),
    )


# -- limits ---------------------------------------------------------------------------------------


def _per_label(reader: Reader, node: Node | None) -> tuple[LabelLimit, ...]:
    if node is None:
        return ()
    if not isinstance(node, MappingNode):
        message = f"`max_parallel_per` is a mapping of labels, not {node.kind}"
        reader.error(node.where, "P101", message, "as `{site: 2}`")
        return ()
    limits = []
    for key, value in node.entries:
        limit = reader.integer(value, key.text, least=1)
        if limit is not None:
            limits.append(LabelLimit(Text(key.text, key.where), limit))
    return tuple(limits)


def _rate(reader: Reader, node: Node | None) -> Rate | None:
    fields = None if node is None else reader.mapping(node, language.RATE)
    if fields is None:
        return None
    per_minute = reader.integer(fields.get("per_minute"), "per_minute", least=1)
    increase_node = fields.get("increase")
    increase = None if increase_node is None else _increase(reader, increase_node)
    if per_minute is None:
        return None
    if increase is not None and increase.max_per_minute < per_minute:
        message = f"`max_per_minute` {increase.max_per_minute} is less than `per_minute` "
        message += f"{per_minute}, with which it begins"
        reader.error(fields.key_where("increase"), "P104", message)
    return Rate(per_minute, increase)


def _increase(reader: Reader, node: Node) -> RateIncrease | None:
    fields = reader.mapping(node, language.INCREASE)
    if fields is None:
        return None
    factor = reader.number(fields.get("factor"), "factor", least=1, most=FACTOR_MAX)
    after = reader.integer(fields.get("after_successes"), "after_successes", least=1)
    most = reader.integer(fields.get("max_per_minute"), "max_per_minute", least=1)
    if after is None or most is None:
        return None
    return RateIncrease(2.0 if factor is None else float(factor), after, most)


def _budget(reader: Reader, node: Node | None) -> Budget:
    fields = None if node is None else reader.mapping(node, language.BUDGET)
    if fields is None:
        return Budget()
    if not fields.keys and not fields.refused:
        message = "`budget` limits nothing"
        reader.error(fields.where, "P102", message, "as `budget: {max_failures: 25}`")
    share = reader.share(fields.get("max_fail_percentage"), "max_fail_percentage")
    return Budget(
        max_failures=reader.integer(fields.get("max_failures"), "max_failures"),
        max_fail_share=share,
        window=read_burst(reader, fields.get("window")),
    )


# -- other plans, other people ----------------------------------------------------------------------


def _requires(reader: Reader, node: Node | None, name: Node | None) -> tuple[Requirement, ...]:
    items = _few(reader, node, "requires", "[{plan: modem-fw}]", REQUIRES_MAX)
    own = name.text if isinstance(name, ScalarNode) else ""
    found = [_requirement(reader, item, own) for item in items]
    return tuple(requirement for requirement in found if requirement is not None)


def _requirement(reader: Reader, node: Node, own: str) -> Requirement | None:
    fields = reader.mapping(node, language.REQUIREMENT, "an entry of `requires`")
    if fields is None:
        return None
    plan = reader.name(fields.get("plan"), "plan")
    release = reader.text(fields.get("release"), "release")
    per = reader.word(fields.get("per"), "per", RequirePer) or RequirePer.DEVICE
    if plan is not None and plan == own:
        message = f"the plan requires itself, `{plan}`, and would wait for ever"
        reader.error(fields.key_where("plan"), "P218", message, "name another plan")
    if release is not None and (problem := constraint_problem(release.text)):
        reader.error(release.where, "P110", problem, 'as `">=7.3"`, or several: `">=7.3, <8"`')
        return None
    return None if plan is None else Requirement(plan, release.text if release else "", per)


def _hooks(reader: Reader, node: Node | None) -> tuple[Hook, ...]:
    items = _few(reader, node, "hooks", "[{events: [halted], http: ...}]", HOOKS_MAX)
    found = [_hook(reader, item) for item in items]
    return tuple(hook for hook in found if hook is not None)


def _hook(reader: Reader, node: Node) -> Hook | None:
    before = len(reader.findings)
    fields = reader.mapping(node, language.HOOK, "a hook")
    if fields is None:
        return None
    items = reader.sequence(fields.get("events"), "events", "[halted]")
    events = [reader.word(item, "events", HookEvent) for item in items or ()]
    if items == ():
        message = "`events` is empty, so the hook would never be told anything"
        reader.error(fields.key_where("events"), "P104", message, "as `events: [halted]`")
    present = [channel for channel in _CHANNELS if channel in fields.keys]
    if len(present) > 1:
        message = f"a hook tells one, not `{'` and `'.join(present)}`"
        reader.error(fields.key_where(present[1]), "P115", message, "make two hooks of it")
    if not present and not fields.refused:
        message = "a hook needs one of `http`, `command` and `email`"
        reader.error(fields.where, "P102", message, "as `http: https://chat.example/hook`")
    hook = Hook(
        events=tuple(dict.fromkeys(event for event in events if event is not None)),
        http=_hook_url(reader, fields.get("http")),
        command=_hook_command(reader, fields.get("command")),
        email=_hook_email(reader, fields.get("email")),
    )
    return None if reader.has_errors(before) else hook


def _hook_url(reader: Reader, node: Node | None) -> str:
    text = reader.text(node, "http")
    if text is None:
        return ""
    if problem := url_problem(text.text, "http"):
        reader.error(text.where, "P110", problem[0], problem[1])
    warn_of_secrets(reader, text)
    return text.text


def _hook_command(reader: Reader, node: Node | None) -> tuple[str, ...]:
    items = reader.sequence(node, "command", '["/usr/bin/notify"]')
    if items is None or node is None:
        return ()
    if not 0 < len(items) <= ARGV_MAX:
        message = f"`command` has {len(items)} words; it has 1 to {ARGV_MAX}"
        reader.error(node.where, "P104", message)
    words = [reader.text(item, "command") for item in items]
    return tuple(word.text for word in words if word is not None)


def _hook_email(reader: Reader, node: Node | None) -> str:
    text = reader.text(node, "email")
    if text is None:
        return ""
    if not _EMAIL.fullmatch(text.text):
        message = f"`email` is one address, not `{text.text}`"
        reader.error(text.where, "P110", message, "as `ops@example.org`")
    return text.text


def _few(
    reader: Reader, node: Node | None, key: str, example: str, most_count: int
) -> tuple[Node, ...]:
    items = reader.sequence(node, key, example)
    if items is None or node is None:
        return ()
    if len(items) > most_count:
        message = f"`{key}` has {len(items)} entries; at most {most_count} are read"
        reader.error(node.where, "P104", message)
        return ()
    return items
