"""Servers that list hosts: asked only where they are allowed, whole or not at all."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory, load_inventory
from orchestrator.inventory.files import Access
from orchestrator.inventory.servers import Servers
from orchestrator.outward import http
from tests.loopback import listening

LISTING = {
    "web": {"hosts": ["w1", "w2"], "vars": {"tier": "front"}},
    "db": ["d1"],
    "prod": {"children": ["web", "db"]},
    "_meta": {"hostvars": {"w1": {"site": "bern", "ansible_host": "192.0.2.1"}}},
}
TOKEN = "s3cret-of-netbox"
Body = bytes | dict[str, object]


class Server:
    """Answers each path with what the test put there, and keeps the heads of requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Body] = {}
        self.heads: list[str] = []
        self.status = "200 OK"
        self.extra = ""
        self.port = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        answer = self.answers.get(head.split()[1], b"")
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        start = f"HTTP/1.1 {self.status}\r\n{self.extra}content-length: {len(body)}\r\n"
        writer.write(f"{start}connection: close\r\n\r\n".encode() + body)
        await writer.drain()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with listening(made.serve) as made.port:
        yield made


async def load(address: str, *entries: str, more: tuple[str, ...] = ()) -> Inventory:
    access = Access(servers=Servers(entries, {"TOKEN": TOKEN}))
    return await asyncio.to_thread(
        load_inventory, [address, *more], cwd=Path("/nonexistent"), access=access
    )


async def refusal(address: str, *entries: str) -> PlanError:
    with pytest.raises(PlanError) as caught:
        await load(address, *entries)
    assert caught.value.code == "I131"
    assert TOKEN not in str(caught.value.diagnostics)
    return caught.value


async def test_listing_becomes_groups_hosts_and_variables(server: Server) -> None:
    server.answers["/fleet.json?env=prod,lab"] = dict(LISTING)
    address = f"{server.origin}/fleet.json?env=prod,lab"

    inventory = await load(address, server.origin, more=("extra,",))

    assert inventory.match("prod") == ("w1", "w2", "d1")
    assert inventory.match("all:!prod") == ("extra",)
    assert inventory.variables("w1")["site"] == "bern"
    assert str(inventory.origin("w1", "site")).startswith(address)
    assert "authorization" not in server.heads[0].lower()


def test_listing_is_what_its_schema_says() -> None:
    schema = json.loads(api.schema_named("inventory-listing"))

    jsonschema.Draft202012Validator(schema).validate(LISTING)
    for wrong in ({"web": {"host": ["a"]}}, {"web": ["-a"]}, {"web": "a"}, []):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(wrong)


async def test_server_is_asked_only_where_the_operator_allows_it(server: Server) -> None:
    other = f"http://127.0.0.1:{server.port + 1}"

    error = await refusal(f"{server.origin}/fleet.json", other)

    assert f"inventory_servers` of your own configuration: `{server.origin}`" in error.hint
    assert server.heads == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("http://cmdb.example", "without TLS anybody may answer"),
        ("http://192.0.2.1", "without TLS anybody may answer"),
        ("https://ann:pw@cmdb.example", "must not hold a user"),
    ],
)
async def test_address_that_is_not_safe_is_not_asked(entry: str, message: str) -> None:
    error = await refusal(f"{entry}/fleet.json", entry)

    assert message in error.message
    assert "pw" not in str(error.diagnostics)


