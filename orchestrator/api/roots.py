"""Trust roots: init, add, rotate, sign, verify, show."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.signing import (
    PurposeOf,
    needed_of,
    public_key_of,
    signatures_of,
    signed_too,
    trusted_root,
)
from orchestrator.render.release import RoleFacts, RootFacts

if TYPE_CHECKING:
    from orchestrator.api.trust_values import RootRequest, SignWith
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.root import Role, Root
    from orchestrator.trust.signed_file import SignedFile

_PREFIX_MIN = 8  # of a fingerprint, so that it is hardly chosen by accident
_ONE = 1


def root_init(fleet: str, request: RootRequest) -> RootFacts:
    """Writes the first root of a fleet, or a draft of it where keys are missing still.

    Raises:
        TrustError: a key cannot be used, or a file exists or cannot be written.
    """
    from orchestrator.trust.root import Role, Root

    thresholds = _thresholds(request.thresholds)
    root = Root(
        fleet=fleet,
        version=1,
        issued_s=int(time.time()),
        threshold_root=thresholds.get(Role.ROOT, _ONE),
        threshold_release=thresholds.get(Role.RELEASE, _ONE),
        threshold_build=thresholds.get(Role.BUILD, _ONE),
        keys=(),
    )
    return _publish(_with_keys(root, request.add), request, previous=None)


def root_add(path: Path, role: str, keys: Sequence[str]) -> RootFacts:
    """Adds keys to a root that nobody signed yet.

    Raises:
        TrustError: it is signed, it is no root, or a key cannot be used or is there already.
    """
    from orchestrator.trust.errors import TrustRule, in_file, refuse
    from orchestrator.trust.files import replace_file
    from orchestrator.trust.root import write_root
    from orchestrator.trust.signed_file import SignedFile, read_signed

    file = read_signed(path)
    if file.signatures:
        message = f"`{path}` is signed; a further key would make its signatures void"
        hint = "`rollout root rotate` makes the next version"
        raise refuse(TrustRule.ROOT_SIGNED, message, hint=hint, file=path)
    root = _with_keys(_draft(file), [(role, key) for key in keys])
    with in_file(path):
        text = write_root(root)
    replace_file(path, text)
    return _facts(SignedFile(path, text), root, None, None)


def root_rotate(path: Path, request: RootRequest) -> RootFacts:
    """Writes the root that follows another, to be signed by keys of both.

    Raises:
        TrustError: the other one is not signed, a key cannot be used or removed, or a file exists
            or cannot be written.
    """
    from orchestrator.trust.root import Role

    old = trusted_root(path)
    wanted = _thresholds(request.thresholds)
    new = replace(
        _without_keys(old, request.remove),
        version=old.version + 1,
        issued_s=int(time.time()),
        threshold_root=wanted.get(Role.ROOT, old.threshold_root),
        threshold_release=wanted.get(Role.RELEASE, old.threshold_release),
        threshold_build=wanted.get(Role.BUILD, old.threshold_build),
    )
    return _publish(_with_keys(new, request.add), request, previous=(path, old))


def root_sign(path: Path, sign_with: SignWith, *, previous: Path | None = None) -> RootFacts:
    """Adds a signature to those beside a root.

    Raises:
        TrustError: it is a draft or no root, the key is no root key of it or of the one before,
            or nothing was signed.
    """
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.root import parse_root
    from orchestrator.trust.signed_file import read_signed

    with in_file(path):
        file = read_signed(path)
        root = parse_root(file.text)
        _check_builds(root)
    old = _previous(root, path, previous)
    purpose_of = _purpose_of(root, file.text)
    file = signed_too(file, purpose_of, sign_with, _root_keys(root, old), _signer_hint(old))
    return _facts(file, root, previous, old)


def root_verify(path: Path, *, previous: Path | None = None) -> RootFacts:
    """Makes the check of enrolment, or with the root before that of a device that holds it.

    Raises:
        TrustError: it fails; the code says why.
    """
    from orchestrator.trust import judge
    from orchestrator.trust.errors import TrustRule, in_file
    from orchestrator.trust.signed_file import read_signed

    old = None if previous is None else trusted_root(previous)
    with in_file(path):
        file = read_signed(path)
        evidence = file.evidence(TrustRule.ROOT_OWN_SIGNATURES)
        if old is None:
            root = judge.check_first_root(file.text, evidence)
        else:
            root = judge.check_rotation(old, file.text, evidence)
    return replace(_facts(file, root, previous, old), verified=True)


def root_show(path: Path, *, previous: Path | None = None) -> RootFacts:
    """What a root or a draft of one says, and who signed it. Judges nothing.

    Raises:
        TrustError: it is none, or a file cannot be read.
    """
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.signed_file import read_signed

    with in_file(path):
        file = read_signed(path)
    root = _draft(file)
    return _facts(file, root, previous, _previous(root, path, previous))


def _publish(root: Root, request: RootRequest, previous: tuple[Path, Root] | None) -> RootFacts:
    from orchestrator.trust.root import parse_root, write_root
    from orchestrator.trust.signed_file import write_signed

    _check_usable(root)
    old_path, old = previous or (None, None)
    text = write_root(root)
    if request.sign_with:
        parse_root(text)  # drafts are not signed: another key would make it void
        _check_builds(root)
    signatures = signatures_of(
        _purpose_of(root, text), request.sign_with, _root_keys(root, old), _signer_hint(old)
    )
    beside = Path() if old_path is None else old_path.parent
    path = request.out or beside / f"root-{root.version}.txt"
    return _facts(write_signed(path, text, signatures), root, old_path, old)


def _previous(root: Root, path: Path, previous: Path | None) -> Root | None:
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.judge import check_follows

    if previous is None:
        return None
    old = trusted_root(previous)
    with in_file(path):
        check_follows(old, root)
    return old


def _purpose_of(root: Root, text: bytes) -> PurposeOf:
    from orchestrator.trust.purpose import Purpose
    from orchestrator.trust.root import Role

    purpose = Purpose.of(Role.ROOT, root.fleet, text)
    return lambda _key: purpose


def _root_keys(root: Root, old: Root | None) -> tuple[VerificationKey, ...]:
    """Those whose signatures count: the root's own, and those of the one before."""
    from orchestrator.trust.root import Role

    return (*root.of(Role.ROOT), *(old.of(Role.ROOT) if old else ()))


