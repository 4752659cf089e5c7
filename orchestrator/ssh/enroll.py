"""Enrolling a device and releasing it, over an ordinary SSH connection of an administrator.

Laws:
1. Enrolment is the only thing that writes the helper onto a device.
2. Nobody is trusted on first use: the host key is the pinned one, or has the fingerprint that was
   given, or was confirmed by a person who saw its fingerprint.
3. `look` says all that `apply` will change and changes nothing; both are idempotent.
4. What runs on the device is the fixed text of `enroll.sh`; values travel as data on its stdin.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import asyncssh

from orchestrator.device.model import Address
from orchestrator.device.protocol import Rc, Reply
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.placed import Enrolment, files_of
from orchestrator.ssh.transport import SshTransport

ENROL_S = 120.0
LINE_CHARS = 76
_VALUE = re.compile(r"[A-Za-z0-9._:@+-]{1,200}")


class Become(StrEnum):
    """How the administrator's account becomes root."""

    NONE = "none"
    SUDO = "sudo"
    DOAS = "doas"


class Action(StrEnum):
    """What happens to one thing on the device."""

    SAME = "same"
    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing on the device: a file, directory, account, authorized_keys line, state, or what checks."""

    action: Action
    subject: str
    target: str

    def __str__(self) -> str:
        return f"{_SIGNS[self.action]} {self.subject} {self.target}"


_ACTIONS = frozenset(str(one) for one in Action)
_SIGNS = {Action.SAME: " ", Action.CREATE: "+", Action.CHANGE: "~", Action.REMOVE: "-"}


@dataclass(frozen=True, slots=True)
class EnrolPlan:
    """What would change, and what stands in the way; `host_keys` were proven, for the inventory.

    `certificate` is the line of the host's certificate that an earlier enrolment placed, if any.
    """

    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    host_keys: tuple[str, ...]
    certificate: str = ""

    @property
    def differs(self) -> bool:
        """Whether anything would change."""
        return any(change.action is not Action.SAME for change in self.changes)

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The programs that will check signatures there, as `facts` names them; none where nobody was asked."""
        told = (change.target.split(",") for change in self.changes if change.subject == "verifier")
        return tuple(next(told, ()))


class Admin:
    """An administrator's way to one device.

    `address` is an ordinary login with its pinned host keys (see `identify` for a first
    contact); `become` makes it root, `password` is for sudo when it asks. `identity` is the device's id.
    """

    def __init__(
        self,
        transport: SshTransport,
        address: Address,
        *,
        become: Become = Become.NONE,
        password: str | None = None,
        identity: str = "",
    ) -> None:
        self._transport = transport
        self._address = address
        self._become = become
        self._password = password
        self._identity = identity

    async def plan_enrol(self, wanted: Enrolment) -> EnrolPlan:
        """What enrolling would change; read-only.

        Raises:
            DeviceError: the device cannot be reached or read.
        """
        return await self._run(enrol_input(wanted, apply=False))

    async def enrol(self, wanted: Enrolment) -> EnrolPlan:
        """Enrols, or brings an enrolled device up to date; gives what was changed.

        One that is as wanted is only looked at.

        Raises:
            DeviceError: the device cannot be reached; INCOMPATIBLE, it lacks something and was not
                changed; INTERRUPTED, it may be changed in part (repeat it then).
        """
        return await self._changed(await self.plan_enrol(wanted), enrol_input(wanted, apply=True))

    async def plan_release(self) -> EnrolPlan:
        """What releasing would remove; read-only.

        Raises:
            DeviceError: the device cannot be reached or read.
        """
        return await self._run(b"run look release\n")

    async def release(self) -> EnrolPlan:
        """Removes what enrolment wrote; what releases installed stays.

        Raises:
            DeviceError: as `enrol`.
        """
        return await self._changed(await self.plan_release(), b"run apply release\n")

    async def _changed(self, planned: EnrolPlan, content: bytes) -> EnrolPlan:
        if planned.problems:
            message = f"the device was not changed: {planned.problems[0]}"
            hint = "repeat it when that is solved"
            raise DeviceError(message, reason=Reason.INCOMPATIBLE, hint=hint)
        if not planned.differs:
            return planned
        try:
            done = await self._run(content)
        except DeviceError as error:  # a moment ago it could be reached: what it did is not known
            raise _in_part(error.message) from error
        if done.problems:
            raise _in_part(done.problems[0])
        return done

    async def _run(self, content: bytes) -> EnrolPlan:
        command, before = become_root(self._become, self._password)
        try:
            reply, proven = await self._transport.run_admin(
                self._address,
                command,
                before + content,
                deadline_s=ENROL_S,
                identity=self._identity,
            )
        except DeviceError as error:
            if error.reason == Reason.PROTOCOL and self._become is not Become.NONE:
                raise DeviceError(
                    f"`{self._address.user}` did not become root with {self._become}",
                    reason=Reason.AUTHENTICATION,
                    hint="try it by hand; a password can be given, or log in as root",
                ) from error
            raise
        return read_plan(reply, proven)


