"""The helper protocol `rollout-agent/1`: requests, frames, replies and their limits.

One request is one SSH exec of a forced command; docs/reference/device-protocol.md is the written
contract that `helper.sh` and `orchestrator.testing.device` implement too.

Laws:
1. A request is one line of at most 1024 bytes in a fixed grammar; nothing is quoted or escaped.
2. A reply is ASCII lines `key value`, values percent-encoded, at most 64 KiB, and ends with
   `end RC SHA256` over all bytes before that line. Without a matching end there is no reply:
   truncation, interleaving and shell noise all read as `Reason.PROTOCOL`. In the middle of a
   dialogue `ready NONCE SHA256` seals what was said so far in the same way.
3. Nothing of a reply is trusted beyond its declared type; text is decoded only here.

Source: design "device-and-trust" B.4a and B.5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError

PROTOCOL = "rollout-agent/1"
HELPER_MIN = (1, 2, 0)  # the oldest helper that knows every request that is made here
REQUEST_BYTES_MAX = 1024
REPLY_BYTES_MAX = 64 * 1024  # a reply is a few lines; more is an attack or a bug
LINE_BYTES_MAX = 8 * 1024
STDERR_BYTES_MAX = 16 * 1024
FRAMES_MAX = 256
DIGITS_MAX = 18
FRAME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,/-]{0,199}")
_REQUEST = re.compile(r"[a-z]+( [a-z0-9-]+=[A-Za-z0-9._:+/@,-]*){0,16}")
_LINE = re.compile(rb"[a-z][a-z0-9.-]{0,63}( [\x21-\x7e]+)*")
_END = re.compile(rb"end ([0-9]{1,3}) ([0-9a-f]{64})")
_READY = re.compile(rb"ready ([0-9A-Za-z]{8,128}) ([0-9a-f]{64})")


class Verb(StrEnum):
    """What a controller may ask; there is no verb that runs a command."""

    HELLO = "hello"
    FACTS = "facts"
    STATUS = "status"
    HEALTH = "health"
    PROVE = "prove"
    DELIVER = "deliver"
    REBUILD = "rebuild"
    STAGE = "stage"
    VERIFY = "verify"
    INSTALL = "install"
    ACTIVATE = "activate"
    CONFIRM = "confirm"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    ABORT = "abort"
    ADOPT = "adopt"
    GC = "gc"
    ROOT = "root"
    ATTEST = "attest"
    LOG = "log"


class Rc:
    """Exit codes of the helper (sysexits where one fits)."""

    OK = 0
    RESUME = 3
    USAGE = 64
    DENIED = 65
    BACKEND = 69
    IO = 74
    BUSY = 75
    FENCED = 76
    NOT_NOW = 77
    WRONG_STATE = 78


@dataclass(frozen=True, slots=True)
class Request:
    """One request line."""

    verb: Verb
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The text that goes over the wire.

        Raises:
            DeviceError: a value does not fit the grammar (a bug or a hostile name).
        """
        words = [str(self.verb), *(f"{key}={value}" for key, value in self.params.items())]
        text = " ".join(words)
        fits = len(text) <= REQUEST_BYTES_MAX and _REQUEST.fullmatch(text) and ".." not in text
        if not fits:
            message = f"request `{self.verb}` does not fit the helper's grammar"
            raise DeviceError(message, reason=Reason.USAGE)
        return text


@dataclass(frozen=True, slots=True)
class Frame:
    """One file of a delivery: manifest, its signature, the header file, a payload file.

    `chunks(offset)` gives the bytes from `offset` on, in pieces of at most 32 KiB; it may be
    called again for a retry. `sha256` is of the whole file, lower-case hex.
    """

    name: str
    size_bytes: int
    sha256: str
    chunks: Callable[[int], Iterator[bytes]]
    offset: int = 0

    @property
    def head(self) -> bytes:
        """The frame's line on the wire; `size - offset` bytes follow it."""
        return f"frame {self.name} {self.size_bytes} {self.sha256} {self.offset}\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class Step:
    """A `step NAME RC REASON` line of a delivery."""

    name: str
    rc: int
    reason: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A `check NAME EXIT [JSON]` line: a health check's exit code and its optional JSON line."""

    name: str
    exit: int
    output: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply whose end line and hash were right.

    `fields` holds the last value of each key that stands once; `lines` holds all, in order.
    """

    rc: int
    lines: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> dict[str, str]:
        """Values by key (the last one where a key repeats)."""
        return dict(self.lines)

    def all(self, key: str) -> tuple[str, ...]:
        """All values of a key that may repeat."""
        return tuple(value for name, value in self.lines if name == key)

    @property
    def closing(self) -> Reply:
        """What was said after the device stood ready; all of it where it never did."""
        keys = [key for key, _value in self.lines]
        return Reply(self.rc, self.lines[keys.index("ready") + 1 :]) if "ready" in keys else self

    @property
    def reason(self) -> Reason:
        """The helper's reason; `Reason.PROTOCOL` for one we do not know."""
        text = self.fields.get("reason", "ok" if self.rc == Rc.OK else "")
        try:
            return Reason(text)
        except ValueError:
            return Reason.PROTOCOL

    @property
    def detail(self) -> str:
        """The helper's own words, untrusted: renderers escape them."""
        return self.fields.get("detail", "")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The `step` lines, in order."""
        found = (step_of(value) for value in self.all("step"))
        return tuple(step for step in found if step is not None)

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The `check` lines, in order; a line we cannot read is left out (no evidence)."""
        found = []
        for value in self.all("check"):
            name, _, rest = value.partition(" ")
            code, _, output = rest.partition(" ")
            if (exit_code := number(code)) is not None:
                found.append(CheckResult(name, exit_code, decode(output)))
        return tuple(found)


