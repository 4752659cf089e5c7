"""The controller calls nothing that only Linux has (docs/reference/commands.md, "Where it runs")."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "orchestrator"
NOT_OF_THE_CONTROLLER = frozenset({"lab", "device", "testing"})
ONLY_LINUX = frozenset({
    "O_DIRECT", "O_PATH", "O_TMPFILE", "copy_file_range", "epoll", "eventfd", "getrandom",
    "memfd_create", "pidfd_open", "posix_fadvise", "posix_fallocate", "prlimit",
    "pthread_setaffinity_np", "sched_getaffinity", "sched_setaffinity", "setns", "signalfd",
    "splice", "timerfd_create", "unshare", "SO_PEERCRED", "TCP_CORK", "TCP_QUICKACK",
    "TCP_USER_TIMEOUT", "F_OFD_SETLK", "F_SETPIPE_SZ",
})  # fmt: skip


def test_controller_calls_nothing_that_only_linux_has() -> None:
    assert dict(_found()) == {}


def _found() -> Iterator[tuple[str, str]]:
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in NOT_OF_THE_CONTROLLER:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ONLY_LINUX:
                yield f"{path.name}:{node.lineno}", node.attr
