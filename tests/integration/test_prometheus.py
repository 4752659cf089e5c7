"""Prometheus gates against a real server from Debian that scrapes a real exporter."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from orchestrator.engine.clock import SystemClock
from orchestrator.engine.local import LocalExecutor
from orchestrator.engine.loop import devices_of
from orchestrator.engine.orders import Orders
from orchestrator.gates.probes import Probes
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.comparing import Groups, compared
from orchestrator.rollout.events import GateSampled
from orchestrator.rollout.states import WaveState
from orchestrator.rollout.verdict import Reading
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.transport import SimulatedTransport
from tests.loopback import free_port

SERVER = shutil.which("prometheus")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(SERVER is None, reason="prometheus is not installed"),
]
START_S = 60
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: fleet
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


DEVICES = [f"gw-{n:02}" for n in range(20)]
METRICS = "\n".join([
    "# TYPE gatewayd_crashes gauge",
    *(f'gatewayd_crashes{{device="{d}"}} {n % 3}' for n, d in enumerate(DEVICES)),
    "# TYPE gatewayd_restarts gauge",
    *(f'gatewayd_restarts{{device="{d}"}} {9 if n < 5 else 1}' for n, d in enumerate(DEVICES)),
    "# TYPE gatewayd_memory_bytes gauge",
    "gatewayd_memory_bytes 5.12e+08",
    "gatewayd_broken NaN",
    "gatewayd_endless +Inf",
    "",
])  # fmt: skip


@dataclass(frozen=True)
class Monitoring:
    """Where the server is."""

    url: str

    def probe(self, query: str, label: str = "") -> Probe:
        return Probe(ProbeKind.PROMETHEUS, url=self.url, query=query, label=label)


@pytest.fixture(scope="module")
def exporter() -> Iterator[int]:
    """The port of what answers with the metrics of a fleet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = METRICS.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests read nothing of it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def monitoring(tmp_path_factory: pytest.TempPathFactory, exporter: int) -> Iterator[Monitoring]:
    place = tmp_path_factory.mktemp("prometheus")
    (place / "prometheus.yml").write_text(CONFIG.format(port=exporter))
    port = free_port()
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(SERVER),
                f"--config.file={place / 'prometheus.yml'}",
                f"--storage.tsdb.path={place / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=place,
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_scraped(url, process, place / "log")
        yield Monitoring(url)
    finally:
        process.kill()
        process.wait()


