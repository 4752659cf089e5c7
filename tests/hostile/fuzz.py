"""Both verifiers on drawn cases: `python -m tests.hostile.fuzz --seed N`, or `--case FILE`.

They must say the same: for tickets and roots the same reason, for artifacts whether it is taken,
refused, or good and not for this device. What differs is made smaller and kept in a file.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from orchestrator.artifact import Artifact, ArtifactError, ReadOptions, Rule, read_artifact
from orchestrator.artifact.header import Header, parse_header
from orchestrator.errors import TrustError
from orchestrator.testing.tickets import Answer, RotationCase, TicketCase, answer_of
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.judge import Delivery, DeviceView, Floors, check_rotation, check_ticket
from orchestrator.trust.keys import KeyKind
from orchestrator.trust.purpose import Purpose
from orchestrator.trust.root import Role, Root, parse_root
from orchestrator.trust.signature import verifying
from orchestrator.trust.signature_file import (
    SSH_TAG,
    Signature,
    parse_signatures,
    write_signatures,
)
from orchestrator.trust.ticket import parse_ticket
from tests.hostile.batch import (
    SHELLS,
    CoreBatch,
    HeaderBatch,
    Place,
    TextBatch,
    TrustBatch,
    own,
    shell_named,
    write_tree,
)
from tests.hostile.core import DEVICE_TYPE, MODULES, PROVIDES, Core
from tests.hostile.drawn import (
    ARTIFACTS,
    FORMS,
    HEADERS,
    MANIFEST,
    ROOTS,
    TEXTS,
    Bytes,
    Drawn,
    draw_case,
    keys,
    make,
    smaller,
)
from tests.hostile.no_openssl import MARK
from tests.hostile.signify import ALONE
from tests.hostile.tickets import root_case, ticket_case, verdict
from tests.unit.artifact.crafting import member, sha256, tar

# The controller alone can tell: see `LEFT_OUT` and `UNICODE` in tests/hostile/artifacts.py.
CONTROLLER_ALONE = {Rule.STREAM_TRAILING, Rule.TEXT}
PACKED_XZ = "header.tar.xz"
_NOBODYS = Signature("0" * 64, SSH_TAG)


def python_says(case: Bytes, place: Path) -> str:
    """What the controller answers, in the words of a device."""
    if case.kind == ARTIFACTS:
        return _artifact(case, place)
    if case.kind == TEXTS:
        return _text(case)
    if case.kind == HEADERS:
        return _header(case)
    try:
        root = parse_root(case.parts["root.txt"])
    except TrustError:
        return "root_syntax"
    try:
        if case.kind == ROOTS:
            check_rotation(root, case.parts["root"], case.parts["root.sig"])
        else:
            _check_ticket(case, root)
    except TrustError as error:
        return _word(case, error.code)
    return "ok"


def _word(case: Bytes, code: str) -> str:
    """A device's word for a refusal with that code."""
    if code == TrustRule.NO_KEY:
        return "denied"
    answer = answer_of(code)
    if case.kind == ROOTS:
        return root_case(_root_case(case, answer)).wanted
    return ticket_case(_ticket_case(case, answer)).wanted


def _check_ticket(case: Bytes, root: Root) -> None:
    """As a device; one without openssl does not count all, and wants a build key's signature among them."""
    known = _ticket_case(case, Answer.ALLOW)
    if not case.numbers.get(MARK) and not case.numbers.get(ALONE):
        check_ticket(known.ticket, known.signatures, root, known.device, known.delivery)
        return
    parse_ticket(known.ticket)
    there = _counted(case, parse_signatures(known.signatures), root)
    counted = write_signatures(there or [_NOBODYS])
    try:
        check_ticket(known.ticket, counted, root, known.device, known.delivery)
    except TrustError as error:
        if error.code not in (TrustRule.ARTIFACT, TrustRule.NOT_OPEN):
            raise
        _check_built(there, root)
        raise
    _check_built(there, root)


def _counted(case: Bytes, there: tuple[Signature, ...], root: Root) -> tuple[Signature, ...]:
    """With ssh-keygen those in the form of SSH, with signify those of Ed25519 keys."""
    if case.numbers.get(MARK):
        return tuple(each for each in there if each.is_ssh)
    of_ed25519 = {each.key.fingerprint for each in root.keys if each.key.kind is KeyKind.ED25519}
    return tuple(each for each in there if each.key_id in of_ed25519)


