import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.engine.ports import Prober
from orchestrator.gates.probes import Probes
from orchestrator.plan.resolved import Probe, ProbeKind


def as_port(probes: Probes) -> Prober:
    """mypy checks here that the prober has the port's shape."""
    return probes


def test_bad_pointer_is_refused_at_preview():
    probe = Probe(ProbeKind.HTTP, url="http://gate.test/", value="status")

    assert "JSON pointer `status`" in Probes().refused(probe)


@pytest.mark.parametrize("key", ["a=b", "PLAN", "", "1"])
def test_context_keys_become_names_of_variables(key):
    with pytest.raises(AssertionError):
        Probes(context={key: "x"})


def test_httpx_is_not_loaded_before_a_sample_needs_it():
    script = "import sys, orchestrator.gates.probes; print('httpx' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )

    assert done.stdout == "False\n"
