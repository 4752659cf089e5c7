"""Cases of the device's verifier beside the table: keys without a root, floors, files that are missing."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import utils

from orchestrator.device.bucket import bucket
from orchestrator.errors import TrustError
from orchestrator.testing.root_table import rotation_cases
from orchestrator.testing.ticket_table import TICKET, ticket_cases
from orchestrator.testing.tickets import CaseKeys, root_text, signed
from orchestrator.trust.keys import KeyKind, SigningKey, generate_key
from orchestrator.trust.root import parse_root
from orchestrator.trust.signature import sign_manifest
from orchestrator.trust.signing import sign_bytes
from tests.hostile.no_openssl import keys_at_hand, no_openssl_cases
from tests.hostile.signify import signify_cases
from tests.hostile.tickets import IN, DeviceCase, root_case, ticket_case

Files = dict[str, bytes]
OFF_CURVE = "N161"  # openssl alone knows, which a device asks when the root comes
FIRST_BYTES = (0, 0x7F, 0x80)


def more_cases() -> list[DeviceCase]:
    """All of them."""
    return [
        *_keys(), *_halves(), *_floors(), *_files(), *_fleets(), *_roots(), *_roots_in_place(),
        *no_openssl_cases(),
        *signify_cases(),
    ]  # fmt: skip


def _good() -> DeviceCase:
    return ticket_case(next(case for case in ticket_cases() if case.name.startswith("T01")))


def _with(
    name: str,
    files: Files,
    wanted: str,
    *,
    base: DeviceCase | None = None,
    calls: tuple[tuple[str, ...], ...] = (),
) -> DeviceCase:
    base = base or _good()
    found = base.files | files
    kept = {file: data for file, data in found.items() if data != b"-"}
    return replace(base, name=name, files=kept, wanted=wanted, calls=calls or base.calls)


def _keys() -> list[DeviceCase]:
    """A device without a root: the keys that enrolment placed."""
    one, other = generate_key(), generate_key()
    rsa = generate_key(KeyKind.RSA)
    ed25519 = generate_key(KeyKind.ED25519)
    base = _good()
    manifest = base.files[f"{IN}/manifest"]
    calls = (("verify", f"DIR/{IN}"), ("open", f"DIR/{IN}", "any"))

    def case(name: str, wanted: str, by: bytes, **pems: bytes) -> DeviceCase:
        files = {"etc/root.txt": b"-", f"{IN}/manifest.sig": by, f"{IN}/ticket": b"-"}
        files |= {f"etc/keys/{key.replace('_', '-')}.pem": pem for key, pem in pems.items()}
        return _with(name, files, wanted, calls=calls)

    by_one, by_rsa = (base64.b64encode(sign_manifest(manifest, key)) for key in (one, rsa))
    pem = one.verification.pem
    return [
        case("K01 the key", "ok", by_one, a=pem),
        case("K02 the second key", "ok", by_one, a=other.verification.pem, b=pem),
        case("K03 another key", "denied", by_one, a=other.verification.pem),
        case("K04 RSA", "ok", by_rsa, a=rsa.verification.pem),
        case("K05 an Ed25519 key beside it", "denied", by_one, a=pem, b=ed25519.verification.pem),
        case("K06 no key", "denied", by_one),
        case("K07 a broken key beside it", "denied", by_one, a=pem, b=b"nonsense\n"),
        case("K08 an empty file beside it", "denied", by_one, a=pem, b=b""),
        case("K09 text behind the key", "ok", by_one, a=pem + b"more\n"),
        case("K10 text before the key", "ok", by_one, a=b"mine\n" + pem),
        case("K11 no signature", "denied", b"-", a=pem),
        case("K12 signature in two lines", "ok", by_rsa[:40] + b"\n" + by_rsa[40:] + b"\n", a=rsa.verification.pem),
        case("K13 signature with a blank", "denied", by_one[:40] + b" " + by_one[40:], a=pem),
        case("K14 signature cut", "denied", by_one[:-4], a=pem),
        _with("K15 empty manifest", {"etc/root.txt": b"-", f"{IN}/manifest": b"", f"{IN}/manifest.sig": base64.b64encode(sign_manifest(b"", one)), "etc/keys/a.pem": pem}, "denied", calls=calls),
    ]  # fmt: skip


def _halves() -> list[DeviceCase]:
    """Signatures as Mender has them whose first number needs one form of DER or another."""
    base, key = _good(), generate_key()
    manifest = base.files[f"{IN}/manifest"]
    calls = (("verify", f"DIR/{IN}"),)
    found: dict[int, bytes] = {}
    while len(found) < len(FIRST_BYTES):  # one of 256 signatures begins with a given byte
        raw = _raw(sign_bytes(manifest, key))
        if raw[0] in FIRST_BYTES:
            found[raw[0]] = base64.b64encode(raw)
    pem = key.verification.pem
    return [
        _with(
            f"K2{number} first byte {byte}",
            {"etc/root.txt": b"-", f"{IN}/manifest.sig": found[byte], "etc/keys/a.pem": pem},
            "ok",
            calls=calls,
        )
        for number, byte in enumerate(FIRST_BYTES)
    ]


def _raw(der: bytes) -> bytes:
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _floors() -> list[DeviceCase]:
    """What raises a floor, and by how much; the floors stand in the answer."""
    base = _good()
    ticket = base.files[f"{IN}/ticket"]
    least = b"security-version 7\nmin-security-version %d\n"

    def of(number: int) -> bytes:
        return ticket.replace(b"security-version 7\n", least % number)

    none: Files = {
        f"var/floors/{name}": b"-" for name in ("serial", "time-floor", "security-floor")
    }
    high = dict.fromkeys(none, b"1999999999\n")
    committed = ("committed", f"DIR/{IN}", "-")
    back = ("committed", f"DIR/{IN}", "DIR/old")
    installed = ("installed", f"DIR/{IN}")
    cases = [
        ("F01 installed", none, installed), ("F02 installed below the floors", high, installed),
        ("F03 committed", none, committed), ("F04 committed below the floor", high, committed),
        ("F05 committed, least below its own", none | {f"{IN}/ticket": of(5)}, committed),
        ("F06 an older version is kept", none | {"old/ticket": of(0).replace(b"ersion 7", b"ersion 3")}, back),
        ("F07 a newer version is kept", none | {"old/ticket": ticket.replace(b"ersion 7", b"ersion 9")}, back),
        ("F08 a version without a ticket is kept", none | {"old/x": b""}, back),
        ("F09 committed without a ticket", none | {f"{IN}/ticket": b"-"}, committed),
        ("F10 the same version is kept", none | {"old/ticket": ticket}, back),
        ("F12 installed below the largest floors", dict.fromkeys(none, b"9" * 15 + b"\n"), installed),
        ("F11 installed at the floors", base.files | {}, installed),
    ]  # fmt: skip
    found = [_with(name, files, "ok", calls=(call,)) for name, files, call in cases]
    for number, text in enumerate((b"x\n", b"", b"007\n", b"-1\n", b"1000000000000000\n")):
        for floor in ("serial", "time-floor", "security-floor"):
            files = {f"var/floors/{floor}": text}
            found.append(_with(f"F2{number} {floor} that cannot be read", files, "io"))
    return found


def _files() -> list[DeviceCase]:
    """What is missing on a device, or in a delivery."""
    base = _good()
    keys = keys_at_hand()
    older = root_text(keys, version=2)
    newer = base.files["etc/root.txt"].replace(b"version 3", b"version 4")
    two = base.files["etc/root.txt"].replace(b"threshold-build 1", b"threshold-build 2")
    return [
        _with("D01 no ticket", {f"{IN}/ticket": b"-"}, "no_ticket"),
        _with("D02 no signatures", {f"{IN}/ticket.sig": b"-"}, "ticket_syntax"),
        _with("D03 no manifest", {f"{IN}/manifest": b"-"}, "ticket_manifest"),
        _with("D04 no type", {"etc/device_type": b"-"}, "ticket_device_type"),
        _with("D05 no id", {"etc/device_id": b"-"}, "not_open_yet"),
        _with("D06 empty id", {"etc/device_id": b"\n"}, "not_open_yet"),
        _with("D07 empty type", {"etc/device_type": b"\n"}, "ticket_device_type"),
        _with("D08 a newer root was accepted", {"etc/root.txt": older, "var/floors/root.txt": base.files["etc/root.txt"]}, "ok"),
        _with("D09 an older root lies beside", {"var/floors/root.txt": older}, "ok"),
        _with("D10 the newer root is broken", {"var/floors/root.txt": newer[:-9]}, "root_syntax"),
        _with("D11 two build keys are wanted, and there is one", {"etc/root.txt": two}, "root_syntax"),
        _with("D12 the accepted root has no version", {"var/floors/root.txt": b"x\n"}, "ok"),
        replace(_with("D16 the ticket is a link", {f"{IN}/ticket": b"-", "ticket": base.files[f"{IN}/ticket"]}, "ticket_syntax"), links={f"{IN}/ticket": "../ticket"}),
        replace(_with("D17 the root is a link", {"etc/root.txt": b"-", "root.txt": base.files["etc/root.txt"]}, "root_syntax"), links={"etc/root.txt": "../root.txt"}),
        _with("D18 the accepted root is broken beside the first one", {"etc/root.txt": base.files["etc/root.txt"].replace(b"version 3", b"version 1"), "var/floors/root.txt": b"x\n"}, "ok"),
        _with("D14 the only root has no version", {"etc/root.txt": b"fleet-root 1\nfleet a\n"}, "root_syntax"),
        _with("D15 no manifest's signature", {f"{IN}/manifest.sig": b"-"}, "denied"),
    ]  # fmt: skip


def _fleets() -> list[DeviceCase]:
    """Devices of a fleet whose keys are at hand."""
    base, keys, other = _good(), keys_at_hand(), generate_key()
    manifest = base.files[f"{IN}/manifest"]
    all_open = TICKET[: TICKET.index(b"open")] + b"open 100 1\n"

    def case(
        name: str,
        wanted: str,
        ticket: bytes = TICKET,
        root: bytes = root_text(keys),
        more: Files | None = None,
        by: SigningKey = keys.build,
    ) -> DeviceCase:
        files = {
            "etc/root.txt": root,
            f"{IN}/ticket": ticket,
            f"{IN}/ticket.sig": signed(ticket, *keys.release[:2]),
            f"{IN}/manifest.sig": base64.b64encode(sign_manifest(manifest, by)),
        }
        return _with(name, files | (more or {}), wanted)

    one, rest = root_text(keys).split(b"key build", 1)
    line = f"key build ecdsa-p256 {base64.b64encode(other.verification.spki).decode()}\n".encode()
    build, others = (b"key build" + rest).split(b"\n", 1)
    pair = one + b"".join(sorted((build + b"\n", line))) + others
    both = pair.replace(b"threshold-build 1", b"threshold-build 2")
    stranger = root_text(CaseKeys.make())
    return [
        *(
            case(f"D20 manifest by release key {number}", "denied", by=key)
            for number, key in enumerate(keys.release)
        ),
        case("D21 manifest by the second build key", "ok", root=pair, by=other),
        case("D22 manifests with two signatures are wanted", "denied", root=both),
        case("D23 open for all, and no id", "not_open_yet", all_open, more={"etc/device_id": b"-"}),
        case("D24 the accepted root is of the same version", "ok", root=stranger, more={"var/floors/root.txt": root_text(keys)}),
        replace(case("D26 an image's device, by its host's name", "ok", _open_for_the_host(), more={"etc/device_id": b"@hostname\n"}), calls=(*base.calls, ("installed", f"DIR/{IN}"))),
        replace(case("D25 a clock of sixteen digits", "not_open_yet", more={"var/floors/time-floor": b"-"}), now_s=10**15),
    ]  # fmt: skip


def _open_for_the_host() -> bytes:
    """A ticket that lets this machine in, and nobody who is called what such an image says."""
    name = socket.gethostname()
    serial = next(n for n in range(100, 10**6) if bucket(n, name) < bucket(n, "@hostname"))
    lines = TICKET[: TICKET.index(b"open")].replace(b"serial 42\n", b"serial %d\n" % serial)
    return lines + b"open %d 1\n" % (bucket(serial, name) + 1)


def _roots() -> list[DeviceCase]:
    """Roots beside those of the table."""
    good = next(case for case in rotation_cases() if case.name.startswith("T24"))
    base = root_case(good)
    again = {f"{IN}/root": good.root, f"{IN}/root.sig": b"x\n"}
    return [
        _with("R01 no root at all", {"etc/root.txt": b"-"}, "no_root", base=base),
        _with("R02 the same root again", again, "ok", base=base),
        _with("R03 no signatures", {f"{IN}/root.sig": b"-"}, "io", base=base),
        _with("R04 the old root is broken", {"etc/root.txt": good.root[:-9]}, "root_syntax", base=base),
        _with("R05 accepted root, then the next", {"etc/root.txt": good.root.replace(b"version 3", b"version 2"), "var/floors/root.txt": good.root}, "ok", base=base),
    ]  # fmt: skip


def _roots_in_place() -> list[DeviceCase]:
    """Roots that Python refuses as text are none where they are in place, and openssl is not asked."""
    calls = (("verify", f"DIR/{IN}"),)
    return [
        _with(f"{case.name}, in place", {"etc/root.txt": case.new_root}, "root_syntax", calls=calls)
        for case in rotation_cases()
        if case.name[:4] != OFF_CURVE and _is_malformed(case.new_root)
    ]


def _is_malformed(root: bytes) -> bool:
    try:
        parse_root(root)
    except TrustError:
        return True
    return False