def _wait_until_scraped(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until some seconds of data are there, of which the oldest is seen by a range query."""
    end = time.monotonic() + START_S
    query = f"{url}/api/v1/query?query=count_over_time(up[1m])"
    while time.monotonic() < end and process.poll() is None:
        try:
            found = httpx.get(query, trust_env=False).json()["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError):
            found = []
        if found and float(found[0]["value"][1]) >= 4:
            return
        time.sleep(0.2)
    pytest.fail(f"prometheus did not start: {log.read_text()[-2000:]}")


async def sample(monitoring: Monitoring, query: str, label: str = ""):
    return await Probes().sample(monitoring.probe(query, label), deadline_s=10)


async def test_value_of_a_metric_and_of_a_scalar(monitoring: Monitoring) -> None:
    assert (await sample(monitoring, "gatewayd_memory_bytes")).fields == {"value": 5.12e8}
    assert (await sample(monitoring, "scalar(gatewayd_memory_bytes)")).fields == {"value": 5.12e8}
    assert (await sample(monitoring, "1 + 1")).fields == {"value": 2.0}


@pytest.mark.parametrize(
    "query",
    ["no_such_metric", "gatewayd_broken", "gatewayd_endless", "0 / 0", "1 / 0", "up > 5",
     "scalar(no_such_metric)"],
)  # fmt: skip
async def test_nothing_nan_and_infinity_are_no_data(monitoring: Monitoring, query: str) -> None:
    found = await sample(monitoring, query)

    assert (dict(found.fields), found.error) == ({}, "")


async def test_series_by_device(monitoring: Monitoring) -> None:
    found = await sample(monitoring, "sum by (device) (gatewayd_crashes)", "device")

    assert found.series == {d: float(n % 3) for n, d in enumerate(DEVICES)}


@pytest.mark.parametrize(
    ("query", "label", "error"),
    [
        ("gatewayd_crashes", "", "gives 20 series, not one"),
        ("gatewayd_crashes", "site", "no label `site`"),
        ("gatewayd_crashes", "job", "two series have `job` = `fleet`"),
        ("gatewayd_crashes[5m]", "", "gives a matrix"),
        ('"text"', "", "gives a string"),
        ("sum(", "", "the server refuses: bad_data:"),
        ("rate(up)", "", "the server refuses: bad_data:"),
        ("1", "device", "one value for all"),
    ],
)
async def test_what_cannot_be_used_is_an_error(
    monitoring: Monitoring, query: str, label: str, error: str
) -> None:
    found = await sample(monitoring, query, label)

    assert error in found.error
    assert not found.fields


async def test_past_is_told_by_steps_and_before_the_first_scrape_is_no_data(
    monitoring: Monitoring,
) -> None:
    end_at = time.time() - 1

    found = await Probes().history(
        monitoring.probe("gatewayd_memory_bytes"),
        start_at=end_at - 7200, end_at=end_at, step_s=2, deadline_s=10,
    )  # fmt: skip

    assert found.error == ""
    assert len(found.samples) == 3601
    assert dict(found.samples[0][1].fields) == {}
    assert dict(found.samples[-1][1].fields) == {"value": 5.12e8}


async def test_next_engine_fills_the_gap_in_a_soak_from_the_real_server(
    monitoring: Monitoring,
) -> None:
    """R10, from the decision to the executor and back, with the server's own past."""
    (device,) = device_ids(1)
    gate = Gate(
        "memory",
        Stage.BACKGROUND,
        monitoring.probe("gatewayd_memory_bytes"),
        success_when="value > 0",
        interval_s=0.8,
    )
    plan = make_plan([ResolvedWave("all", "rest", (device,), soak_s=1.0)], gates=(gate,))
    rollout = Hand(plan)
    begun_at = time.time() - 3.0
    rollout.tick(begun_at)
    rollout.sample(1)
    rollout.succeed(device)
    rollout.now = begun_at + 2.9
    rollout.restart()
    rollout.tick(rollout.now)
    orders = Orders(plan, "ctl", 1, lambda: (), lambda: "n", SystemClock())
    executor = LocalExecutor(
        orders,
        transport=SimulatedTransport({}),
        prober=Probes(),
        devices=devices_of(plan),
    )

    async with executor:
        executor.ensure(rollout.samples())
        [event] = await executor.next_events(timeout_s=30, limit=1)
    rollout.apply(event)

    assert isinstance(event, GateSampled)
    assert [dict(each.fields) for each in event.past or ()] == [{"value": 5.12e8}] * 3
    books = rollout.rollout.ledger.gates[0]
    assert (books.gaps, books.inside.successes) == ([], 5)
    assert rollout.rollout.ledger.waves[0].state is not WaveState.SOAKING


async def test_comparison_of_what_the_server_knows(monitoring: Monitoring) -> None:
    found = await sample(monitoring, "gatewayd_restarts", "device")
    values = [found.series[device] for device in DEVICES]
    asked = Compare(CompareTo.CONTROL, CompareTest.MANN_WHITNEY, 0.02, Direction.INCREASE, 1.1, 5)

    assert compared(asked, Groups(tuple(values[:5]), tuple(values[5:]))).reading is Reading.FAILED
    same = compared(asked, Groups(tuple(values[5:12]), tuple(values[12:])))
    assert same.reading is Reading.SUCCESS


async def test_server_that_is_gone_is_an_error() -> None:
    gone = Probe(ProbeKind.PROMETHEUS, url=f"http://127.0.0.1:{free_port()}", query="up")

    assert (await Probes().sample(gone, deadline_s=5)).error
