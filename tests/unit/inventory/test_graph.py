from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Where
from orchestrator.inventory.graph import Graph

HERE = Where("f", 1, 1)


def graph_of(edges: list[tuple[str, str]], hosts: list[tuple[str, str]]) -> Graph:
    graph = Graph()
    for parent, child in edges:
        graph.group(child, HERE)
        graph.group(parent, HERE).children.setdefault(child, HERE)
    for group, host in hosts:
        graph.add_host(host, graph.group(group, HERE), HERE, None)
    return graph


def test_depth_is_the_longest_path() -> None:
    graph = graph_of([("a", "b"), ("b", "c"), ("a", "c")], [])
    graph.settle()

    assert [graph.groups[name].depth for name in ("all", "ungrouped", "a", "b", "c")] == [
        0, 1, 1, 2, 3,
    ]  # fmt: skip


def test_members_are_own_hosts_first_then_level_by_level_without_repeats() -> None:
    graph = graph_of(
        [("top", "x"), ("top", "y"), ("x", "deep")],
        [("deep", "h3"), ("y", "h2"), ("x", "h1"), ("top", "h0"), ("y", "h0")],
    )
    graph.settle()

    assert graph.members("top") == ["h0", "h1", "h2", "h3"]


def test_cycle_is_found_with_its_way() -> None:
    graph = graph_of([("a", "b"), ("b", "c"), ("c", "b")], [])

    assert graph.find_cycle() == ("b", "c", "b")


def test_diamond_is_no_cycle() -> None:
    graph = graph_of([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], [])

    assert graph.find_cycle() == ()


def test_long_chain_needs_no_recursion() -> None:
    names = [f"g{number}" for number in range(20_000)]
    graph = graph_of(list(itertools.pairwise(names)), [(names[-1], "h")])

    assert graph.find_cycle() == ()
    graph.settle()
    assert graph.groups[names[-1]].depth == 20_000
    assert graph.members("all") == ["h"]


names = st.sampled_from("abcdef")


@given(
    st.lists(st.tuples(names, names), max_size=12),
    st.lists(st.tuples(names, st.sampled_from(["h1", "h2", "h3"])), max_size=6),
)
def test_settled_graph_obeys_its_laws(
    edges: list[tuple[str, str]], hosts: list[tuple[str, str]]
) -> None:
    graph = graph_of(edges, hosts)
    cycle = graph.find_cycle()
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(
            child in graph.groups[parent].children for parent, child in itertools.pairwise(cycle)
        )
        return
    graph.settle()

    assert sorted(graph.members("all")) == sorted(graph.hosts)
    above = graph.ancestors()
    for name, group in graph.groups.items():
        for child in group.children:
            assert graph.groups[child].depth > group.depth
            assert above[name] <= above[child]
    for host in graph.hosts.values():
        assert host.groups
        assert ("ungrouped" in host.groups) == (host.groups == ["ungrouped"])
