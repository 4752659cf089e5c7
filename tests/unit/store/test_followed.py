"""What is remembered of followed branches, on both databases."""

import pytest

from orchestrator.errors import LeaseError
from orchestrator.store.sql import LeaseClock, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request):
    url = request.getfixturevalue("path" if request.param == "sqlite" else "postgres_url")
    store = await open_store(str(url), lease_clock=LeaseClock.CALLER)
    yield store
    await store.close()


async def test_newest_text_of_each_branch_is_kept(store) -> None:
    lease = await store.acquire("gitops", "me", ttl_s=15, now=0)

    await store.follow(lease, "a", "one")
    await store.follow(lease, "a", "two")
    await store.follow(lease, "b", "three")

    assert [await store.followed(key) for key in "abc"] == ["two", "three", ""]


async def test_who_was_overtaken_writes_nothing(store) -> None:
    lease = await store.acquire("gitops", "me", ttl_s=15, now=0)
    await store.follow(lease, "a", "mine")
    await store.acquire("gitops", "you", ttl_s=15, now=20)

    with pytest.raises(LeaseError):
        await store.follow(lease, "a", "stale")
    with pytest.raises(LeaseError):
        await store.follow(lease, "b", "stale")

    assert [await store.followed(key) for key in "ab"] == ["mine", ""]
