"""The one thread that owns the connection, and group commit.

Laws:
1. All statements run on one thread, in the order in which they were asked for.
2. Writes that wait at the same moment share one transaction, so one flush to disk; each stands in
   its own savepoint, so that a refused write (a lost lease) takes no other with it.
3. A caller gets its answer after COMMIT, never before. A caller that was cancelled gets none, and
   its write may have happened.

Why a thread with the plain driver and not SQLAlchemy's asyncio form: SQLite has no asynchronous
interface, so that form runs a thread as well and adds a greenlet switch per statement.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import sqlalchemy
from sqlalchemy.exc import DBAPIError, IntegrityError

from orchestrator.errors import StoreError
from orchestrator.store.connect import READING, connect
from orchestrator.store.migrate import migrate
from orchestrator.store.trouble import store_error

GROUP_MAX = 64  # writes in one transaction: bounds how long the first one waits

T = TypeVar("T")
Work = Callable[[sqlalchemy.Connection], T]


class Writer:
    """Runs work against the database; used from one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rollout-store")
        self._waiting: deque[_Write[object]] = deque()
        self._connection: sqlalchemy.Connection | None = None
        self._closed = False

    async def open(self) -> str:
        """Opens the database and migrates it; gives the controller id.

        Raises:
            StoreError: the database cannot be used.
        """
        return await self._in_thread(self._open)

    async def read(self, work: Work[T]) -> T:
        """Runs reading work in one transaction, so that it sees one state.

        Raises:
            StoreError: the store failed or is closed.
        """
        self._require_open()
        return await self._in_thread(lambda: self._read(work))

    async def write(self, work: Work[T]) -> T:
        """Runs writing work; returns after it is durable.

        Raises:
            StoreError: what `work` raised, or the store failed; nothing was written.
        """
        self._require_open()
        write = _Write(work)
        self._waiting.append(write)  # type: ignore[arg-type]  # the thread never looks at T
        # An earlier call's flush may take this write along; then this one finds nothing to do.
        await self._in_thread(self._flush)
        return write.result()

    async def close(self) -> None:
        """Finishes what was asked for and closes the database; may be called again."""
        if not self._closed:
            self._closed = True
            await self._in_thread(self._close)
            self._thread.shutdown(wait=False)

    def _require_open(self) -> None:
        if self._closed:
            message = f"state store `{self._path}` is closed"
            raise StoreError(message)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    # From here on: on the thread.

    @property
    def _open_connection(self) -> sqlalchemy.Connection:
        assert self._connection is not None, "open() comes first"
        return self._connection

    def _open(self) -> str:
        try:
            self._connection = connect(self._path)
            return migrate(self._connection, str(self._path))
        except DBAPIError as error:
            raise store_error(error, str(self._path)) from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()  # NullPool: closes the file
            self._connection.engine.dispose()
            self._connection = None

    def _read(self, work: Work[T]) -> T:
        connection = self._open_connection.execution_options(**{READING: True})
        try:
            with connection.begin():
                return work(connection)
        except DBAPIError as error:
            raise store_error(error, str(self._path)) from error
        finally:
            connection.execution_options(**{READING: False})

    def _flush(self) -> None:
        group: list[_Write[object]] = []
        while self._waiting and len(group) < GROUP_MAX:
            group.append(self._waiting.popleft())
        try:
            if len(group) == 1:
                with self._open_connection.begin():
                    group[0].run(self._open_connection)
            elif group:
                self._run_group(group)
        except StoreError as error:
            group[0].fail(error)
        except DBAPIError as error:
            for write in group:
                write.fail(store_error(error, str(self._path)))

    def _run_group(self, group: list[_Write[object]]) -> None:
        connection = self._open_connection
        with connection.begin():
            for write in group:
                try:
                    with connection.begin_nested():
                        write.run(connection)
                except StoreError as error:
                    write.fail(error)
                except IntegrityError as error:
                    write.fail(store_error(error, str(self._path)))


class _Write(Generic[T]):
    """One write and its answer."""

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self._answer: T | None = None
        self._error: StoreError | None = StoreError(
            "the write was not reached; nothing was written"
        )

    def run(self, connection: sqlalchemy.Connection) -> None:
        self._answer = self._work(connection)
        self._error = None

    def fail(self, error: StoreError) -> None:
        self._error = error

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # set together with no error
