"""`make bench`: controller CPU of a whole rollout beside a bare transfer to the same devices.

Prints `key=value` lines. CPU is of this process alone (user and system, all threads, imports
excluded); the fleet's own servers run in another process. Figures are medians of `--rounds`
interleaved rounds. `device_cpu_ms` covers planning's result to the last commit: connections, upload,
proof over a second connection, checks, commit, engine and store. `plan_100k_cpu_s` is what
`benchmarks/planning.py` measures, `events_per_cpu_s` what `benchmarks/events.py` does, `append_cpu_us` and
what is of an audit `benchmarks/audit.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from orchestrator import api
from orchestrator.api.memory import settled_memory
from orchestrator.errors import ExitCode
from orchestrator.inventory import load_inventory
from orchestrator.lab import client
from orchestrator.lab.layout import LabOptions
from orchestrator.rollout.events import JournalEntry

sys.path.insert(0, str(Path(__file__).parent))
from audit import AUDIT_EVENTS_PER_CPU_S_MIN, ENTRIES_COUNT, audited
from bare import upload_all
from events import EVENTS_PER_CPU_S_MIN, events_per_cpu_s
from planning import CPU_S_MAX, plan_100k_cpu_s

PARALLEL_COUNT = 200
RATIO_MAX = 2.5
PLAN = """\
schema: 1
name: bench
release: "{release}"
hosts: lab
artifact: ./{artifact}
waves: [rest]
slow_start: false
max_parallel: {parallel}
max_failures: 0
gates:
  - name: healthy
    check: app
    success_when: result.exit == 0
"""


@dataclass
class Watcher(api.Nobody):
    """Counts what was committed."""

    entries_count: int = 0
    problems: list[str] = field(default_factory=list)

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Entries were committed."""
        self.entries_count += len(entries)


def cpu_s() -> float:
    """CPU seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def build(place: Path, number: int, size_bytes: int) -> Path:
    """A signed directory artifact with a payload of `size_bytes` that no compression shrinks."""
    tree = place / f"tree-{number}"
    tree.mkdir()
    (tree / "service.json").write_text(f'{{"version": "{number}", "healthy": true}}')
    (tree / "blob").write_bytes(os.urandom(size_bytes))
    out = place / f"bench-{number}.mender"
    request = api.BuildRequest(
        kind="directory", out=out, name=f"bench-{number}", device_types=("lab",), source=tree,
        dest="/opt/app", compression="none", sign_key=place / "key",
    )  # fmt: skip
    api.artifact_build(request)
    (place / f"plan-{number}.yml").write_text(
        PLAN.format(release=number, artifact=out.name, parallel=PARALLEL_COUNT)
    )
    return out


async def rollout(settings: api.Settings, plan: Path, count: int) -> tuple[float, float]:
    """CPU and wall seconds of one whole rollout of a prepared plan.

    Raises:
        RuntimeError: it did not succeed on every device.
    """
    source = api.Source(inventory=settings.inventory)
    prepared = await api.prepare(settings, api.PlanRequest(plan, source))
    watcher = Watcher()
    before_s, start_s = cpu_s(), time.monotonic()
    done = await api.apply(settings, prepared, observer=watcher, drain=asyncio.Event())
    used_s, wall_s = cpu_s() - before_s, time.monotonic() - start_s
    if done.exit_code is not ExitCode.DONE or watcher.entries_count < count:
        message = f"rollout ended with {done.exit_code!r}"
        raise RuntimeError(message)
    return used_s, wall_s


async def bench(place: Path, count: int, size_bytes: int, rounds: int) -> dict[str, float]:
    """Both clients on the same fleet, interleaved."""
    api.key_generate(place / "key")
    artifacts = [build(place, number, size_bytes) for number in range(rounds + 1)]
    pointer = place / "lab.json"
    # Without namespaces: starting one costs the fleet more CPU than all of its other work.
    options = LabOptions(devices=count, isolate=False, signing_keys=(place / "key.pub",))
    lab = client.up(options, pointer=pointer)
    try:
        return await _measure(place, lab.inventory, artifacts, count)
    finally:
        client.down(pointer=pointer)


async def _measure(
    place: Path, inventory: str, artifacts: Sequence[Path], count: int
) -> dict[str, float]:
    settings = api.Settings(root=place, state=str(place / "state.db"), inventory=(inventory,))
    devices = load_inventory([inventory], cwd=place).select("lab")
    key = asyncssh.read_private_key(str(devices[0].address.key_file))
    bare, ours, walls = [], [], []
    for number, artifact in enumerate(artifacts):
        body = artifact.read_bytes()
        before_s = cpu_s()
        with settled_memory():  # as a program of its own, it would have nothing to look through
            await upload_all(devices, key, body, PARALLEL_COUNT)
        bare_s = cpu_s() - before_s
        ours_s, wall_s = await rollout(settings, place / f"plan-{number}.yml", count)
        if number:  # the first round pays for imports and caches
            bare.append(bare_s * 1000 / count)
            ours.append(ours_s * 1000 / count)
            walls.append(wall_s)
    return {
        "device_cpu_ms": statistics.median(ours),
        "bare_cpu_ms": statistics.median(bare),
        "ratio": statistics.median(one / other for one, other in zip(ours, bare, strict=True)),
        "wall_s": statistics.median(walls),
    }


def main() -> int:
    """Runs the benchmark; exit code 1 where a figure is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--size-kib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        found = asyncio.run(
            bench(Path(name), options.devices, options.size_kib * 1024, options.rounds)
        )
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    planned_s = plan_100k_cpu_s()  # after the peak was read: another fleet's memory
    print(f"machine={platform.machine()} cores={os.cpu_count()} python={platform.python_version()}")
    print(f"devices={options.devices} artifact_kib={options.size_kib} rounds={options.rounds}")
    print(f"load_1m={os.getloadavg()[0]:.2f}")
    for key, value in found.items():
        print(f"{key}={value:.2f}")
    print(f"peak_memory_mib={peak_mib:.0f}")
    print(f"plan_100k_cpu_s={planned_s:.2f}")
    events_per_s = events_per_cpu_s()
    print(f"events_per_cpu_s={events_per_s:.0f}")
    with tempfile.TemporaryDirectory(dir=base) as name:
        audit = audited(ENTRIES_COUNT, Path(name))
    print(audit)
    fast = planned_s <= CPU_S_MAX and events_per_s >= EVENTS_PER_CPU_S_MIN
    fast = fast and audit.events_per_cpu_s >= AUDIT_EVENTS_PER_CPU_S_MIN
    return 0 if found["ratio"] <= RATIO_MAX and fast else 1


if __name__ == "__main__":
    raise SystemExit(main())
