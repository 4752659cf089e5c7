import asyncio
import json
import ssl
import subprocess

import pytest

from orchestrator.engine.ports import Sample
from orchestrator.gates.http import BODY_BYTES_MAX
from orchestrator.gates.probes import Probes
from orchestrator.outward import http
from orchestrator.plan.resolved import Probe, ProbeKind
from tests.loopback import listening


async def sample(url, value=None, deadline_s=5.0):
    return await Probes().sample(Probe(ProbeKind.HTTP, url=url, value=value), deadline_s=deadline_s)


def resolves_to(monkeypatch, *addresses):
    """Makes every name resolve to these addresses."""

    async def getaddrinfo(_host, port, **_more):
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


class TestFields:
    @pytest.mark.parametrize(
        ("line", "status"), [("200 OK", 200), ("503 Busy", 503), ("304 Same", 304)]
    )
    async def test_status_is_a_field_whatever_it_is(self, server, reply, line, status):
        server.routes["/"] = reply(status=line)

        assert await sample(server.url()) == Sample({"status": status})

    @pytest.mark.parametrize("found", [1, 1.5, "text", True, None, ""])
    async def test_value_is_what_the_pointer_finds(self, server, reply, found):
        server.routes["/"] = reply(json.dumps({"a": [{"b/c": found}]}).encode())

        assert await sample(server.url(), "/a/0/b~1c") == Sample({"status": 200, "value": found})

    async def test_empty_pointer_means_the_whole_answer(self, server, reply):
        server.routes["/"] = reply(b"42")

        assert await sample(server.url(), "") == Sample({"status": 200, "value": 42})

    @pytest.mark.parametrize(
        "body", [b"{}", b'{"b": 1}', b"[]", b"1", b'{"a": NaN}', b'{"a": 1e999}']
    )
    async def test_absent_or_not_finite_value_is_no_data(self, server, reply, body):
        server.routes["/"] = reply(body)

        assert await sample(server.url(), "/a") == Sample({"status": 200})

    @pytest.mark.parametrize("body", [b'{"a": [1]}', b'{"a": {}}', b"<html>", b"", b"[" * 200_000])
    async def test_answer_of_the_wrong_type_is_an_error(self, server, reply, body):
        server.routes["/"] = reply(body)

        assert (await sample(server.url(), "/a")).error.startswith("the answer cannot be used")

    async def test_error_page_leaves_its_status_as_evidence(self, server, reply):
        server.routes["/"] = reply(b"<html>down</html>", status="503 Down")

        assert await sample(server.url(), "/a") == Sample({"status": 503})


class TestLimits:
    async def test_body_beyond_the_limit_is_an_error(self, server, reply):
        server.routes["/"] = reply(b'"' + b"x" * BODY_BYTES_MAX + b'"')

        assert await sample(server.url(), "") == Sample(error="the answer is longer than 1024 KiB")

    async def test_body_is_not_read_where_no_value_is_asked_for(self, server, reply):
        server.routes["/"] = [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", b"x"]

        assert await sample(server.url()) == Sample({"status": 200})

    @pytest.mark.parametrize("value", [None, "/a"])
    async def test_server_that_does_not_answer_is_an_error_at_the_deadline(self, server, value):
        server.routes["/"] = None

        found = await sample(server.url(), value, deadline_s=0.05)

        assert found == Sample(error="no answer of `127.0.0.1` within 0.05 s")

    async def test_body_that_drips_is_an_error_at_the_deadline(self, server):
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n1"

        async def drip(reader, writer):
            writer.write(head)
            await asyncio.Event().wait()

        async with listening(drip) as port:
            found = await sample(f"http://127.0.0.1:{port}/", "", deadline_s=0.1)

        assert found == Sample(error="no answer of `127.0.0.1` within 0.1 s")

    async def test_compressed_body_is_refused_and_not_unpacked(self, server, reply):
        server.routes["/"] = reply(b"\x1f\x8b", headers=["content-encoding: gzip"])

        assert "is compressed" in (await sample(server.url(), "")).error

    async def test_refused_connection_is_an_error(self, unused_port):
        found = await sample(f"http://127.0.0.1:{unused_port}/")

        assert found.fields == {}
        assert found.error.startswith("`127.0.0.1`: ")

    async def test_nonsense_of_a_server_is_an_error_in_printable_ascii(self, server):
        server.routes["/"] = b"\x1b[2J\xff\r\n\r\n"

        found = await sample(server.url())

        assert found.fields == {}
        assert found.error.isprintable()
        assert found.error.isascii()
        assert len(found.error) <= 300


class TestRequest:
    async def test_nothing_of_the_environment_goes_along(self, server, reply, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        server.routes["/q?a=1"] = reply()

        assert await sample(server.url("/q?a=1")) == Sample({"status": 200})

        head = server.asked[0].lower()
        assert f"host: 127.0.0.1:{server.port}" in head
        assert "accept-encoding: identity" in head
        assert "authorization" not in head
        assert "cookie" not in head

    async def test_name_stands_in_the_host_header(self, server, reply, monkeypatch):
        resolves_to(monkeypatch, "127.0.0.1")
        server.routes["/"] = reply()

        assert await sample(server.url(host="gate.test")) == Sample({"status": 200})

        assert f"host: gate.test:{server.port}" in server.asked[0].lower()

    async def test_next_address_is_tried_when_one_refuses(self, server, reply, monkeypatch):
        resolves_to(monkeypatch, "127.0.0.99", "127.0.0.1")
        server.routes["/"] = reply()

        assert await sample(server.url(host="gate.test")) == Sample({"status": 200})

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "ftp://h/",
            "gopher://h/",
            "http:///x",
            "//h/",
            "",
            "http://[::1",
            "x",
        ],
    )
    async def test_other_addresses_are_refused(self, url):
        probe = Probe(ProbeKind.HTTP, url=url)

        assert Probes().refused(probe)
        assert (await sample(url)).error == Probes().refused(probe)

    async def test_password_in_an_address_is_refused_and_not_repeated(self):
        found = await sample("http://ann:s3cret@127.0.0.1:1/")

        assert "must not hold a user or password" in found.error
        assert "s3cret" not in found.error

    async def test_proper_address_is_not_refused(self):
        assert Probes().refused(Probe(ProbeKind.HTTP, url="https://gate.test/x")) is None


class TestForbiddenAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
            "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "::", "224.0.0.1", "odd",
        ],
    )  # fmt: skip
    async def test_name_that_leads_to_metadata_is_refused(self, monkeypatch, address):
        resolves_to(monkeypatch, address)

        found = await sample("http://gate.test:1/")

        assert found.error == "`gate.test` resolves to a link-local or metadata address"

    async def test_forbidden_address_among_others_is_left_out(self, server, reply, monkeypatch):
        resolves_to(monkeypatch, "169.254.169.254", "127.0.0.1")
        server.routes["/"] = reply()

        assert await sample(server.url(host="gate.test")) == Sample({"status": 200})

    async def test_address_that_the_plan_writes_out_is_not_looked_up(self, monkeypatch):
        resolves_to(monkeypatch)

        assert await http.addresses("169.254.169.254", 80) == ["169.254.169.254"]
        assert await http.addresses("fe80::1", 80) == ["fe80::1"]

    async def test_name_that_does_not_resolve_is_an_error(self, monkeypatch):
        async def getaddrinfo(*_args, **_more):
            raise OSError(-2, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

        assert (await sample("http://gate.test/")).error == "`gate.test` does not resolve"


class TestRedirects:
    async def test_redirect_on_the_same_host_is_followed(self, server, reply):
        server.routes["/"] = reply(status="302 Found", headers=["location: /b"])
        server.routes["/b"] = reply(b"7")

        assert await sample(server.url(), "") == Sample({"status": 200, "value": 7})

    @pytest.mark.parametrize(
        "location",
        ["http://169.254.169.254/latest", "http://localhost:{port}/", "http://127.0.0.1:1/",
         "//other/", "https://127.0.0.1:{port}/"],
    )  # fmt: skip
    async def test_redirect_to_another_place_is_an_error(self, server, reply, location):
        there = location.format(port=server.port)
        server.routes["/"] = reply(status="302 Found", headers=[f"location: {there}"])

        found = await sample(server.url())

        assert "redirects to another place" in found.error
        assert len(server.asked) == 1

    @pytest.mark.parametrize(
        "location", ["file:///etc/passwd", "http://[", "http://u:p@127.0.0.1/"]
    )
    async def test_redirect_to_nonsense_is_an_error(self, server, reply, location):
        server.routes["/"] = reply(status="302 Found", headers=[f"location: {location}"])

        found = await sample(server.url())

        assert found.error
        assert found.fields == {}

    async def test_endless_redirects_are_an_error(self, server, reply):
        server.routes["/"] = reply(status="307 Again", headers=["location: /"])

        found = await sample(server.url())

        assert found == Sample(error="`127.0.0.1` redirects more than 3 times")
        assert len(server.asked) == 4

    async def test_redirect_without_a_location_is_just_a_status(self, server, reply):
        server.routes["/"] = reply(status="302 Found")

        assert await sample(server.url()) == Sample({"status": 302})

    def test_upgrade_to_https_of_the_same_host_is_followed(self):
        answer = type("Answer", (), {})()
        answer.status_code = 301
        answer.headers = {"location": "https://gate.test/x"}

        onward = http._redirect(http.checked_url("http://gate.test/x"), answer)

        assert str(onward) == "https://gate.test/x"


class TestTls:
    async def test_certificate_that_nobody_vouches_for_is_an_error(self, tls_server):
        found = await sample(f"https://127.0.0.1:{tls_server}/")

        assert found.fields == {}
        assert "certificate" in found.error.lower()

    async def test_name_in_the_certificate_is_checked_against_the_name_in_the_plan(
        self, tls_server, trusted, monkeypatch
    ):
        resolves_to(monkeypatch, "127.0.0.1")

        right = await sample(f"https://gate.test:{tls_server}/")
        wrong = await sample(f"https://other.test:{tls_server}/")

        assert right == Sample({"status": 200})
        assert "certificate" in wrong.error.lower()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    where = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=gate.test", "-addext",
         "subjectAltName=DNS:gate.test", "-keyout", where / "key", "-out", where / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    return where


@pytest.fixture
async def tls_server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    async with listening(serve, tls=context) as port:
        yield port


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The host's trust store holds the certificate (OpenSSL reads SSL_CERT_FILE)."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    http._tls_context.cache_clear()
    yield
    http._tls_context.cache_clear()
