"""A strict streaming reader of tar files, for input that nobody has vouched for yet.

Parsers of tar disagree about nearly everything that is not plain, and each disagreement is a way
to show one file to the controller and another one to a device. So only what all of them read the
same way is taken.

Laws:
1. A member is a regular file in ustar or GNU form with a printable ASCII name of at most 100
   characters that is relative and has no `..`; no links, devices, directories, sparse files.
2. Pax records are taken only where they change nothing that we use; GNU long names never.
3. The checksum field has the one form that tar, Python and Go write. Padding is zero. After the two
   end blocks come only zeros, up to the end of a 10 KiB record.
4. Nothing is written anywhere, and memory does not depend on what a header declares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.stream import PIECE_BYTES, ByteSource

BLOCK_BYTES = 512
_ZERO_BLOCK = bytes(BLOCK_BYTES)
_END_BLOCKS = 2
_RECORD_BLOCKS = 20  # tar's default blocking factor
_NAME_BYTES = 100
_MODE = slice(100, 108)
_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
_TYPE = slice(156, 157)
_LINK_NAME = slice(157, 257)
_MAGIC = slice(257, 265)
_PREFIX = slice(345, 500)  # in GNU form: times and sparse maps, all of them unused here
_TAIL = slice(500, 512)
_MAGICS = (b"ustar\x0000", b"ustar  \x00")
_REGULAR = (b"0", b"\x00")
_CHECKSUM_FORM = re.compile(rb"[0-7]{6}\x00 ")
_OCTAL = re.compile(rb" *([0-7]+)[ \x00]*")
_NAME = re.compile(r"[A-Za-z0-9_.,+@:=~%#][\x21-\x7e]{0,99}")
_MODE_SPECIAL = 0o7000
_TYPE_NAMES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a directory",
    b"6": "a FIFO",
    b"S": "a sparse file",
}
_PAX = b"x"
_PAX_GLOBAL = b"g"
_GNU_EXTENSIONS = (b"L", b"K")
_PAX_BYTES_MAX = 4096
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,4}) ([A-Za-z0-9_.]+)=([^\x00]*)\n", re.DOTALL)
_COMMENT = b"comment"
_PAX_HARMLESS = frozenset(
    (b"mtime", b"atime", b"ctime", b"uname", b"gname", b"uid", b"gid", _COMMENT)
)


@dataclass(frozen=True, slots=True)
class TarMember:
    """The header of one regular file; `comment` is of its pax record, if it has one."""

    name: str
    size_bytes: int
    mode: int
    comment: bytes | None = None


class TarReader:
    """Members in order; the current one is read with `read`, to its end, before the next.

    Args:
        source: the tar file.
        what: what the tar file is, for messages.
    """

    def __init__(self, source: ByteSource, *, what: str) -> None:
        self._source = source
        self._what = what
        self._left_bytes = 0
        self._padding_bytes = 0
        self._blocks = 0

    def next_member(self) -> TarMember | None:
        """The next member, or None after the last one, when the whole file was seen to be plain.

        Raises:
            ArtifactError: the file breaks a law of this module.
        """
        assert not self._left_bytes, "the current member was not read to its end"
        self._skip_padding()
        block = self._block()
        if block == _ZERO_BLOCK:
            self._check_end()
            return None
        records: dict[bytes, bytes] = {}
        if _kind(block) == _PAX:
            records = self._pax_records(block)
            block = self._block()
        member = self._member(block)
        _check_pax(records, member, self._what)
        self._begin(member.size_bytes)
        return replace(member, comment=records.get(_COMMENT))

    def read(self, size_bytes: int, /) -> bytes:
        """The next bytes of the current member, empty at its end.

        Raises:
            ArtifactError: the file ends inside the member.
        """
        wanted = min(size_bytes, self._left_bytes, PIECE_BYTES)
        if wanted <= 0:
            return b""
        data = self._source.read(wanted)
        if not data:
            raise self._truncated()
        self._left_bytes -= len(data)
        return data

    def read_all(self, limit_bytes: int) -> bytes:
        """The whole current member.

        Raises:
            ArtifactError: it is larger than `limit_bytes`, or cut off.
        """
        if self._left_bytes > limit_bytes:
            message = f"a member of the {self._what} is larger than {limit_bytes} bytes"
            raise ArtifactError(Rule.SIZE_LIMIT, message)
        pieces = []
        while piece := self.read(PIECE_BYTES):
            pieces.append(piece)
        return b"".join(pieces)

    def _begin(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes
        self._padding_bytes = -size_bytes % BLOCK_BYTES

    def _exactly(self, size_bytes: int) -> bytes:
        data = b""
        while len(data) < size_bytes:
            piece = self._source.read(size_bytes - len(data))
            if not piece:
                raise self._truncated()
            data += piece
        return data

    def _block(self) -> bytes:
        self._blocks += 1
        return self._exactly(BLOCK_BYTES)

    def _skip_padding(self) -> None:
        padding = self._exactly(self._padding_bytes)
        self._padding_bytes = 0
        if padding.strip(b"\x00"):
            message = f"padding of the {self._what} is not zero"
            raise ArtifactError(Rule.TAR_SLACK, message)

    def _check_end(self) -> None:
        if not self._end_block():
            raise self._truncated()
        for _ in range(_RECORD_BLOCKS - 1):
            if not self._end_block():
                return
        if self._source.read(1):
            message = f"the {self._what} goes on after its last record"
            raise ArtifactError(Rule.TAR_SLACK, message)

    def _end_block(self) -> bool:
        """Whether there is another block of zeros; what was appended is not taken for a cut."""
        data = b""
        while len(data) < BLOCK_BYTES and (piece := self._source.read(BLOCK_BYTES - len(data))):
            data += piece
        if data.strip(b"\x00"):
            message = f"the {self._what} has data after its end block"
            raise ArtifactError(Rule.TAR_SLACK, message, hint="something was appended to it")
        if 0 < len(data) < BLOCK_BYTES:
            raise self._truncated()
        return bool(data)

    def _member(self, block: bytes) -> TarMember:
        _check_header(block, self._what)
        name = self._name(block)
        kind = _kind(block)
        if kind not in _REGULAR:
            message = f"`{name}` in the {self._what} is {_TYPE_NAMES.get(kind, 'no regular file')}"
            raise ArtifactError(Rule.TAR_TYPE, message)
        if block[_LINK_NAME].strip(b"\x00") or block[_PREFIX].strip(b"\x00"):
            message = f"`{name}` in the {self._what} uses header fields that only links need"
            raise ArtifactError(Rule.TAR_FORMAT, message)
        mode = _octal(block[_MODE], self._what)
        if mode & _MODE_SPECIAL:
            message = f"`{name}` in the {self._what} has set-user-id, set-group-id or sticky bits"
            raise ArtifactError(Rule.TAR_MODE, message)
        return TarMember(name, _octal(block[_SIZE], self._what), mode)

    def _name(self, block: bytes) -> str:
        raw, _, rest = block[:_NAME_BYTES].partition(b"\x00")
        name = raw.decode("ascii", errors="backslashreplace")
        plain = (
            raw.isascii()
            and _NAME.fullmatch(name)
            and ".." not in name.split("/")
            and not name.startswith("./")
        )
        if not plain or rest.strip(b"\x00"):
            message = f"the {self._what} has a member with the name {name!a}"
            hint = "names are relative, printable ASCII, without `..` and a leading `./` or `-`"
            raise ArtifactError(Rule.TAR_NAME, message, hint=hint)
        return name

    def _pax_records(self, block: bytes) -> dict[bytes, bytes]:
        _check_header(block, self._what)
        size_bytes = _octal(block[_SIZE], self._what)
        if size_bytes > _PAX_BYTES_MAX:
            message = f"the {self._what} has a pax header of {size_bytes} bytes"
            raise ArtifactError(Rule.TAR_EXTENSION, message)
        self._begin(size_bytes)
        data = self.read_all(_PAX_BYTES_MAX)
        self._skip_padding()
        return _parse_pax(data, self._what)

    def _truncated(self) -> ArtifactError:
        return ArtifactError(
            Rule.TRUNCATED, f"the {self._what} is cut off", hint="copy or download it again"
        )


def _kind(block: bytes) -> bytes:
    return block[_TYPE]


def _check_header(block: bytes, what: str) -> None:
    if block[_MAGIC] not in _MAGICS:
        message = f"the {what} is no tar file in ustar or GNU form"
        hint = "a Mender artifact is a tar file that begins with a member `version`"
        raise ArtifactError(Rule.TAR_FORMAT, message, hint=hint)
    field = block[_CHECKSUM]
    total = sum(block) - sum(field) + len(field) * ord(" ")  # the field counts as blanks
    if not _CHECKSUM_FORM.fullmatch(field) or int(field[:6], 8) != total:
        message = f"a header of the {what} does not match its checksum"
        raise ArtifactError(Rule.TAR_CHECKSUM, message, hint="the file is damaged")
    kind = _kind(block)
    if kind == _PAX_GLOBAL or kind in _GNU_EXTENSIONS:
        message = f"the {what} uses a tar extension that can rename or resize members"
        raise ArtifactError(Rule.TAR_EXTENSION, message)
    if block[_TAIL].strip(b"\x00"):
        message = f"a header of the {what} has data in its unused part"
        raise ArtifactError(Rule.TAR_FORMAT, message)


def _octal(field: bytes, what: str) -> int:
    match = _OCTAL.fullmatch(field)
    if not match:
        message = f"a number in a header of the {what} is not octal"
        hint = "members are smaller than 8 GiB; base-256 numbers are not taken"
        raise ArtifactError(Rule.TAR_NUMBER, message, hint=hint)
    return int(match[1], 8)


def _parse_pax(data: bytes, what: str) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        size_text = data[at : at + 5].partition(b" ")[0]
        size_bytes = int(size_text) if size_text.isdigit() else 0
        match = _PAX_RECORD.fullmatch(data, at, at + size_bytes) if size_bytes else None
        if not match or at + size_bytes > len(data) or match[2] in records:
            message = f"the {what} has a pax header that cannot be read"
            raise ArtifactError(Rule.TAR_EXTENSION, message)
        records[match[2]] = match[3]
        at += size_bytes
    return records


def _check_pax(records: dict[bytes, bytes], member: TarMember, what: str) -> None:
    """Refuses records that say something else than the header; readers differ about who wins."""
    same = {b"path": member.name.encode(), b"size": str(member.size_bytes).encode()}
    for key, value in records.items():
        if key not in _PAX_HARMLESS and same.get(key) != value:
            message = f"a pax record `{key.decode('ascii')}` in the {what} changes a member"
            raise ArtifactError(Rule.TAR_EXTENSION, message)
