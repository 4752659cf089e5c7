import pytest

from orchestrator.store.sql import open_store
from tests.unit.store.samples import PLAN, changes, entry


@pytest.fixture
def path(tmp_path):
    return tmp_path / "project" / "state.db"


@pytest.fixture
async def store(path):
    store = await open_store(str(path))
    yield store
    await store.close()


@pytest.fixture
async def rollout(store):
    """A rollout `r-1` with a lease of the owner `me`, at sequence number 1."""
    await store.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    return await store.acquire("r-1", "me", ttl_s=15, now=0)
