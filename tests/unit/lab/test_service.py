import asyncio
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from orchestrator.lab.service import AppService


def install(root: Path, settings: str | None) -> None:
    release = root / "opt/app.releases/r1"
    release.mkdir(parents=True)
    if settings is not None:
        (release / "service.json").write_text(settings)
    (root / "opt/app").symlink_to("app.releases/r1")


async def check(root: Path) -> tuple[int | None, str]:
    """What the device's own health check says."""
    script = str(resources.files("orchestrator.lab").joinpath("check.sh"))
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        script,
        env={"PATH": "/usr/bin:/bin", "ROLLOUT_ROOT": str(root)},
        stdout=subprocess.PIPE,
    )
    async with asyncio.timeout(10):
        output, _ = await process.communicate()
    return process.returncode, output.decode().strip()


@pytest.mark.parametrize(
    ("settings", "code", "status"),
    [
        ('{"version":"2.4.1"}', 0, "ok"),
        ('{"healthy":false}', 1, "failing"),
        ('{"healthy":"yes"}', 1, "failing"),
        ("not json", 1, "failing"),
        ("[1]", 1, "failing"),
        (None, 0, "ok"),
    ],
)
def test_health_comes_from_the_release(
    settings: str | None, code: int, status: str, tmp_path: Path
) -> None:
    install(tmp_path, settings)

    found, body = AppService(tmp_path).answer()

    assert found == code
    assert body["status"] == status


def test_nothing_installed_is_not_healthy(tmp_path: Path) -> None:
    assert AppService(tmp_path).answer() == (1, {"status": "no release"})


def test_link_as_the_device_sees_it_is_followed_below_its_root(tmp_path: Path) -> None:
    install(tmp_path, '{"version":"3"}')
    (tmp_path / "opt/app").unlink()
    (tmp_path / "opt/app").symlink_to("/opt/app.releases/r1")

    assert AppService(tmp_path).answer()[1]["version"] == "3"


async def test_checks_get_their_own_answers(tmp_path: Path) -> None:
    install(tmp_path, '{"version":"2.4.1","latency_ms":7}')
    service = AppService(tmp_path)
    service.start()

    answers = await asyncio.gather(*(check(tmp_path) for _ in range(5)))
    service.stop()

    line = '{"status":"ok","version":"2.4.1","latency_ms":7.0,"errors_percent":0.0,"value":7.0}'
    assert answers == [(0, line)] * 5
    assert list((tmp_path / "run/app").iterdir()) == []


async def test_service_that_is_down_fails_its_check_at_once(tmp_path: Path) -> None:
    service = AppService(tmp_path)
    service.start()
    service.stop()

    assert await check(tmp_path) == (1, '{"status":"down"}')


async def test_start_and_stop_may_be_repeated(tmp_path: Path) -> None:
    install(tmp_path, "{}")
    service = AppService(tmp_path)
    for _ in range(2):
        service.start()
        service.start()
        assert (await check(tmp_path))[0] == 0
        service.stop()
        service.stop()
