import sys

import pytest

from orchestrator.engine.ports import Sample
from orchestrator.gates.probes import Allowed, Probes
from orchestrator.plan.resolved import Probe, ProbeKind
from tests.contract.example_kind import install

ALLOWED = Allowed(kinds=("example", "absent", "loud"))


def probe(answer="42", kind="example"):
    options = (("answer", answer),) if answer else ()
    return Probe(ProbeKind.PLUGIN, plugin=kind, options=options)


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch)
    yield
    sys.modules.pop("rollout_example", None)


async def test_kind_that_the_operator_allows_is_loaded_and_asked():
    assert await Probes(ALLOWED).sample(probe(), deadline_s=5) == Sample({"value": 42})


async def test_kind_that_is_not_allowed_is_never_imported():
    asked = Probes(Allowed(kinds=("other",)))

    assert "not allowed" in asked.refused(probe())
    assert "not allowed" in (await asked.sample(probe(), deadline_s=5)).error
    assert "rollout_example" not in sys.modules


async def test_kind_that_no_plan_names_is_never_imported():
    assert Probes(ALLOWED).refused(Probe(ProbeKind.TCP, host="h", port=1)) is None
    assert "rollout_example" not in sys.modules


def test_kind_that_is_not_installed_is_refused():
    assert Probes(ALLOWED).refused(probe(kind="absent")) == (
        "0 installed packages bring the gate kind `absent`, not one"
    )


def test_kind_that_two_packages_bring_is_refused(tmp_path, monkeypatch):
    (tmp_path / "second").mkdir()
    install(tmp_path / "second", monkeypatch, name="rollout-second")

    assert "2 installed packages" in Probes(ALLOWED).refused(probe())


def test_package_that_cannot_be_imported_is_refused_with_its_error(tmp_path, monkeypatch):
    (tmp_path / "loud").mkdir()
    install(tmp_path / "loud", monkeypatch, name="rollout-loud", kind="loud")
    (tmp_path / "loud/rollout_loud.py").write_text("raise OSError('no \\x1b[31mlibrary')\n")

    found = Probes(ALLOWED).refused(probe(kind="loud"))

    assert found == "gate kind `loud` failed: OSError: no \\x1b[31mlibrary"


def test_kind_refuses_its_own_probes():
    assert Probes(ALLOWED).refused(probe(answer="")) == "`example` needs `answer`"


@pytest.mark.parametrize("answer", ["list", "nothing"])
async def test_what_is_no_sample_is_an_error(answer):
    found = await Probes(ALLOWED).sample(probe(answer), deadline_s=5)

    assert found == Sample(error="gate kind `example` gave what is no sample")


async def test_values_that_are_not_finite_are_no_data():
    assert await Probes(ALLOWED).sample(probe("nan"), deadline_s=5) == Sample(series={"b": 1.0})


async def test_exception_of_a_package_is_an_error_and_stops_nothing():
    found = await Probes(ALLOWED).sample(probe("boom"), deadline_s=5)

    assert found.error.startswith("gate kind `example` failed: ValueError")
