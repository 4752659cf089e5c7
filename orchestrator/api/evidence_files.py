"""The files that evidence consists of, read within limits: policy, keys, papers and snapshots."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.signing import trusted_root
from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError, PlanError, Where

if TYPE_CHECKING:
    from orchestrator.evidence.dsse import Envelope
    from orchestrator.evidence.policy import Policy
    from orchestrator.evidence.references import Reference
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.evidence.sbom import Subject
    from orchestrator.evidence.snapshot import Package, Snapshot
    from orchestrator.trust.keys import VerificationKey

PROJECT_FILE = "rollout.toml"
STATEMENT_SUFFIX = ".evidence.json"
DOCUMENT_BYTES_MAX = 32 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_ZIP_TROUBLES = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy, its digest, and the keys that it names."""

    path: Path
    policy: Policy
    sha256: str

    def near(self, text: str) -> Path:
        """A path of the policy."""
        return self.path.parent / Path(text).expanduser()


@dataclass(frozen=True, slots=True)
class Bound:
    """What the release keys bind to an artifact: the statement, and the bytes of each document."""

    statement: bytes
    signed_by: tuple[str, ...]
    documents: tuple[tuple[Reference, bytes], ...]


def refusal(problems: Collection[Problem], message: str) -> PlanError:
    """The error that shows all of the problems."""
    from orchestrator.evidence.rules import diagnostics

    found = diagnostics(problems)
    return PlanError(message, code=found[0].code, where=found[0].where, diagnostics=found)


def read_policy_file(path: Path, plan: Path, root: Path) -> PolicyFile:
    """The operator's policy.

    Args:
        path: the file.
        plan: whose repository must not hold it, nor the keys that it names.
        root: the project; it must not hold them either.

    Raises:
        PlanError: it cannot be read, is none, or lies where plans do.
    """
    from orchestrator.evidence.policy import POLICY_BYTES_MAX, read_policy
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.trust.work_tree import work_tree_of

    data = read_bounded(path, POLICY_BYTES_MAX)
    policy, problems = read_policy(data, str(path))
    if policy is None:
        raise refusal(problems, f"`{path}` is no policy")
    file = PolicyFile(path, policy, hashlib.sha256(data).hexdigest())
    keys = [*policy.release_keys, *(key for keys in policy.builders.values() for key in keys)]
    tree, project = work_tree_of(plan.resolve().parent), _project(root)
    for each in (path, *map(file.near, keys)):
        in_project = project is not None and each.resolve().is_relative_to(project)
        if in_project or (tree is not None and tree.holds(each)):
            message = f"`{each}` lies with the plans, which would choose how they are judged"
            hint = "keep it where only operators write"
            raise refusal(
                [Problem(EvidenceRule.POLICY_PLACE, message, hint, where=Where(str(each)))], message
            )
    return file


def release_keys(settings: Settings, file: PolicyFile) -> tuple[tuple[VerificationKey, ...], int]:
    """Whose signatures bind evidence to an artifact, and how many are needed.

    Raises:
        PlanError: nobody is named.
        TrustError: a key or the root cannot be read.
    """
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.trust.root import Role

    if settings.trust_root is not None:
        root = trusted_root(settings.trust_root)
        return root.of(Role.RELEASE), root.threshold(Role.RELEASE)
    if not file.policy.release_keys:
        message = "nobody is named whose signature binds evidence to an artifact"
        hint = (
            "name the fleet's `trust_root` in your configuration, or `release_keys` in the policy"
        )
        raise refusal(
            [Problem(EvidenceRule.POLICY_KEYS, message, hint, where=Where(str(file.path)))], message
        )
    return tuple(load_keys(file, file.policy.release_keys)), 1


def load_keys(file: PolicyFile, names: Collection[str]) -> Iterator[VerificationKey]:
    """The public keys that a policy names.

    Raises:
        TrustError: one cannot be read.
    """
    from orchestrator.trust.keys import TICKET_KINDS, load_public_key

    for name in names:
        yield load_public_key(file.near(name), kinds=TICKET_KINDS)


def statement_path(artifact: Path) -> Path:
    """Where the statement of an artifact lies: `app.mender` has `app.evidence.json`."""
    return artifact.with_name(artifact.name.removesuffix(".mender") + STATEMENT_SUFFIX)


def read_bound(
    path: Path,
    subject: Subject,
    keys: Collection[VerificationKey],
    needed_count: int,
    problems: list[Problem],
) -> Bound | None:
    """What a statement binds, after its signatures held; None, with problems, where it does not.

    Args:
        path: the statement; the documents lie beside it.
        subject: the artifact.
        keys: whose signatures count.
        needed_count: how many of them must have signed.
        problems: what is wrong is added to them.
    """
    from orchestrator.evidence.dsse import ENVELOPE_BYTES_MAX, read_envelope
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.trust.attestation import signers_of

    if not path.exists():
        message = f"no evidence lies beside `{subject.name}`: there is no `{path.name}`"
        hint = "`rollout release attach ARTIFACT --sbom FILE --key KEY` makes it"
        problems.append(Problem(EvidenceRule.NO_STATEMENT, message, hint, where=Where(str(path))))
        return None
    data = _read(path, ENVELOPE_BYTES_MAX, EvidenceRule.FILE, problems)
    envelope = None if data is None else read_envelope(data, str(path), problems)
    if data is None or envelope is None:
        return None
    signed = signers_of(envelope, keys)
    if len(signed) < needed_count:
        message = f"{len(signed)} of {needed_count} needed release keys signed this evidence"
        problems.append(Problem(EvidenceRule.SIGNATURES, message, where=Where(str(path))))
        return None
    documents = read_documents(envelope, path, subject, problems)
    if documents is None:
        return None
    return Bound(data, tuple(key.fingerprint for key in signed), documents)


