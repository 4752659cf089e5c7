"""What every test gets: no network beyond loopback, and golden files for text meant for people."""

import contextlib
import gc
import ipaddress
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.children import child

if TYPE_CHECKING:
    from tests.postgres import Server

# No deadlines: a busy machine is no bug. `ci` tries the same examples each time, so that a change
# is judged by itself; `make night` looks for new ones.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("night", deadline=None, max_examples=10_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

REPOSITORY = Path(__file__).parents[1]
GOLDEN = REPOSITORY / "tests/golden"
FRESH_FROM = "ROLLOUT_FRESH_FROM"  # the workers of pytest-xdist inherit what was drawn
FIGURE = "figure: "
BLOCK = 25  # seeds of one test
SHORT = ("tests/unit/", "tests/contract/")
FIRST_FRESH = 1_000_000  # fixed seeds are below


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files instead of comparing"
    )
    parser.addoption("--seeds", type=int, default=1000, help="simulation seeds from 0 on")
    parser.addoption("--fresh-seeds", type=int, default=100, help="simulation seeds never run yet")
    parser.addoption("--fresh-from", type=int, help="the first of the fresh seeds; drawn")


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--fresh-from")
    if chosen is not None:
        os.environ[FRESH_FROM] = str(chosen)
    os.environ.setdefault(FRESH_FROM, str(FIRST_FRESH + secrets.randbelow(2**40)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`fixed_seeds` and `fresh_seeds`: blocks of seeds, as many as the options say."""
    first = int(os.environ[FRESH_FROM])
    for name, start, option in (
        ("fixed_seeds", 0, "--seeds"),
        ("fresh_seeds", first, "--fresh-seeds"),
    ):
        if name in metafunc.fixturenames:
            end = start + metafunc.config.getoption(option)
            blocks = [range(at, min(at + BLOCK, end)) for at in range(start, end, BLOCK)]
            ids = [f"{number}" for number in range(len(blocks))]
            metafunc.parametrize(name, blocks, ids=ids)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Tests that share what a module makes once run in one worker, or each would make its own.

    Short ones come last, in the order that they were shuffled to: no worker waits for the others.
    """
    for item in items:
        module = item.nodeid.partition("::")[0]
        if isinstance(item, pytest.Function) and _shares(item, module):
            item.add_marker(pytest.mark.xdist_group(module))
    yield
    if config.getoption("loadgroup", default=False):  # pytest-xdist tells groups by names alone
        marked = [item for item in items if item.get_closest_marker("xdist_group")]
        if any("@" not in item.nodeid for item in marked):
            message = "pytest-xdist does not group tests with this version of pytest"
            raise pytest.UsageError(message)
    items.sort(key=lambda item: item.nodeid.startswith(SHORT))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected lives to the end: looking through it for garbage is a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _shares(item: pytest.Function, module: str) -> bool:
    made = item._fixtureinfo.name2fixturedefs.values()
    return any(each.scope == "module" and each.baseid == module for one in made for each in one)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    if any("fresh_seeds" in report.nodeid for report in reports):
        first, count = int(os.environ[FRESH_FROM]), config.getoption("--fresh-seeds")
        terminalreporter.write_line(
            f"simulation: {config.getoption('--seeds')} fixed seeds, and {count} fresh ones"
            f" (again with --fresh-from {first})"
        )
    for report in reports:  # what a test measured, and says so in a line of its own
        for line in getattr(report, "capstdout", "").splitlines():
            if line.startswith(FIGURE):
                terminalreporter.write_line(line.removeprefix(FIGURE))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares text with `tests/golden/NAME`; `--update-golden` accepts what there is now."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"no golden file {name}; run with --update-golden and read it"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def rollout_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for PATH that has `rollout`, for scripts (tests/forked.py)."""
    place = tmp_path_factory.mktemp("program")
    script, address = place / "rollout", place / "address"
    caller = REPOSITORY / "tests/forked.py"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {caller} {address} "$@"\n')
    script.chmod(0o755)
    with child(
        (sys.executable, "-m", "tests.forked", str(address)),
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield place


@pytest.fixture(scope="session")
def postgres() -> Iterator["Server"]:
    """A real server of this test process alone; skips where PostgreSQL is not installed."""
    from tests.postgres import server

    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(server())
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield running


@pytest.fixture
def empty_url(postgres: "Server") -> Iterator[str]:
    """The address of a new database without tables."""
    url = postgres.make()
    yield url
    postgres.drop(url)


@pytest.fixture
def postgres_url(postgres: "Server") -> Iterator[str]:
    """The address of a new database with the tables of this version."""
    url = postgres.make(migrated=True)
    yield url
    postgres.drop(url)


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Connections and look-ups that would leave the machine fail at once, with a clear name."""
    patch = pytest.MonkeyPatch()
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def check(sock: socket.socket, address: object) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise PermissionError(f"tests connect to loopback only, not to {address[0]}")

    def guarded_connect(sock, address):
        check(sock, address)
        return connect(sock, address)

    def guarded_connect_ex(sock, address):
        check(sock, address)
        return connect_ex(sock, address)

    def guarded_getaddrinfo(host, *args, **kwargs):
        if _is_local(host):
            return getaddrinfo(host, *args, **kwargs)
        try:  # a literal address needs no look-up; connecting to it is checked above
            ipaddress.ip_address(str(host))
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, f"tests look up no names: {host}") from None
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    patch.undo()
