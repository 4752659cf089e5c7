"""Spoilt copies of the programs that verify on a device: one small change each, the same every time.

No maintained library changes shell and awk text, so this does: it knows lines and a few patterns, and
leaves it to the shell and to awk to say what is still a program. The parts that verify are changed,
`SCOPES`; what only reports, or serves devices with other tools, is not.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.device.kit import HELPER, TRUST

# Functions by program. Not here: `show` and `tools`, which only tell, and the retry on a full disk.
SCOPES = {
    "trust.sh": (
        "TEXT", "no", "num", "parse", "has", "verifiers", "made", "one_line", "usign_file", "by_ssh", "count", "keys_of", "manifest_signed", "placed_keys",
        "floor", "raise", "now", "newest_root", "load_root", "real_keys", "load_ticket", "verify",
        "ticket_holds", "bucket", "identity", "open", "installed", "committed", "root",
    ),
    "helper.sh": (
        "frame_name", "frame_limit", "one_stream", "JUDGE", "do_verify", "check_kinds",
        "trust", "check_sums", "check_header", "module_of", "part",
    ),
}  # fmt: skip
PROGRAMS = {"trust.sh": TRUST, "helper.sh": HELPER}
# What this machine cannot reach (other tools, a full disk), how `no` writes its words, and that the
# core writes down where a transaction stands (tests/device/ looks at that).
_ELSEWHERE = re.compile(
    r"there is no room|\) false ;;|esac >/dev/null|cannot be (copied|written)|too little free space"
    r"|save && tidy|%%20%s|^  shift 3$|^  echo$"
)
_SHELL_TESTS = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt", "eq": "ne", "ne": "eq"}
_AWK_TESTS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "~": "!~", "!~": "~",
}  # fmt: skip

# Not what only says that something failed, is a descriptor, or stands in a name or text.
NUMBER = r"(?<![\w$.{#\\\"'/&-])(?<!return )(?<!exit )\d+(?![\w.\"'>])"
# What a refusal says to people, behind its reason, decides nothing.
_WORDS = r"\bno \d+ \w+ (?P<no>[^;]*)|\b(?:deny|refuse \d+ \w+) (?P<deny>\"[^\"]*\")|detail %s' \"\$2\" (?P<detail>\"\$3\")"
_EMPTY_LINES = frozenset(
    (";;", "else", "then", "do", "LIST", "ROWS", "}")
)  # say nothing by themselves


def _starts(match: re.Match[str]) -> bool:
    """Is it where a `substr` starts: awks differ on what stands at 0."""
    return re.search(r"substr\([^()]*, $", match.string[: match.start()]) is not None


Change = Callable[[re.Match[str]], str]
_BOTH: tuple[tuple[str, str, Change], ...] = (
    ("and", r"&&", lambda _: "||"),
    ("or", r"\|\|", lambda _: "&&"),
    ("number", NUMBER, lambda m: "0" if m[0] == "1" and not _starts(m) else str(int(m[0]) + 1)),
)
_SHELL: tuple[tuple[str, str, Change], ...] = (
    ("compare", r"(?<= )-(lt|le|gt|ge|eq|ne)(?= )", lambda m: f"-{_SHELL_TESTS[m[1]]}"),
    ("equal", r"(?<=[\w\"}]) (!?=) (?=[\"$\w])", lambda m: " = " if m[1] == "!=" else " != "),
    ("negate", r"\[ (! )?", lambda m: "[ " if m[1] else "[ ! "),
    ("skip", r"\s*\|\| (no|deny|refuse|return)\b[^}]*$", lambda _: ""),
    ("succeed", r"return 1", lambda _: "return 0"),
    ("empty", r"\"\$[\w{][^\"]*\"", lambda _: '""'),
    ("unset", r"(?<==)\$\w+(?= |$)", lambda _: "''"),
)
_AWK: tuple[tuple[str, str, Change], ...] = (
    ("compare", r"(?<= )(<=?|>=?|[!=]=|!?~)(?= )", lambda m: _AWK_TESTS[m[1]]),
    ("must", r"\bmust\(", lambda _: "("),
    ("refusal", r"\b(bad|odd|not_text|not_field)\(\)", lambda _: "0"),
    ("negate", r"\bif \(!?", lambda m: "if (" if m[0].endswith("!") else "if (!"),
)


@dataclass(frozen=True)
class Mutant:
    """A program with one change; `name` stays while the changed line does."""

    program: str
    line: int
    is_awk: bool
    function: str  # of awk; empty outside
    change: str
    was: str
    now: str
    text: str

    @property
    def name(self) -> str:
        """What was changed into what."""
        return (
            f"{self.program} {self.change}: {self.was.strip()} -> {self.now.strip() or '(nothing)'}"
        )


def mutants(program: str) -> Iterator[Mutant]:
    """The changes of a program that are still programs, in the order of its lines."""
    text = PROGRAMS[program].read_text()
    lines = text.split("\n")
    seen = set()
    function = ""
    for at, is_awk in scope(lines, SCOPES[program]):
        if found := re.match(r"function (\w+)|BEGIN|END|\w* ?\{|\w+\(", lines[at]):
            function = found[1] or ""
        for change, now in changes(lines[at], is_awk=is_awk):
            if (at, now) in seen or now == lines[at]:
                continue
            seen.add((at, now))
            new = "\n".join((*lines[:at], now, *lines[at + 1 :]))
            mutant = Mutant(program, at + 1, is_awk, function, change, lines[at], now, new)
            if _is_program(mutant):
                yield mutant


def scope(lines: list[str], names: tuple[str, ...]) -> Iterator[tuple[int, bool]]:
    """Numbers of the lines that may be changed, and whether they are awk's."""
    inside, is_awk = False, False
    for at, line in enumerate(lines):
        if found := re.match(r"([A-Z]+)='$|(\w+)\(\) \{", line):
            inside = (found[1] or found[2]) in names
            is_awk = bool(found[1])
            if not inside or (is_awk and line.endswith("='")):
                continue
        if inside and line.strip() and not _ELSEWHERE.search(line) and line not in ("'", "}"):
            yield at, is_awk
        if (line in ("'", "}") and not (is_awk and line == "}")) or (
            not is_awk and re.match(r"\w+\(\) \{.*\}( #.*)?$", line)
        ):
            inside = False


