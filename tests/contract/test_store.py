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


class TestMemoryStore(StoreCases):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    async def leave_request(self, store, request):
        return store.ask("r", request)
