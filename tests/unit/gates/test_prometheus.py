"""Answers of a hostile or odd server; tests/integration/test_prometheus.py asks a real one."""

import json

import pytest

from orchestrator.engine.ports import History, Sample
from orchestrator.gates import prometheus
from orchestrator.gates.probes import Allowed, Probes
from orchestrator.plan.resolved import Probe, ProbeKind

PATH = "/api/v1/query?query=up&timeout=5s"
RANGE = "/api/v1/query_range?query=up&timeout=5s&start=100.000&end=160.000&step=20.000"


def probe(server, **more):
    return Probe(ProbeKind.PROMETHEUS, url=server.url(""), query="up", **more)


async def sample(server, label="", **more):
    return await Probes(**more).sample(probe(server, label=label), deadline_s=5)


async def history(server, label="", *, end_at=160.0, step_s=20.0):
    return await Probes().history(
        probe(server, label=label), start_at=100.0, end_at=end_at, step_s=step_s, deadline_s=5
    )


@pytest.fixture
def answers(server, reply):
    """Sets what the server says: a result, or the body as a whole."""

    def set_answer(kind="vector", result=(), *, path=PATH, body=None, status="200 OK", **more):
        document = {"status": "success", "data": {"resultType": kind, "result": result}} | more
        server.routes[path] = reply(
            json.dumps(document).encode() if body is None else body, status=status
        )

    return set_answer


def series(value="1", **labels):
    return {"metric": labels, "value": [1700000000.1, value]}


class TestValue:
    @pytest.mark.parametrize(
        ("text", "value"),
        [("1", 1.0), ("-0.5", -0.5), ("1e3", 1000.0), ("1.5e-05", 1.5e-05), ("0", 0.0)],
    )
    async def test_one_value_is_the_field_value(self, server, answers, text, value):
        answers("vector", [series(text)])
        assert await sample(server) == Sample({"value": value})

        answers("scalar", [1700000000, text])
        assert await sample(server) == Sample({"value": value})

    @pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "Inf", "1e999"])
    async def test_what_is_not_finite_is_no_data(self, server, answers, text):
        answers("vector", [series(text)])
        assert await sample(server) == Sample()

        answers("scalar", [1700000000, text])
        assert await sample(server) == Sample()

    async def test_empty_vector_is_no_data(self, server, answers):
        answers("vector", [])

        assert await sample(server) == Sample()

    async def test_several_series_without_a_label_are_an_error(self, server, answers):
        answers("vector", [series(device="a"), series(device="b")])

        assert "gives 2 series, not one" in (await sample(server)).error

    @pytest.mark.parametrize("text", ["1_000", "0x10", " 1", "", "nan", "infinity", "1e"])
    async def test_text_that_is_no_number_of_theirs_is_an_error(self, server, answers, text):
        answers("vector", [series(text)])

        assert "form that Prometheus gives" in (await sample(server)).error


class TestLabel:
    async def test_series_are_values_by_device(self, server, answers):
        answers("vector", [series("1", device="gw-1"), series("2.5", device="gw-2", job="x")])

        assert await sample(server, "device") == Sample(series={"gw-1": 1.0, "gw-2": 2.5})

    async def test_device_whose_value_is_not_finite_has_no_data(self, server, answers):
        answers("vector", [series("NaN", device="gw-1"), series("2", device="gw-2")])

        assert await sample(server, "device") == Sample(series={"gw-2": 2.0})

    async def test_no_series_are_no_data(self, server, answers):
        answers("vector", [])

        assert await sample(server, "device") == Sample()

    async def test_series_without_the_label_is_an_error(self, server, answers):
        answers("vector", [series(device="gw-1"), series(instance="gw-2")])

        assert (await sample(server, "device")).error == "a series has no label `device`"

    async def test_two_series_of_one_device_are_an_error(self, server, answers):
        answers("vector", [series(device="gw-1", job="a"), series(device="gw-1", job="b")])

        assert (await sample(server, "device")).error == "two series have `device` = `gw-1`"

    async def test_one_value_for_all_is_an_error_where_one_per_device_was_asked(
        self, server, answers
    ):
        answers("scalar", [1, "1"])

        assert "one value for all" in (await sample(server, "device")).error


