"""A journal that proves itself: every change is seen, and a masked entry breaks nothing after it."""

from __future__ import annotations

import json

import pytest

from orchestrator.rollout import chain
from orchestrator.rollout.chain import Written
from orchestrator.rollout.journal_proof import Proof, proof_lines, prove

PLAN = "ab" * 32


def proof(count: int = 4) -> Proof:
    previous = chain.beginning("0123456789abcdef")
    last = origin = chain.origin(previous, 1, "r-1", PLAN)
    entries = []
    for seq in range(1, count + 1):
        detail = "token=abc" if seq == 2 else f"é{seq}"
        data = json.dumps({"from": "staged", "to": f"state{seq}", "detail": detail})
        written = Written(seq, 1000.5 + seq, "device_state", "canary", f"gw-{seq}", data, 1)
        last = chain.link(last, written)
        entries.append((written, last))
    return Proof("0123456789abcdef", "r-1", 1, previous, origin, PLAN, tuple(entries))


def plain(text: str) -> tuple[str, int]:
    return text, 0


def hidden(text: str) -> tuple[str, int]:
    return text.replace("token=abc", "token=***"), text.count("token=abc")


def lines(mask=plain) -> list[str]:
    return list(proof_lines(proof(), mask))


def test_a_proof_gives_the_head_that_checkpoints_vouch_for() -> None:
    found = prove(lines())

    assert (found.fault, found.seq, found.hash) == ("", 4, proof().entries[-1][1])
    assert (found.rollout_id, found.plan_sha256, found.masked_count) == ("r-1", PLAN, 0)
    assert list(found.entries) == [written for written, _ in proof().entries]
    assert found.has(4, found.hash)
    assert not found.has(0, found.hash)


def test_a_masked_entry_is_counted_and_the_rest_still_hangs_together() -> None:
    text = lines(hidden)

    found = prove(text)

    assert "token=abc" not in "".join(text)
    assert (found.fault, found.masked_count, found.hash) == ("", 1, proof().entries[-1][1])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: [text[0].replace(PLAN, "cd" * 32), *text[1:]],
        lambda text: [text[0].replace('"number":1', '"number":2'), *text[1:]],
        lambda text: [*text[:2], *text[3:]],
        lambda text: [text[0], text[2], text[1], *text[3:]],
        lambda text: [*text[:3], text[3].replace("gw-3", "gw-9"), text[4]],
        lambda text: [*text[:3], text[3].replace("1003.5", "1003.0"), text[4]],
        lambda text: [*text, text[-1]],
    ],
)
def test_any_change_is_seen(change) -> None:
    assert prove(change(lines())).fault != ""


def test_a_shorter_journal_ends_elsewhere() -> None:
    found = prove(lines()[:-1])

    assert found.fault == ""
    assert found.hash != proof().entries[-1][1]


@pytest.mark.parametrize(
    "text", [[], ["{}"], ["[]"], [*lines(), "{"], [*lines(), '{"entry":[1],"hash":"x"}'],
             [*lines(), '{"entry":["1",1.0,"","","","",1],"hash":"x"}']],
)  # fmt: skip
def test_what_has_another_form_is_refused(text) -> None:
    with pytest.raises(ValueError, match="no journal that proves itself"):
        prove(text)
