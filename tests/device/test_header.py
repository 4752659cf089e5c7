"""header-info and type-info: strict JSON, device type, depends, provides."""

from __future__ import annotations

import json

import pytest

from orchestrator.device.protocol import Reply
from tests.device.kit import Device, Release, compact, directory

INFO = {
    "payloads": [{"type": "directory"}],
    "artifact_provides": {"artifact_name": "r1"},
    "artifact_depends": {"device_type": ["lab"]},
}


def send(device: Device, release: Release, number: int = 1) -> Reply:
    return device.deliver(number, release.frames(device.key))


NOT_JSON = (
    b"",
    b"{",
    b"{}x",
    b"[]",
    b'{"a":1,}',
    b'{"a" 1}',
    b"{'a':1}",
    b'{"a":01}',
    b'{"a":1.}',
    b'{"a":+1}',
    b'{"a":.5}',
    b'{"a":NaN}',
    b'{"a":truE}',
    b'{"a":"\n"}',
    b'{"a":"\\x"}',
    b'{"a":"\\u12"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\udc00"}',
    b'{"a":"\\u0000"}',
    b'{"a":"',
    b'{"a":1 "b":2}',
    b'\xef\xbb\xbf{"a":1}',
    b'{"a":1}\x00',
    b'{"a":' + b"[" * 20 + b"]" * 20 + b"}",
    b'{"a":' + b"[" * 5000,
    b'{"a":1,"a":2}',
    b'{"a":1,"\\u0061":2}',
    b"/* */ {}",
)


@pytest.mark.parametrize("text", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_strict_json_is_refused(one: Device, text: bytes):
    assert send(one, directory("r1", type_info=text or b" ")).fields["reason"] == "denied"


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"directory","a":1,"a":2}',
        b'{"type":"directory"}}',
        b'{"type":"dir\\u0065ctory", "x": [1e5, -0.5, true, null, {"y": []}]}',
    ],
    ids=["twice", "more", "good"],
)
def test_each_awk_reads_json_alike(device: Device, text: bytes):
    reply = send(device, directory("r1", type_info=text))

    assert reply.rc == (0 if b"e5" in text else 65), reply


def test_names_of_all_characters_arrive_as_they_are(device: Device):
    name = 'r1 %41/..=\\"\u00e4\u20ac\U0001f600'
    release = directory(name, provides={"app/x~y": "1 2", "a\\b": "3", "b": name})

    device.release(1, release)

    assert device.fields()["artifact"] == name
    assert {"app/x~y=1 2", "a\\b=3"} <= set(device.ask("facts").all("provides"))
    tree = next(device.root.glob("var/lib/rollout/component/main/txn/*/tree"))
    assert (tree / "header/artifact_name").read_text() == name


def spoilt(**changes: object) -> bytes:
    return compact({key: value for key, value in (INFO | changes).items() if value is not None})


@pytest.mark.parametrize(
    "info",
    [
        spoilt(payloads=None),
        spoilt(payloads=[]),
        spoilt(payloads=[{"type": "directory"}, {"type": "directory"}]),
        spoilt(payloads=[{"type": "directory", "x": "y"}]),
        spoilt(payloads={"#0": {"type": "directory"}}),
        spoilt(payloads=[{"type": None}]),
        spoilt(payloads=[{"type": "../../x"}]),
        spoilt(payloads=[{"type": "-x"}]),
        spoilt(payloads=[{"type": ""}]),
        spoilt(payloads=[{"type": "x" * 65}]),
        spoilt(payloads=[{"type": "single-file"}]),
        spoilt(artifact_provides=None),
        spoilt(artifact_provides={"artifact_name": ""}),
        spoilt(artifact_provides={"artifact_name": "a\nb"}),
        spoilt(artifact_provides={"artifact_name": "a\x7fb"}),
        spoilt(artifact_provides={"artifact_name": "x" * 800}),
        spoilt(artifact_provides={"artifact_name": ["r1"]}),
        spoilt(artifact_provides={"artifact_name": "r1", "more": "x"}),
        spoilt(artifact_depends=None),
        spoilt(artifact_depends={"device_type": []}),
        spoilt(artifact_depends={"device_type": "lab"}),
        spoilt(artifact_depends={"device_type": [["lab"]]}),
        spoilt(artifact_depends={"device_type": ["lab"], "more": ["x"]}),
        spoilt(unknown=1),
    ],
)
def test_header_info_of_another_form_is_refused(one: Device, info: bytes):
    assert send(one, directory("r1", header_info=info)).fields["reason"] == "denied"


@pytest.mark.parametrize(
    "types", [("other",), ("la",), ("labs",), ("LAB",), ("l.b", "lab.", "a" * 256)]
)
def test_another_device_type_is_incompatible(one: Device, types: tuple[str, ...]):
    reply = send(one, directory("r1", device_types=types))

    assert (reply.rc, reply.fields["reason"]) == (69, "incompatible")
    assert reply.fields["state"] == "aborted"