def changes(line: str, *, is_awk: bool) -> Iterator[tuple[str, str]]:
    """The kinds of changes of one line, and what it becomes."""
    found = re.search(r"(?:^|\s)# ", line)
    code, comment = (line[: found.start()], line[found.start() :]) if found else (line, "")
    if not code.strip():
        return
    head = re.match(r"\w+\(\) \{ ?", code)
    words = [found.span(found.lastindex or 0) for found in re.finditer(_WORDS, code)]
    if not head and not code.startswith("function ") and code.strip() not in _EMPTY_LINES:
        yield "drop", ""
    for change, pattern, new in (*_BOTH, *(_AWK if is_awk else _SHELL)):
        for match in re.finditer(pattern, code):
            if any(start <= match.start() < end for start, end in words):
                continue
            changed = code[: match.start()] + new(match) + code[match.end() :]
            yield change, changed + comment
    if code.endswith("||"):
        yield "skip", code[:-2] + "|| :" + " #"


def is_shell(text: str) -> bool:
    """Does a shell take it for a program."""
    done = subprocess.run(["dash", "-n"], input=text.encode(), capture_output=True, check=False)
    return done.returncode == 0


def awk_of(program: str, text: str) -> str:
    """The awk program in that text of a program."""
    variable = "TEXT" if program == "trust.sh" else "JUDGE"
    found = re.search(rf"^{variable}='\n(.*?)^'$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def _is_program(mutant: Mutant) -> bool:
    if not is_shell(mutant.text):
        return False
    if not mutant.is_awk:
        return True
    try:
        done = subprocess.run(
            ["awk", "-v", "out=/dev/null", awk_of(mutant.program, mutant.text)],
            input=b"",
            capture_output=True,
            check=False,
            timeout=5,
        )
    except subprocess.TimeoutExpired:
        return True  # it runs, and for too long
    return done.returncode != 2
