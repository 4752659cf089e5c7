"""Planning of a large fleet: CPU from the text of a plan to its preview.

With spread, cover and the `open` lines of a ticket.

`python benchmarks/planning.py` prints `plan_100k_cpu_s=`; `make bench` prints it as well.
"""

from __future__ import annotations

import time

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.preview import preview
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import (
    PlannedArtifact,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
)
from orchestrator.plan.survey import Surveyed

DEVICES_COUNT = 100_000
CPU_S_MAX = 5.0
OPENINGS = (PlannedOpening(5, 0.0), PlannedOpening(25, 86_400.0), PlannedOpening(100, 259_200.0))
PLAN = b"""\
schema: 1
name: bench
hosts: all
artifact: bench.mender
spread: [site, hardware]
max_parallel_per: {site: 2}
waves:
  - {name: lab, hosts: lab, size: 100%}
  - {name: canary, size: {percent: 2, min: 10, max: 50}, cover: [hardware, site]}
  - {name: early, size: 20%, cover: [hardware]}
  - {name: broad, size: rest}
gates:
  - {name: healthy, check: "app-{{ hardware }}", success_when: result.exit == 0}
"""


def plan_100k_cpu_s() -> float:
    """CPU seconds to plan 100 000 devices of 500 sites and 12 kinds that have all answered.

    Raises:
        RuntimeError: the plan is not what it should be.
    """
    devices = [_device(number) for number in range(DEVICES_COUNT)]
    trust = PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256", "rsa"))
    answer = Surveyed(
        reachable=True, device_type="box", artifact="old", manifest="2" * 64, trust=trust
    )
    survey = {device.id: answer for device in devices}
    claims = {"lab": [device.id for device in devices[:100]]}
    before_s = time.process_time()
    shown = preview(
        resolve_plan(
            parse_plan(PLAN, file="bench.yml"),
            devices=devices,
            artifact=_artifact(),
            survey=survey,
            claims=claims,
            set_vars={},
            plan_sha256="0" * 64,
            inventory_sha256="0" * 64,
            now=0.0,
            tool_version="bench",
        )
    )
    used_s = time.process_time() - before_s
    if sum(wave.devices_count for wave in shown.waves) != DEVICES_COUNT:
        message = "a device stands in no wave"
        raise RuntimeError(message)
    return used_s


def _device(number: int) -> Device:
    labels = {"site": f"site-{number * 7919 % 500}", "hardware": f"rev-{number % 12}"}
    return Device(DeviceId(f"gw-{number:06}"), Address("192.0.2.1"), labels, labels)


def _artifact() -> PlannedArtifact:
    return PlannedArtifact(
        path="bench.mender",
        name="bench-1",
        sha256="0" * 64,
        manifest_sha256="1" * 64,
        payload_type="directory",
        device_types=("box",),
        size_bytes=1,
        transfer_bytes=1,
        ticket=PlannedTicket("0" * 64, "1" * 64, "acme", 42, 1e9, 7, ("box",), OPENINGS),
    )


if __name__ == "__main__":
    print(f"plan_100k_cpu_s={plan_100k_cpu_s():.2f}")
