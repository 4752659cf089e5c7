"""One process of a device's shell that judges many cases, so that a case costs milliseconds.

`TrustBatch` runs the functions of `trust.sh`, `CoreBatch` the verifying part of the root core of
`helper.sh`; `TextBatch` and `HeaderBatch` only what reads their texts: each program as it is, but for its last lines, which take the arguments of one call.
In their place stands a loop that takes one case after the other, each in a subshell of its own.
Programs may be given that were spoilt on purpose: they run without rights, and not for ever.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.device.kit import HELPER, TRUST, Shell, busybox_path

TIME_LIMIT_S = 60.0  # of a clock on the wall: other tests may keep the machine busy
TICKS_S = os.sysconf("SC_CLK_TCK")
LOST = "lost"  # the shell ended or hung; only a spoilt one does
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
SHELLS = ("dash", "busybox", "bash")
TOOLS = (
    "awk", "base64", "cat", "cp", "date", "find", "mkdir", "mktemp", "mv", "od", "rm", "sed", "sha256sum",
    "sync", "tail",
)  # fmt: skip
# What alone checks signatures on a device of a case that has a file of that name.
STAND_INS = {"no-openssl": "ssh-keygen", "signify-alone": "signify-openbsd"}
# Where the part of each program begins that takes the arguments of one call.
TRUST_MAIN, CORE_MAIN = "\ncase ${1-}.$# in", "\nREQUEST='' LOCKED=''"

# The floors are told behind the answers: what a refusal changes is as much a bug as a wrong answer.
TRUST_LOOP = r"""
date() { echo "$CLOCK"; }
told() { for f in serial time-floor security-floor; do (floor "$f" >/dev/null && printf ' %s' "$W") || printf ' ?'; done; }
all=$PATH
while read -r LIMIT CASE CLOCK CALLS; do
  PATH=$all
  for alone in STAND_INS; do [ ! -e "$CASE/${alone%%:*}" ] || PATH=${alone#*:}; done
  ETC=$CASE/etc VAR=$CASE/var FLOORS=$CASE/var/floors said=''
  for call in $CALLS; do
    out=$(ulimit -t "$LIMIT" && IFS=, && set -- $call && unset IFS && { trap '[ -z "$SCRATCH" ] || rm -rf "$SCRATCH"' EXIT; "$@" 2>/dev/null </dev/null; })
    rc=$? why=ok
    case $out in *'reason '*) why=${out##*reason } && why=${why%%"$NL"*} ;; esac
    said="$said $rc/$why"
    [ $rc -eq 0 ] || break
  done
  left=$(find "$CASE" -name '*.trust' 2>/dev/null)
  printf '%s%s%s%s\n' "$said" "$(told 2>/dev/null)" "$(sha256sum 2>/dev/null <"$FLOORS/root.txt")" "$left"
done
"""

TEXT_LOOP = r"""
while read -r LIMIT FORM FILE; do
  (ulimit -t "$LIMIT" && parse "$FORM" "$FILE") 2>/dev/null </dev/null && echo ok || echo no
done
"""

ALONE = r"""
ROOT='' ELEVATE='' REQUEST='' LOCKED='' OUT='' HELD='' HOLDER='' SAID='' header=none spool=''
SELF=/nonexistent BOOT=none U=0
save() { echo "state $STATE"; }
drop() { :; }
"""

HEADER_LOOP = r"""
while read -r LIMIT CASE ETC LIB; do
  in=$CASE T=$CASE V=$CASE CUR=none NEW='' header=header.tar
  out=$(ulimit -t "$LIMIT" && check_header 2>/dev/null </dev/null && echo 'reason ok')
  out=${out##*reason } && echo "${out%%"$NL"*}"
done
"""

CORE_LOOP = r"""
judge() {
  P_component=main P_txn=01TEST00000000000000000000
  T=/nonexistent C=main V=$VAR/component/main STATE=staging CUR=none NEW="$P_txn - - -" verb=prepare
  spool=$VAR/spool/main/$P_txn
  if [ -f "$CASE/stream" ]; then
    mkdir -p "$spool/data/0000"
    REQUEST=deliver
    # the pipe that names the error: a refusal of the protocol ends the subshell
    receive_frames <"$CASE/stream" && { whole "$sums" $sizes || fail 65 denied 'a frame differs'; }
    REQUEST=''
  fi
  do_verify && { cd "$T" || exit 1; } && trust installed "$T/in" && find . -type f -exec sha256sum {} + && find . &&
    echo "reason ok $TYPE $NAME $GROUP $MANIFEST $NEW $STATE $NOW"
}
while read -r LIMIT CASE ETC LIB P_frames NOW; do
  ROLLOUT_ROOT=${ETC%/etc/rollout} VAR=$CASE/var RUN=$CASE BASE=${LIB%/lib}/base
  export ROLLOUT_ROOT
  out=$(ulimit -t "$LIMIT" && judge 2>/dev/null </dev/null)
  rc=$? why=none sum='' kept=''
  case $out in *'state aborted'*) kept=aborted ;; esac
  case $out in *'reason '*) why=${out##*reason } && why=${why%%"$NL"*} ;; esac
  [ $rc -ne 0 ] || sum=$(printf %s "$out" | sort | sha256sum)
  echo "$rc/$why" $sum $kept
done
"""


def shell_named(name: str, place: Path) -> Shell | None:
    """The shell with the tools of its device, when it is installed; busybox has its own."""
    if shutil.which(name) is None:
        return None
    if name == "busybox":
        path = Path(busybox_path(place / "busybox"))
        for program in STAND_INS.values():
            (path / program).symlink_to(str(shutil.which(program)))
        return Shell(name, ("busybox", "ash"), str(path))
    return Shell(name, (name,), SYSTEM_PATH)


def without_openssl(shell: Shell, place: Path, mark: str = "no-openssl") -> str:
    """The path of a device on which one program alone checks signatures: OpenSSH's ssh-keygen, or another."""
    tools = place / f"{mark}-{shell.name}"
    tools.mkdir(exist_ok=True)
    for name in (*TOOLS, STAND_INS[mark]):
        found = shutil.which(name, path=shell.path)
        assert found or name != STAND_INS[mark], f"there is no {name}"
        if found and not (tools / name).is_symlink():
            (tools / name).symlink_to(found)
    return str(tools)


class Place:
    """A directory that a shell without rights may write to; gone at the end."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="hostile-"))
        self.path.chmod(0o711)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def own(path: Path) -> None:
    """Gives a tree to the user that shells run as."""
    if os.geteuid() != 0:
        return
    nobody = pwd.getpwnam("nobody")
    for folder, _, files in os.walk(path):
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for name in files:
            os.chown(Path(folder, name), nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


class _Batch:
    """A shell that reads a line for each case and answers with one."""

    def __init__(self, shell: Shell, place: Path, program: str) -> None:
        self._file = place / f"{type(self).__name__}-{shell.name}.sh"
        self._file.write_text(program)
        self._file.chmod(0o644)
        self._argv = [*shell.argv, str(self._file)]
        self._path = shell.path
        self._process: subprocess.Popen[bytes] | None = None
        self.used_s = 0.0  # CPU time of the last answer
        self.wait_s = TIME_LIMIT_S  # for an answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, line: str, limit_cpu_s: float = TIME_LIMIT_S) -> str:
        """The answer, or `LOST`; no process of it may compute for longer than that."""
        process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        before_s = _cpu_s(process.pid)
        try:
            process.stdin.write(f"{int(limit_cpu_s) + 1} {line}\n".encode())
            process.stdin.flush()
        except BrokenPipeError:
            self.stop()
            return LOST
        ready, _, _ = select.select([process.stdout], [], [], self.wait_s)
        answer = process.stdout.readline() if ready else b""
        if not answer.endswith(b"\n"):
            self.stop()
            return LOST
        self.used_s = _cpu_s(process.pid) - before_s
        return answer.decode("ascii", errors="replace").strip()

    def _start(self) -> subprocess.Popen[bytes]:
        ids = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self._process = subprocess.Popen(
            self._argv,
            env={"PATH": self._path, "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **(ids if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
        )
        return self._process

    def stop(self) -> None:
        """Ends the shell and whatever it started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _cpu_s(pid: int) -> float:
    """CPU time of a process, and of its children that ended."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, numbers)) / TICKS_S


def _before(program: str, main: str) -> str:
    functions, found, _ = program.rpartition(main)
    assert found, f"no program has {main!r}"
    return functions


class TrustBatch(_Batch):
    """`trust.sh`: the answers of calls such as `verify DIR`, and the floors after them."""

    def __init__(self, shell: Shell, place: Path, trust: str | None = None) -> None:
        text = TRUST.read_text() if trust is None else trust
        functions = _before(text, TRUST_MAIN)
        alone = " ".join(f"{mark}:{without_openssl(shell, place, mark)}" for mark in STAND_INS)
        loop = TRUST_LOOP.replace("STAND_INS", alone)
        super().__init__(shell, place, functions + loop)


class CoreBatch(_Batch):
    """`do_verify` of the root core, with what it calls; and the reading of frames before it."""

    def __init__(self, shell: Shell, place: Path, helper: str | None = None) -> None:
        text = HELPER.read_text() if helper is None else helper
        functions = _before(text, CORE_MAIN)
        super().__init__(shell, place, functions + ALONE + CORE_LOOP)


class TextBatch(_Batch):
    """`parse` of `trust.sh`: whether a text has its form."""

    def __init__(self, shell: Shell, place: Path) -> None:
        functions = _before(TRUST.read_text(), TRUST_MAIN)
        super().__init__(shell, place, functions + TEXT_LOOP)


class HeaderBatch(_Batch):
    """`check_header` of the root core, with a header that is not packed."""

    def __init__(self, shell: Shell, place: Path) -> None:
        functions = _before(HELPER.read_text(), CORE_MAIN)
        super().__init__(shell, place, functions + ALONE + HEADER_LOOP)


def write_tree(place: Path, files: Mapping[str, bytes]) -> None:
    """The files below a directory, which is made; a name that ends with `/` is a folder."""
    place.mkdir(parents=True)
    for name, data in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            file.mkdir()
        else:
            file.write_bytes(data)
