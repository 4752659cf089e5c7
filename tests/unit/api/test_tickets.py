"""Tickets from an artifact to what a device would say of them."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.artifact import ArtifactError
from orchestrator.errors import TrustError
from orchestrator.trust.ticket import parse_ticket


def code_of(function, *given, **more):
    with pytest.raises(TrustError) as caught:
        function(*given, **more)
    assert caught.value.hint or caught.value.where is not None
    return caught.value.code


def read(facts):
    return parse_ticket(Path(facts.path).read_bytes())


def test_ticket_says_what_the_artifact_says(kit):
    before = int(time.time())

    facts = api.release_create(kit.request(openings=("5%@1h", "100@2d")))

    shown = api.artifact_inspect(kit.where / "app-2.0-build.mender")
    ticket = read(facts)
    assert (ticket.artifact, ticket.manifest_sha256) == ("app-2.0", shown.manifest_sha256)
    assert (ticket.fleet, ticket.device_types) == ("acme-prod", ("rpi4", "rpi5"))
    assert before <= ticket.issued_s <= time.time()
    assert ticket.expires_s == ticket.issued_s + 30 * 86_400
    assert [each.percent for each in ticket.openings] == [5, 100]
    assert [each.not_before_s - ticket.issued_s for each in ticket.openings] == [3600, 172_800]
    assert (facts.signature_count, facts.needed.missing_count) == (0, 2)


def test_ticket_is_named_after_the_artifact(kit):
    beside = kit.artifact().with_suffix("").name + ".ticket"
    assert api.release_create(kit.request(out=None)).path == str(kit.where / beside)
    assert code_of(api.release_create, kit.request(out=None)) == "T106"


def test_serial_and_security_version_follow_the_tickets_that_lie_beside(kit):
    first = api.release_create(kit.request())
    api.release_create(
        kit.request(
            out=kit.where / "b.ticket", serial=9, security_version=7, min_security_version=3
        )
    )
    other = kit.request(out=kit.where / "lab.ticket", root=None, fleet="lab")
    third = api.release_create(kit.request(out=kit.where / "c.ticket"))

    assert (first.serial, first.security_version) == (1, 0)
    assert (third.serial, third.security_version) == (10, 7)
    assert api.release_create(other).serial == 1


def test_numbers_that_fall_are_refused(kit):
    api.release_create(kit.request(serial=9, security_version=7, min_security_version=5))
    later = kit.request(out=kit.where / "b.ticket")

    assert code_of(api.release_create, replace(later, serial=8)) == "T145"
    assert code_of(api.release_create, replace(later, security_version=4)) == "T144"
    downgrade = replace(later, serial=9, security_version=5)  # of two artifacts in one release
    assert api.release_create(downgrade).serial == 9


def test_a_ticket_that_cannot_be_read_hides_its_serial_so_nothing_is_made(kit):
    kit.request()
    (kit.where / "old.ticket").write_text("fleet-release 1\n")

    assert code_of(api.release_create, kit.request()) == "T171"
    assert not (kit.where / "app.ticket").exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expires": "2020-01-01T00:00Z"}, "T164"),
        ({"expires": "0s"}, "T164"),
        ({"expires": "2099-01-01T00:00Z"}, "T164"),
        ({"expires": "tomorrow"}, "T164"),
        ({"openings": ("5",)}, "T164"),
        ({"openings": ("5@",)}, "T164"),
        ({"openings": ("x%@1h",)}, "T164"),
        ({"openings": ("٣@1h",)}, "T164"),
        ({"openings": ("0@1h",)}, "T164"),
        ({"openings": ("101@1h",)}, "T164"),
        ({"openings": ("5@1h", "5@2h")}, "T164"),
        ({"openings": ("5@2h", "7@1h")}, "T164"),
        ({"openings": ("5@2h",), "expires": "1h"}, "T164"),
        ({"openings": tuple(f"{n}@1h" for n in range(1, 18))}, "T164"),
        ({"security_version": 3, "min_security_version": 4}, "T164"),
        ({"serial": 10**15}, "T164"),
        ({"root": None, "fleet": "two words"}, "T164"),
        ({"root": None}, "T140"),
        ({"fleet": "other"}, "T140"),
    ],
)
def test_what_no_device_would_take_is_refused_and_nothing_is_written(kit, changes, code):
    assert code_of(api.release_create, kit.request(**changes)) == code
    assert not (kit.where / "app.ticket").exists()


def test_ticket_is_named_like_one(kit):
    assert code_of(api.release_create, kit.request(out=kit.where / "app.txt")) == "T164"


def test_artifact_is_signed_by_a_build_key_of_the_root(kit):
    other = kit.artifact(key="ann")

    assert code_of(api.release_create, kit.request(artifact=other)) == "T112"
    facts = api.release_create(kit.request(artifact=other, root=None, fleet="lab"))
    assert facts.needed is None


def test_what_is_no_artifact_is_refused(kit):
    broken = kit.where / "broken.mender"
    broken.write_bytes(b"no tar")

    with pytest.raises(ArtifactError):
        api.release_create(kit.request(artifact=broken))


def test_root_that_is_not_signed_by_enough_is_no_root(kit):
    root = kit.root(signed_by=("ann",))

    assert code_of(api.release_create, kit.request(root=root)) == "T152"
    (kit.where / "root-1.txt.sig").unlink()
    assert code_of(api.release_create, kit.request(root=root)) == "T152"


def test_people_sign_one_after_the_other_and_each_adds_a_line(kit):
    root, path = kit.root(), kit.where / "app.ticket"
    api.release_create(kit.request(sign_with=(kit.signer("rel1"),)))
    beside = kit.where / "app.ticket.sig"
    one = beside.read_text()

    again = api.release_sign(path, kit.signer("rel1"), root=root)
    after_again = beside.read_text()
    two = api.release_sign(path, kit.signer("rel3"), root=root)

    assert after_again == one
    assert (again.needed.signed_count, two.needed.signed_count) == (1, 2)
    assert beside.read_text().startswith(one)
    assert len(beside.read_text().splitlines()) == 4  # each in both forms


def test_build_key_signs_the_manifest_for_devices_without_openssl(kit):
    root, path = kit.root(), kit.where / "app.ticket"
    made = api.release_create(kit.request(sign_with=(kit.signer("rel1"), kit.signer("build"))))

    signed = api.release_sign(path, kit.signer("rel2"), root=root)
    artifact = kit.where / "app-2.0-build.mender"
    again = api.release_sign(path, kit.signer("build"), root=root, artifact=artifact)

    assert (made.is_build_signed, made.signature_count) == (True, 3)  # one form of its own alone
    assert (signed.needed.ssh_count, signed.is_build_signed) == (2, True)
    assert again.signature_count == 5
    assert api.release_verify(path, root, api.TicketChecks()).is_build_signed


def test_build_key_of_ed25519_signs_beside_the_ticket_what_another_one_signed(kit):
    """For devices that check nothing else; an artifact of its own it never signs."""
    root, path = kit.root(build=("build", "ed25519")), kit.where / "app.ticket"
    made = api.release_create(kit.request(sign_with=(kit.signer("rel1"), kit.signer("rel2"))))
    artifact = kit.where / "app-2.0-build.mender"

    built = api.release_sign(path, kit.signer("ed25519"), root=root, artifact=artifact)
    again = api.release_sign(path, kit.signer("build"), root=root, artifact=artifact)

    assert (made.is_build_signed, made.is_build_signed_by_ed25519) == (False, False)
    assert (built.is_build_signed, built.is_build_signed_by_ed25519) == (True, True)
    assert built.signature_count == made.signature_count + 1
    assert again.signature_count == built.signature_count + 1
    assert code_of(api.artifact_sign, artifact, Path(kit.key("ed25519"))) == "T102"


def test_build_key_signs_for_no_artifact_that_is_not_at_hand(kit):
    """Who hands it a ticket could name any manifest."""
    root, artifact = kit.root(), kit.artifact()
    path = Path(api.release_create(kit.request(out=None)).path)
    lies = path.with_name("lies.ticket")
    text = path.read_text()
    digest = text.partition("manifest-sha256 ")[2].partition("\n")[0]
    lies.write_text(text.replace(digest, "0" * 64))

    def sign(ticket: Path, named: Path | None = None) -> str:
        return code_of(api.release_sign, ticket, kit.signer("build"), root=root, artifact=named)

    assert (sign(lies), sign(lies, named=artifact)) == ("T146", "T146")
    assert not lies.with_name("lies.ticket.sig").exists()
    assert api.release_sign(path, kit.signer("build"), root=root).is_build_signed
    away = artifact.rename(kit.where / "away.mender")
    assert sign(path) == "T146"
    assert api.release_sign(path, kit.signer("build"), root=root, artifact=away).is_build_signed


def test_signatures_of_before_get_the_form_that_they_lack(kit):
    root, path = kit.root(), kit.where / "app.ticket"
    api.release_create(kit.request(sign_with=(kit.signer("rel1"),)))
    beside = kit.where / "app.ticket.sig"
    plain = beside.read_text().splitlines(keepends=True)[0]
    beside.write_text(plain)

    before = api.release_inspect(path, root=root)
    after = api.release_sign(path, kit.signer("rel1"), root=root)

    assert (before.needed.signed_count, before.needed.ssh_count) == (1, 0)
    assert (after.needed.signed_count, after.needed.ssh_count) == (1, 1)
    assert beside.read_text().startswith(plain)


def test_key_whose_signature_would_not_count_does_not_sign(kit):
    api.release_create(kit.request())
    path, root = kit.where / "app.ticket", kit.root()

    assert code_of(api.release_sign, path, kit.signer("ann"), root=root) == "T163"
    unsigned = kit.request(out=kit.where / "b.ticket", sign_with=(kit.signer("ann"),))
    assert code_of(api.release_create, unsigned) == "T163"
    assert not (kit.where / "b.ticket").exists()
    assert api.release_sign(path, kit.signer("ann")).signature_count == 2  # no root to judge by


def test_tickets_of_another_fleet_or_past_their_time_are_not_signed(kit):
    foreign = kit.request(root=None, fleet="lab")
    api.release_create(foreign)
    old = kit.where / "old.ticket"
    text = (kit.where / "app.ticket").read_text().splitlines(keepends=True)
    old.write_text("".join([*text[:3], "issued 1\n", "expires 2\n", *text[5:]]))

    path = kit.where / "app.ticket"
    assert code_of(api.release_sign, path, kit.signer("rel1"), root=kit.root()) == "T140"
    assert code_of(api.release_sign, old, kit.signer("rel1")) == "T143"


def test_verify_makes_the_checks_of_a_device(kit):
    root, path, artifact = kit.root(), kit.where / "app.ticket", kit.artifact()
    request = kit.request(openings=("50@1h", "100@2d"))
    api.release_create(replace(request, sign_with=(kit.signer("rel1"), kit.signer("rel2"))))
    full = api.TicketChecks(artifact, "gw-044", "rpi4", "3d")

    assert api.release_verify(path, root, api.TicketChecks()).checked == ("signatures", "expiry")
    assert api.release_verify(path, root, full).checked == (
        "signatures", "device type", "expiry", "artifact", "open for the device",
    )  # fmt: skip

    def verdict(**changes):
        return code_of(api.release_verify, path, root, replace(full, **changes))

    assert verdict(device_type="rpi3") == "T142"
    assert verdict(at="31d") == "T143"
    assert verdict(artifact=kit.artifact("app-3.0")) == "T146"
    assert verdict(artifact=kit.artifact(key="ann")) == "T112"
    assert verdict(at="10m") == "T148"
    assert verdict(device_id="gw-ö") == "T164"
    assert verdict(at="soon") == "T164"


def test_verify_wants_enough_signatures_of_this_text(kit):
    root, path = kit.root(), kit.where / "app.ticket"
    api.release_create(kit.request())
    none = api.TicketChecks()

    assert code_of(api.release_verify, path, root, none) == "T141"
    api.release_sign(path, kit.signer("rel1"))
    assert code_of(api.release_verify, path, root, none) == "T141"
    api.release_sign(path, kit.signer("rel2"))
    assert api.release_verify(path, root, none).checked
    path.write_text(path.read_text().replace("serial 1", "serial 2"))
    assert code_of(api.release_verify, path, root, none) == "T141"


def test_inspect_judges_nothing(kit):
    api.release_create(kit.request(sign_with=(kit.signer("rel1"),)))
    path = kit.where / "app.ticket"

    without, with_root = api.release_inspect(path), api.release_inspect(path, root=kit.root())

    assert (without.needed, without.signature_count) == (None, 2)
    assert (with_root.needed.signed_count, with_root.needed.needed) == (1, 2)
    assert without.checked == with_root.checked == ()