class TestRefusals:
    @pytest.mark.parametrize("kind", ["matrix", "string", "streams", "", None])
    async def test_other_results_are_errors(self, server, answers, kind):
        answers(kind, [])

        assert "not a value or an instant vector" in (await sample(server)).error

    async def test_error_of_the_server_is_told(self, server, answers):
        body = {"status": "error", "errorType": "bad_data", "error": "parse error: \x1b[31m"}
        answers(body=json.dumps(body).encode(), status="400 Bad Request")

        assert (await sample(server)).error == (
            "the server refuses: bad_data: parse error: \\x1b[31m"
        )

    async def test_warning_makes_it_an_error_for_the_answer_may_be_partial(self, server, answers):
        answers("vector", [series("0")], warnings=["store gone"])

        assert "may be partial: store gone" in (await sample(server)).error

    @pytest.mark.parametrize(
        "body", [b"<html>", b"", b"[]", b"null", b"[" * 100_000, b'{"status": "success"}', b"{}"]
    )
    async def test_other_bodies_are_errors(self, server, answers, body):
        answers(body=body)

        assert (await sample(server)).error

    @pytest.mark.parametrize("status", ["401 Unauthorized", "503 Down", "404 Not Found"])
    async def test_other_statuses_are_errors_whatever_the_body_says(self, server, answers, status):
        answers("vector", [series("0")], status=status)

        assert status[:3] in (await sample(server)).error

    @pytest.mark.parametrize(
        "result", [None, {}, [1], [{}], [{"metric": 1}], [{"metric": {}}], [series(1)],
                   [{"metric": {}, "value": ["1", "1"]}], [{"metric": {}, "histogram": []}]],
    )  # fmt: skip
    async def test_malformed_results_are_errors(self, server, answers, result):
        answers("vector", result)

        assert (await sample(server)).error
        assert not (await sample(server)).fields


class TestLimits:
    async def test_body_beyond_the_limit_is_an_error(self, server, answers, monkeypatch):
        monkeypatch.setattr(prometheus, "BODY_BYTES_MAX", 64 * 1024)
        answers(body=b'"' + b"x" * 64 * 1024 + b'"')

        assert (await sample(server)).error == "the answer is longer than 64 KiB"

    async def test_more_series_than_the_limit_are_an_error(self, server, answers, monkeypatch):
        monkeypatch.setattr(prometheus, "SERIES_MAX", 3)
        answers("vector", [series(device=f"gw-{n}") for n in range(4)])

        assert "4 series; at most 3 are read" in (await sample(server, "device")).error

    async def test_endless_answer_ends_at_the_limit(self, server, monkeypatch):
        monkeypatch.setattr(prometheus, "BODY_BYTES_MAX", 64 * 1024)
        server.routes[PATH] = [b"HTTP/1.1 200 OK\r\n\r\n", *([b"x" * 65536] * 64)]

        assert "longer than" in (await sample(server)).error

    async def test_redirect_to_another_place_is_an_error(self, server, reply):
        there = ["location: http://127.0.0.1:1/api/v1/query"]
        server.routes[PATH] = reply(status="302 Found", headers=there)

        assert "redirects to another place" in (await sample(server)).error

    @pytest.mark.parametrize(
        ("url", "query", "why"),
        [
            ("ftp://prom", "up", "not an http"),
            ("http://u:p@prom", "up", "user or password"),
            ("http://prom/?x=1", "up", "base address"),
            ("http://prom", " ", "1 to 16384 characters"),
            ("http://prom", "x" * 16385, "1 to 16384 characters"),
        ],
    )
    def test_what_can_never_be_asked_is_refused_up_front(self, url, query, why):
        asked = Probe(ProbeKind.PROMETHEUS, url=url, query=query)

        assert why in Probes().refused(asked)

    async def test_address_may_have_a_path(self, server, reply):
        server.routes["/prom" + PATH] = reply(b"{}")
        asked = Probe(ProbeKind.PROMETHEUS, url=server.url("/prom/"), query="up")

        assert Probes().refused(asked) is None
        assert (await Probes().sample(asked, deadline_s=5)).error.startswith("status 200")


