"""What of a program each case runs, so that a mutant meets only cases that can tell it apart.

A copy of the program says which of its lines run and keeps what its awk program reads. A case that
does not run a changed line of shell cannot tell; nor can one whose texts a changed awk program
reads as the unspoilt one does, which takes milliseconds to find out.
"""

from __future__ import annotations

import itertools
import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.children import child
from tests.hostile.core import PROVIDES
from tests.hostile.mutants import PROGRAMS, SCOPES, is_shell, scope

LIMIT_S = 60.0  # of a clock on the wall
LIMIT_CPU_S = 3
_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_GOES_ON = ("||", "&&", "|", "\\")  # then the next line is no statement of its own
# `reach` keeps $? and reads nothing; `awk` runs in a subshell of a pipeline, so its variable is nobody's
_TELLING = r"""
reach() { set -- $? "$1" && echo "$2" >>FOLDER/lines && return "$1"; }
awk() {
  case $* in *'function bad()'*) ;; *) command awk "$@" && return || return $? ;; esac
  kept=$(mktemp FOLDER/texts/XXXXXXXXXX) && { echo "$2" && cat; } >"$kept"
  tail -n +2 "$kept" | command awk "$@"
}
"""


@dataclass(frozen=True)
class Text:
    """What an awk program is told in its first variable, and what it reads."""

    variable: str
    data: bytes

    def read_by(self, program: str, awk: str) -> tuple[int, bytes, bytes]:
        """What that awk program makes of it: exit code, what it says, and what it writes."""
        argv = ["awk", "-v", self.variable, "-v", "out=/dev/stderr", awk]
        if program == "helper.sh":
            argv += ["provides=1", str(PROVIDES), "provides=0", "-"]
        pipe = subprocess.PIPE
        with child(  # nowhere can it write a file
            argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/proc/self", env=_ENV
        ) as process:
            limits = (LIMIT_CPU_S, resource.RLIM_INFINITY)
            resource.prlimit(process.pid, resource.RLIMIT_CPU, limits)
            try:
                said = process.communicate(self.data, timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                said = process.communicate()
        return process.returncode, *said

    def reaches(self, program: str, awk: str) -> frozenset[str]:
        """The functions of the awk program that run when it reads this."""
        telling = re.sub(
            r"^(function (\w+)\(.*?\) \{)", r'\1 reach("\2");', awk, flags=re.MULTILINE
        )
        telling += 'function reach(f) { if (!(f in reached)) print "reach " f > "/dev/stderr"; reached[f] = 1 }\n'
        said = self.read_by(program, telling)[2].split()
        return frozenset(
            name.decode() for mark, name in itertools.pairwise(said) if mark == b"reach"
        )


class Reached:
    """A folder in which a program that was made to tell leaves what it ran."""

    def __init__(self, folder: Path, program: str) -> None:
        self._lines, self._texts = folder / "lines", folder / "texts"
        for path in (folder, self._texts):
            path.mkdir()
            path.chmod(0o777)
        lines, self.own = _marked(program)
        lines[0] += _TELLING.replace("FOLDER", str(folder)).rstrip()
        self.program = "\n".join(lines)

    def taken(self) -> tuple[frozenset[int], frozenset[Text]]:
        """Numbers of the lines that ran since the last time, and what the awk program read."""
        lines = self._lines.read_text().split() if self._lines.exists() else []
        self._lines.unlink(missing_ok=True)
        texts = set()
        for path in self._texts.iterdir():
            variable, _, data = path.read_bytes().partition(b"\n")
            texts.add(Text(variable.decode(), data))
            path.unlink()
        return frozenset(map(int, lines)), frozenset(texts)


def _marked(program: str) -> tuple[list[str], dict[int, int]]:
    """The lines, some of which tell that they run; and for each line of shell which of them says so.

    What is no statement of its own, as a branch of a case, is told by the head of its function.
    """
    lines = PROGRAMS[program].read_text().split("\n")
    teller: dict[int, int] = {}
    head, heredoc = 0, ""
    for at, is_awk in scope(lines, SCOPES[program]):
        if is_awk:
            continue
        line = lines[at]
        before = re.sub(r"(^|\s)# .*", "", lines[at - 1]).strip()
        found = re.match(r"\w+\(\) \{ ?", line)
        if found:
            head = at + 1
            lines[at] = f"{found[0].strip()} reach {head}; {line[found.end() :]}"
        elif heredoc:
            heredoc = "" if line == heredoc else heredoc
        elif not before.endswith(_GOES_ON):
            marked = f"reach {at + 1}; {line}"
            if is_shell("\n".join((*lines[:at], marked, *lines[at + 1 :]))):
                lines[at] = marked
        teller[at + 1] = at + 1 if lines[at] != line else head
        if found_doc := re.search(r"<<(\w+)$", line):
            heredoc = found_doc[1]
    return lines, teller
