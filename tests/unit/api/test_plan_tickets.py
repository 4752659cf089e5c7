"""The ticket beside an artifact: in the plan by its digests, and sent as it was planned."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.plan_tickets import (
    planned_ticket,
    refuse_other_ticket,
    ticket_beside,
    ticket_frames,
)
from orchestrator.artifact.model import Artifact
from orchestrator.artifact.reader import read_artifact
from orchestrator.device.trust import TICKET_FRAMES
from orchestrator.errors import PlanError, StalePlanError, TrustError
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave, TicketProof
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.tickets import signed, ssh_line
from orchestrator.trust.keys import KeyKind, SigningKey, generate_key
from orchestrator.trust.root import Role, RoleKey, Root, write_root
from orchestrator.trust.ticket import Ticket, write_ticket


class Bench:
    """An artifact in a directory, and a key that signs tickets for it."""

    def __init__(self, root: Path) -> None:
        tree = root / "tree"
        tree.mkdir()
        (tree / "index.html").write_text("hello")
        self.path = root / "site.mender"
        request = api.BuildRequest(
            kind="directory", out=self.path, name="site-1.0", device_types=("web",), source=tree,
            dest="/opt/site",
        )  # fmt: skip
        api.artifact_build(request)
        self.artifact: Artifact = read_artifact(self.path)
        self.key: SigningKey = generate_key()
        self.ticket = self.path.with_name("site.ticket")
        self.signatures = self.path.with_name("site.ticket.sig")

    def issue(self, **changed: object) -> None:
        ticket = Ticket(
            fleet="acme-prod", serial=42, issued_s=1_764_000_000, expires_s=1_764_600_000,
            security_version=7, device_types=("web",), artifact="site-1.0",
            manifest_sha256=self.artifact.manifest_sha256,
        )  # fmt: skip
        text = write_ticket(replace(ticket, **changed))  # type: ignore[arg-type]
        self.ticket.write_bytes(text)
        self.signatures.write_bytes(signed(text, self.key))

    def plan(self) -> ResolvedPlan:
        plan = make_plan([ResolvedWave("all", "rest", device_ids(2))])
        ticket = planned_ticket(ticket_beside(self.path), self.artifact)
        return replace(plan, artifact=replace(plan.artifact, ticket=ticket))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_ticket_beside_the_artifact_is_part_of_the_plan(bench: Bench) -> None:
    bench.issue()

    ticket = bench.plan().artifact.ticket

    assert ticket is not None
    assert (ticket.fleet, ticket.serial, ticket.expires_at) == ("acme-prod", 42, 1_764_600_000.0)
    assert ticket.sha256 == hashlib.sha256(bench.ticket.read_bytes()).hexdigest()
    assert ticket.signatures_sha256 == hashlib.sha256(bench.signatures.read_bytes()).hexdigest()


def test_an_artifact_without_a_ticket_is_planned_and_sent_without_one(bench: Bench) -> None:
    plan = bench.plan()

    assert plan.artifact.ticket is None
    assert ticket_frames(bench.path, plan) == ()
    refuse_other_ticket(None, plan)


def test_what_is_sent_is_the_ticket_of_the_plan(bench: Bench) -> None:
    bench.issue()

    frames = ticket_frames(bench.path, bench.plan())

    assert tuple(frame.name for frame in frames) == TICKET_FRAMES
    assert [b"".join(frame.chunks(0)) for frame in frames] == [
        bench.ticket.read_bytes(), bench.signatures.read_bytes(),
    ]  # fmt: skip
    for frame in frames:
        whole = b"".join(frame.chunks(0))
        assert (frame.size_bytes, frame.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert b"".join(frame.chunks(7)) == whole[7:]
        assert b"".join(frame.chunks(len(whole))) == b""


@pytest.mark.parametrize("exchange", ["ticket", "signatures", "gone", "came"])
def test_another_ticket_is_another_plan(bench: Bench, exchange: str) -> None:
    """Each change by itself, though a device would take any of these tickets."""
    if exchange != "came":
        bench.issue()
    plan = bench.plan()
    match exchange:
        case "ticket":
            kept = bench.signatures.read_bytes()
            bench.issue(serial=43)
            bench.signatures.write_bytes(kept)
        case "signatures":
            bench.signatures.write_bytes(signed(bench.ticket.read_bytes(), generate_key()))
        case "gone":
            bench.ticket.unlink()
        case "came":
            bench.issue()

    with pytest.raises(StalePlanError) as caught:
        refuse_other_ticket(ticket_beside(bench.path), plan)

    assert caught.value.code == "P316"
    if exchange == "came":  # what was approved is sent, and nothing else
        assert ticket_frames(bench.path, plan) == ()
    else:
        with pytest.raises(StalePlanError):
            ticket_frames(bench.path, plan)


@pytest.mark.parametrize(
    ("changed", "code"), [({"manifest_sha256": "0" * 64}, "T146"), ({"artifact": "site-2"}, "T147")]
)
def test_a_ticket_about_something_else_is_no_plan(
    bench: Bench, changed: dict[str, object], code: str
) -> None:
    bench.issue(**changed)

    with pytest.raises(TrustError) as caught:
        bench.plan()

    assert caught.value.code == code


def test_files_that_are_no_ticket_or_no_signatures_are_no_plan(bench: Bench) -> None:
    bench.issue()
    text = bench.ticket.read_bytes()
    bench.ticket.write_bytes(text + b"\n")
    with pytest.raises(TrustError) as form:
        bench.plan()
    bench.ticket.write_bytes(text)
    bench.signatures.write_bytes(b"sig\n")
    with pytest.raises(TrustError) as signatures:
        bench.plan()
    bench.signatures.unlink()
    with pytest.raises(PlanError, match=r"site\.ticket\.sig"):
        bench.plan()

    assert (form.value.code, signatures.value.code) == ("T170", "T171")


async def test_preparing_a_plan_takes_the_ticket_and_saves_its_digest(
    bench: Bench, tmp_path: Path
) -> None:
    key = tmp_path / "build.key"
    api.key_generate(key)
    api.artifact_sign(bench.path, key)
    bench.artifact = read_artifact(bench.path)
    (tmp_path / "hosts.yml").write_text("webs:\n  hosts:\n    web1: {}\n")
    plan = tmp_path / "site.yml"
    plan.write_text("schema: 1\nname: site\nhosts: webs\nartifact: ./site.mender\nwaves: [rest]\n")
    settings = api.Settings(
        root=tmp_path, state=str(tmp_path / "s.db"), inventory=(str(tmp_path / "hosts.yml"),)
    )
    request = api.PlanRequest(plan, api.Source(), offline=True)
    bare = await api.prepare(settings, request)
    bench.issue()

    prepared = await api.prepare(settings, request)

    size = len(bench.ticket.read_bytes()) + len(bench.signatures.read_bytes())
    artifact = prepared.resolved.artifact
    assert artifact.ticket is not None
    assert artifact.transfer_bytes == bare.resolved.artifact.transfer_bytes + size
    assert artifact.ticket.sha256.encode() in prepared.plan_json
    assert prepared.digest != bare.digest


def test_signatures_are_counted_by_kind_where_the_operator_has_the_root(
    bench: Bench, tmp_path: Path
) -> None:
    others = [generate_key(KeyKind.ED25519), generate_key(), generate_key(KeyKind.RSA)]
    build, other_build = generate_key(), generate_key(KeyKind.ED25519)
    root_key = generate_key()
    keys = [(Role.BUILD, build), (Role.ROOT, root_key), (Role.RELEASE, bench.key)]
    keys.append((Role.BUILD, other_build))
    keys += [(Role.RELEASE, key) for key in others]
    text = write_root(
        Root(
            "acme-prod", 3, 1, 1, 2, 1,
            tuple(sorted((RoleKey(role, key.verification) for role, key in keys), key=lambda k: k.value)),
        )
    )  # fmt: skip
    (tmp_path / "root.txt").write_bytes(text)
    (tmp_path / "root.txt.sig").write_bytes(signed(text, root_key))
    bench.issue()
    ticket = bench.ticket.read_bytes()
    in_ssh_form = ssh_line(ticket, others[0]) + ssh_line(bench.artifact.manifest, build, Role.BUILD)
    in_ssh_form += ssh_line(ticket, others[2])
    in_ssh_form += ssh_line(bench.artifact.manifest, other_build, Role.BUILD)
    plain = signed(ticket, bench.key, others[0], generate_key())
    bench.signatures.write_bytes(plain + in_ssh_form)

    found = planned_ticket(ticket_beside(bench.path), bench.artifact, tmp_path / "root.txt")

    assert found is not None
    assert found.proof == TicketProof(
        3,
        2,
        {"ecdsa-p256": 1, "ed25519": 1, "rsa": 1},
        {"ed25519": 1, "rsa": 1},
        is_build_signed=True,
        ssh_only={"rsa": 1},
        build_signed={"ecdsa-p256": 1, "ed25519": 1},
    )
    bench.issue(fleet="other")
    found = planned_ticket(ticket_beside(bench.path), bench.artifact, tmp_path / "root.txt")
    assert found is not None
    assert found.proof is None
