"""Whose SSH signatures count: an `allowed_signers` file of OpenSSH, read more strictly.

Laws:
1. Each line is one person: exactly one principal, written out, without patterns. The line of an
   authority may have patterns; its certificates are for exactly one person each.
2. Each line says its namespaces, written out: a key that signs commits is not thereby allowed to
   approve rollouts.
3. One key is one person: the same key material in two lines is an error, whatever they say.
4. An option that is not known is an error, as its meaning might be a limit.

Source: ssh-keygen(1), ALLOWED SIGNERS; design "device-and-trust" B.1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property

import asyncssh
from asyncssh.sshsig import SSHAllowedSigners, import_allowed_signers

from orchestrator.errors import TrustError, Where
from orchestrator.trust.errors import TrustRule
from orchestrator.trust.wire import WireReader

FILE_BYTES_MAX = 1024 * 1024
_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_PATTERN = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9._@+*?-]{0,127}")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_OPTION = re.compile(r'([a-z-]+)(?:="([^"]*)")?')
_TIME = re.compile(r"(\d{8})(\d{4}(?:\d{2})?)?(Z?)")
_LINE = re.compile(r'(\S+)[ \t]+((?:[^ \t"]|"[^"]*")+)[ \t]+(.*)')
_HINT = 'a line is `NAME namespaces="rollout-plan@FLEET" ssh-ed25519 AAAA...`'
_RSA_BITS_MIN = 3072


@dataclass(frozen=True)
class AllowedSigner:
    """One line: a person, a key, and what for.

    Attributes:
        principal: the person; a pattern where a certificate says which one.
        public_key: the key, or with `is_authority` that of a CA, as SSH writes it.
        namespaces: what the person may sign.
        is_authority: certificates that this key signed, and that name the person, are the person's.
        after_at: from then on (UTC seconds).
        before_at: until then.
    """

    principal: str
    public_key: bytes = field(repr=False)
    namespaces: frozenset[str]
    is_authority: bool = False
    after_at: float | None = None
    before_at: float | None = None

    def line(self) -> str:
        """It as a line of such a file, without its times."""
        names = ",".join(sorted(self.namespaces))
        authority = "cert-authority," if self.is_authority else ""
        key = _key_of(self.public_key).export_public_key("openssh").decode().strip()
        return f'{self.principal} {authority}namespaces="{names}" {key}\n'

    def may_sign(self, namespace: str, now: float) -> bool:
        """Whether signatures for it count at that moment."""
        late = self.before_at is not None and now >= self.before_at
        early = self.after_at is not None and now < self.after_at
        return namespace in self.namespaces and not late and not early

    def certified(self, principals: Sequence[str]) -> AllowedSigner | None:
        """The person whom a certificate of this authority names; None where it may not."""
        if len(principals) != 1 or not _PRINCIPAL.fullmatch(principals[0]):
            return None
        (name,) = principals
        return replace(self, principal=name) if fnmatchcase(name, self.principal) else None

    def with_key(self, public_key: bytes) -> AllowedSigner:
        """The person with the key that a certificate has."""
        return replace(self, public_key=public_key, is_authority=False)

    @property
    def fingerprint(self) -> str:
        """The key's, as OpenSSH prints it."""
        return _key_of(self.public_key).get_fingerprint()

    @cached_property
    def for_asyncssh(self) -> SSHAllowedSigners:
        """This line alone; times and namespaces have been decided here."""
        option = "cert-authority " if self.is_authority else ""
        text = _key_of(self.public_key).export_public_key("openssh").decode().strip()
        return import_allowed_signers(f"{self.principal} {option}{text}")


def read_allowed_signers(data: bytes, file: str) -> tuple[AllowedSigner, ...]:
    """The lines of a file of allowed signers.

    Args:
        data: its bytes.
        file: its name, for messages.

    Raises:
        TrustError: with all problems of the file: one error, one line each.
    """
    if len(data) > FILE_BYTES_MAX:
        message = f"`{file}` is larger than 1 MiB"
        raise TrustError(message, where=Where(file), code=str(TrustRule.SIGNERS))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"`{file}` is not UTF-8"
        raise TrustError(message, where=Where(file), code=str(TrustRule.SIGNERS)) from error
    signers: list[AllowedSigner] = []
    seen: dict[bytes, int] = {}
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):  # as OpenSSH: no other sign ends a line
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            signer = _signer(line.strip())
        except ValueError as error:
            problems.append((number, str(error)))
            continue
        if (first := seen.setdefault(signer.public_key, number)) != number:
            problems.append((number, f"has the key of line {first}: one key is one person"))
        signers.append(signer)
    if problems:
        raise _all_of(problems, file)
    if not signers:
        message = f"`{file}` allows nobody to sign"
        raise TrustError(message, hint=_HINT, where=Where(file), code=str(TrustRule.SIGNERS))
    return tuple(signers)


