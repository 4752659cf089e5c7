"""Tickets and roots on a terminal and as data: what they say, who signed, and who still must."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.plan.tickets import ED25519
from orchestrator.render.text import Look, Style, Symbol, cells, escape, pad, plural
from orchestrator.render.words import instant

FORMAT_VERSION = "1.0"
_LABEL_CELLS = 13
_KIND_CELLS = 11
_OPTIONS = (
    ("device type", "--device-type"),
    ("artifact", "--artifact"),
    ("open for the device", "--device"),
)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key in a role, and whether it signed."""

    kind: str
    key_id: str
    signed: bool


@dataclass(frozen=True, slots=True)
class NeededFacts:
    """Whose signatures are needed: so many of these keys of a root.

    `ssh_count` keys signed in the form of SSH, too; `ssh_only_count` of them in no other, and not
    Ed25519, whose two forms are checked by the same programs.
    """

    role: str
    root_version: int
    needed: int
    keys: Sequence[KeyFacts]
    ssh_count: int = 0
    ssh_only_count: int = 0

    @property
    def signed_count(self) -> int:
        """How many of the keys signed."""
        return sum(key.signed for key in self.keys)

    @property
    def ed25519_count(self) -> int:
        """How many of those are Ed25519."""
        return sum(key.signed and key.kind == ED25519 for key in self.keys)

    @property
    def missing_count(self) -> int:
        """How many more must sign."""
        return max(0, self.needed - self.signed_count)


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """What a ticket says. `needed` is None where no root was given to judge signatures by.

    `checked` are the checks that were made and passed; `is_build_signed`: a build key signed the
    manifest in the form of SSH, `is_build_signed_by_ed25519`: one of that kind did.
    """

    path: str
    root_path: str
    fleet: str
    serial: int
    issued_s: int
    expires_s: int
    security_version: int
    next_floor: int
    device_types: Sequence[str]
    artifact: str
    manifest_sha256: str
    openings: Sequence[tuple[int, int]]
    signature_count: int
    needed: NeededFacts | None = None
    checked: Sequence[str] = ()
    is_build_signed: bool = False
    is_build_signed_by_ed25519: bool = False


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role of a root: how many of its keys must sign, and how many keys a draft lacks."""

    role: str
    threshold: int
    keys: Sequence[tuple[str, str]]  # kind and id
    missing_count: int


@dataclass(frozen=True, slots=True)
class RootFacts:
    """What a root says, and which root keys signed it: its own, and those of the one before."""

    path: str
    previous_path: str
    fleet: str
    version: int
    issued_s: int
    roles: Sequence[RoleFacts]
    needed: Sequence[NeededFacts]
    verified: bool = False

    @property
    def is_draft(self) -> bool:
        """Whether a role lacks keys."""
        return any(role.missing_count for role in self.roles)


def ticket_document(facts: TicketFacts) -> dict[str, object]:
    """A ticket as data (schemas/ticket.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "ticket",
        "path": facts.path,
        "fleet": facts.fleet,
        "serial": facts.serial,
        "issued_at": facts.issued_s,
        "expires_at": facts.expires_s,
        "security_version": facts.security_version,
        "next_floor": facts.next_floor,
        "device_types": list(facts.device_types),
        "artifact": facts.artifact,
        "manifest_sha256": facts.manifest_sha256,
        "open": [{"percent": percent, "not_before_at": at_s} for percent, at_s in facts.openings],
        "signature_count": facts.signature_count,
        "signatures": None if facts.needed is None else _needed_document(facts.needed),
        "checked": list(facts.checked),
        "build_signed": None if facts.needed is None else facts.is_build_signed,
        "build_signed_by_ed25519": (
            None if facts.needed is None else facts.is_build_signed_by_ed25519
        ),
    }