async def test_token_comes_from_the_operator_and_goes_to_its_origin_alone(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    server.answers["/a"] = dict(LISTING)

    await load(f"{server.origin}/a", f"{server.origin}=env:TOKEN")
    await load(f"{server.origin}/a", f"{server.origin}=file:{tmp_path / 'token'}")

    assert [f"authorization: Bearer {TOKEN}" in head for head in server.heads] == [True, True]
    server.status, server.extra = "302 Found", "location: http://127.0.0.1:1/a\r\n"
    error = await refusal(f"{server.origin}/a", f"{server.origin}=env:TOKEN")
    assert "redirects to another place" in error.message


async def test_token_that_a_server_lists_is_hidden(server: Server) -> None:
    listed = {"seen": f"Bearer {TOKEN}"}
    server.answers["/a"] = {"web": ["w1"], "_meta": {"hostvars": {"w1": listed}}}
    server.answers["/b"] = {TOKEN: 7}
    entry = f"{server.origin}=env:TOKEN"

    found = await load(f"{server.origin}/a", entry)
    with pytest.raises(PlanError) as refused:
        await load(f"{server.origin}/b", entry)

    assert TOKEN not in str(refused.value.diagnostics)
    (written,) = found.history("w1")["seen"]
    assert TOKEN not in repr(written)
    assert "(hidden)" in repr(written)


async def test_token_that_is_not_there_is_an_error(server: Server) -> None:
    error = await refusal(f"{server.origin}/a", f"{server.origin}=env:NOTHING")

    assert "missing or malformed" in error.message
    assert server.heads == []


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        ("403 Forbidden", b"{}", "answers 403"),
        ("200 OK", b"<html>", "no JSON"),
        ("200 OK", b"[1]", "not one JSON object"),
        ("200 OK", b'{"a": [], "a": []}', "stands twice"),
    ],
)
async def test_answer_that_is_no_listing_is_an_error(
    server: Server, status: str, body: bytes, message: str
) -> None:
    server.status, server.answers["/a"] = status, body

    assert message in (await refusal(f"{server.origin}/a", server.origin)).message


async def test_answer_without_end_is_not_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.inventory.servers._BYTES_MAX", 1024)
    server.answers["/a"] = b" " * 2048

    assert "longer than 1 KiB" in (await refusal(f"{server.origin}/a", server.origin)).message


async def test_server_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.inventory.servers._DEADLINE_S", 0.05)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        origin = f"http://127.0.0.1:{port}"
        assert "no answer" in (await refusal(f"{origin}/a", origin)).message


async def test_certificate_has_to_be_one_that_this_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    made = Server()
    made.answers["/a"] = dict(LISTING)
    async with listening(made.serve, tls=context) as port:
        origin = f"https://localhost:{port}"
        error = await refusal(f"{origin}/a", origin)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
        http._tls_context.cache_clear()
        try:
            trusted = await load(f"{origin}/a", origin)
        finally:
            http._tls_context.cache_clear()

    assert "certificate" in error.message.lower()
    assert trusted.match("db") == ("d1",)


