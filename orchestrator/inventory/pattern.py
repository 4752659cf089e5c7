"""Ansible host patterns: `gateways:&production:!held`, `web*,db`, `gw[0:9]`.

Laws:
1. Unions first, in the order written; then every `&`, then every `!`. With only `&` and `!`
   the union is `all`.
2. Globs and regular expressions (`~gw.*1`, from the beginning of a name) match names of groups
   and of hosts; a plain term that is a host's name is that host.
3. A trailing `[n]` or `[n:m]` picks from what stands before it, both ends included. Numbers with
   zeros before them are refused: whoever writes `web[01:12]` means names, and would get others.
4. A term that matches no group and no host is an error, in `!` too: a typing error there
   would update devices that were to be left alone.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from orchestrator.errors import PlanError
from orchestrator.inventory.graph import Graph
from orchestrator.inventory.names import ALL, UNGROUPED
from orchestrator.plan.host_pattern import name_expression, split_pattern
from orchestrator.source import did_you_mean, shown

_SUBSCRIPT = re.compile(r"(.+)\[(-?[0-9]{1,9})\]")
_SLICE = re.compile(r"(.+)\[([0-9]{1,9}):([0-9]{1,9})?\]")
_ZEROS = re.compile(r"-?0[0-9]")
_GLOB = re.compile(r"[*?\[]")


def match(graph: Graph, pattern: str, *, what: str = "pattern") -> list[str]:
    """Names of the hosts of a pattern, each once, in the order of the pattern.

    Args:
        graph: all hosts and groups.
        pattern: as a person wrote it.
        what: word for messages: `pattern` or `limit`.

    Raises:
        PlanError: an empty, unknown or malformed term.
    """
    return match_terms(graph, split_pattern(pattern, what))


def match_terms(graph: Graph, terms: Iterable[str]) -> list[str]:
    """As `match`, of the terms of a pattern.

    Raises:
        PlanError: an unknown or malformed term.
    """
    terms = list(terms)
    chosen: dict[str, None] = {}
    unions = [term for term in terms if term[0] not in "&!"]
    for term in unions or [ALL]:
        chosen.update(dict.fromkeys(_term(graph, term)))
    for term in terms:
        if term[0] == "&":
            keep = set(_term(graph, term[1:]))
            chosen = {name: None for name in chosen if name in keep}
    for term in terms:
        if term[0] == "!":
            for name in _term(graph, term[1:]):
                chosen.pop(name, None)
    return list(chosen)


def _term(graph: Graph, term: str) -> list[str]:
    if term in graph.hosts:
        return [term]
    if term.startswith("~"):
        return _matching(graph, term, name_expression(term[1:]))
    slice_ = _SLICE.fullmatch(term)
    if slice_:
        names = _picked_from(graph, slice_[1], term, slice_[2], slice_[3] or "")
        return _slice(names, term, int(slice_[2]), slice_[3])
    subscript = _SUBSCRIPT.fullmatch(term)
    if subscript:
        names = _picked_from(graph, subscript[1], term, subscript[2])
        return _pick(names, term, int(subscript[2]))
    return _named(graph, term)


def _picked_from(graph: Graph, name: str, term: str, *numbers: str) -> list[str]:
    """The hosts among which a subscript picks."""
    hint = f"it picks elements and is no range of names, which are `{shown(name)}*`"
    if any(_ZEROS.match(number) for number in numbers):
        message = f"`{shown(term)}` has numbers with zeros before them"
        raise PlanError(message, hint=hint, code="I204")
    if not (_GLOB.search(name) or name in graph.groups or name in graph.hosts):
        told = f"no group and no host is called `{shown(name)}`, of which `{shown(term)}` picks"
        raise PlanError(told + did_you_mean(name, graph.groups), hint=hint, code="I201")
    return _named(graph, name)


def _slice(names: list[str], term: str, start: int, end_text: str | None) -> list[str]:
    end = int(end_text) if end_text else max(start, len(names) - 1)
    if end < start:
        message = f"`{shown(term)}` ends before it begins"
        raise PlanError(message, hint="the first is element 0; both ends are included", code="I204")
    if start >= len(names):
        raise PlanError(_out_of_range(term, names), code="I204")
    return names[start : end + 1]


def _pick(names: list[str], term: str, index: int) -> list[str]:
    if not -len(names) <= index < len(names):
        raise PlanError(_out_of_range(term, names), code="I204")
    return [names[index]]


def _out_of_range(term: str, names: list[str]) -> str:
    count = len(names)
    return f"`{shown(term)}` is out of range: there {'is' if count == 1 else 'are'} {count}"


def _named(graph: Graph, term: str) -> list[str]:
    """Hosts of one name or glob, groups first as Ansible has it."""
    if not _GLOB.search(term):
        if term in graph.groups:
            return graph.members(term)
        if term in graph.hosts:
            return [term]
        raise _unknown(graph, term, "no group and no host is called")
    return _matching(graph, term, re.compile(fnmatch.translate(term)))


def _matching(graph: Graph, term: str, expression: re.Pattern[str]) -> list[str]:
    groups = [name for name in graph.groups if expression.match(name)]
    hosts = [name for name in graph.hosts if expression.match(name)]
    if not groups and not hosts:
        raise _unknown(graph, term, "no group and no host matches")
    found: dict[str, None] = {}
    for group in groups:
        found.update(dict.fromkeys(graph.members(group)))
    found.update(dict.fromkeys(hosts))
    return list(found)


def _unknown(graph: Graph, term: str, what: str) -> PlanError:
    groups = [name for name in graph.groups if name != UNGROUPED]  # whoever means that writes it
    known: Iterable[str] = [*groups, *graph.hosts]
    message = f"{what} `{shown(term)}`{did_you_mean(term, known)}"
    named = ", ".join(f"`{name}`" for name in list(graph.groups)[:8])
    return PlanError(message, hint=f"groups: {named}", code="I201")
