import json

from orchestrator.notify.command import CommandNotifier
from orchestrator.outward.command import Commands
from orchestrator.plan.resolved import Hook, HookEvent
from orchestrator.testing.notifier_contract import NOTICE


def hook(*words):
    return Hook((HookEvent.HALTED,), command=words)


async def test_event_is_on_stdin_and_nothing_of_it_in_a_shell(tmp_path):
    out = tmp_path / "out"
    notifier = CommandNotifier("urn:x", Commands(("/bin/sh",), {"ROLLOUT_PLAN": "$(id)"}))

    await notifier.tell(
        hook("/bin/sh", "-c", 'cat >"$1"; echo "$ROLLOUT_PLAN" >>"$1"', "sh", str(out)),
        NOTICE, deadline_s=10,
    )  # fmt: skip

    event, _, told = out.read_text().partition("}$(id)")
    assert json.loads(event + "}")["data"]["detail"] == NOTICE.detail
    assert told == "\n"


async def test_program_that_never_reads_is_no_trouble():
    notifier = CommandNotifier("urn:x", Commands(("/bin/true",)))

    await notifier.tell(hook("/bin/true"), NOTICE, deadline_s=10)
