from dataclasses import dataclass

from orchestrator.errors import Where
from orchestrator.render.inventory import (
    explained_text,
    graph_text,
    host_text,
    inventory_text,
)
from orchestrator.render.text import Look

PLACE = Where("hosts.yml", 3, 5)
EVIL = "\x1b[2J\u202e"


@dataclass
class Group:
    name: str
    children: tuple["Group", ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass
class Value:
    value: object
    step: str = "host"
    where: Where = PLACE
    secret: bool = False


@dataclass
class Variable:
    name: str
    values: tuple[Value, ...]


@dataclass
class Host:
    name: str
    groups: tuple[str, ...]
    variables: tuple[Variable, ...]


def test_an_inventory_lists_groups_with_their_members() -> None:
    web = Group("web", hosts=("w1", "w2", "w3"))
    groups = (Group("ungrouped"), Group("edge", (web,), ("w1", "e1")), web, Group("spare"))

    assert inventory_text(Group("all", groups), Look(60)).splitlines() == [
        "group  devices  children          members",
        "all          4  edge, web, spare",
        "edge         4  web               w1 e1",
        "spare        0",
        "web          3                    w{1..3}",
    ]


def test_hosts_of_a_group_fold_into_the_width_that_is_left() -> None:
    names = tuple(f"{word}-gateway" for word in ("aa", "bb", "cc", "dd", "ee", "ff"))

    lines = graph_text(Group("all", (Group("web", hosts=names),)), Look(40)).splitlines()

    assert lines[:2] == ["@all  6 devices", "  @web  6 devices"]
    assert all(len(line) <= 40 for line in lines)


def test_nothing_of_an_inventory_reaches_the_terminal_unescaped() -> None:
    evil = Variable(EVIL, (Value(EVIL, EVIL, Where(EVIL, 1, 1)), Value(EVIL)))
    facts = Host(EVIL, (EVIL,), (evil,))
    group = Group(EVIL, (Group(EVIL, hosts=(EVIL,)),), (EVIL,))

    shown = host_text(facts, Look(60)) + explained_text(facts, Look(60)) + graph_text(group, Look())

    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_narrow_terminals_drop_places_before_values() -> None:
    facts = Host("gw-1", ("web",), (Variable("ansible_user", (Value("rollout"),)),))

    assert "hosts.yml:3" in host_text(facts, Look(60))
    assert all(len(line) <= 40 for line in host_text(facts, Look(40)).splitlines())
