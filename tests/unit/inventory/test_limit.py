"""Limits that name files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory

Load = Callable[..., Inventory]
Write = Callable[[dict[str, str]], None]
FLEET = "web: {hosts: {'w[1:5]': }}\ndb: {hosts: {d1: }}\n"


def test_lines_of_a_file_are_the_terms_of_the_limit(load: Load, write: Write) -> None:
    write({"failed.txt": "w4\n\n  d1\r\nw2\n"})

    assert load(FLEET).match("all", limit="@failed.txt") == ("w2", "w4", "d1")
    assert load(FLEET).match("web", limit="@failed.txt,w1,!w4") == ("w1", "w2")


@pytest.mark.parametrize(
    ("text", "place"),
    [("", 0), (" \n\n", 0), ("w1\n# w2\n", 2), ("w1,w2\n", 1), ("w1:w2\n", 1), ("w1\n&\n", 0)],
)
def test_file_that_says_less_than_it_seems_is_refused(
    load: Load, write: Write, text: str, place: int
) -> None:
    write({"few": text})

    with pytest.raises(PlanError) as caught:
        load(FLEET).match("all", limit="@few")
    assert caught.value.code in ("I206", "I202")
    assert (caught.value.where.line if caught.value.where else 0) == place


@pytest.mark.parametrize("limit", ["@missing", "@.", "@", "@bytes"])
def test_file_that_cannot_be_read_is_refused(load: Load, tmp_path: Path, limit: str) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")

    with pytest.raises(PlanError) as caught:
        load(FLEET).match("all", limit=limit)
    assert caught.value.code == "I206"


def test_unknown_name_in_a_file_is_refused(load: Load, write: Write) -> None:
    write({"few": "w1\nw9\n"})

    with pytest.raises(PlanError, match="`w9`"):
        load(FLEET).match("all", limit="@few")