def _check_built(signatures: tuple[Signature, ...], root: Root) -> None:
    purpose = Purpose.of(Role.BUILD, root.fleet, MANIFEST)
    if not purpose.ssh_signed_by(signatures, root.of(Role.BUILD)):
        raise refuse(TrustRule.NO_KEY, "no build key signed beside the ticket")


def _ticket_case(case: Bytes, answer: Answer) -> TicketCase:
    number = case.numbers
    floors = Floors(number["time-floor"], number["security-floor"], number["serial"])
    return TicketCase(
        name="drawn",
        root=case.parts["root.txt"],
        ticket=case.parts["ticket"],
        signatures=case.parts["ticket.sig"],
        device=DeviceView(f"gw-{number['device']}", "raspberrypi4", number["now"], floors),
        manifest=MANIFEST,
        manifest_signature=base64.b64decode(case.parts["manifest.sig"]),
        delivery=Delivery(sha256(MANIFEST), "app-2.3.1"),
        answer=answer,
        kinds=frozenset((KeyKind.ECDSA_P256,)),
    )


def _root_case(case: Bytes, answer: Answer) -> RotationCase:
    parts = case.parts
    return RotationCase("drawn", parts["root.txt"], parts["root"], parts["root.sig"], answer)


def _artifact(case: Bytes, place: Path) -> str:
    payload = [(name, data) for name, data in case.parts.items() if name.startswith("data/")]
    outer = [(name, data) for name, data in case.parts.items() if not name.startswith("data/")]
    suffix = outer[-1][0].removeprefix("header.tar")
    content = tar(*(member(name.removeprefix("data/0000/"), data) for name, data in payload))
    outer.append((f"data/0000.tar{suffix}", _pack(suffix, content)))
    file = place / "drawn.mender"
    file.write_bytes(tar(*(member(name, data) for name, data in outer)))
    options = verifying([keys().build.verification], ReadOptions())
    try:
        found = read_artifact(file, options=options)
    except (ArtifactError, TrustError) as error:
        return str(error.code)
    return _fits(found, found.payload.type)


def _fits(found: Artifact | Header, payload_type: str) -> str:
    """Is it for the drawn device, which ran nothing before."""
    here = "dt" in found.device_types and payload_type in MODULES
    return "ok" if here and not any(found.depends.values()) else "incompatible"


def _text(case: Bytes) -> str:
    parsers = (parse_ticket, parse_root, parse_signatures)
    try:
        parsers[case.numbers["form"]](case.parts["text"])
    except TrustError:
        return "no"
    return "ok"


def _header(case: Bytes) -> str:
    try:
        found = parse_header(case.parts["header.tar"], policy=ReadOptions().scripts)
    except ArtifactError as error:
        return str(error.code)
    return _fits(found, found.payload_type)


def _pack(suffix: str, data: bytes) -> bytes:
    from tests.unit.artifact.crafting import PACKERS

    return PACKERS[suffix](data)


class Judges:
    """Python, and one shell of a device."""

    def __init__(self, name: str, place: Path, stack: ExitStack) -> None:
        shell = shell_named(name, place)
        assert shell is not None, name
        self.name = name
        self._place = place
        place.joinpath("trust").mkdir()
        self._trust = stack.enter_context(TrustBatch(shell, place))
        batch = stack.enter_context(CoreBatch(shell, place))
        self._core = Core(batch, place, shell, keys().build.verification.pem)
        self._texts = stack.enter_context(TextBatch(shell, place))
        self._headers = stack.enter_context(HeaderBatch(shell, place))
        etc = {"device_type": DEVICE_TYPE, "provides.none": PROVIDES.read_bytes()}
        write_tree(place / "texts", etc)
        own(place / "texts")

    def device_says(self, case: Bytes) -> str:
        """What the shell answers."""
        texts = self._place / "texts"
        if case.kind == ARTIFACTS:
            return self._core.finds(case.parts, {}).partition("/")[2]
        if case.kind == TEXTS:
            (texts / "text").write_bytes(case.parts["text"])
            return self._texts.ask(f"{FORMS[case.numbers['form']]} {texts}/text")
        if case.kind == HEADERS:
            (texts / "header.tar").write_bytes(case.parts["header.tar"])
            return self._headers.ask(f"{texts} {texts} {self._place}/lib")
        answer = Answer.ALLOW
        known = (
            root_case(_root_case(case, answer))
            if case.kind == ROOTS
            else ticket_case(_ticket_case(case, answer))
        )
        marks = {mark: b"" for mark in (MARK, ALONE) if case.numbers.get(mark)}
        known = replace(known, files=known.files | marks)
        return verdict(known.answer(self._trust, self._place / "trust"))

    def differ(self, case: Bytes) -> str:
        """What each says where they differ, or nothing."""
        here, there = python_says(case, self._place), self.device_says(case)
        if here == there or (case.kind in (ARTIFACTS, HEADERS) and _agree(here, there)):
            return ""
        damaged = here == Rule.STREAM_DAMAGED and PACKED_XZ in case.parts
        if self.name == "busybox" and damaged and there == "ok":
            return (
                ""  # its xz passes over the index behind the header, which is the same, and signed
            )
        return f"python {here}, {self.name} {there}"