def _certificate(directory: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", directory / "key", "-out", directory / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip


# -- NetBox -----------------------------------------------------------------------------------------


def device(number: int, name: str | None, **more: object) -> dict[str, object]:
    plain = {"id": number, "name": name, "primary_ip": None, "tags": [], "custom_fields": {}}
    return plain | more


def page(count: int, *devices: object, onward: object = None) -> dict[str, object]:
    return {"count": count, "next": onward, "previous": None, "results": list(devices)}


async def of_netbox(server: Server, address: str = "/api/dcim/devices/") -> Inventory:
    return await load(f"netbox+{server.origin}{address}", f"{server.origin}=env:TOKEN")


GATEWAY = device(
    1,
    "gw-1",
    primary_ip={"address": "192.0.2.7/24", "family": {"value": 4}},
    site={"id": 4, "name": "Berlin 1", "slug": "ber-1"},
    device_role={"slug": "gateway"},
    device_type={"slug": "rpi4", "model": "Pi 4", "manufacturer": {"slug": "raspberry"}},
    rack={"id": 2, "name": "R7"},
    tenant=None,
    status={"value": "active", "label": "Active"},
    tags=[{"slug": "edge"}, {"slug": "ota"}],
    config_context={"ntp": ["a", "b"], "ansible_user": "context"},
    custom_fields={"ansible_user": "ota", "contract": None, "slots": 4},
)


async def test_devices_of_netbox_have_addresses_labels_groups_and_variables(
    server: Server,
) -> None:
    second = device(2, "gw-2", tags=[{"slug": "edge"}])
    server.answers["/api/dcim/devices/?site=ber-1&limit=1000"] = page(2, GATEWAY, second)

    inventory = await of_netbox(server, "/api/dcim/devices/?site=ber-1")

    first, other = inventory.select("tag_edge")
    assert inventory.children_of("all") == (("ungrouped", "tag_edge", "tag_ota"), ())
    assert inventory.match("tag_ota") == ("gw-1",)
    assert (first.address.host, first.address.user) == ("192.0.2.7", "ota")
    assert other.address.host == "gw-2"
    assert first.labels == {
        "site": "ber-1", "role": "gateway", "device_type": "rpi4", "manufacturer": "raspberry",
        "rack": "R7", "status": "active", "slots": "4",
    }  # fmt: skip
    assert first.variables["ntp"] == ["a", "b"]
    assert "contract" not in first.variables


async def test_what_a_server_says_is_no_template(server: Server) -> None:
    fields = {"note": "{{ inventory_hostname }}", "notes": ["{{ groups }}"]}
    rack = {"name": "{{ note }}"}
    server.answers["/x?limit=1000"] = page(1, device(1, "a", custom_fields=fields, rack=rack))
    server.answers["/y"] = {"g": ["b"], "_meta": {"hostvars": {"b": {"ansible_host": "{{ x }}"}}}}

    [found] = (await of_netbox(server, "/x")).select("a")
    listed = await load(f"{server.origin}/y", server.origin)

    assert found.labels == {"note": "{{ inventory_hostname }}", "rack": "{{ note }}"}
    assert found.variables["notes"] == ["{{ groups }}"]
    with pytest.raises(PlanError, match=r"`\{\{ x \}\}` is not an address"):
        listed.select("b")


async def test_all_pages_are_read(server: Server) -> None:
    onward = f"{server.origin}/api/dcim/devices/?limit=1&offset=1"
    server.answers["/api/dcim/devices/?limit=1"] = page(2, device(1, "a"), onward=onward)
    server.answers["/api/dcim/devices/?limit=1&offset=1"] = page(2, device(2, "b"))

    inventory = await of_netbox(server, "/api/dcim/devices/?limit=1")

    assert inventory.host_names == ("a", "b")
    assert [f"authorization: Token {TOKEN}" in head for head in server.heads] == [True, True]


async def test_new_tokens_of_netbox_are_bearer_tokens(server: Server) -> None:
    server.answers["/x?limit=1000"] = page(1, device(1, "a"))
    servers = Servers((f"{server.origin}=env:T",), {"T": "nbt_key.secret"})

    await asyncio.to_thread(servers.listing, f"netbox+{server.origin}/x")

    assert "authorization: Bearer nbt_key.secret" in server.heads[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (page(3, device(1, "a")), "1 devices were listed and 3 announced"),
        (page(2, device(1, "a"), device(1, "b")), "changed while it was read"),
        (page(2, device(1, "a"), device(2, "a")), "two devices are called `a`"),
        (page(1, device(7, None)), "device 7 has no name"),
        (page(1, {"id": 1, "name": "ber", "slug": "ber"}), "object 1 is no device"),
        (page(1, device(1, "a", custom_fields={"labels": "x"})), "`labels` are made of"),
        (page(1, device(1, "a", config_context=[])), "`config_context` is no object"),
        (page(1, "a"), "no object"),
        ({"detail": "x"}, "no list of NetBox"),
        (page(2, device(1, "a"), onward="https://127.0.0.1/x"), "on another server"),
    ],
)
async def test_lists_that_are_not_whole_are_no_inventory(
    server: Server, answer: dict[str, object], message: str
) -> None:
    server.answers["/x?limit=1000"] = answer

    error = await refusal(f"netbox+{server.origin}/x", server.origin)

    assert message in error.message


async def test_names_of_netbox_are_judged_like_all_names(server: Server) -> None:
    server.answers["/x?limit=1000"] = page(1, device(1, "GW Berlin"))

    with pytest.raises(PlanError) as caught:
        await load(f"netbox+{server.origin}/x", server.origin)

    assert caught.value.code == "I106"


async def test_what_changes_nothing_for_devices_changes_no_digest(server: Server) -> None:
    digests = []
    for updated in ("today", "tomorrow"):
        server.answers["/x?limit=1000"] = page(1, device(1, "a", last_updated=updated))
        digests.append((await load(f"netbox+{server.origin}/x", server.origin)).digest)

    assert digests[0] == digests[1]
