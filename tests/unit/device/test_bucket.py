"""Buckets of devices, as a shell computes them."""

import subprocess

from orchestrator.device.bucket import bucket


def test_buckets_are_those_that_a_shell_computes():
    line = subprocess.run(
        ["sha256sum"], input=b"42 gw-001", capture_output=True, check=True
    ).stdout.decode()

    assert bucket(42, "gw-001") == int(line[:8], 16) % 100
    counts = [sum(bucket(7, f"dev-{n}") < percent for n in range(20_000)) for percent in (5, 25)]
    assert [round(count / 200) for count in counts] == [5, 25]
