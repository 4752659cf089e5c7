from orchestrator.engine.clock import ContinuedClock, SystemClock
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.contracts import ClockContract


class TestSystemClock(ClockContract):
    def make(self):
        return SystemClock()


class TestContinuedClock(ClockContract):
    def make(self):
        clock = SystemClock()
        return ContinuedClock(clock, clock.now() + 3600.0)


class TestVirtualClock(ClockContract):
    def make(self):
        return VirtualClock()

    def run(self, work):
        return run_virtual(work)