def _signer_hint(old: Root | None) -> str:
    if old is None:
        return "a root is signed by its root keys; name the version before with `--previous`"
    return "a root is signed by its own root keys and by those of the version before"


def _with_keys(root: Root, added: Sequence[tuple[str, str]]) -> Root:
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.root import RoleKey

    keys = list(root.keys)
    for role, text in added:
        key = public_key_of(text)
        there = next((each for each in keys if each.key == key), None)
        if there is not None:
            message = f"`{text}` is a {there.role} key already"
            raise refuse(TrustRule.KEY_TWICE, message, hint="a key has one role, once")
        keys.append(RoleKey(_role(role), key))
    found = replace(root, keys=tuple(sorted(keys, key=lambda each: each.value)))
    _check_usable(found)
    return found


def _without_keys(root: Root, prefixes: Sequence[str]) -> Root:
    from orchestrator.trust.errors import TrustRule, refuse

    keys = root.keys
    for prefix in prefixes:
        found = [each for each in root.keys if each.key.fingerprint.startswith(prefix.lower())]
        if len(found) != 1 or len(prefix) < _PREFIX_MIN:
            message = f"`{prefix}` is not the beginning of one key's id"
            hint = f"give {_PREFIX_MIN} digits or more of an id that `rollout root show` shows"
            raise refuse(TrustRule.SIGNER_UNKNOWN, message, hint=hint)
        keys = tuple(each for each in keys if each is not found[0])
    return replace(root, keys=keys)


def _check_usable(root: Root) -> None:
    """A root that devices can use: artifacts have one signature."""
    from orchestrator.trust.errors import TrustRule, refuse

    if root.threshold_build > _ONE:
        message = (
            "an artifact carries one signature, so no more than one build key can be asked for"
        )
        raise refuse(TrustRule.THRESHOLD, message, hint="leave the threshold of `build` at 1")


def _check_builds(root: Root) -> None:
    """A root that is no draft has a build key that can sign artifacts; Ed25519 signs beside tickets.

    Without one there is nothing that could be released: who makes a ticket, and a build key that
    signs beside one, want the artifact signed.
    """
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.keys import ARTIFACT_KINDS
    from orchestrator.trust.root import Role

    if not any(key.kind in ARTIFACT_KINDS for key in root.of(Role.BUILD)):
        message = "no build key of the root signs artifacts: no Mender client verifies Ed25519"
        hint = (
            "add an ECDSA P-256 or RSA key: with `--build-key PUB`, or to a root that is written"
            " by `rollout root add ROOT build PUB`"
        )
        raise refuse(TrustRule.ROOT_ROLE, message, hint=hint)


def _thresholds(wanted: Mapping[str, int]) -> Mapping[Role, int]:
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.root import THRESHOLD_MAX

    for role, count in wanted.items():
        if not 1 <= count <= THRESHOLD_MAX:
            message = f"the threshold of `{role}` goes from 1 to {THRESHOLD_MAX}, not {count}"
            raise refuse(TrustRule.THRESHOLD, message, hint="it is how many keys must sign")
    return {_role(role): count for role, count in wanted.items()}


def _role(text: str) -> Role:
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.root import Role

    if text not in set(Role):
        message = f"there is no role `{text}`"
        raise refuse(TrustRule.ROOT_ROLE, message, hint=f"roles: {', '.join(Role)}")
    return Role(text)


def _draft(file: SignedFile) -> Root:
    from orchestrator.trust.errors import in_file
    from orchestrator.trust.root import parse_draft

    with in_file(file.path):
        return parse_draft(file.text)


def _facts(file: SignedFile, root: Root, old_path: Path | None, old: Root | None) -> RootFacts:
    from orchestrator.trust.root import Role

    roots = (root,) if old is None else (old, root)
    return RootFacts(
        path=str(file.path),
        previous_path="" if old_path is None else str(old_path),
        fleet=root.fleet,
        version=root.version,
        issued_s=root.issued_s,
        roles=tuple(
            RoleFacts(
                role=str(role),
                threshold=root.threshold(role),
                keys=tuple((str(key.kind), key.fingerprint) for key in root.of(role)),
                missing_count=root.missing(role),
            )
            for role in Role
        ),
        needed=tuple(needed_of(file, each, Role.ROOT) for each in roots),
    )
