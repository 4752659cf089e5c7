import asyncio

from orchestrator.ssh.limits import Handshakes, RateLimit
from tests.patience import within


async def _peak(handshakes: Handshakes, gateways: list[str | None]) -> int:
    """The most holders at one time, when all of them come at once."""
    holding = peak = 0

    async def hold(gateway: str | None) -> None:
        nonlocal holding, peak
        async with handshakes.slot(gateway):
            holding += 1
            peak = max(peak, holding)
            await asyncio.sleep(0)
            holding -= 1

    await asyncio.gather(*(hold(gateway) for gateway in gateways))
    return peak


def limits(count_max: int, per_gateway_max: int) -> Handshakes:
    return Handshakes(
        count_max=count_max, per_gateway_max=per_gateway_max, connects_per_s=1_000_000
    )


async def test_handshakes_stay_below_the_limit() -> None:
    assert await _peak(limits(5, 8), [None] * 40) == 5


async def test_one_gateway_gets_no_more_than_its_share() -> None:
    assert await _peak(limits(50, 8), ["gate"] * 40) == 8


async def test_gateways_do_not_wait_for_each_other() -> None:
    assert await _peak(limits(50, 8), ["one", "two"] * 20) == 16


async def test_rate_lets_a_burst_through_and_then_waits() -> None:
    loop = asyncio.get_running_loop()
    limit = RateLimit(rate_per_s=100, burst_count=5)
    started_at = loop.time()

    for _ in range(6):
        await limit.wait()
    burst_s = loop.time() - started_at
    for _ in range(10):
        await limit.wait()
    all_s = loop.time() - started_at

    assert burst_s < within(0.05)
    assert 0.09 <= all_s < within(1)
