"""The cases of tickets (see `orchestrator.testing.tickets`)."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestrator.device.bucket import bucket
from orchestrator.testing.ssh_table import ssh_ticket_cases
from orchestrator.testing.tickets import (
    DAY_S,
    NOW_S,
    Answer,
    CaseKeys,
    TicketCase,
    raw_line,
    root_text,
    signature_line,
    signed,
)
from orchestrator.trust.judge import Delivery, DeviceView, Floors
from orchestrator.trust.keys import KeyKind, SigningKey
from orchestrator.trust.signature import sign_manifest
from orchestrator.trust.signing import sign_bytes

_SERIAL = 42
_MANIFEST = b"4f" * 32 + b"  version\n"
_DIGEST = hashlib.sha256(_MANIFEST).hexdigest()
_ISSUED_S = NOW_S - 3_600
_EXPIRES_S = NOW_S + 6 * DAY_S
_FIRST_S = NOW_S - 1_800
_SECOND_S = NOW_S + DAY_S
TICKET = f"""\
fleet-release 1
fleet acme-prod
serial {_SERIAL}
issued {_ISSUED_S}
expires {_EXPIRES_S}
security-version 7
device-type raspberrypi4
device-type raspberrypi5
artifact app-2.3.1
manifest-sha256 {_DIGEST}
open 5 {_FIRST_S}
open 25 {_SECOND_S}
""".encode()


def _longest(key: SigningKey) -> bytes:
    """A signature over the ticket that is as long as one of this key can be."""
    tries = 64 if key.kind is KeyKind.ECDSA_P256 else 1  # one of four ECDSA signatures is
    return max((sign_bytes(TICKET, key) for _ in range(tries)), key=len)


def _device_in(first: int, end: int) -> str:
    """The first device with a bucket of these."""
    names = (f"gw-{number:03}" for number in range(1_000))
    return next(name for name in names if first <= bucket(_SERIAL, name) < end)


_DEVICE = DeviceView(_device_in(0, 5), "raspberrypi4", NOW_S, Floors(_ISSUED_S - DAY_S, 7, _SERIAL))
_DELIVERY = Delivery(_DIGEST, "app-2.3.1")


@functools.cache
def ticket_cases() -> tuple[TicketCase, ...]:
    """Every case; the same in one process."""
    table = _Table(CaseKeys.make())
    groups = (
        table.listed(), table.forms(), table.more_forms(), table.by_device(), table.by_kind(),
        table.by_signature(), table.at_limits(),
        ssh_ticket_cases(table.case("good", Answer.ALLOW), table.keys),
    )  # fmt: skip
    cases = tuple(case for group in groups for case in group)
    assert len({case.name for case in cases}) == len(cases), "names tell cases apart"
    return cases


@dataclass(frozen=True, slots=True)
class _Table:
    keys: CaseKeys

    def case(
        self, name: str, answer: Answer, ticket: bytes = TICKET, by: tuple[SigningKey, ...] = ()
    ) -> TicketCase:
        """A ticket signed by two release keys, unless others are named."""
        signers = by or self.keys.release[:2]
        return TicketCase(
            name=name,
            root=root_text(self.keys),
            ticket=ticket,
            signatures=signed(ticket, *signers),
            device=_DEVICE,
            manifest=_MANIFEST,
            manifest_signature=sign_manifest(_MANIFEST, self.keys.build),
            delivery=_DELIVERY,
            answer=answer,
            kinds=frozenset((KeyKind.ECDSA_P256,)),
        )

    def listed(self) -> Iterator[TicketCase]:
        """T01 to T12 of the list: what is signed by whom, for whom, and when."""
        keys, case = self.keys, self.case
        one, two, _ = keys.release
        yield case("T01 two of three", Answer.ALLOW)
        yield case("T02 one of three", Answer.SIGNATURES, by=(one,))
        yield case("T03 the same key twice", Answer.SIGNATURES, by=(one, one))
        yield case(
            "T04 a root key in place of a release key", Answer.SIGNATURES, by=(one, keys.root[0])
        )
        bad = signature_line(TICKET, one) + signature_line(TICKET + b"x", two)
        yield replace(case("T05 one good, one bad", Answer.SIGNATURES), signatures=bad)
        changed = TICKET.replace(b"serial 42", b"serial 43")
        yield replace(case("T06 changed after it was signed", Answer.SIGNATURES), ticket=changed)
        late = Floors(_EXPIRES_S, 0, 0)
        yield replace(
            case("T07 expired, and the clock was set back", Answer.EXPIRED),
            device=replace(_DEVICE, floors=late),
        )
        yield replace(
            case("T08 security version below the floor", Answer.SECURITY_VERSION),
            device=replace(_DEVICE, floors=Floors(0, 8, 0)),
        )
        yield replace(
            case("T09 serial below the one before", Answer.SERIAL),
            device=replace(_DEVICE, floors=Floors(0, 0, 43)),
        )
        yield replace(
            case("T10 other type of device", Answer.DEVICE_TYPE),
            device=replace(_DEVICE, device_type="beaglebone"),
        )
        dots = TICKET.replace(b"device-type raspberrypi4\n", b"device-type raspberrypi.\n")
        yield case("T11 a type that would match as a pattern", Answer.DEVICE_TYPE, dots)
        other = TICKET.replace(b"fleet acme-prod", b"fleet acme-test")
        yield case("T12 other fleet", Answer.FLEET, other)

    def forms(self) -> Iterator[TicketCase]:
        """T13 to T34 of the list: texts that are signed and have another form."""
        head, fleet, rest = TICKET.partition(b"fleet acme-prod\n")
        for name, ticket in (
            ("T13 a field twice", TICKET.replace(b"serial 42\n", b"serial 42\nserial 42\n")),
            ("T14 CRLF", TICKET.replace(b"\n", b"\r\n")),
            ("T15 NUL", TICKET.replace(b"app-2.3.1", b"app-2.3.1\0")),
            ("T16 no line feed at the end", TICKET[:-1]),
            ("T17 a line of 20 KB", TICKET.replace(b"app-2.3.1", b"a" * 20_000)),
            ("T18 hexadecimal number", TICKET.replace(b"serial 42", b"serial 0x2a")),
            ("T19 number that overflows", TICKET.replace(b"serial 42", b"serial 18446744073709551658")),
            ("T20 command substitution", TICKET.replace(b"acme-prod", b"$(id)")),
            ("T23 option in place of a name", TICKET.replace(b"app-2.3.1", b"-out/etc/passwd")),
            ("T31 expires before it was issued", TICKET.replace(b"expires 17", b"expires 16")),
            ("T32 percentages that fall", TICKET.replace(b"open 25", b"open 4")),
            ("T33 two fleets", head + fleet + fleet + rest),
            ("T34 homoglyph in the fleet", TICKET.replace(b"acme", "\u0430cme".encode())),
        ):  # fmt: skip
            yield self.case(name, Answer.SYNTAX, ticket)
        good = signed(TICKET, *self.keys.release[:2])
        path = good.replace(self.keys.release[0].fingerprint.encode(), b"../../etc/passwd")
        yield replace(self.case("T21 path as a key id", Answer.SYNTAX), signatures=path)
        flood = signature_line(TICKET, self.keys.stranger) * 38 + good
        yield replace(self.case("T22 forty signatures", Answer.SYNTAX), signatures=flood)

    def more_forms(self) -> Iterator[TicketCase]:
        """More texts that are signed and have another form; some that just have it."""
        types = "".join(f"device-type t{number:02}\n" for number in range(17)).encode()
        both = b"device-type raspberrypi4\ndevice-type raspberrypi5\n"
        opens = "".join(f"open {number} 1\n" for number in range(1, 17)).encode()
        first = f"open 5 {_FIRST_S}\n".encode()
        for name, ticket in (
            ("N01 empty", b""),
            ("N02 a line feed alone", b"\n"),
            ("N03 a root in place of a ticket", root_text(self.keys)),
            ("N04 unknown version of the form", TICKET.replace(b"fleet-release 1", b"fleet-release 2")),
            ("N05 empty line", TICKET + b"\n"),
            ("N06 two blanks", TICKET.replace(b"serial ", b"serial  ")),
            ("N07 blank at the end of a line", TICKET.replace(b"serial 42", b"serial 42 ")),
            ("N08 blank at the start of a line", TICKET.replace(b"serial", b" serial")),
            ("N09 tab", TICKET.replace(b"serial ", b"serial\t")),
            ("N10 unknown line", TICKET + b"note hello\n"),
            ("N11 a line is missing", TICKET.replace(b"serial 42\n", b"")),
            ("N12 two lines changed places", TICKET.replace(f"issued {_ISSUED_S}\nexpires {_EXPIRES_S}\n".encode(), f"expires {_EXPIRES_S}\nissued {_ISSUED_S}\n".encode())),
            ("N13 leading zero", TICKET.replace(b"serial 42", b"serial 042")),
            ("N14 sign", TICKET.replace(b"serial 42", b"serial +42")),
            ("N15 number below zero", TICKET.replace(b"serial 42", b"serial -1")),
            ("N16 sixteen digits", TICKET.replace(b"serial 42", b"serial 1000000000000000")),
            ("N17 key without a value", TICKET.replace(b"serial 42", b"serial")),
            ("N18 two values", TICKET.replace(b"serial 42", b"serial 42 43")),
            ("N19 least security version above its own", TICKET.replace(b"security-version 7\n", b"security-version 7\nmin-security-version 8\n")),
            ("N20 types not sorted", TICKET.replace(both, b"device-type raspberrypi5\ndevice-type raspberrypi4\n")),
            ("N21 a type twice", TICKET.replace(both, b"device-type raspberrypi4\n" * 2)),
            ("N22 no type", TICKET.replace(both, b"")),
            ("N23 seventeen types", TICKET.replace(both, types)),
            ("N24 seventeen openings", TICKET.replace(first, opens)),
            ("N25 openings whose times fall", TICKET.replace(f"open 25 {_SECOND_S}".encode(), b"open 25 1")),
            ("N26 opening of nobody", TICKET.replace(b"open 5", b"open 0")),
            ("N27 opening above everybody", TICKET.replace(b"open 25", b"open 101")),
            ("N28 opening without a time", TICKET + b"open 50\n"),
            ("N29 opening with more", TICKET + f"open 50 {_SECOND_S} 1\n".encode()),
            ("N30 the same percentage twice", TICKET.replace(b"open 25", b"open 5")),
            ("N31 digest in capitals", TICKET.replace(_DIGEST.encode(), _DIGEST.upper().encode())),
            ("N32 digest too short", TICKET.replace(_DIGEST.encode(), _DIGEST[:-2].encode())),
            ("N33 name of 129 characters", TICKET.replace(b"app-2.3.1", b"a" * 129)),
            ("N34 fleet of 64 characters", TICKET.replace(b"acme-prod", b"a" * 64)),
            ("N35 more than 512 lines", TICKET + b"open 1 1\n" * 600),
            ("N36 expires when it was issued", TICKET.replace(str(_EXPIRES_S).encode(), str(_ISSUED_S).encode())),
            ("N37 DEL", TICKET.replace(b"app-2.3.1", b"app-2.3.1\x7f")),
            ("N38 glob in a type", TICKET.replace(b"raspberrypi5", b"raspberrypi*")),
            ("N39 no artifact", TICKET.replace(b"artifact app-2.3.1\n", b"")),
            ("N42 another word of that length", TICKET.replace(b"artifact ", b"artefact ")),
            ("N44 openings whose times fall by a second", TICKET.replace(str(_SECOND_S).encode(), str(_FIRST_S - 1).encode())),
            ("N45 two blanks in an opening", TICKET.replace(b"open 25 ", b"open 25  ")),
            ("N46 blank at the end of the last line", TICKET[:-1] + b" \n"),
            ("N43 type of 129 characters", TICKET.replace(b"raspberrypi5", b"r" * 129)),
        ):  # fmt: skip
            yield self.case(name, Answer.SYNTAX, ticket)
        least = TICKET.replace(
            b"security-version 7\n", b"security-version 7\nmin-security-version 7\n"
        )
        yield self.case("N40 least security version is its own", Answer.ALLOW, least)
        sixteen = TICKET.replace(
            both,
            types.replace(b"device-type t16\n", b"device-type x\n").replace(
                b"device-type t00\n", b""
            ),
        )
        yield replace(
            self.case("N41 sixteen types", Answer.ALLOW, sixteen),
            device=replace(_DEVICE, device_type="x"),
        )

    def by_device(self) -> Iterator[TicketCase]:
        """Good tickets on one device and another, at one time and another."""
        case = self.case
        unopened = TICKET[: TICKET.index(b"open")]
        later, outside = _device_in(5, 25), _device_in(25, 100)
        yield case("N50 no openings", Answer.ALLOW, unopened)
        for name, device, answer in (
            ("N51 bucket outside the first opening", replace(_DEVICE, device_id=later), Answer.NOT_OPEN),
            ("N52 at the second opening", replace(_DEVICE, device_id=later, now_s=_SECOND_S), Answer.ALLOW),
            ("N53 a second before it", replace(_DEVICE, device_id=later, now_s=_SECOND_S - 1), Answer.NOT_OPEN),
            ("N54 outside every opening", replace(_DEVICE, device_id=outside, now_s=_EXPIRES_S - 1), Answer.NOT_OPEN),
            ("N55 a clock that is behind", replace(_DEVICE, now_s=0), Answer.NOT_OPEN),
            ("N56 the time floor is beyond the opening", replace(_DEVICE, now_s=0, floors=Floors(_FIRST_S)), Answer.ALLOW),
            ("N57 a second before it expires", replace(_DEVICE, now_s=_EXPIRES_S - 1), Answer.ALLOW),
            ("N58 when it expires", replace(_DEVICE, now_s=_EXPIRES_S), Answer.EXPIRED),
            ("N59 the second type", replace(_DEVICE, device_type="raspberrypi5"), Answer.ALLOW),
            ("N60 beginning of a type", replace(_DEVICE, device_type="raspberrypi"), Answer.DEVICE_TYPE),
            ("N61 type of a device that is a pattern", replace(_DEVICE, device_type="raspberrypi."), Answer.DEVICE_TYPE),
            ("N62 new device without floors", replace(_DEVICE, floors=Floors()), Answer.ALLOW),
            ("N63 expired before security version", replace(_DEVICE, floors=Floors(_EXPIRES_S, 8, 43)), Answer.EXPIRED),
            ("N64 security version before serial", replace(_DEVICE, floors=Floors(0, 8, 43)), Answer.SECURITY_VERSION),
        ):  # fmt: skip
            yield replace(case(name, answer), device=device)
        other = b"00" * 32 + b"  version\n"
        yield replace(
            case("N65 other manifest", Answer.MANIFEST),
            manifest=other,
            manifest_signature=sign_manifest(other, self.keys.build),
            delivery=replace(_DELIVERY, manifest_sha256=hashlib.sha256(other).hexdigest()),
        )
        yield replace(
            case("N66 other name in the header", Answer.ARTIFACT),
            delivery=replace(_DELIVERY, artifact="app-2.3.0"),
        )
        yield replace(
            case("N67 name whose dots would match", Answer.ARTIFACT),
            delivery=replace(_DELIVERY, artifact="app-2x3x1"),
        )

    def by_kind(self) -> Iterator[TicketCase]:
        """Keys of each kind, alone and together."""
        keys = self.keys
        for number, key in enumerate((keys.release[0], keys.rsa, keys.ed25519), start=70):
            root = root_text(keys, release=(key,), threshold_release=1)
            case = replace(
                self.case(f"N{number} one {key.kind} key", Answer.ALLOW, by=(key,)),
                root=root,
                kinds=frozenset((key.kind,)),
            )
            yield case
            bad = raw_line(key.fingerprint, sign_bytes(TICKET + b"x", key))
            name = f"N{number} wrong {key.kind} signature"
            yield replace(case, name=name, signatures=bad, answer=Answer.SIGNATURES)
            # `openssl dgst` reads no further than the longest signature that the key can make.
            long = raw_line(key.fingerprint, _longest(key) + b"\0")
            name = f"N{number} bytes behind the {key.kind} signature"
            yield replace(case, name=name, signatures=long, answer=Answer.SIGNATURES)
        mixed = root_text(keys, release=(keys.release[0], keys.rsa, keys.ed25519))
        yield replace(
            self.case("N73 RSA and Ed25519 together", Answer.ALLOW, by=(keys.rsa, keys.ed25519)),
            root=mixed,
            kinds=frozenset((KeyKind.RSA, KeyKind.ED25519)),
        )

    def by_signature(self) -> Iterator[TicketCase]:
        """Signature files: what counts, what is skipped, and what refuses all of it."""
        keys = self.keys
        one, two, three = (signature_line(TICKET, key) for key in keys.release)
        bad = raw_line(keys.release[0].fingerprint, sign_bytes(b"x", keys.release[0]))
        stranger = signature_line(TICKET, keys.stranger)
        head, _, text = one.rstrip(b"\n").rpartition(b" ")
        raw = raw_line(keys.release[1].fingerprint, base64.b64decode(text)[4:])
        for name, signatures, answer in (
            ("N80 all three", one + two + three, Answer.ALLOW),
            ("N81 unknown keys before them", stranger * 30 + one + two, Answer.ALLOW),
            ("N82 a wrong one, then a good one of the same key", bad + one + two, Answer.ALLOW),
            ("N83 by the build key", one + signature_line(TICKET, keys.build), Answer.SIGNATURES),
            ("N84 by unknown keys alone", stranger * 2, Answer.SIGNATURES),
            ("N85 bytes that are no signature", one + raw, Answer.SIGNATURES),
            ("N86 empty", b"", Answer.SYNTAX),
            ("N87 no line feed at the end", (one + two)[:-1], Answer.SYNTAX),
            ("N88 comment", b"# mine\n" + one + two, Answer.SYNTAX),
            ("N89 key id in capitals", head.upper().replace(b"SIG", b"sig") + b" " + text + b"\n" + two + three, Answer.SYNTAX),
            ("N90 no signature", head + b"\n" + two + three, Answer.SYNTAX),
            ("N91 no base64", head + b" ****\n" + two + three, Answer.SYNTAX),
            ("N92 base64 without its padding", head + b" QQ\n" + two + three, Answer.SYNTAX),
            ("N93 base64 with stray bits", head + b" QR==\n" + two + three, Answer.SYNTAX),
            ("N97 base64 with fewer stray bits", head + b" QUF=\n" + two + three, Answer.SYNTAX),
            ("N98 base64 with a backslash", head + b" \\" + text[1:] + b"\n" + two + three, Answer.SYNTAX),
            ("N94 more after the signature", head + b" " + text + b" x\n" + two + three, Answer.SYNTAX),
            ("N95 more than 16 KiB", one + two + head + b" " + b"AAAA" * 4_096 + b"\n", Answer.SYNTAX),
            ("N96 CRLF", (one + two).replace(b"\n", b"\r\n"), Answer.SYNTAX),
        ):  # fmt: skip
            yield replace(self.case(name, answer), signatures=signatures)

    def at_limits(self) -> Iterator[TicketCase]:
        """Good tickets whose values are as small or as large as they may be."""
        case, keys = self.case, self.keys
        unopened = TICKET[: TICKET.index(b"open")]
        first = f"open 5 {_FIRST_S}\nopen 25 {_SECOND_S}\n".encode()
        new = replace(_DEVICE, floors=Floors())
        large = b"9" * 15
        versions = b"security-version 7\n"
        for name, ticket in (
            ("N200 serial 0", unopened.replace(b"serial 42", b"serial 0")),
            ("N201 largest serial", unopened.replace(b"serial 42", b"serial " + large)),
            ("N202 issued at 0", TICKET.replace(f"issued {_ISSUED_S}".encode(), b"issued 0")),
            ("N203 expires at the end of time", TICKET.replace(str(_EXPIRES_S).encode(), large)),
            ("N204 security version 0", TICKET.replace(versions, b"security-version 0\n")),
            ("N205 least security version 0", TICKET.replace(versions, versions + b"min-security-version 0\n")),
            ("N206 good for a second", TICKET.replace(f"issued {_ISSUED_S}\nexpires {_EXPIRES_S}".encode(), f"issued {NOW_S}\nexpires {NOW_S + 1}".encode())),
            ("N207 open for all", TICKET.replace(first, b"open 100 0\n")),
            ("N208 openings at the same time", TICKET.replace(str(_SECOND_S).encode(), str(_FIRST_S).encode())),
            ("N209 sixteen openings", TICKET.replace(first, "".join(f"open {number} {number}\n" for number in range(5, 21)).encode())),
            ("N210 largest security version", TICKET.replace(versions, b"security-version " + large + b"\n")),
        ):  # fmt: skip
            yield replace(case(name, Answer.ALLOW, ticket), device=new)
        one = TICKET.replace(first, b"open 1 0\n")
        for name, id_of, answer in (
            ("N211 the first of a hundred", _device_in(0, 1), Answer.ALLOW),
            ("N212 the second of a hundred", _device_in(1, 2), Answer.NOT_OPEN),
        ):
            yield replace(case(name, answer, one), device=replace(new, device_id=id_of))
        for number, size in enumerate((128, 127, 2, 1), start=213):
            name = "a" * size
            text = TICKET.replace(b"app-2.3.1", name.encode())
            found = case(f"N{number} a name of {size}", Answer.ALLOW, text)
            yield replace(found, delivery=replace(_DELIVERY, artifact=name))
        fleet = "f" * 63
        text = TICKET.replace(b"acme-prod", fleet.encode())
        yield replace(
            case("N217 fleet of 63 characters", Answer.ALLOW, text),
            root=root_text(keys, fleet=fleet),
        )
        text = TICKET.replace(b"raspberrypi5\n", b"r" * 128 + b"\n")
        yield replace(
            case("N218 type of 128 characters", Answer.ALLOW, text),
            device=replace(_DEVICE, device_type="r" * 128),
        )
        good = signed(TICKET, *keys.release[:2])
        quads = (16_384 - len(good) - 140) // 4  # of base64; a short signature of ECDSA leaves more
        for name, size, answer in (
            ("N219 signatures of 16 KiB", quads, Answer.ALLOW),
            ("N220 signatures of more", quads + 1, Answer.SYNTAX),
        ):
            halves = (size // 2, size - size // 2)
            filler = b"".join(raw_line("0" * 64, bytes(3 * half)) for half in halves)
            yield replace(case(name, answer), signatures=filler + good)
        more = signature_line(TICKET, keys.stranger)
        for name, count, answer in (
            ("N221 thirty-two signatures", 30, Answer.ALLOW),
            ("N222 thirty-three signatures", 31, Answer.SYNTAX),
        ):
            yield replace(case(name, answer), signatures=more * count + good)
