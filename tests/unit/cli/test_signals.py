"""A signal in the first second, while modules are imported, has its exit code and a line."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
module, number = sys.argv.pop(1), int(sys.argv.pop(1))

class Sends:
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Sends())
from orchestrator.cli import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "orchestrator.cli.status", "orchestrator.api"])
@pytest.mark.parametrize(
    ("number", "code", "line"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_signal_during_imports_is_said(tmp_path, module, number, code, line) -> None:
    words = [module, str(int(number)), "status"]

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        check=False, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", line)
