"""The device's shell takes the tickets and roots that Python takes, and refuses for the same reason.

Python's side of the same table: tests/unit/trust/test_judge.py.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.testing.tickets import raw_line
from orchestrator.trust.signature_file import SSH_TAG
from tests.device.kit import Shell
from tests.hostile.batch import TrustBatch, without_openssl
from tests.hostile.conftest import THIRDS
from tests.hostile.more_tickets import more_cases
from tests.hostile.no_openssl import no_openssl_cases
from tests.hostile.tickets import IN, device_cases, verdict


@pytest.mark.parametrize("third", THIRDS)
def test_tickets_and_roots_are_judged_as_the_table_says(shell: Shell, place: Path, third: int):
    cases = [*device_cases(), *more_cases()][third :: len(THIRDS)]

    with TrustBatch(shell, place) as batch:
        answers = {case.name: verdict(case.answer(batch, place)) for case in cases}

    assert answers == {case.name: case.wanted for case in cases}


def test_files_that_cannot_be_written_count_for_nobody(shell: Shell, place: Path):
    """Those of the key before are still there, and `ssh-keygen` would say yes to them."""
    good = next(case for case in no_openssl_cases() if case.name.startswith("S01"))
    first, second, *rest = good.files[f"{IN}/ticket.sig"].splitlines(keepends=True)
    rubbish = raw_line(second.split()[1].decode(), SSH_TAG + bytes(64))
    files = good.files | {f"{IN}/ticket.sig": b"".join((first, rubbish, *rest))}

    with TrustBatch(shell, place) as batch:
        keygen = Path(without_openssl(shell, place), "ssh-keygen")
        real, chmod = keygen.readlink(), shutil.which("chmod")
        keygen.unlink()
        keygen.write_text(f'#!/bin/sh\n{real} "$@"\nrc=$?\n{chmod} 400 "$4" "${{10}}"\nexit $rc\n')
        keygen.chmod(0o755)
        answer = replace(good, files=files).answer(batch, place)

    assert verdict(answer) == "io"