def root_document(facts: RootFacts) -> dict[str, object]:
    """A root as data (schemas/root.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "root",
        "path": facts.path,
        "fleet": facts.fleet,
        "version": facts.version,
        "issued_at": facts.issued_s,
        "draft": facts.is_draft,
        "roles": [
            {
                "role": role.role,
                "threshold": role.threshold,
                "missing_count": role.missing_count,
                "keys": [{"kind": kind, "key_id": key_id} for kind, key_id in role.keys],
            }
            for role in facts.roles
        ],
        "signatures": [_needed_document(needed) for needed in facts.needed],
        "verified": facts.verified,
    }


def ticket_text(facts: TicketFacts, look: Look) -> str:
    """A ticket for people."""
    floor = f"{facts.security_version}; devices that commit refuse less than {facts.next_floor}"
    pairs = [
        ("ticket", look.paint(escape(facts.path), Style.BOLD)),
        ("release", f"{escape(facts.artifact)} for {escape(facts.fleet)}, serial {facts.serial}"),
        ("fits", ", ".join(escape(name) for name in facts.device_types)),
        ("issued", instant(facts.issued_s)),
        ("expires", instant(facts.expires_s)),
        ("security", floor),
        ("manifest", escape(facts.manifest_sha256)),
        *_openings(facts),
    ]
    if facts.needed is None:
        words = plural(facts.signature_count, "line") + ", not judged: no root was given"
        pairs.append(("signatures", words if facts.signature_count else "none"))
    else:
        signed = {key.key_id for key in facts.needed.keys if key.signed}
        pairs += _counted(facts.needed, look)
        pairs += [("", _key(key.kind, key.key_id, signed, look)) for key in facts.needed.keys]
        by_any, by_ed25519 = facts.is_build_signed, facts.is_build_signed_by_ed25519
        pairs += _forms(facts.needed, look, built=(by_any, by_ed25519))
    if facts.checked:
        pairs.append(("verified", look.paint(", ".join(facts.checked), Style.GOOD)))
    return _lines(pairs)


def root_text(facts: RootFacts, look: Look) -> str:
    """A root for people."""
    draft = [("(a draft: keys are missing)", Style.WARN)] if facts.is_draft else []
    of_fleet = f"{escape(facts.fleet)}, version {facts.version}"
    pairs = [
        ("root", look.paint(escape(facts.path), Style.BOLD)),
        *_behind("fleet", look, (of_fleet, Style.PLAIN), *draft),
        ("issued", instant(facts.issued_s)),
    ]
    signed = {key.key_id for needed in facts.needed for key in needed.keys if key.signed}
    for role in facts.roles:
        lacks = f"; {plural(role.missing_count, 'key')} missing" if role.missing_count else ""
        words = f"{role.threshold} of {plural(len(role.keys), 'key')} must sign{lacks}"
        pairs.append((f"{role.role} keys", words))
        pairs += [("", _key(kind, key_id, signed, look)) for kind, key_id in role.keys]
    listed = {key_id for role in facts.roles for _, key_id in role.keys}
    for needed in facts.needed:
        pairs += _counted(needed, look)
        others = [key for key in needed.keys if key.key_id not in listed]
        pairs += [("", _key(key.kind, key.key_id, signed, look)) for key in others]
        pairs += _forms(needed, look)
    if facts.verified:
        pairs.append(("verified", look.paint(_verified_words(facts), Style.GOOD)))
    return _lines(pairs)


def _verified_words(facts: RootFacts) -> str:
    if not facts.previous_path:
        return "as a first root, which enrolment places"
    return f"as devices judge it that hold version {facts.version - 1}"


def ticket_next(facts: TicketFacts) -> str:
    """What to do now, as one line; empty when there is nothing."""
    ticket = escape(facts.path)
    root = escape(facts.root_path) or "ROOT"
    if facts.checked:
        left = [f"{check} ({option})" for check, option in _OPTIONS if check not in facts.checked]
        return f"not checked: {', '.join(left)}" if left else ""
    if facts.needed is None:
        return f"next: rollout release sign {ticket} --key KEY --root {root}"
    if facts.needed.missing_count:
        still = _still(facts.needed)
        return f"next: {still}: rollout release sign {ticket} --key KEY --root {root}"
    return f"signed by enough; next: rollout release verify {ticket} --root {root}"


def root_next(facts: RootFacts) -> str:
    """What to do now, as one line; empty when there is nothing."""
    root = escape(facts.path)
    for role in facts.roles:
        if role.missing_count:
            return f"next: rollout root add {root} {role.role} PUB  ({role.missing_count} more)"
    previous = f" --previous {escape(facts.previous_path)}" if facts.previous_path else ""
    for needed in facts.needed:
        if needed.missing_count:
            return f"next: {_still(needed)}: rollout root sign {root} --key KEY{previous}"
    if facts.verified:
        return ""
    return f"signed by enough; next: rollout root verify {root}{previous}"


def _still(needed: NeededFacts) -> str:
    more = plural(needed.missing_count, "more signature")
    return f"{more} of {needed.role} keys of root version {needed.root_version}"


def _needed_document(needed: NeededFacts) -> dict[str, object]:
    return {
        "role": needed.role,
        "root_version": needed.root_version,
        "needed_count": needed.needed,
        "signed_count": needed.signed_count,
        "ssh_form_count": needed.ssh_count,
        "ssh_form_only_count": needed.ssh_only_count,
        "ed25519_count": needed.ed25519_count,
        "keys": [
            {"kind": key.kind, "key_id": key.key_id, "signed": key.signed} for key in needed.keys
        ],
    }


def _openings(facts: TicketFacts) -> list[tuple[str, str]]:
    if not facts.openings:
        return [("opens", "for all devices at once")]
    pairs = [
        ("" if number else "opens", f"{percent} % from {instant(at_s)}")
        for number, (percent, at_s) in enumerate(facts.openings)
    ]
    last = facts.openings[-1][0]
    everybody = 100
    if last < everybody:
        pairs.append(("", f"the other {everybody - last} % never, with this ticket"))
    return pairs


def _counted(needed: NeededFacts, look: Look) -> list[tuple[str, str]]:
    style = Style.WARN if needed.missing_count else Style.GOOD
    counted = f"{needed.signed_count} of {needed.needed} needed,"
    keys = plural(len(needed.keys), f"{needed.role} key")
    source = f"from {keys} of root version {needed.root_version}"
    return _behind("signatures", look, (counted, style), (source, Style.PLAIN))


def _forms(
    needed: NeededFacts, look: Look, *, built: tuple[bool, bool] | None = None
) -> list[tuple[str, str]]:
    """What devices count that have other programs than an openssl of today.

    Without openssl a build key must sign a ticket, too: `built` says whether any did, and whether
    one of Ed25519 did, the only kind that `usign` and `signify` check.
    """
    if not needed.signed_count:
        return []
    by_any, by_ed25519 = built or (None, None)
    lines = [("ssh form", needed.ssh_count, by_any, "with ssh-keygen in place of openssl")]
    if any(key.kind == ED25519 for key in needed.keys):
        of_them = needed.ed25519_count
        lines.append(("ed25519", of_them, by_ed25519, "with usign or signify in place of openssl"))
    if needed.ssh_only_count:
        plain = needed.signed_count - needed.ssh_only_count
        lines.append(("plain form", plain, None, "without ssh-keygen"))
    found = []
    for label, count, is_built, which in lines:
        enough = count >= needed.needed and is_built is not False
        build = {None: "", True: ", a build key", False: ", no build key"}[is_built]
        counted = f"{count} of {needed.needed} needed{build}:"
        words = f"{'good' if enough else 'not'} {which}"
        found += _behind(label, look, (counted, Style.PLAIN), (words, Style.PLAIN))
    return found


def _behind(label: str, look: Look, *pieces: tuple[str, Style]) -> list[tuple[str, str]]:
    """Pieces behind a label: on one line where they fit, else one below the other."""
    painted = [look.paint(text, style) for text, style in pieces]
    together = _LABEL_CELLS + cells(" ".join(text for text, _ in pieces))
    if together <= look.width:
        return [(label, " ".join(painted))]
    return [("" if number else label, text) for number, text in enumerate(painted)]


def _key(kind: str, key_id: str, signed: Collection[str], look: Look) -> str:
    sign = look.sign(Symbol.DONE) if key_id in signed else " "
    return f"{sign} {pad(escape(kind), _KIND_CELLS)} {escape(key_id)}"


def _lines(pairs: Sequence[tuple[str, str]]) -> str:
    return "".join(f"{pad(label, _LABEL_CELLS)}{text}".rstrip() + "\n" for label, text in pairs)
