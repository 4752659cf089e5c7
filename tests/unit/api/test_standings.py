"""Where rollouts stand, read seldom: what must be seen all the same."""

from __future__ import annotations

import pytest

from orchestrator import api
from orchestrator.api import standings
from orchestrator.api.standings import Standings
from orchestrator.api.stores import open_state
from orchestrator.errors import ExitCode
from orchestrator.rollout.events import Ask
from tests.unit.api.test_asking import settings, sit_down, stored

__all__ = ["settings", "sit_down"]  # fixtures


class Reads:
    """Counts how often rollouts are read whole."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = standings.status_of

        async def counted(store, rollout_id):
            self.count += 1
            return await real(store, rollout_id)

        monkeypatch.setattr(standings, "status_of", counted)


async def test_rollout_is_not_read_whole_at_every_look(settings, monkeypatch) -> None:
    await stored(settings)
    reads = Reads(monkeypatch)
    monkeypatch.setattr(standings, "SHARE_MAX", 1e-9)
    async with open_state(settings) as store:
        found = Standings(store)
        first, second = await found.of("r-site"), await found.of("r-site")

    assert (first.name, first.exit_code) == ("site", ExitCode.WAITING)
    assert (first, reads.count) == (second, 1)


async def test_change_of_state_is_seen_at_once(settings, sit_down, monkeypatch) -> None:
    await stored(settings)
    monkeypatch.setattr(standings, "SHARE_MAX", 1e-9)
    async with open_state(settings) as store:
        found = Standings(store)
        before = await found.of("r-site")
        await api.ask(settings, api.AskRequest("r-site", Ask.PAUSE))
        after = await found.of("r-site")

    assert (before.state == "paused", after.state) == (False, "paused")


async def test_what_is_due_is_read_again(settings, monkeypatch) -> None:
    await stored(settings)
    reads = Reads(monkeypatch)
    monkeypatch.setattr(standings, "SHARE_MAX", 1e9)
    async with open_state(settings) as store:
        found = Standings(store)
        await found.of("r-site")
        await found.of("r-site")

    assert reads.count == 2


async def test_rollout_that_is_not_there_is_an_error_of_its_own(settings) -> None:
    async with open_state(settings) as store:
        found = await Standings(store).of("r-gone")

    assert (found.exit_code, found.error) == (
        ExitCode.USAGE, "the store does not know it any more",
    )  # fmt: skip
