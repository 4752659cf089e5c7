"""The same seeds on real databases: SQLite and PostgreSQL decide as the store in memory does.

Method: `_CheckedStore`, which the simulation gives to its engines, gets another store to stand on.
"""

import pytest

from orchestrator.store.connect import database_of
from orchestrator.testing import simulation
from orchestrator.testing.simulation import simulate
from tests.simulation.sql_store import store_on

SEEDS = 10
NIGHT_SEEDS = 1000


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    kind = store_on(database_of(str(tmp_path_factory.mktemp("sqlite") / "state.db")))
    yield kind
    kind.connection.close()


@pytest.fixture(scope="module")
def on_postgres(postgres):
    url = postgres.make()
    kind = store_on(database_of(url))
    yield kind
    kind.connection.close()
    postgres.drop(url)


def ends_on(kind, seed):
    checked = simulation._CheckedStore
    in_memory = checked.__bases__
    checked.__bases__ = (kind,)
    try:
        return simulate(seed)
    finally:
        checked.__bases__ = in_memory


def check(kinds, seeds):
    for seed in seeds:
        in_memory = simulate(seed)
        for kind in kinds:
            assert ends_on(kind, seed) == in_memory, f"seed {seed}"


@pytest.mark.parametrize("first", range(0, SEEDS, 5))
def test_seeds_end_alike_on_every_store(on_sqlite, on_postgres, first):
    check((on_sqlite, on_postgres), range(first, first + 5))


@pytest.mark.night
@pytest.mark.timeout(3600)
def test_many_seeds_end_alike_on_every_store(on_sqlite, on_postgres):
    check((on_sqlite, on_postgres), range(10_000, 10_000 + NIGHT_SEEDS))
