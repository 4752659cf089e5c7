import pytest

from orchestrator.device.model import Address, Device
from orchestrator.device.protocol import Reply
from orchestrator.device.reason import Reason
from orchestrator.engine.survey import signs_with, survey, surveyed
from orchestrator.errors import DeviceError
from orchestrator.plan.resolved import PlannedTrust
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.plans import device_ids
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import make_fleet, old_release

IDS = device_ids(5)


def devices():
    return [Device(name, Address("127.0.0.1")) for name in IDS]


async def ask(transport, parallel=2):
    seen = []
    found = await survey(
        transport,
        devices(),
        connect_s=5.0,
        parallel=parallel,
        payload_type="directory",
        on_progress=lambda device, _found: seen.append(device),
    )
    return found, seen


def test_each_device_says_what_it_runs():
    async def work():
        return await ask(SimulatedTransport(make_fleet(IDS, VirtualClock())))

    found, seen = run_virtual(work())

    assert tuple(found) == IDS
    assert sorted(seen) == list(IDS)
    assert found[IDS[0]].manifest == old_release().manifest
    assert (found[IDS[0]].device_type, found[IDS[0]].keeps_previous) == ("sim", True)
    assert (found[IDS[0]].has_module, found[IDS[0]].checks) == (True, {"service"})


@pytest.mark.parametrize(("said", "epoch"), [(["12"], 12), ([], 0), (["-1"], 0), (["1e9"], 0)])
def test_device_tells_the_newest_epoch_that_it_saw(said, epoch):
    lines = [("state", "committed"), ("helper", "99.0.0"), *(("epoch", text) for text in said)]

    assert surveyed(Reply(0, tuple(lines)), "directory").epoch == epoch


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["gw-1 ssh-ed25519 AAAA"], "ed25519"),
        (["gw-1 ssh-ed25519 BBBB", "gw-1 ecdsa-sha2-nistp256 CCCC"], "ecdsa"),
        (["gw-2 ssh-ed25519 AAAA"], ""),
        (["gw-1 ssh-ed25519 BBBB"], ""),
        (["gw-1 ssh-rsa DDDD", "gw-1", ""], ""),
        ([], ""),
    ],
    ids=["yes", "with one of two", "as another", "with an unknown key", "malformed", "no"],
)
def test_device_can_sign_with_a_key_that_is_known_and_under_its_own_name(lines, kind):
    known = {"ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 CCCC", "ssh-rsa DDDD", ""}

    assert signs_with(Reply(0, tuple(("signs", line) for line in lines)), "gw-1", known) == kind


def test_survey_changes_nothing():
    async def work():
        fleet = make_fleet(IDS, VirtualClock())
        await ask(SimulatedTransport(fleet))
        return fleet

    assert not any(device.mutations for device in run_virtual(work()).values())


def test_silent_device_is_not_reached():
    async def work():
        clock = VirtualClock()
        fleet = make_fleet(IDS, clock)
        fleet[IDS[1]].down_until = clock.now() + 1000.0
        return await ask(SimulatedTransport(fleet))

    found, _ = run_virtual(work())

    assert (found[IDS[1]].reachable, found[IDS[1]].reason) == (False, Reason.UNREACHABLE)
    assert found[IDS[2]].reachable


def test_device_without_the_helper_is_not_enrolled():
    class NoHelper(SimulatedTransport):
        async def open(self, device, *, deadline_s):
            session = await super().open(device, deadline_s=deadline_s)

            async def ask(request, *, deadline_s):
                raise DeviceError("no reply", reason=Reason.PROTOCOL)

            session.ask = ask
            return session

    async def work():
        return await ask(NoHelper(make_fleet(IDS, VirtualClock())))

    found, _ = run_virtual(work())

    assert (found[IDS[0]].reachable, found[IDS[0]].enrolled) == (True, False)
    assert found[IDS[0]].reason is Reason.NOT_ENROLLED


@pytest.mark.parametrize("version", ["1.1.9", "0.9.12", "1.2", "2", "x.y.z", "", "1.2.0-rc1"])
def test_device_with_an_older_helper_is_told_apart(version):
    fields = (("helper", version), ("state", "none"), ("boot-id", "b"))

    found = surveyed(Reply(0, fields), "directory")

    assert (found.reachable, found.reason) == (True, Reason.OLD_HELPER)
    assert version in found.detail


def test_what_holds_the_dead_man_is_told():
    fields = (("helper", "1.5.0"), ("state", "none"), ("deadman", "process"))

    assert surveyed(Reply(0, fields), "directory").deadman == "process"


def test_refusal_of_the_helper_keeps_its_reason():
    found = surveyed(Reply(75, (("reason", "busy"), ("detail", "wait"))), "directory")

    assert (found.reason, found.detail) == (Reason.BUSY, "wait")


def test_nothing_active_is_empty_text():
    lines = (("helper", "1.2.0"), ("state", "none"), ("artifact", "none"), ("manifest", "none"))

    found = surveyed(Reply(0, lines), "directory")

    assert (found.artifact, found.manifest, found.keeps_previous) == ("", "", False)


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        (("directory+keeps-previous",), (True, True)),
        (("script", "directory"), (True, False)),
        (("script+keeps-previous",), (False, False)),
        (("directory2", "Directory"), (False, False)),
        ((), (False, False)),
    ],
)
def test_device_has_the_update_modules_that_it_names(modules, expected):
    lines = (("state", "idle"), ("helper", "1.2.0"), *(("module", name) for name in modules))

    found = surveyed(Reply(0, lines), "directory")

    assert (found.has_module, found.keeps_previous) == expected


def test_only_names_that_a_plan_could_write_are_kept_of_checks():
    checks = [("health-check", name) for name in ("svc", "a b", "../x", "", "\x1b[31m", "x" * 99)]

    found = surveyed(Reply(0, (("state", "idle"), ("helper", "1.2.0"), *checks)), "directory")

    assert found.checks == {"svc"}


ROOTED = (("root", "2"), ("fleet", "acme"), ("security-floor", "7"), ("serial", "41"))


@pytest.mark.parametrize(
    ("lines", "trust"),
    [
        ((), None),
        (ROOTED, PlannedTrust(2, "acme", 7, 41)),
        (
            (*ROOTED, ("verify", "openssl,openssl-ed25519")),
            PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256", "ed25519", "rsa")),
        ),
        ((*ROOTED, ("verify", "usign")), PlannedTrust(2, "acme", 7, 41, ("ed25519",))),
        ((*ROOTED, ("verify", "openssl")), PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256", "rsa"))),
        ((*ROOTED, ("verify", "none")), PlannedTrust(2, "acme", 7, 41)),
        ((("root", "0"), ("fleet", "broken/")), PlannedTrust(None, None, None, None)),
    ],
)
def test_what_a_device_holds_releases_against_is_known(lines, trust):
    reply = Reply(0, (("helper", "1.2.0"), ("state", "none"), *lines))

    assert surveyed(reply, "directory").trust == trust
