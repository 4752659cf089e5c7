"""Tickets and roots on a terminal and as data."""

from dataclasses import replace

from orchestrator.render.release import (
    KeyFacts,
    NeededFacts,
    RoleFacts,
    RootFacts,
    TicketFacts,
    root_document,
    root_next,
    root_text,
    ticket_document,
    ticket_next,
    ticket_text,
)
from orchestrator.render.text import Look
from tests.unit.render.test_documents import check

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
NEEDED = NeededFacts(
    "release", 3, 2, (KeyFacts("rsa", A, True), KeyFacts("ed25519", B, False))
)  # fmt: skip
TICKET = TicketFacts(
    path="app-2.ticket",
    root_path="root-3.txt",
    fleet="acme-prod",
    serial=42,
    issued_s=1_795_000_000,
    expires_s=1_797_592_000,
    security_version=7,
    next_floor=6,
    device_types=("rpi4", "rpi5"),
    artifact="app-2",
    manifest_sha256=C,
    openings=((5, 1_795_003_600), (25, 1_795_090_000)),
    signature_count=2,
    needed=NEEDED,
)
ROOT = RootFacts(
    path="root-2.txt",
    previous_path="root-1.txt",
    fleet="acme-prod",
    version=2,
    issued_s=1_795_000_000,
    roles=(
        RoleFacts("root", 1, (("ecdsa-p256", A),), 0),
        RoleFacts("release", 2, (("rsa", C),), 1),
        RoleFacts("build", 1, (), 1),
    ),
    needed=(
        NeededFacts("root", 1, 1, (KeyFacts("ecdsa-p256", B, True),)),
        NeededFacts("root", 2, 1, (KeyFacts("ecdsa-p256", A, False),)),
    ),
)
WHOLE = replace(ROOT, roles=ROOT.roles[:1])


def test_ticket_says_what_where_when_and_who_signed():
    assert ticket_text(TICKET, Look()) == (
        "ticket       app-2.ticket\n"
        "release      app-2 for acme-prod, serial 42\n"
        "fits         rpi4, rpi5\n"
        "issued       2026-11-18 11:06 UTC\n"
        "expires      2026-12-18 11:06 UTC\n"
        "security     7; devices that commit refuse less than 6\n"
        f"manifest     {C}\n"
        "opens        5 % from 2026-11-18 12:06 UTC\n"
        "             25 % from 2026-11-19 12:06 UTC\n"
        "             the other 75 % never, with this ticket\n"
        "signatures   1 of 2 needed, from 2 release keys of root version 3\n"
        f"             ✓ rsa         {A}\n"
        f"               ed25519     {B}\n"
        "ssh form     0 of 2 needed, no build key:\n"
        "             not with ssh-keygen in place of openssl\n"
        "ed25519      0 of 2 needed, no build key:\n"
        "             not with usign or signify in place of openssl\n"
    )


def test_ticket_says_whether_devices_without_openssl_can_check_it():
    needed = replace(NEEDED, needed=1, ssh_count=1)
    enough = replace(TICKET, needed=needed, is_build_signed=True)
    nobody = replace(NEEDED, keys=(KeyFacts("rsa", A, False),))
    look = Look(width=120)

    assert "ssh form     1 of 1 needed, a build key: good with ssh-keygen" in ticket_text(
        enough, look
    )
    unbuilt = replace(enough, is_build_signed=False)
    assert "no build key: not with ssh-keygen" in ticket_text(unbuilt, look)
    assert "ssh form" not in ticket_text(replace(TICKET, needed=nobody), look)


def test_ticket_says_whether_devices_with_usign_alone_can_check_it():
    keys = (KeyFacts("rsa", A, True), KeyFacts("ed25519", B, True))
    signed = replace(
        TICKET, needed=replace(NEEDED, needed=1, keys=keys, ssh_count=2), is_build_signed=True
    )
    by_ed25519 = replace(signed, is_build_signed_by_ed25519=True)
    two = replace(by_ed25519, needed=replace(NEEDED, keys=keys, ssh_count=2))
    none_there = replace(signed, needed=replace(NEEDED, keys=keys[:1], ssh_count=1))
    look = Look(width=120)

    of = "with usign or signify in place of openssl\n"
    assert f"ed25519      1 of 1 needed, no build key: not {of}" in ticket_text(signed, look)
    assert f"ed25519      1 of 1 needed, a build key: good {of}" in ticket_text(by_ed25519, look)
    assert f"ed25519      1 of 2 needed, a build key: not {of}" in ticket_text(two, look)
    assert "usign" not in ticket_text(none_there, look)
    document = ticket_document(by_ed25519)
    assert document["build_signed_by_ed25519"] is True
    assert document["signatures"]["ed25519_count"] == 1


