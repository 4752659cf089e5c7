import asyncio
import shutil
from pathlib import Path

import pytest

from orchestrator.lab.container import (
    BwrapContainer,
    Container,
    PlainContainer,
    _commands_by_proc,
    _commands_by_ps,
    can_isolate,
)


@pytest.fixture(params=["bwrap", "plain"])
async def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    (tmp_path / "usr/lib/rollout").mkdir(parents=True)
    if request.param == "plain":
        return PlainContainer(tmp_path)
    if not await can_isolate():
        pytest.skip("bubblewrap and nsenter do not work here")
    return BwrapContainer(tmp_path, "device-1")


async def start(container: Container, *command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *container.argv(*command), stdout=asyncio.subprocess.PIPE
    )


async def test_command_reads_and_writes_its_own_tree(container: Container, tmp_path: Path) -> None:
    await container.start()

    process = await start(container, "/bin/sh", "-c", f"echo done >{tmp_path}/out; echo said")
    output, _ = await process.communicate()
    await container.kill()

    assert output == b"said\n"
    assert (tmp_path / "out").read_text() == "done\n"


async def test_kill_ends_what_the_helper_started_and_left(
    container: Container, tmp_path: Path
) -> None:
    """As the `sleep` of a dead-man that was disarmed: nothing in its arguments tells whose it is."""
    await container.start()
    script = f"export ROLLOUT_ROOT={tmp_path}; setsid sleep 30 </dev/null 2>/dev/null & exit"
    process = await start(container, "/bin/sh", "-c", script)
    assert process.stdout is not None

    async with asyncio.timeout(5):
        # not `wait()`: that waits for the pipe too, which the sleep still holds open
        while process.returncode is None:  # noqa: ASYNC110  another process ends
            await asyncio.sleep(0.01)
    await container.kill()

    async with asyncio.timeout(5):
        assert await process.stdout.read() == b""  # its end: nobody holds it open any more


async def test_kill_ends_what_runs_detached(container: Container, tmp_path: Path) -> None:
    """As a dead-man: in a session of its own, after the command that started it ended."""
    helper = tmp_path / "usr/lib/rollout/helper.sh"
    helper.write_text("while :; do sleep 0.05; echo tick >>" + f"{tmp_path}/ticks; done")
    await container.start()
    script = f"setsid /bin/sh {helper} --root {tmp_path} deadman </dev/null >/dev/null 2>&1 &"
    process = await start(container, "/bin/sh", "-c", script)
    await process.communicate()
    async with asyncio.timeout(10):
        while not (tmp_path / "ticks").exists():  # noqa: ASYNC110  another process makes it
            await asyncio.sleep(0.01)

    await container.kill()
    before = (tmp_path / "ticks").read_text()
    await asyncio.sleep(0.2)  # four ticks of what must be dead

    assert (tmp_path / "ticks").read_text() == before


async def test_container_starts_again_after_a_kill(container: Container) -> None:
    for _ in range(2):
        await container.start()
        await container.start()
        process = await start(container, "/bin/true")
        assert await process.wait() == 0
        await container.kill()
        await container.kill()


async def test_isolated_command_sees_nothing_of_this_machine(tmp_path: Path) -> None:
    if not await can_isolate():
        pytest.skip("bubblewrap and nsenter do not work here")
    container = BwrapContainer(tmp_path, "device-1")
    await container.start()

    process = await start(container, "/bin/sh", "-c", "hostname; ls /root /home /etc/passwd")
    output, _ = await process.communicate()
    await container.kill()

    assert output == b"device-1\n"
    assert process.returncode != 0


async def test_both_ways_of_listing_processes_agree(tmp_path: Path) -> None:
    if shutil.which("ps") is None:
        pytest.skip("ps is not installed")
    process = await asyncio.create_subprocess_exec("sleep", "77", cwd=tmp_path)

    by_proc, by_ps = _commands_by_proc(), await _commands_by_ps()
    process.kill()
    await process.wait()

    wanted = (process.pid, b"sleep\x0077\x00")
    assert by_proc is None or wanted in by_proc
    assert wanted in by_ps
