"""docs/reference/hooks.md: its plan and configuration load, its event and its code are tried."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.config import Flags, load
from orchestrator.notify import delivery
from orchestrator.notify.event import cloud_event, source_of
from orchestrator.notify.signature import headers
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.resolved import HookEvent
from orchestrator.rollout.notices import Notice

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/hooks.md").read_text()


def block(kind: str) -> str:
    [found] = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def notice() -> Notice:
    """The notice of the page's event."""
    return Notice(
        rollout_id="r-7f3a91c2", seq=41, at=1796087862.25, event=HookEvent.HALTED, plan="gateway",
        release="7.3", wave="canary", device="", devices=20,
        counts={"pending": 18, "rolled_back": 1, "succeeded": 1}, reasons={"check_failed": 1},
        cause="budget", detail="1 failure, 0 allowed",
    )  # fmt: skip


def test_plan_tells_three_ways() -> None:
    head = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\nwaves: [1, rest]\n"

    hooks = parse_plan((head + block("yaml")).encode(), file="p.yml").controls.hooks

    assert [bool(hook.http) + 2 * bool(hook.command) + 3 * bool(hook.email) for hook in hooks] == [
        1, 2, 3,
    ]  # fmt: skip


def test_configuration_is_the_operators_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(block("toml"))

    found = load(Flags(config=path), {}, tmp_path).settings

    assert found.hook_secrets == ("https://chat.example=file:/etc/rollout/chat.secret",)
    assert found.mail_login == Path("/etc/rollout/mail.login")
    assert found.mail_server.startswith("smtp+starttls://")


def test_event_is_what_hooks_get_and_fits_its_schema() -> None:
    shown = json.loads(block("json"))
    source = source_of("51399e57f05ce04d")

    assert json.loads(cloud_event(notice(), source)) == shown
    jsonschema.validate(shown, json.loads((ROOT / "schemas/hook.v1.json").read_text()))


@pytest.mark.parametrize(
    ("secret", "bytes_of_it"), [("s3cret", b"s3cret"), ("whsec_czNjcmV0", b"s3cret")]
)
def test_receiver_knows_what_is_genuine(secret: str, bytes_of_it: bytes) -> None:
    names: dict[str, object] = {}
    exec(block("python"), names)
    is_genuine = names["is_genuine"]
    assert callable(is_genuine)
    body = cloud_event(notice(), "urn:x")
    sent = headers(notice().id, 1000.0, body, secret)

    assert is_genuine(sent, body, bytes_of_it, 1010.0)
    assert not is_genuine(sent, body + b" ", bytes_of_it, 1010.0)
    assert not is_genuine({**sent, "webhook-id": "r-1/2"}, body, bytes_of_it, 1010.0)
    assert not is_genuine(sent, body, b"other", 1010.0)
    assert not is_genuine(sent, body, bytes_of_it, 2000.0)


def test_every_event_is_on_the_page_in_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.split("## Events")[1].split("## ")[0], re.MULTILINE)

    assert rows == [str(event) for event in HookEvent]


def test_limits_are_those_of_the_code() -> None:
    for number in (
        f"| {delivery.DEADLINE_S:.0f} s |",
        f"{delivery.ATTEMPTS} attempts within {delivery.TRIES_S:.0f} s",
        f"after {delivery.ATTEMPTS_IN_ALL} attempts",
        f"{delivery.AGE_S / 86400:.0f} days old",
        f"{delivery.PAUSE_MAX_S / 60:.0f} minutes at most",
    ):
        assert number in PAGE
