"""The real transport keeps the contract of the port, against a device of the lab."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from orchestrator.testing.contracts import TransportCase, TransportContract
from tests.device.kit import directory
from tests.integration.lab_kit import frames, small_lab
from tests.loopback import free_port

pytestmark = pytest.mark.integration


class TestSshTransport(TransportContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.place = tmp_path

    @asynccontextmanager
    async def make(self):
        async with small_lab(self.place) as lab:
            device = lab.device()
            nobody = replace(device, address=replace(device.address, port=free_port()))
            files = frames(directory("r1").frames(lab.key))
            yield TransportCase(lab.transport, device, nobody, files)