def _all_of(problems: list[tuple[int, str]], file: str) -> TrustError:
    first = problems[0]
    more = "".join(f"; line {number} {why}" for number, why in problems[1:])
    message = f"line {first[0]} {first[1]}{more}"
    return TrustError(
        message, hint=_HINT, where=Where(file, first[0], 1), code=str(TrustRule.SIGNERS)
    )


def _signer(line: str) -> AllowedSigner:
    parts = _LINE.fullmatch(line)
    if parts is None:
        message = "is not a principal, options and a key"
        raise ValueError(message)
    principal, options_text, key_text = parts.groups()
    if options_text.startswith(("ssh-", "ecdsa-", "sk-")):
        message = f"says no namespaces for `{principal[:60]}`"
        raise ValueError(message)
    options = _options(options_text)
    if not (_PATTERN if "cert-authority" in options else _PRINCIPAL).fullmatch(principal):
        message = f"names `{principal[:60]}`, which is not one person without patterns"
        raise ValueError(message)
    after_at, before_at = options.get("valid-after"), options.get("valid-before")
    return AllowedSigner(
        principal,
        _public_key(key_text),
        _namespaces(options.get("namespaces"), principal),
        is_authority="cert-authority" in options,
        after_at=None if after_at is None else _moment(after_at),
        before_at=None if before_at is None else _moment(before_at),
    )


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            message = "has options that cannot be read"
            raise ValueError(message)
        name, value = match[1], match[2]
        if name not in ("cert-authority", "namespaces", "valid-after", "valid-before"):
            message = f"has the option `{name}`, which is not known"
            raise ValueError(message)
        if name in found or (value is None) != (name == "cert-authority"):
            message = f"has the option `{name}` twice, or without its value"
            raise ValueError(message)
        found[name] = value or ""
        at = match.end() + 1
    return found


def _namespaces(text: str | None, principal: str) -> frozenset[str]:
    if text is None:
        message = f"says no namespaces for `{principal}`"
        raise ValueError(message)
    names = text.split(",")
    if not all(_NAMESPACE.fullmatch(name) for name in names):
        message = "has a namespace with a pattern, or an empty one"
        raise ValueError(message)
    return frozenset(names)


def _moment(text: str) -> float:
    """`YYYYMMDD[HHMM[SS]]`, UTC with `Z`, else local time, as OpenSSH reads it."""
    match = _TIME.fullmatch(text)
    if match is None:
        message = f"has the time `{text[:40]}`, which is not YYYYMMDD[HHMM[SS]][Z]"
        raise ValueError(message)
    day, clock, zone = match.groups(default="")
    try:
        found = datetime.strptime(f"{day}{clock.ljust(6, '0')}", "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError as error:
        message = f"has the time `{text[:40]}`, which no calendar has"
        raise ValueError(message) from error
    return (found.replace(tzinfo=UTC) if zone else found.astimezone()).timestamp()


def _public_key(text: str) -> bytes:
    algorithm, _, rest = text.partition(" ")
    encoded = rest.strip().partition(" ")[0]
    try:
        key = asyncssh.import_public_key(f"{algorithm} {encoded}")
    except (ValueError, asyncssh.Error) as error:
        message = "has a key that cannot be read"
        raise ValueError(message) from error
    if algorithm == "ssh-dss" or (algorithm == "ssh-rsa" and _rsa_bits(key) < _RSA_BITS_MIN):
        message = f"has a weak key: Ed25519, ECDSA, or RSA of {_RSA_BITS_MIN} bits or more"
        raise ValueError(message)
    return key.public_data


def _rsa_bits(key: asyncssh.SSHKey) -> int:
    reader = WireReader(key.public_data)
    reader.string(), reader.string()  # the algorithm and the exponent
    return int.from_bytes(reader.string(), "big").bit_length()


def _key_of(public_key: bytes) -> asyncssh.SSHKey:
    algorithm = WireReader(public_key).string().decode("ascii")
    encoded = base64.b64encode(public_key).decode()
    return asyncssh.import_public_key(f"{algorithm} {encoded}")
