"""A session for tests: no terminal, nobody to ask, and streams that are looked at."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api import Run, Settings
from orchestrator.cli.session import Session
from orchestrator.render.text import Look
from tests.unit.cli.watched import a_run


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(
        settings=Settings(root=tmp_path, state=str(tmp_path / "state.db")),
        out=Look(80),
        err=Look(80),
        live=False,
        may_ask=False,
    )


@pytest.fixture
def asking(session: Session) -> Session:
    return replace(session, may_ask=True)


@pytest.fixture
def run() -> Run:
    return a_run()
