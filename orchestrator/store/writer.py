"""The one thread that owns the connection, group commit, and what follows a lost connection.

Laws:
1. All statements run on one thread, in the order in which they were asked for.
2. Writes that wait at the same moment share one transaction, so one flush to disk; each stands in
   its own savepoint, so that a refused write (a lost lease) takes no other with it.
3. A caller gets its answer after COMMIT, never before. A caller that was cancelled gets none, and
   its write may have happened.
4. A transaction that the database undid (its connection broke, a deadlock) is repeated for
   `Database.repeat_s` at most. One whose COMMIT was sent and not answered is in doubt: it is never
   repeated blindly (`store.doubt`).

Why a thread with the plain driver and not SQLAlchemy's asyncio form: SQLite has no asynchronous
interface, so that form runs a thread as well and adds a greenlet switch per statement.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

import sqlalchemy
from sqlalchemy.exc import DBAPIError, IntegrityError

from orchestrator.errors import StoreError
from orchestrator.store.connect import READING, Database
from orchestrator.store.migrate import prepare

GROUP_MAX = 64  # writes in one transaction: bounds how long the first one waits
_PAUSE_FIRST_S = 0.05
_PAUSE_MAX_S = 2.0

T = TypeVar("T")
Work = Callable[[sqlalchemy.Connection], T]


class Writer:
    """Runs work against the database; used from one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rollout-store")
        self._waiting: deque[_Write[object]] = deque()
        self._connection: sqlalchemy.Connection | None = None
        self._closing = threading.Event()

    async def open(self) -> str:
        """Opens the database, in the schema of this code; gives the controller id.

        Raises:
            StoreError: the database cannot be used.
        """
        return await self.in_thread(self._open)

    async def read(self, work: Work[T]) -> T:
        """Runs reading work in one transaction, so that it sees one state.

        Raises:
            StoreError: the store failed or is closed.
        """
        self._require_open()
        return await self.in_thread(lambda: self._read(work))

    async def read_news(self, work: Work[T], since: object) -> tuple[T | None, object]:
        """Reads as `read` does, unless no other connection has written since.

        Args:
            work: what to read.
            since: the mark of the last answer that was kept; None the first time.

        Returns:
            what was read, or None where there is nothing new; and the mark of this answer.

        Raises:
            StoreError: the store failed or is closed.
        """
        self._require_open()

        def read() -> tuple[T | None, object]:
            mark = self._database.mark(self._connected())  # before: what comes meanwhile is new
            if mark is not None and mark == since:
                return None, mark
            return self._read(work), mark

        return await self.in_thread(read)

    async def write(self, work: Work[T], *, in_doubt: Work[T] | None = None) -> T:
        """Runs writing work; returns after it is durable.

        Args:
            work: what to do between BEGIN and COMMIT; may run several times.
            in_doubt: takes its place after a COMMIT without an answer; not needed where doing
                the work twice is the same as once.

        Raises:
            StoreError: what `work` raised, or the store failed; nothing was written, unless the
                message says that this is not known.
        """
        self._require_open()
        write = _Write(work, in_doubt or work)
        self._waiting.append(write)  # type: ignore[arg-type]  # the thread never looks at T
        # An earlier call's flush may take this write along; then this one finds nothing to do.
        await self.in_thread(self._flush)
        return write.result()

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Runs something else that blocks, in turn with the statements."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def close(self) -> None:
        """Finishes what was asked for and closes the database; may be called again."""
        if not self._closing.is_set():
            self._closing.set()
            await self.in_thread(self._close)
            self._thread.shutdown(wait=False)

    def _require_open(self) -> None:
        if self._closing.is_set():
            message = f"state store `{self._database.place}` is closed"
            raise StoreError(message)

    # From here on: on the thread.

    def _open(self) -> str:
        try:
            return prepare(self._connected(), self._database)
        except DBAPIError as error:
            raise self._database.trouble(error) from error

    def _connected(self) -> sqlalchemy.Connection:
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()  # NullPool: closes the file or the socket
            self._connection.engine.dispose()
            self._connection = None

    def _read(self, work: Work[T]) -> T:
        def read(connection: sqlalchemy.Connection) -> T:
            connection.execution_options(**{READING: True})
            try:
                with _transaction(connection):
                    return work(connection)
            finally:
                connection.execution_options(**{READING: False})

        try:
            return self._persist(read)
        except DBAPIError as error:
            raise self._database.trouble(error) from error

    def _flush(self) -> None:
        group: list[_Write[object]] = []
        while self._waiting and len(group) < GROUP_MAX:
            group.append(self._waiting.popleft())
        if not group:
            return
        try:
            self._persist(lambda connection: self._transact(connection, group))
        except StoreError as error:
            group[0].fail(error)
        except DBAPIError as error:
            for write in group:
                write.lose(self._database.trouble(error))

    def _transact(self, connection: sqlalchemy.Connection, group: list[_Write[object]]) -> None:
        with _transaction(connection) as transaction:
            if len(group) == 1:
                group[0].run(connection)
            else:
                self._run_group(connection, group)
            try:
                transaction.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    for write in group:
                        write.doubt()
                raise

    def _run_group(self, connection: sqlalchemy.Connection, group: list[_Write[object]]) -> None:
        for write in group:
            try:
                with connection.begin_nested():
                    write.run(connection)
            except StoreError as error:
                write.fail(error)
            except IntegrityError as error:
                write.fail(self._database.trouble(error))

    def _persist(self, call: Work[T]) -> T:
        """Calls, again and again where nothing stands against it, with growing pauses."""
        give_up_at = time.monotonic() + self._database.repeat_s
        pause_s = _PAUSE_FIRST_S
        while True:
            try:
                return call(self._connected())
            except DBAPIError as error:
                if error.connection_invalidated:
                    self._close()
                passes = self._connection is None or self._database.is_undone(error)
                if not passes or time.monotonic() > give_up_at:
                    raise
            # The jitter keeps controllers from coming back to a restarted server all at once.
            if self._closing.wait(pause_s * random.uniform(0.5, 1.0)):  # noqa: S311  no secret
                give_up_at = 0.0
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)


@contextmanager
def _transaction(connection: sqlalchemy.Connection) -> Iterator[sqlalchemy.RootTransaction]:
    """One transaction; after it the connection begins the next one, however this one ended.

    A COMMIT that failed (a disk that is full by then) leaves it open, in SQLite and in the library.
    """
    try:
        with connection.begin() as transaction:
            yield transaction
    finally:
        if connection.get_transaction() is not None:
            connection.rollback()
            if not connection.invalidated:
                connection.connection.rollback()


class _Write(Generic[T]):
    """One write and its answer."""

    def __init__(self, work: Work[T], in_doubt: Work[T]) -> None:
        self._work = work
        self._in_doubt = in_doubt
        self._is_in_doubt = False
        self._answer: T | None = None
        self._error: StoreError | None = StoreError(
            "the write was not reached; nothing was written"
        )

    def run(self, connection: sqlalchemy.Connection) -> None:
        self._answer = self._work(connection)
        self._error = None

    def doubt(self) -> None:
        self._work = self._in_doubt
        self._is_in_doubt = True

    def fail(self, error: StoreError) -> None:
        self._error = error

    def lose(self, error: StoreError) -> None:
        if self._is_in_doubt:
            message = f"{error.message}; whether the last write was stored is not known"
            hint = f"{error.hint}; the next start reads what was"
            error = StoreError(message, hint=hint, where=error.where)
        self._error = error

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # set together with no error
