"""The device's shell takes the tickets and roots that Python takes, and refuses for the same reason.

Python's side of the same table: tests/unit/trust/test_judge.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device.kit import Shell
from tests.hostile.batch import TrustBatch
from tests.hostile.conftest import THIRDS
from tests.hostile.more_tickets import more_cases
from tests.hostile.tickets import device_cases, verdict


@pytest.mark.parametrize("third", THIRDS)
def test_tickets_and_roots_are_judged_as_the_table_says(shell: Shell, place: Path, third: int):
    cases = [*device_cases(), *more_cases()][third :: len(THIRDS)]

    with TrustBatch(shell, place) as batch:
        answers = {case.name: verdict(case.answer(batch, place)) for case in cases}

    assert answers == {case.name: case.wanted for case in cases}