def test_ticket_says_what_devices_without_ssh_keygen_cannot_count():
    keys = (KeyFacts("rsa", A, True), KeyFacts("ecdsa-p256", B, True))
    needed = replace(NEEDED, keys=keys, ssh_count=2, ssh_only_count=1)
    enough = replace(needed, needed=1)
    look = Look(width=120)

    of = "without ssh-keygen\n"
    assert f"plain form   1 of 2 needed: not {of}" in ticket_text(
        replace(TICKET, needed=needed), look
    )
    assert f"plain form   1 of 1 needed: good {of}" in ticket_text(
        replace(TICKET, needed=enough), look
    )
    assert "plain form" not in ticket_text(TICKET, look)
    assert ticket_document(replace(TICKET, needed=needed))["signatures"]["ssh_form_only_count"] == 1


def test_ticket_without_a_root_is_not_judged():
    facts = replace(TICKET, needed=None, root_path="", openings=(), signature_count=1)

    text = ticket_text(facts, Look())

    assert "opens        for all devices at once\n" in text
    assert "signatures   1 line, not judged: no root was given\n" in text
    assert "signatures   none\n" in ticket_text(replace(facts, signature_count=0), Look())
    assert ticket_next(facts) == "next: rollout release sign app-2.ticket --key KEY --root ROOT"


def test_ticket_tells_what_comes_next():
    signed = replace(TICKET, needed=replace(NEEDED, needed=1))
    some, every = ("signatures", "expiry"), ("device type", "artifact", "open for the device")

    assert ticket_next(TICKET) == (
        "next: 1 more signature of release keys of root version 3:"
        " rollout release sign app-2.ticket --key KEY --root root-3.txt"
    )
    assert ticket_next(signed) == (
        "signed by enough; next: rollout release verify app-2.ticket --root root-3.txt"
    )
    assert ticket_next(replace(signed, checked=some)) == (
        "not checked: device type (--device-type), artifact (--artifact),"
        " open for the device (--device)"
    )
    assert ticket_next(replace(signed, checked=(*some, *every))) == ""
    text = ticket_text(replace(signed, checked=some), Look())
    assert text.endswith("verified     signatures, expiry\n")


def test_root_lists_keys_by_role_and_those_of_the_version_before():
    assert root_text(ROOT, Look()) == (
        "root         root-2.txt\n"
        "fleet        acme-prod, version 2 (a draft: keys are missing)\n"
        "issued       2026-11-18 11:06 UTC\n"
        "root keys    1 of 1 key must sign\n"
        f"               ecdsa-p256  {A}\n"
        "release keys 2 of 1 key must sign; 1 key missing\n"
        f"               rsa         {C}\n"
        "build keys   1 of 0 keys must sign; 1 key missing\n"
        "signatures   1 of 1 needed, from 1 root key of root version 1\n"
        f"             ✓ ecdsa-p256  {B}\n"
        "ssh form     0 of 1 needed: not with ssh-keygen in place of openssl\n"
        "signatures   0 of 1 needed, from 1 root key of root version 2\n"
    )


def test_root_tells_what_comes_next():
    signed = replace(WHOLE, needed=WHOLE.needed[:1])

    assert root_next(ROOT) == "next: rollout root add root-2.txt release PUB  (1 more)"
    assert root_next(WHOLE) == (
        "next: 1 more signature of root keys of root version 2:"
        " rollout root sign root-2.txt --key KEY --previous root-1.txt"
    )
    assert root_next(signed) == (
        "signed by enough; next: rollout root verify root-2.txt --previous root-1.txt"
    )
    assert root_next(replace(signed, verified=True)) == ""


def test_verified_root_says_in_whose_eyes():
    first = replace(WHOLE, previous_path="", verified=True)

    assert root_text(first, Look()).endswith("as a first root, which enrolment places\n")
    later = root_text(replace(WHOLE, verified=True), Look())
    assert later.endswith("as devices judge it that hold version 1\n")


def test_nothing_in_a_path_reaches_the_terminal_as_it_is():
    evil = "\x1b[2J.ticket"

    for text in (ticket_text(replace(TICKET, path=evil), Look()),
                 ticket_next(replace(TICKET, path=evil)),
                 root_text(replace(ROOT, path=evil), Look()),
                 root_next(replace(ROOT, path=evil))):  # fmt: skip
        assert "\x1b" not in text


def test_documents_fit_their_schemas():
    check("ticket", ticket_document(TICKET))
    check("ticket", ticket_document(replace(TICKET, needed=None, openings=())))
    check("ticket", ticket_document(replace(TICKET, checked=("signatures", "expiry"))))
    check("root", root_document(ROOT))
    check("root", root_document(replace(WHOLE, verified=True)))