@pytest.mark.parametrize(
    "types",
    [("lab", "*"), (".*",), ("lab ",), ("lab\n",), ("",), ("a" * 257,), ("lab", "l\u00e4b")],
)
def test_what_is_no_device_type_is_refused(one: Device, types: tuple[str, ...]):
    assert send(one, directory("r1", device_types=types)).fields["reason"] == "denied"


def test_one_of_several_device_types_is_enough(one: Device):
    assert send(one, directory("r1", device_types=("other", "lab"))).rc == 0


def test_a_device_without_type_takes_nothing(one: Device):
    (one.root / "etc/rollout/device_type").unlink()

    assert send(one, directory("r1")).fields["reason"] == "incompatible"


def test_a_payload_type_without_module_is_incompatible(one: Device):
    release = directory("r1")
    release.kind = "docker"

    assert send(one, release).fields["reason"] == "incompatible"

    (one.root / "usr/lib/rollout/modules/docker").write_text("#!/bin/sh\n")
    assert send(one, release, 2).fields["reason"] == "incompatible"


def test_type_info_may_hold_more_but_not_another_type(one: Device):
    info = {"type": "directory", "future": {"a": [1, 2, None]}}
    assert send(one, directory("r1", type_info=compact(info))).rc == 0
    one.do("rollback", 1)

    for number, text in enumerate(
        (b'{"type":""}', b'{"type":null}', b"{}", b'{"type":["directory"]}')
    ):
        assert send(one, directory("r1", type_info=text), 2 + number).fields["reason"] == "denied"


def test_depends_are_held_against_what_is_committed(device: Device):
    needs = directory("r2", depends={"app.version": ["1", "2"], "base": "x"})
    assert send(device, needs, 1).fields["reason"] == "incompatible"

    device.release(2, directory("r1", provides={"app.version": "3", "base": "x"}))
    assert send(device, needs, 3).fields["reason"] == "incompatible"

    device.release(4, directory("r1b", provides={"app.version": "2", "base": "x"}))
    assert send(device, needs, 5).rc == 0


def test_artifact_name_depends(one: Device):
    info = json.loads(spoilt()) | {
        "artifact_depends": {"device_type": ["lab"], "artifact_name": ["r1"]}
    }
    needs = directory("r2", header_info=compact(info))
    assert send(one, needs).fields["reason"] == "incompatible"

    one.release(2, directory("r1"))

    assert send(one, needs, 3).rc == 0


def provides(device: Device) -> set[str]:
    return set(device.ask("facts").all("provides"))


def test_provides_follow_the_rules_of_clearing(device: Device):
    device.release(1, directory("r1", provides={"a.x": "1", "a.y": "2", "b": "3"}, clears=[]))
    assert provides(device) == {"artifact_name=r1", "a.x=1", "a.y=2", "b=3"}

    device.release(2, directory("r2", provides={"a.x": "9"}, clears=["a.*"]))
    assert provides(device) == {"artifact_name=r2", "a.x=9", "b=3"}

    device.release(3, directory("r3", provides={"c": "1"}))
    assert provides(device) == {"artifact_name=r3", "c=1"}

    device.do("rollback", 3)
    assert provides(device) == {"artifact_name=r2", "a.x=9", "b=3"}


def test_group_stays_until_it_is_cleared(one: Device):
    """As Mender's client has it: the default of its tool for system images names the group to be cleared."""
    info = compact(
        {
            "payloads": [{"type": "directory"}],
            "artifact_provides": {"artifact_name": "r1", "artifact_group": "blue"},
            "artifact_depends": {"device_type": ["lab"]},
        }
    )
    one.release(1, directory("r1", header_info=info))

    one.release(2, directory("r2", provides={"a": "1"}, clears=["x.*"]))
    assert provides(one) == {"artifact_name=r2", "artifact_group=blue", "a=1"}

    one.release(3, directory("r3", provides={"a": "2"}, clears=["artifact_*"]))
    assert provides(one) == {"artifact_name=r3", "a=2"}


def test_globs_are_literal_but_for_the_star(one: Device):
    old = {"a.b": "1", "aXb": "2", "a": "3", "ab": "4", "xay": "5", "[a]": "6", "p/q r": "7"}
    one.release(1, directory("r1", provides=old, clears=[]))

    one.release(2, directory("r2", clears=["a.b", "x*y", "[a]", "p/*r"]))

    assert provides(one) == {"artifact_name=r2", "aXb=2", "a=3", "ab=4"}


def test_globs_of_many_stars_take_no_time(device: Device):
    """Tried one after the other at each place, these would be looked at for years, at each recovery anew."""
    old = {"a" * 200: "1", "a" * 200 + "b": "2", "c": "3"}
    device.release(1, directory("r1", provides=old, clears=[]))

    device.release(2, directory("r2", clears=["*a" * 60 + "b"]))

    assert provides(device) == {"artifact_name=r2", f"{'a' * 200}=1", "c=3"}