def read_documents(
    envelope: Envelope, path: Path, subject: Subject, problems: list[Problem]
) -> tuple[tuple[Reference, bytes], ...] | None:
    """The documents that a statement names, in the bytes that it names them by."""
    from orchestrator.evidence.dsse import IN_TOTO
    from orchestrator.evidence.references import read_references
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.evidence.statement import read_statement

    if envelope.payload_type != IN_TOTO:
        message = f"the envelope holds `{envelope.payload_type}`, not `{IN_TOTO}`"
        problems.append(Problem(EvidenceRule.STATEMENT, message, where=Where(str(path))))
        return None
    statement = read_statement(envelope.payload, str(path), problems)
    if statement is None:
        return None
    if not statement.is_about(subject.sha256):
        message = f"the evidence is about another artifact than `{subject.name}`"
        hint = "a rebuilt artifact wants its evidence anew: `rollout release attach`"
        statement.top.report(EvidenceRule.SUBJECT, message, "subject", hint=hint)
        return None
    found = []
    for each in read_references(statement):
        file = path.with_name(each.name)
        data = _read(file, DOCUMENT_BYTES_MAX, EvidenceRule.DOCUMENT, problems)
        if data is not None and hashlib.sha256(data).hexdigest() != each.sha256:
            message = f"`{file}` is not the {each.kind} that was signed for"
            hint = "put the old file back, or sign for the new one: `rollout release attach`"
            problems.append(Problem(EvidenceRule.DOCUMENT, message, hint, where=Where(str(file))))
        elif data is not None:
            found.append((each, data))
    return tuple(found)


def read_snapshots(
    file: PolicyFile, wanted: Collection[Package], problems: list[Problem]
) -> tuple[Snapshot, ...]:
    """What the policy's snapshots know of some packages.

    Cost: every record of each is read; 100 000 take some seconds.
    """
    from orchestrator.evidence.rules import EvidenceRule, Problem
    from orchestrator.evidence.snapshot import SnapshotError

    found = []
    for name in file.policy.snapshots:
        path = file.near(name)
        try:
            found.append(_snapshot(path, wanted))
        except (SnapshotError, OSError, *_ZIP_TROUBLES) as error:
            text = str(error) if isinstance(error, SnapshotError) else f"cannot read it: {error}"
            problems.append(Problem(EvidenceRule.SNAPSHOT, text, where=Where(str(path))))
    return tuple(found)


def read_bounded(path: Path, size_bytes: int) -> bytes:
    """A regular file of at most so many bytes.

    Raises:
        PlanError: it is none, cannot be read, or is larger.
    """
    from orchestrator.evidence.rules import EvidenceRule

    problems: list[Problem] = []
    data = _read(path, size_bytes, EvidenceRule.FILE, problems)
    if data is None:
        raise refusal(problems, f"cannot read `{path}`")
    return data


def _read(path: Path, size_bytes: int, rule: EvidenceRule, problems: list[Problem]) -> bytes | None:
    from orchestrator.evidence.rules import Problem
    from orchestrator.trust.files import read_start

    try:
        data = read_start(path, size_bytes + 1) if path.is_file() else None
    except OrchestratorError as error:
        problems.append(Problem(rule, error.message, where=Where(str(path))))
        return None
    if data is None:
        problems.append(Problem(rule, f"`{path}` is no file", where=Where(str(path))))
    elif len(data) > size_bytes:
        message = f"`{path}` has more than {size_bytes} bytes"
        problems.append(Problem(rule, message, where=Where(str(path))))
    else:
        return data
    return None


def _snapshot(path: Path, wanted: Collection[Package]) -> Snapshot:
    from orchestrator.evidence.snapshot import LIST_BYTES_MAX, SnapshotError, gather, read_list

    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
        sha256 = digest.hexdigest()
        stream.seek(0)
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                return gather(path.name, sha256, _records(path.name, archive), wanted)
        stream.seek(0)
        data = stream.read(LIST_BYTES_MAX + 1)
    if len(data) > LIST_BYTES_MAX:
        message = f"snapshot `{path.name}` is a list of more than {LIST_BYTES_MAX} bytes"
        raise SnapshotError(message)
    return read_list(path.name, sha256, data, wanted)


def _records(name: str, archive: zipfile.ZipFile) -> Iterator[object]:
    """The records of an archive, each read within its limit."""
    from orchestrator.evidence.snapshot import (
        RECORD_BYTES_MAX,
        RECORDS_MAX,
        SNAPSHOT_BYTES_MAX,
        SnapshotError,
        load,
    )

    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    total = sum(entry.file_size for entry in entries)
    if len(entries) > RECORDS_MAX or total > SNAPSHOT_BYTES_MAX:
        message = f"snapshot `{name}` is larger than any collection of records"
        raise SnapshotError(message)
    for entry in entries:
        with archive.open(entry) as stream:
            data = stream.read(RECORD_BYTES_MAX + 1)
        if len(data) > RECORD_BYTES_MAX:
            message = f"record `{entry.filename}` of snapshot `{name}` is too large"
            raise SnapshotError(message)
        yield load(f"{name}/{entry.filename}", data)


def _project(root: Path) -> Path | None:
    """The project, where there is one: without its file it is any directory."""
    return root.resolve() if (root / PROJECT_FILE).exists() else None
