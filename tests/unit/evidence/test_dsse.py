"""Envelopes: the encoding to the byte, and what is none."""

from __future__ import annotations

import base64
import json

import pytest

from orchestrator.evidence.dsse import EnvelopeSignature, pae, read_envelope, write_envelope
from orchestrator.evidence.rules import diagnostics


def read(data: bytes):
    problems = []
    return read_envelope(data, "e.json", problems), [str(each.rule) for each in problems]


def test_encoding_is_that_of_the_specification() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_envelope_reads_back_what_was_written() -> None:
    signatures = (EnvelopeSignature("k", b"\x00\xff"), EnvelopeSignature("", b"x"))

    found, problems = read(write_envelope("t/1", b"\xfb\xff{}", signatures))

    assert problems == []
    assert (found.payload_type, found.payload, found.signatures) == (
        "t/1",
        b"\xfb\xff{}",
        signatures,
    )


def test_url_safe_base64_is_taken_too() -> None:
    text = base64.urlsafe_b64encode(b"\xfb\xff\xfe").decode()
    assert "_" in text or "-" in text

    found, _ = read(
        json.dumps({"payload": text, "payloadType": "t", "signatures": [{"sig": text}]}).encode()
    )

    assert found.payload == found.signatures[0].data == b"\xfb\xff\xfe"


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "YR=="}, {"payload": "YQ"}, {"payload": "Y Q=="}, {"payload": "YQ==\n"}, {"payload": 1},
        {"payload": "ÿÿÿÿ"}, {"payloadType": ""}, {"signatures": []}, {"signatures": [{"sig": ""}]},
        {"signatures": [{}]}, {"signatures": {}}, {"signatures": [{"sig": "YQ=="}] * 33},
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(changes) -> None:
    good = {"payload": "YQ==", "payloadType": "t", "signatures": [{"sig": "YQ=="}]}
    assert read(json.dumps(good).encode())[1] == []

    found, problems = read(json.dumps({**good, **changes}).encode())

    assert found is None
    assert set(problems) == {"E103"}


def test_a_payload_that_stands_twice_is_refused_with_its_place() -> None:
    problems = []
    read_envelope(b'{"payload": "YQ==",\n"payload": "Yg=="}', "e.json", problems)

    assert [(each.code, str(each.where)) for each in diagnostics(problems)] == [
        ("E102", "e.json:2:1")
    ]
