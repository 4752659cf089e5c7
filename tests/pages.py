"""Pages of docs/ whose commands are run as they stand, and what a page shows is what they print.

A page shows output in a plain block behind its `sh` block: lines that were printed one after the
other, with `...` where some are left out, as at both ends. Points in time, durations, ports and
ids of rollouts differ from run to run.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIES = re.compile(
    r"\bport \d+|\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?|^\d\d:\d\d\b|\bafter \d[^)]*|\br-[0-9a-f]{4,8}\b"
)
_LEFT_OUT = "..."


@dataclass(frozen=True, slots=True)
class Step:
    """A block of commands, and what the page shows of their output."""

    script: str
    shown: tuple[str, ...]


def steps(page: str) -> list[Step]:
    """The blocks of a page, in order."""
    found: list[Step] = []
    for kind, text in _BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind == "sh":
            found.append(Step(text, ()))
        elif not kind and found:
            found[-1] = Step(found[-1].script, (*found[-1].shown, text))
    assert found, f"{page} has no commands"
    return found


@dataclass
class Reader:
    """Somebody who types what a page says; goes where its `cd` leads."""

    place: Path
    programs: Path

    def follow(self, step: Step) -> str:
        """Runs a block, which must end well and print what is shown; gives all it printed."""
        said = self.type(step.script)
        for text in step.shown:
            check_shown(text, said)
        return said

    def type(self, script: str) -> str:
        """Runs commands, and gives what they printed to either stream."""
        plain = (name for name in os.environ if name != "CI" and not name.startswith("ROLLOUT_"))
        base = {name: os.environ[name] for name in plain}
        path = f"{self.programs}:{base['PATH']}"
        where = self.programs / f"where-{self.place.name}"
        done = subprocess.run(
            ["sh", "-euc", f"{script}\npwd >'{where}'"], cwd=self.place,
            env={**base, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        self.place = Path(where.read_text().rstrip("\n"))
        return done.stdout


def check_shown(shown: str, said: str) -> None:
    """Whether all that is shown was printed, in that order."""
    printed = _lines(said)
    start = 0
    for part in re.split(rf"^{re.escape(_LEFT_OUT)}\n", shown, flags=re.MULTILINE):
        lines = _lines(part)
        ends = (at + len(lines) for at in range(start, len(printed) - len(lines) + 1))
        found = next((end for end in ends if printed[end - len(lines) : end] == lines), None)
        assert found is not None, f"not printed, or elsewhere:\n{part}\nbut:\n{said}"
        start = found


def _lines(text: str) -> list[str]:
    plain = (_VARIES.sub("#", line) for line in text.splitlines())
    return [" ".join(line.split()) for line in plain if line.strip()]
