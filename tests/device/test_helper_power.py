"""Power that goes at any step of a helper's change leaves one whole helper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.helper_kit import Cut, helper
from tests.device.kit import Key, Shell, sha, txn


@pytest.fixture
def cut(tmp_path: Path, one_shell: Shell, key: Key) -> Iterator[Cut]:
    device = Cut(tmp_path / "device", one_shell, key)
    yield device
    device.close()


def request(verb: str, nonce: str = "none") -> str:
    return f"{verb} txn={txn(2)} controller=lab epoch=1 component=helper nonce={nonce}"


def told(cut: Cut, line: str, then: str = "") -> list[tuple[str, str, str]]:
    return [(one["helper"], one["active"], one["artifact"]) for one in cut.cuts(line, then)]


def install(cut: Cut) -> None:
    """The second helper beside the first, which is proven."""
    cut.new(1, "9.0.0")
    cut.settle(1)
    for name, data in helper("h-9.1.0", "9.1.0", cut.shell).frames(cut.key).items():
        cut.do("stage", 2, data, component="helper", name=name, size=len(data), sha=sha(data))
    for verb in ("verify", "install"):
        assert cut.do(verb, 2, component="helper").rc == 0


def test_power_that_is_cut_at_any_step_of_an_activation_leaves_the_helper_before(cut: Cut):
    install(cut)

    seen = told(cut, request("activate"))

    assert len(seen) > 3
    assert set(seen) == {("9.0.0", "yes", "h-9.0.0")}


@pytest.mark.night  # as above, but for who ends it: the trial's own core, with the executor of the one before
@pytest.mark.parametrize("verb", ["activate", "rollback"])
def test_what_was_killed_at_any_step_is_taken_back_through_the_trial(cut: Cut, verb: str):
    install(cut)
    if verb == "rollback":
        cut.do("activate", 2, component="helper", deadline=300)

    seen = told(cut, request(verb), then=request("rollback"))

    assert len(seen) > 3
    assert set(seen) == {("9.0.0", "yes", "h-9.0.0")}


@pytest.mark.parametrize("verb", ["commit", pytest.param("rollback", marks=pytest.mark.night)])
def test_power_that_is_cut_at_any_step_of_an_end_leaves_one_whole_helper(cut: Cut, verb: str):
    cut.new(1, "9.0.0")
    cut.settle(1)
    cut.new(2, "9.1.0")
    nonce = cut.says()["commit-nonce"]
    if verb == "rollback":
        cut.settle(2)

    seen = told(cut, request(verb, nonce))

    before, after = ("9.0.0", "yes", "h-9.0.0"), ("9.1.0", "yes", "h-9.1.0")
    assert len(seen) > 3
    assert seen[-1] == (after if verb == "commit" else before)
    assert set(seen) <= {before, after}