def _agree(here: str, there: str) -> bool:
    """A refusal is a refusal; what only the controller can tell is not the device's fault."""
    if here in CONTROLLER_ALONE:
        return there in ("ok", "incompatible", "denied")
    return here not in ("ok", "incompatible") and there in ("denied", "incompatible")


def told(drawn: Drawn, case: Bytes, judges: Judges, difference: str) -> str:
    """The smallest case with a difference, and how to see it again.

    Its own bytes are kept: signatures differ each time, and what is spoilt in them with them.
    """
    shrinking = True
    while shrinking:
        shrinking = False
        for candidate in smaller(drawn):
            if found := judges.differ(made := make(candidate)):
                drawn, case, difference, shrinking = candidate, made, found, True
                break
    with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="fuzz-", delete=False) as file:
        parts = {name: base64.b64encode(data).decode() for name, data in case.parts.items()}
        json.dump({"kind": case.kind, "parts": parts, "numbers": dict(case.numbers)}, file)
    changes = "\n  ".join(map(str, drawn.changes)) or "no change"
    return (
        f"{difference}\n  {changes}\n  {drawn.numbers}\n"
        f"again: python -m tests.hostile.fuzz --shell {judges.name} --case {file.name}"
    )


def read_case(file: Path) -> Bytes:
    """A case that was kept."""
    kept = json.loads(file.read_text())
    parts = {name: base64.b64decode(text) for name, text in kept["parts"].items()}
    return Bytes(kept["kind"], parts, kept["numbers"])


def run(
    first: int, until: Callable[[int], bool], shells: tuple[str, ...] = SHELLS
) -> tuple[list[str], str]:
    """Cases from seed `first` on until it is enough; differences, and a summary.

    Each shell has its own thread and every so many of the seeds, so that one computes while
    another one's case is made.
    """
    found: list[str] = []
    start = time.monotonic()

    def work(judges: Judges, seed: int) -> Counter[str]:
        count: Counter[str] = Counter()
        while until(seed - first):
            drawn = draw_case(seed)
            case = make(drawn)
            if difference := judges.differ(case):
                found.append(f"seed {seed}: {told(drawn, case, judges, difference)}")
            count[drawn.kind] += 1
            seed += len(shells)
        return count

    with Place() as place, ExitStack() as stack, ThreadPoolExecutor(len(shells)) as pool:
        working = []
        for at, name in enumerate(shells):
            (place / name).mkdir(mode=0o711)
            judges = Judges(name, place / name, stack)
            working.append(pool.submit(work, judges, first + at))
        count = sum((one.result() for one in working), Counter())
    took_s = time.monotonic() - start
    kinds = ", ".join(f"{number} {kind}s" for kind, number in sorted(count.items()))
    return found, (
        f"{sum(count.values())} cases from seed {first} ({kinds}),"
        f" {sum(count.values()) / took_s:.1f} cases/s, {len(found)} differences"
    )


def main(arguments: list[str]) -> int:
    """Repeats a seed or a kept case, or runs many; 0 when both verifiers agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="so many cases")
    parser.add_argument("--shell", choices=SHELLS, help="this one alone")
    parser.add_argument("--case", type=Path, help="a case that was kept")
    chosen = parser.parse_args(arguments)
    shells = (chosen.shell,) if chosen.shell else SHELLS
    if chosen.case:
        with Place() as place, ExitStack() as stack:
            case = read_case(chosen.case)
            found = [Judges(shells[0], place, stack).differ(case)]
            print(found[0] or "they agree")
            return 1 if found[0] else 0
    found, summary = run(chosen.seed, lambda done: done < chosen.count, shells)
    print(*found, summary, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