def step_of(value: str) -> Step | None:
    """A `step` line's value; None for one that we cannot read."""
    words = value.split(" ")
    if len(words) != 3 or (rc := number(words[1])) is None:  # noqa: PLR2004  NAME RC REASON
        return None
    return Step(words[0], rc, words[2])


def number(text: str) -> int | None:
    """A number that a device said: ASCII digits, no more than any size in bytes has."""
    return int(text) if len(text) <= DIGITS_MAX and text.isascii() and text.isdigit() else None


def helper_fits(version: str) -> bool:
    """Whether a helper of that version knows what is asked here; what is no version does not."""
    numbers = [number(word) for word in version.split(".")]
    found = tuple(each for each in numbers if each is not None)
    return len(found) == len(numbers) == len(HELPER_MIN) and found >= HELPER_MIN


def encode(text: str) -> str:
    """Percent-encoded form of a value: printable ASCII without blanks and `%`."""
    return quote(text, safe="!#$&'()*+,-./:;<=>?@[]^_`{|}~\"\\")


def decode(text: str) -> str:
    """Text of a percent-encoded value; bytes that are no UTF-8 become U+FFFD."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text).decode("utf-8", errors="replace")


class ReplyReader:
    """Reads a reply from bytes as they come, within limits; sans I/O.

    `feed` returns the complete lines that the new bytes finished (without the end line), so that
    a delivery can react to `ready` before the reply ends. `finish` gives the whole reply.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._buffer = b""
        self._seen_bytes = 0
        self._lines: list[tuple[str, str]] = []
        self._end: int | None = None

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """Takes bytes; returns the lines they completed.

        Raises:
            DeviceError: `Reason.PROTOCOL`, the bytes break the grammar or a limit.
        """
        self._seen_bytes += len(data)
        if self._seen_bytes > REPLY_BYTES_MAX:
            raise _violation("reply is longer than 64 KiB")
        *complete, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > LINE_BYTES_MAX:
            raise _violation("reply line is longer than 8 KiB")
        return [pair for line in complete if (pair := self._take(line)) is not None]

    def _take(self, line: bytes) -> tuple[str, str] | None:
        if self._end is not None:
            raise _violation("bytes after the end line")
        if line.startswith(b"end ") and (end := _END.fullmatch(line)):
            if self._hash.hexdigest().encode() != end[2]:
                raise _violation("end line does not match the reply")
            self._end = int(end[1])
            return None
        if len(line) > LINE_BYTES_MAX or not _LINE.fullmatch(line):
            raise _violation("reply line does not fit the grammar")
        if line.startswith(b"ready "):
            line = self._unsealed(line)
        else:
            self._hash.update(line + b"\n")
        key, _, value = line.decode("ascii").partition(" ")
        pair = (key, value if key in _STRUCTURED else decode(value))
        self._lines.append(pair)
        return pair

    def _unsealed(self, line: bytes) -> bytes:
        """A `ready` line without its seal, which held."""
        ready = _READY.fullmatch(line)
        if ready is None or self._hash.hexdigest().encode() != ready[2]:
            raise _violation("ready line does not match what came before it")
        self._hash.update(line + b"\n")
        return b"ready " + ready[1]

    def so_far(self) -> Reply:
        """What was said up to a `ready` line, which sealed it."""
        assert self._lines, "only a device that stands ready has said something for certain"
        assert self._lines[-1][0] == "ready", "only a `ready` line seals the middle of a reply"
        return Reply(Rc.OK, tuple(self._lines[:-1]))

    def finish(self) -> Reply:
        """The reply, once the device has closed its side.

        Raises:
            DeviceError: `Reason.PROTOCOL`, there was no end line: nothing may be concluded.
        """
        if self._end is None or self._buffer:
            raise _violation("reply ended without its end line")
        return Reply(self._end, tuple(self._lines))


_STRUCTURED = frozenset({"step", "check", "have"})  # several words; decoded word by word


def _violation(message: str) -> DeviceError:
    return DeviceError(f"device broke the protocol: {message}", reason=Reason.PROTOCOL)
