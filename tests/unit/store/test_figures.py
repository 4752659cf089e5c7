"""Counts for monitoring, on both databases."""

import pytest

from orchestrator.store.sql import LeaseClock, open_store
from tests.unit.store.samples import PLAN, changes, entry


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request):
    url = request.getfixturevalue("path" if request.param == "sqlite" else "postgres_url")
    store = await open_store(str(url), lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


async def test_nothing_is_counted_in_an_empty_store(store) -> None:
    found = await store.counts(now=0)

    assert (found.rollouts, found.devices, found.driven, found.succeeded_at) == ({}, {}, 0, None)


async def test_rollouts_devices_and_engines_are_counted(store) -> None:
    rows = {"dev-1": {"state": "queued"}, "dev-2": {"state": "queued"}, "dev-3": {"state": "lost"}}
    over = {"dev-9": {"state": "succeeded"}}
    await store.create("r-1", PLAN, changes(entry(1), devices=rows))
    await store.create("r-2", PLAN, changes(entry(1), devices=over, state="succeeded"))
    await store.create("r-3", PLAN, changes(entry(1), state="succeeded_with_exceptions"))
    await store.acquire("r-1", "me", ttl_s=15, now=0)
    await store.acquire("gitops", "me", ttl_s=15, now=0)

    found, later = await store.counts(now=10), await store.counts(now=20)

    assert found.rollouts == {"running": 1, "succeeded": 1, "succeeded_with_exceptions": 1}
    assert found.devices == {"queued": 2, "lost": 1}
    assert (found.driven, later.driven) == (1, 0)
    assert found.succeeded_at is not None
