import pytest

from orchestrator.store.sql import open_store
from orchestrator.testing.store import MemoryStore
from tests.contract.store_cases import StoreCases


class TestSqlStore(StoreCases):
    @pytest.fixture
    async def store(self, tmp_path):
        opened = await open_store(str(tmp_path / "state.db"))
        yield opened
        await opened.close()

    async def test_last_epoch_is_the_newest_that_was_given_out(self, store):
        before = await store.last_epoch()

        first = await store.acquire("r", "me", ttl_s=10, now=0)
        second = await store.acquire("s", "me", ttl_s=10, now=0)

        assert before == 0
        assert await store.last_epoch() == second.epoch > first.epoch


class TestMemoryStore(StoreCases):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    async def leave_request(self, store, request):
        return store.ask("r", request)