def _in_part(why: str) -> DeviceError:
    message = f"the device may be changed in part: {why}"
    return DeviceError(message, reason=Reason.INTERRUPTED, hint="repeat it when that is solved")


def enrol_input(wanted: Enrolment, *, apply: bool) -> bytes:
    """What `enroll.sh` reads on stdin; contents of files only when applying.

    Raises:
        DeviceError: USAGE, a value or name has characters that it may not have.
    """
    algorithm, blob = public_key_words(wanted.login_key)
    settings = {
        "user": wanted.login_user,
        "device-type": wanted.device_type,
        "device-id": wanted.device_id,
        "key-algorithm": algorithm,
        "key-blob": blob,
        "key-comment": "rollout",
    }
    if wanted.user_ca is not None:
        algorithm, blob = public_key_words(wanted.user_ca)
        settings |= {"ca-algorithm": algorithm, "ca-blob": blob}
    if wanted.root is not None:
        settings |= {"root-fleet": wanted.root.fleet, "root-version": str(wanted.root.version)}
        settings["root-needs"] = "ed25519" if wanted.root.needs_ed25519 else "openssl"
        if wanted.root.ed25519_lacks:
            settings["root-lacks"] = "+".join(wanted.root.ed25519_lacks)
    lines = []
    for key, value in settings.items():
        if not key.endswith("-blob"):  # base64
            checked_value(key, value)
        lines.append(f"set {key} {value}\n".encode("ascii"))
    for name, (mode, body) in sorted(files_of(wanted).items()):
        lines.append(_file_lines(name, mode, body, apply=apply))
    lines.append(b"run apply enrol\n" if apply else b"run look enrol\n")
    return b"".join(lines)


def checked_value(key: str, value: str) -> None:
    """Holds a value against what may stand in files of a device.

    Raises:
        DeviceError: USAGE, it has other characters.
    """
    if not _VALUE.fullmatch(value):
        message = f"{key} `{value}` has characters that it may not have"
        raise DeviceError(message, reason=Reason.USAGE, hint="use letters, digits and . _ : @ + -")


def read_plan(reply: Reply, *host_keys: str) -> EnrolPlan:
    """The plan that a reply of `enroll.sh` tells of.

    Raises:
        DeviceError: PROTOCOL, it holds something else; AUTHENTICATION, the helper answered.
    """
    if reply.rc == Rc.USAGE:  # what a forced command says of any command but its own
        raise DeviceError(
            "this login leads to the device's helper, not to an administrator's shell",
            reason=Reason.AUTHENTICATION,
            hint="name an account of an administrator: `--login USER`",
        )
    changes, problems, certificate = [], [], ""
    for key, value in reply.lines:
        subject, _, target = value.partition(" ")
        if key == "problem":
            problems.append(value)
        elif key == "holds":
            certificate = value
        elif key in _ACTIONS:
            changes.append(Change(Action(key), subject, target))
        else:
            message = f"device broke the protocol: it says `{key}` while being enrolled"
            raise DeviceError(message, reason=Reason.PROTOCOL)
    return EnrolPlan(tuple(changes), tuple(problems), host_keys, certificate)


def become_root(become: Become, password: str | None) -> tuple[str, bytes]:
    """The command that runs `enroll.sh` as root, and what must stand before its input."""
    program = resources.files("orchestrator.ssh").joinpath("enroll.sh").read_text("utf-8")
    match become:
        case Become.NONE:
            words, before = [], b""
        case Become.DOAS:
            words, before = ["doas", "-n"], b""
        case Become.SUDO if password is None:
            words, before = ["sudo", "-n"], b""
        case Become.SUDO:
            assert password is not None
            # -k: ask in any case, so that the first line is always taken off.
            words, before = ["sudo", "-k", "-S", "-p", ""], password.encode() + b"\n"
    return shlex.join([*words, "sh", "-c", program]), before


def public_key_words(line: str) -> tuple[str, str]:
    """Algorithm and base64 of a public key line.

    Raises:
        DeviceError: AUTHENTICATION, it is no public key.
    """
    try:
        key = asyncssh.import_public_key(line)
    except asyncssh.KeyImportError as error:
        message = f"login key cannot be read: {error}"
        raise DeviceError(message, reason=Reason.AUTHENTICATION) from error
    words = key.export_public_key().decode("ascii").split()
    return words[0], words[1]


def _file_lines(name: str, mode: int, body: bytes, *, apply: bool) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    text = base64.b64encode(body)
    rows = [text[start : start + LINE_CHARS] for start in range(0, len(text), LINE_CHARS)]
    if not apply:
        rows = []
    head = f"file {name} {mode:o} {digest} {len(rows)}\n".encode("ascii")
    return head + b"".join(row + b"\n" for row in rows)