class TestHistory:
    async def test_each_step_has_a_sample_and_a_gap_has_no_data(self, server, answers):
        values = [[100, "1"], [120, "2"], [160, "NaN"]]
        answers("matrix", [{"metric": {}, "values": values}], path=RANGE)

        assert await history(server) == History((
            (100.0, Sample({"value": 1.0})), (120.0, Sample({"value": 2.0})),
            (140.0, Sample()), (160.0, Sample()),
        ))  # fmt: skip

    async def test_values_by_device_stand_at_their_times(self, server, answers):
        result = [
            {"metric": {"device": "a"}, "values": [[100, "1"], [140, "3"]]},
            {"metric": {"device": "b"}, "values": [[140.0004, "4"], [900, "9"]]},
        ]
        answers("matrix", result, path=RANGE)

        found = await history(server, "device")

        assert [sample.series for _, sample in found.samples] == [
            {"a": 1.0}, {}, {"a": 3.0, "b": 4.0}, {},
        ]  # fmt: skip

    async def test_nothing_known_is_no_data_all_along(self, server, answers):
        answers("matrix", [], path=RANGE)

        found = await history(server)

        assert [sample for _, sample in found.samples] == [Sample()] * 4

    @pytest.mark.parametrize("end_at", [99.0, 100.0 + 20 * 11_000])
    async def test_empty_and_endless_ranges_are_errors(self, server, end_at):
        assert "points cannot be asked" in (await history(server, end_at=end_at)).error
        assert server.asked == []

    async def test_other_results_are_errors(self, server, answers):
        answers("vector", [series()], path=RANGE)

        assert "not a matrix" in (await history(server)).error


class TestToken:
    @pytest.fixture
    def token(self, tmp_path):
        file = tmp_path / "token"
        file.write_text("s3cret-token\n")
        return file

    async def ask(self, server, entry, environment=None):
        allowed = Allowed(tokens=(entry,), environment=environment or {})
        return await sample(server, allowed=allowed)

    async def test_token_of_a_file_goes_to_its_origin(self, server, answers, token):
        answers("vector", [series("0")])

        assert await self.ask(server, f"{server.url('')}=file:{token}") == Sample({"value": 0.0})
        assert "authorization: Bearer s3cret-token\r\n" in server.asked[0]

    async def test_token_of_the_environment_goes_to_its_origin(self, server, answers):
        answers("vector", [series("0")])

        await self.ask(server, f"{server.url('')}=env:PROM", {"PROM": "other"})

        assert "authorization: Bearer other\r\n" in server.asked[0]

    async def test_renewed_token_is_used_at_once(self, server, answers, token):
        answers("vector", [series("0")])
        asked = Probes(Allowed(tokens=(f"{server.url('')}=file:{token}",)))
        await asked.sample(probe(server), deadline_s=5)

        token.write_text("fresh")
        await asked.sample(probe(server), deadline_s=5)

        assert "Bearer fresh" in server.asked[1]

    async def test_token_of_another_origin_stays_here(self, server, answers, token):
        answers("vector", [series("0")])

        await self.ask(server, f"http://127.0.0.1:1=file:{token}")

        assert "authorization" not in server.asked[0].lower()

    async def test_http_gate_never_carries_a_token(self, server, reply, token):
        server.routes["/"] = reply()
        asked = Probes(Allowed(tokens=(f"{server.url('')}=file:{token}",)))

        await asked.sample(Probe(ProbeKind.HTTP, url=server.url()), deadline_s=5)

        assert "authorization" not in server.asked[0].lower()

    @pytest.mark.parametrize("content", ["", "\n", "two words", "t\xf6ken", "a\x1bb", "a\r\nx: y"])
    async def test_malformed_token_is_an_error_and_is_not_shown(self, server, token, content):
        token.write_text(content)

        found = await self.ask(server, f"{server.url('')}=file:{token}")

        assert "missing or malformed" in found.error
        assert server.asked == []

    async def test_missing_file_or_variable_is_an_error(self, server):
        assert "cannot be read" in (await self.ask(server, f"{server.url('')}=file:/nope")).error
        assert "missing" in (await self.ask(server, f"{server.url('')}=env:NOPE")).error

    @pytest.mark.parametrize(
        "entry",
        ["https://prom", "https://prom=secret", "https://prom=file:", "https://prom/x=env:A",
         "prom=env:A", "ftp://prom=env:A"],
    )  # fmt: skip
    def test_entry_that_cannot_be_read_is_refused(self, entry):
        with pytest.raises(Exception, match=r".") as caught:
            Probes(Allowed(tokens=(entry,)))

        assert type(caught.value).__name__ == "OutwardError"

    def test_origin_stands_once(self):
        with pytest.raises(Exception, match="stand once"):
            Probes(Allowed(tokens=("https://prom=env:A", "https://prom:443=env:B")))

    def test_token_is_not_printed(self):
        from orchestrator.outward.http import Token

        assert "secret" not in repr(Token(("https", "prom", 443), "secret"))
