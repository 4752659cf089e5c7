"""What is written down of Ansible's answers is what Ansible says today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.ansible_cases import all_cases
from tests.ansible_oracle import record, recorded

# A process of Ansible for each of some 440 cases: four minutes of one core.
pytestmark = [pytest.mark.integration, pytest.mark.night, pytest.mark.timeout(3600)]
REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "ansible.txt"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment of its own: Ansible is asked as a process, never imported."""
    directory = tmp_path_factory.mktemp("ansible")
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    install = ["-m", "pip", "install", "-q", "--require-hashes", "-r", str(REQUIREMENTS)]
    subprocess.run([directory / "bin" / "python", *install], check=True)
    return directory / "bin"


def test_ansible_gives_the_answers_that_are_written_down(programs: Path) -> None:
    answers, known = record(programs, {})["answers"], recorded()

    differing = [case.name for case in all_cases() if answers[case.digest] != known[case.digest]]
    assert differing == []
