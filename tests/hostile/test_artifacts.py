"""The list of bad artifacts, A01 to A62: both verifiers refuse each, and take what is good."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

import pytest

from orchestrator.artifact import ArtifactError, ReadOptions, read_artifact
from orchestrator.errors import TrustError
from orchestrator.testing.ticket_table import ticket_cases
from orchestrator.trust.keys import parse_public_key
from orchestrator.trust.signature import verifying
from tests.device.kit import Key, Shell
from tests.hostile.artifacts import Case, frames_of, signed
from tests.hostile.batch import CoreBatch
from tests.hostile.conftest import THIRDS
from tests.hostile.core import Core
from tests.hostile.signed_artifacts import all_cases
from tests.hostile.spools import ANSWERS, REFUSED, spools
from tests.unit.artifact.crafting import END, Craft, header, member

KEY = Key("ec")
IDS = {f"A{number:02}" for number in range(1, 63)}
GIANT_S = 600.0  # to copy and to hash four GiB, on a machine that has other things to do
REFUSALS = {"denied", "incompatible", "usage"}


@functools.cache
def cases() -> list[Case]:
    return all_cases(KEY)


def headers() -> list[Case]:
    """Those that are texts of headers, one byte apart."""
    return [case for case in cases() if case.name[0] in "HJ"]


def short() -> list[Case]:
    return [case for case in cases() if case.name[0] not in "HJ"] + headers()[::8]


def python_says(file: Path, keys: dict[str, bytes] | None = None) -> str:
    """`ok`, or the code of the refusal."""
    try:
        known = [parse_public_key(pem) for pem in (keys or {"k": KEY.public_pem}).values()]
        read_artifact(file, options=verifying(known, ReadOptions()))
    except (ArtifactError, TrustError) as error:
        return error.code
    return "ok"


def of_case(case: Case, place: Path) -> str:
    assert case.artifact is not None
    (place / "a.mender").write_bytes(case.artifact)
    return python_says(place / "a.mender", dict(case.keys))


def test_python_refuses_every_bad_artifact(tmp_path: Path):
    mine = [case for case in cases() if case.artifact is not None]

    said = {case.name: of_case(case, tmp_path) for case in mine}

    assert not {case.name for case in mine if (said[case.name] == "ok") != case.good}


@pytest.mark.parametrize("third", THIRDS)
def test_a_device_refuses_every_bad_artifact(shell: Shell, place: Path, third: int):
    device_judges(short()[third :: len(THIRDS)], shell, place)


@pytest.mark.night  # a quarter of a second of a core for each of some 400
@pytest.mark.timeout(900)
def test_a_device_refuses_every_bad_header(shell: Shell, place: Path):
    device_judges(headers(), shell, place)


def test_whatever_lies_in_the_spool_only_a_delivery_is_taken(shell: Shell, place: Path):
    with CoreBatch(shell, place) as batch:
        core = Core(batch, place, shell, KEY.public_pem)
        said = {name: core.tells(found).split()[0] for name, found in spools(KEY).items()}

    assert said == {name: ANSWERS.get(name, REFUSED) for name in said}


def device_judges(cases: list[Case], shell: Shell, place: Path) -> None:
    mine = [case for case in cases if case.frames is not None]

    with CoreBatch(shell, place) as batch:
        core = Core(batch, place, shell, KEY.public_pem)
        said = {case.name: core.says(case.frames or (), case.keys) for case in mine}

    reasons = {name: answer.partition("/")[2] for name, answer in said.items()}
    good = {case.name for case in mine if case.good}
    assert good == {name for name, reason in reasons.items() if reason == "ok"}
    assert {reason for name, reason in reasons.items() if name not in good} <= REFUSALS


def test_no_id_of_the_list_is_missing():
    assert {case.id for case in cases()} & IDS == IDS


def test_every_bad_artifact_is_for_both_or_says_why_not():
    for case in cases():
        assert case.why or (case.artifact is not None and case.frames is not None), case.name


def test_reasons_name_tests_that_exist():
    here = Path(__file__).read_text()

    for name in re.findall(r"test_\w+", " ".join(case.why for case in cases())):
        assert f"def {name}(" in here


def test_an_artifact_of_another_fleet_needs_a_ticket_of_this_one(shell: Shell, place: Path):  # A62
    foreign = next(case for case in ticket_cases() if case.name.startswith("T12"))
    frames = frames_of(signed(Craft(), KEY))
    ticket = (("ticket", foreign.ticket), ("ticket.sig", foreign.signatures))

    with CoreBatch(shell, place) as batch:
        core = Core(batch, place, shell, KEY.public_pem)

        assert core.says(frames, root=foreign.root) == "65/no_ticket"
        assert core.says((*frames, *ticket), root=foreign.root) == "65/ticket_fleet"


@pytest.mark.night  # hashes 20 GiB
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("size", [2**31 + 1, 2**32 + 1])
def test_no_byte_of_a_giant_payload_goes_unseen(place: Path, size: int):  # A54
    craft = signed(Craft(suffix="", files=[], manifest=giant_manifest(size)), KEY)
    shell = Shell("dash", ("dash",), "/usr/sbin:/usr/bin:/sbin:/bin")
    with CoreBatch(shell, place) as batch:
        batch.wait_s = GIANT_S
        core = Core(batch, place, shell, KEY.public_pem)
        for last, taken in ((b"\1", True), (b"\2", False)):
            artifact, payload = giant(craft, place, size, last)
            parts = {name: data for name, data in craft.members() if "data" not in name}

            assert (python_says(artifact) == "ok") is taken
            assert core.finds(parts, {"data/0000/app": payload}) == (
                "0/ok" if taken else "65/denied"
            )


def giant_manifest(size: int) -> bytes:
    """Of one file, all zeros but for its last byte."""
    digest = hashlib.sha256()
    for _ in range(size >> 20):
        digest.update(bytes(1 << 20))
    digest.update(bytes(size % (1 << 20) - 1) + b"\1")
    rest = Craft(suffix="", files=[]).members()[1][1]
    return f"{digest.hexdigest()}  data/0000/app\n".encode() + rest


def giant(craft: Craft, place: Path, size: int, last: bytes) -> tuple[Path, Path]:
    """The artifact, and its payload as a file; holes take no place."""
    artifact, payload = place / "giant.mender", place / "app"
    inner = 512 + size + -size % 512 + len(END)
    with artifact.open("wb") as file:
        for name, data in craft.members()[:-1]:
            file.write(member(name, data))
        file.write(header("data/0000.tar", inner) + header("app", size))
        file.seek(size - 1, 1)
        file.write(last + bytes(-size % 512) + END + bytes(-inner % 512) + END)
    with payload.open("wb") as file:
        file.seek(size - 1)
        file.write(last)
    return artifact, payload
