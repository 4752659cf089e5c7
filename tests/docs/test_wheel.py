"""The wheel in a clean environment: all it ships is there, and it runs without the repository."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NOT_SHIPPED = {"__pycache__"}


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    where = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", where, cwd=REPOSITORY)
    (made,) = where.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A new environment with the wheel; the dependencies are lent by the one that runs the tests."""
    where = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", where)
    python = where / "bin" / "python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    return where


def python(environment, script, cwd):
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return run(
        environment / "bin" / "python", "-I", "-c", script, cwd=cwd, env=clean
    ).stdout.strip()


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    wanted = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "orchestrator").rglob("*")
        if path.is_file() and not NOT_SHIPPED & set(path.parts)
    } | {f"orchestrator/schemas/{path.name}" for path in (REPOSITORY / "schemas").iterdir()}
    directories = (REPOSITORY / "docs/reference", REPOSITORY / "docs/pipelines")
    pages = [page for directory in directories for page in directory.iterdir()]
    pages.append(REPOSITORY / "docs/how-to/audit.md")
    wanted |= {f"orchestrator/pages/{page.relative_to(REPOSITORY / 'docs')}" for page in pages}

    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert shipped == wanted
    assert "orchestrator/device/helper.sh" in shipped
    assert "orchestrator/device/checks.sh" in shipped
    assert "orchestrator/device/trust.sh" in shipped
    assert "orchestrator/schemas/plan.v1.json" in shipped
    assert "orchestrator/pages/reference/codes.md" in shipped
    assert "orchestrator/py.typed" in shipped
    assert any(name.startswith("orchestrator/device/modules/") for name in shipped)


def test_command_runs_without_the_repository(environment, tmp_path):
    done = run(
        environment / "bin" / "rollout", "version", cwd=tmp_path, env={"HOME": str(tmp_path)}
    )

    from orchestrator import __version__

    assert __version__ in done.stdout


def test_codes_and_schemas_are_explained_without_the_repository(environment, tmp_path):
    script = (
        "from orchestrator import api\n"
        "print(api.explain('P203').page, len(api.meanings()) > 300, 'plan' in api.schema_names())"
    )

    shown = python(environment, script, tmp_path)

    assert shown == "docs/reference/plan.md True True"


def test_new_project_has_its_pipelines_without_the_repository(environment, tmp_path):
    script = "from pathlib import Path; from orchestrator import api; print(*api.init(Path('new')))"

    written = python(environment, script, tmp_path)

    assert "new/.github/workflows/rollout.yml" in written
    assert "@VERSION@" not in (tmp_path / "new/.gitlab-ci.yml").read_text()


def test_code_comes_from_the_wheel(environment, tmp_path):
    place = python(environment, "import orchestrator; print(orchestrator.__file__)", tmp_path)

    assert Path(place).is_relative_to(environment)


def test_state_store_finds_its_migrations(environment, tmp_path):
    script = (
        "import asyncio; from orchestrator.store.sql import open_store\n"
        "async def main():\n"
        "    store = await open_store('state.db'); print(await store.rollouts()); await store.close()\n"
        "asyncio.run(main())"
    )

    assert python(environment, script, tmp_path) == "[]"


def test_licence_goes_along(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
