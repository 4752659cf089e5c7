"""Things shown by themselves: keys, artifacts, inventories, devices, labs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.render.table import LABEL_CELLS, Column, Row, listed, table
from orchestrator.render.text import Look, Style, Symbol, cells, escape, fold, pad
from orchestrator.render.words import reason_words
from orchestrator.units import format_size

FORMAT_VERSION = "1.0"


def migrated_text(place: str, before: str, after: str, look: Look) -> str:
    """What became of a state store's schema."""
    if before == after:
        words = f"schema {after} already, nothing to do"
    elif not before:
        words = f"made the tables of schema {after}"
    else:
        words = f"migrated from schema {before} to {after}"
    return "".join(f"{line}\n" for line in _folded(f"{escape(place)}: {words}", look))


def key_document(
    *, kind: str, fingerprint: str, private: str | None, public: str | None, public_pem: str
) -> dict[str, object]:
    """A key as data; holds nothing secret."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "key",
        "key_kind": kind,
        "fingerprint": fingerprint,
        "private": private,
        "public": public,
        "public_pem": public_pem,
    }


def key_text(document: Mapping[str, object]) -> str:
    """A key for people."""
    labels = {
        "kind": "key_kind",
        "fingerprint": "fingerprint",
        "private": "private",
        "public": "public",
    }
    rows = [
        f"{pad(label, LABEL_CELLS)}{escape(str(document[key]))}"
        for label, key in labels.items()
        if document[key]
    ]
    return "\n".join(rows) + "\n"


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """What is known of an artifact; `signed_by` is empty unless a key verified it."""

    path: str
    name: str
    sha256: str
    manifest_sha256: str
    size_bytes: int
    device_types: Sequence[str]
    payload_type: str
    compression: str
    signed: bool
    signed_by: str
    depends: Mapping[str, object]
    provides: Mapping[str, object]
    files: Sequence[tuple[str, int, str]]


def artifact_document(facts: ArtifactFacts) -> dict[str, object]:
    """An artifact as data."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "artifact",
        "path": facts.path,
        "name": facts.name,
        "sha256": facts.sha256,
        "manifest_sha256": facts.manifest_sha256,
        "size_bytes": facts.size_bytes,
        "device_types": list(facts.device_types),
        "payload_type": facts.payload_type,
        "compression": facts.compression,
        "signed": facts.signed,
        "signed_by": facts.signed_by,
        "depends": dict(facts.depends),
        "provides": dict(facts.provides),
        "files": [
            {"name": name, "size_bytes": size_bytes, "sha256": sha256}
            for name, size_bytes, sha256 in facts.files
        ],
    }


def artifact_text(facts: ArtifactFacts, look: Look) -> str:
    """An artifact for people."""
    if facts.signed_by:
        signature = look.paint(f"{look.sign(Symbol.DONE)} by {escape(facts.signed_by)}", Style.GOOD)
    else:
        signature = "present, not verified here" if facts.signed else look.paint("none", Style.WARN)
    pairs = [
        ("artifact", look.paint(escape(facts.name), Style.BOLD)),
        ("file", f"{escape(facts.path)} ({format_size(facts.size_bytes)})"),
        ("fits", ", ".join(escape(kind) for kind in facts.device_types)),
        ("payload", f"{escape(facts.payload_type)}, {escape(facts.compression)}"),
        ("signature", signature),
        ("sha256", escape(facts.sha256)),
        ("manifest", escape(facts.manifest_sha256)),
    ]
    pairs += [("provides", _pair(item)) for item in facts.provides.items()]
    pairs += [("depends", _pair(item)) for item in facts.depends.items()]
    pairs += [
        ("payload file", f"{escape(name)} ({format_size(size_bytes)})")
        for name, size_bytes, _ in facts.files
    ]
    return listed(pairs, look)


@dataclass(frozen=True, slots=True)
class DeltaFacts:
    """A difference between the artifacts `old` and `new`, of one file of their payloads."""

    path: str
    old: str
    new: str
    file: str
    patch_bytes: int
    whole_bytes: int


def delta_document(facts: DeltaFacts) -> dict[str, object]:
    """A difference as data."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "delta",
        "file": facts.path,
        "old": facts.old,
        "new": facts.new,
        "payload_file": facts.file,
        "patch_bytes": facts.patch_bytes,
        "whole_bytes": facts.whole_bytes,
    }


def delta_text(facts: DeltaFacts, look: Look) -> str:
    """A difference for people."""
    percent = 100 * facts.patch_bytes / facts.whole_bytes
    saved = f"{format_size(facts.patch_bytes)} in place of {format_size(facts.whole_bytes)}"
    who = f"for devices that run {escape(facts.old)}"
    line = f"{escape(facts.path)}: {saved} ({percent:.1f} %) {who}"
    return "".join(f"{part}\n" for part in _folded(line, look))


def _pair(item: tuple[str, object]) -> str:
    key, value = item
    words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{escape(key)} = {escape(words)}"


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What came of asking one device; all of it but `ok` is untrusted text."""

    device: str
    ok: bool
    reason: str
    detail: str
    facts: Mapping[str, str]


def answer_line(answer: AnswerFacts, look: Look) -> str:
    """One device on one line, or as many as it takes."""
    name = escape(answer.device)
    if answer.ok:
        detail = f"  {escape(answer.detail)}" if answer.detail else ""
        line = f"{look.paint(look.sign(Symbol.DONE), Style.GOOD)} {name}{detail}"
        return "\n".join(_folded(line, look))
    words = reason_words(answer.reason, answer.detail)
    line = f"{look.paint(look.sign(Symbol.FAILED), Style.BAD)} {name}: {words}"
    return "\n".join(_folded(line, look))


def _folded(line: str, look: Look) -> list[str]:
    return fold(line, look.width, indent="  ")


def answer_text(answer: AnswerFacts, look: Look) -> str:
    """One device with its facts below."""
    lines = [answer_line(answer, look)]
    width = max((cells(escape(key)) for key in answer.facts), default=0)
    for key, value in answer.facts.items():
        lines.append(f"    {pad(escape(key), width)}  {escape(value)}".rstrip())
    return "\n".join(lines)


def answers_document(answers: Sequence[AnswerFacts]) -> dict[str, object]:
    """Devices' answers as data (schemas/devices.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "devices",
        "ok_count": sum(answer.ok for answer in answers),
        "devices": [
            {
                "device": answer.device,
                "ok": answer.ok,
                "reason": answer.reason,
                "detail": answer.detail,
                "facts": dict(answer.facts),
            }
            for answer in answers
        ],
    }


def lab_document(
    directory: str, inventory: str, pid: int, devices: Sequence[tuple[str, str, str]]
) -> dict[str, object]:
    """A lab as data."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "lab",
        "directory": directory,
        "inventory": inventory,
        "pid": pid,
        "devices": [
            {"device": name, "state": state, "artifact": artifact}
            for name, state, artifact in devices
        ],
    }


def lab_text(devices: Sequence[tuple[str, str, str]], look: Look) -> str:
    """The devices of a lab: name, state, artifact."""
    rows: list[Row] = [
        [escape(name), escape(state), escape(artifact) or "-"] for name, state, artifact in devices
    ]
    columns = (Column("device"), Column("state"), Column("runs", flex=True))
    return "\n".join(table(columns, rows, look)) + "\n"
