"""Single actions against a simulated device."""

from dataclasses import dataclass, field, replace

import pytest

from orchestrator.device.model import Address, Device
from orchestrator.device.protocol import Verb
from orchestrator.device.reason import Reason
from orchestrator.engine.orders import Orders
from orchestrator.engine.perform import Conversation
from orchestrator.errors import DeviceError, LeaseError, TrustError
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.actions import DeviceAction, Work
from orchestrator.rollout.events import Vouched
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.release import Release
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import good_release, make_fleet, old_release

[A] = device_ids(1)
TXN = "A" * 26
NEW = SimulatedArtifact.of("new")


class Bench:
    def __init__(
        self, *, release=None, epoch=5, faults=None, token=lambda: "n1", signs="", reports=None
    ):
        clock = VirtualClock()
        plan = make_plan([ResolvedWave("all", "1", (A,))])
        plan = replace(plan, devices={A: replace(plan.devices[A], signs=signs)})
        self.device = make_fleet((A,), clock, release=release)[A]
        self.transport = SimulatedTransport({A: self.device}, faults=faults)
        self.sent = []
        orders = Orders(
            plan,
            "ctl",
            epoch,
            NEW.frames,
            token,
            clock,
            on_bytes=lambda _device, count: self.sent.append(count),
            reports=reports,
        )
        self.talk = Conversation(Device(A, Address("127.0.0.1")), self.transport, orders)

    def action(self, work, **fields):
        return DeviceAction(work, A, TXN, **({"round": 1} | fields))

    async def deliver(self, *, go=True, fresh=False):
        self.ready = []

        async def answer(status):
            self.ready.append(status)
            return self.action(Work.ACTIVATE, round=2) if go else None

        return await self.talk.deliver(self.action(Work.DELIVER, fresh=fresh), answer)

    async def prove(self, following=None, **fields):
        """The proof as it was told, and the report of what followed it."""
        told = []

        async def follow(report):
            told.append(report)
            if following is None:
                return None
            return self.action(following, nonce=report.status.commit_nonce, round=4)

        report = await self.talk.prove(self.action(Work.PROVE, **fields), follow)
        return (told or [None])[0], report

    async def perform(self, work, **fields):
        return await self.talk.perform(self.action(work, **fields))


def test_delivery_reports_the_activation_after_the_go():
    async def work():
        bench = Bench()
        report = await bench.deliver()
        return bench, report

    bench, report = run_virtual(work())

    assert (report.work, report.round, report.outcome.reason) == (Work.ACTIVATE, 2, Reason.OK)
    assert report.status is None  # what it runs now is read over another connection
    assert bench.ready[0].manifest == old_release().manifest
    assert bench.sent[-1] == sum(frame.size_bytes for frame in NEW.frames())
    assert bench.device.activations == {NEW.manifest_sha256: 1}


def test_refused_go_changes_nothing_and_reports_nothing():
    async def work():
        bench = Bench()
        return bench, await bench.deliver(go=False)

    bench, report = run_virtual(work())

    assert report is None
    assert bench.device.txn.state == "aborted"
    assert bench.device.activations == {}


def test_device_on_the_target_is_unchanged():
    async def work():
        bench = Bench()
        bench.device.active = NEW.manifest_sha256
        report = await bench.deliver()
        return bench, report

    bench, report = run_virtual(work())

    assert report.outcome.reason is Reason.UNCHANGED
    assert bench.device.mutations == []


def test_fresh_delivery_is_one_request():
    async def work():
        bench = Bench()
        bench.device.answer = None  # any other request would fail
        return bench, await bench.deliver(fresh=True)

    bench, report = run_virtual(work())

    assert report.outcome.ok
    assert bench.ready[0].manifest == old_release().manifest
    assert bench.device.activations == {NEW.manifest_sha256: 1}


def test_fresh_delivery_to_a_device_on_the_target_changes_nothing():
    async def work():
        bench = Bench()
        bench.device.active = NEW.manifest_sha256
        return bench, await bench.deliver(fresh=True)

    bench, report = run_virtual(work())

    assert report.outcome.reason is Reason.UNCHANGED
    assert report.status.manifest == NEW.manifest_sha256
    assert (bench.sent, bench.device.mutations) == ([], [])


def test_fresh_delivery_of_a_transaction_the_device_knows_says_where_it_stands():
    async def work():
        bench = Bench()
        await bench.deliver()
        return await bench.deliver(fresh=True)

    report = run_virtual(work())

    assert report.outcome.reason is Reason.WRONG_STATE
    assert (report.status.txn, report.status.state) == (TXN, "probation")


def test_device_that_does_not_answer_was_not_reached():
    async def work():
        bench = Bench(faults=Faults(refuse=1.0))
        return await bench.deliver()

    report = run_virtual(work())

    assert (report.outcome.reason, report.reached) == (Reason.UNREACHABLE, False)


def test_install_failure_comes_with_its_reason():
    release = Release("new", NEW.manifest_sha256, install_fails=True)

    async def work():
        return await Bench(release=release).deliver()

    report = run_virtual(work())

    assert (report.work, report.outcome.reason) == (Work.DELIVER, Reason.INSTALL)


def test_bad_signature_is_denied_by_the_device():
    async def work():
        bench = Bench()
        frames = [frame for frame in NEW.frames() if frame.name != "manifest.sig"]
        bench.talk._orders = type(bench.talk._orders)(
            bench.talk._orders.plan, "ctl", 5, lambda: frames, lambda: "n", VirtualClock()
        )
        return await bench.deliver()

    assert run_virtual(work()).outcome.reason is Reason.DENIED


def test_delivery_of_an_activated_transaction_says_where_it_stands():
    async def work():
        bench = Bench()
        await bench.deliver()
        return await bench.deliver()

    report = run_virtual(work())

    assert report.outcome.reason is Reason.WRONG_STATE
    assert report.status.txn_state == "probation"


def test_proof_brings_status_checks_and_nonce():
    async def work():
        bench = Bench()
        await bench.deliver()
        return bench, await bench.prove(checks=("service",))

    bench, (told, report) = run_virtual(work())

    assert report is None
    assert told.status.commit_nonce
    assert [(check.name, check.exit) for check in told.checks] == [("service", 0)]
    assert bench.talk.is_open
    assert bench.device.txn.state == "probation"


def test_proof_of_a_device_that_has_nothing_to_commit_is_just_reported():
    async def work():
        bench = Bench()
        return await bench.prove()

    told, report = run_virtual(work())

    assert told is None
    assert (report.work, report.outcome.ok, report.status.commit_nonce) == (Work.PROVE, True, "")


def test_proof_with_another_nonce_is_no_proof():
    nonces = iter(("n1", "n2"))

    async def work():
        bench = Bench(token=lambda: next(nonces))
        await bench.deliver()
        bench.device.state_fields = lambda _nonce="": [
            ("nonce", "replayed"),
            ("state", "probation"),
            ("boot-id", "b"),
        ]
        return await bench.prove()

    told, _report = run_virtual(work())

    assert told.outcome.reason is Reason.PROTOCOL


@dataclass
class Judge:
    """Implements `Reports`: says what it was made with, and keeps what it was asked."""

    found: object = field(default_factory=lambda: Vouched("SHA256:abc"))
    required: bool = False
    asked: list[str] = field(default_factory=list)

    def judge(self, device, said, host_key):
        assert (device.id, host_key) == (A, "")
        self.asked.append(said.fields["nonce"])
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


async def proven(judge, signs):
    """The proof as it was told, and what the device was asked for."""
    bench = Bench(signs=signs, reports=judge)
    await bench.deliver()
    requests, tell = [], bench.device.answer
    bench.device.answer = lambda request, *more: (requests.append(request), tell(request, *more))[1]
    told, _report = await bench.prove()
    return told, [one.params.get("report") for one in requests if one.verb is Verb.PROVE]


def test_proof_of_a_device_that_can_sign_is_signed():
    judge = Judge()

    told, asked = run_virtual(proven(judge, "ed25519"))

    assert (asked, judge.asked) == (["ed25519"], ["n1"])
    assert (told.outcome.ok, told.vouched) == (True, Vouched("SHA256:abc"))


async def performed(work, judge, signs="ed25519"):
    """What was told of an action after a delivery, and the request whose answer proves it."""
    bench = Bench(signs=signs, reports=judge)
    await bench.deliver()
    requests, tell = [], bench.device.answer
    bench.device.answer = lambda request, *more: (requests.append(request), tell(request, *more))[1]
    told = await bench.perform(work)
    return told, requests[-1].params.get("report")


@pytest.mark.parametrize("work", [Work.READ_BACK, Work.ROLL_BACK])
def test_what_is_read_back_later_is_signed_too(work):
    judge = Judge()

    told, asked = run_virtual(performed(work, judge))

    assert (asked, judge.asked) == ("ed25519", ["n1"])
    assert (told.outcome.ok, told.vouched) == (True, Vouched("SHA256:abc"))
    assert told.status is not None


@pytest.mark.parametrize("work", [Work.READ_BACK, Work.ROLL_BACK])
def test_signature_that_does_not_hold_ends_a_later_read_back_too(work):
    told, _asked = run_virtual(performed(work, Judge(TrustError("nobody signed"))))

    assert (told.outcome.reason, told.status) == (Reason.REPORT, None)


@pytest.mark.parametrize("work", [Work.PREFLIGHT, Work.INQUIRE])
def test_what_proves_nothing_is_not_signed(work):
    judge = Judge()

    told, asked = run_virtual(performed(work, judge))

    assert (asked, judge.asked, told.vouched, told.outcome.ok) == (None, [], None, True)


def test_way_back_whose_reply_differs_from_what_was_signed_is_asked_again():
    error = DeviceError("they differ", reason=Reason.PROTOCOL)

    told, _asked = run_virtual(performed(Work.ROLL_BACK, Judge(error)))

    assert (told.outcome.reason, told.status) == (Reason.PROTOCOL, None)  # so it is inquired


def test_device_that_cannot_sign_is_not_asked_to():
    judge = Judge()

    told, asked = run_virtual(proven(judge, ""))

    assert (asked, judge.asked, told.vouched, told.outcome.ok) == ([None], [], None, True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TrustError("nobody signed"), Reason.REPORT),
        (DeviceError("they differ", reason=Reason.PROTOCOL), Reason.PROTOCOL),
    ],
)
def test_proof_whose_signature_does_not_hold_is_none(error, reason):
    told, _asked = run_virtual(proven(Judge(error), "ed25519"))

    assert (told.outcome.reason, told.status, told.vouched) == (reason, None, None)


def test_where_signatures_are_required_a_device_that_cannot_sign_is_judged_too():
    told, asked = run_virtual(proven(Judge(TrustError("unsigned"), required=True), ""))

    assert (asked, told.outcome.reason) == ([None], Reason.REPORT)


@pytest.mark.parametrize(
    ("following", "state"), [(Work.COMMIT, "committed"), (Work.CONFIRM, "confirmed")]
)
def test_what_follows_a_proof_is_done_in_its_exec(following, state):
    async def work():
        bench = Bench()
        await bench.deliver()
        opened = bench.transport.opened
        _told, report = await bench.prove(following)
        return bench, report, bench.transport.opened - opened

    bench, report, connections = run_virtual(work())

    assert (report.work, report.round, report.outcome.ok) == (following, 4, True)
    assert connections == 1
    assert bench.device.txn.state == state
    assert not bench.talk.is_open


def test_commit_after_a_proof_that_had_ended_is_asked_anew():
    async def work():
        bench = Bench()
        await bench.deliver()
        told, _report = await bench.prove()
        report = await bench.perform(Work.COMMIT, nonce=told.status.commit_nonce)
        return bench, report

    bench, report = run_virtual(work())

    assert report.outcome.ok
    assert bench.device.txn.state == "committed"


def test_commit_with_an_old_nonce_is_stale():
    async def work():
        bench = Bench()
        await bench.deliver()
        await bench.prove()
        return await bench.perform(Work.COMMIT, nonce="old")

    assert run_virtual(work()).outcome.reason is Reason.NONCE


def test_rollback_is_read_back_over_another_connection():
    async def work():
        bench = Bench()
        await bench.deliver()
        opened = bench.transport.opened
        report = await bench.perform(Work.ROLL_BACK)
        return report, bench.transport.opened - opened

    report, connections = run_virtual(work())

    assert connections == 2
    assert report.status.manifest == old_release().manifest


def test_activation_anew_asks_first():
    async def work():
        bench = Bench()
        await bench.deliver(go=False)
        return await bench.perform(Work.ACTIVATE)

    report = run_virtual(work())

    assert report.outcome.reason is Reason.WRONG_STATE
    assert report.status.txn_state == "aborted"


def test_activation_anew_of_an_installed_device():
    async def work():
        bench = Bench()
        await bench.deliver(go=False)
        bench.device.txn.state = "installed"
        bench.device.txn.manifest = NEW.manifest_sha256
        first = await bench.perform(Work.ACTIVATE)
        again = await bench.perform(Work.ACTIVATE)
        return bench, first, again

    bench, first, again = run_virtual(work())

    assert first.outcome.ok
    assert again.outcome.ok
    assert bench.device.activations == {NEW.manifest_sha256: 1}


def test_inquiry_changes_nothing():
    async def work():
        bench = Bench()
        return bench, await bench.perform(Work.INQUIRE)

    bench, report = run_virtual(work())

    assert report.status.txn_state == "none"
    assert bench.device.mutations == []


def test_newer_engine_on_the_device_stops_this_one():
    async def work():
        bench = Bench(epoch=5)
        bench.device.controller, bench.device.epoch = "ctl", 6
        await bench.deliver()

    with pytest.raises(LeaseError, match="newer engine"):
        run_virtual(work())


def test_device_of_another_controller_is_only_that_devices_trouble():
    async def work():
        bench = Bench()
        bench.device.controller, bench.device.epoch = "other", 6
        return await bench.deliver()

    assert run_virtual(work()).outcome.reason is Reason.FENCED


@pytest.mark.parametrize("epoch", ["\N{SUPERSCRIPT TWO}", "9" * 5000, "-1", "6.0"])
def test_epoch_that_is_no_number_is_only_that_devices_trouble(epoch):
    async def work():
        bench = Bench(epoch=5)
        bench.device.controller, bench.device.epoch = "ctl", 6
        fields = bench.device.state_fields
        bench.device.state_fields = lambda *nonce: [
            (key, epoch if key == "epoch" else value) for key, value in fields(*nonce)
        ]
        return await bench.deliver()

    assert run_virtual(work()).outcome.reason is Reason.FENCED


def test_interrupted_transfer_is_resumed():
    async def work():
        bench = Bench(faults=Faults(cut_transfer=1.0))
        first = await bench.deliver()
        held = sum(len(data) for data in bench.device.txn.frames.values())
        bench.transport.faults = Faults()
        second = await bench.deliver()
        return first, held, second, bench

    first, held, second, bench = run_virtual(work())

    assert (first.outcome.reason, first.reached) == (Reason.CONNECTION_LOST, True)
    assert held > 0
    assert second.outcome.ok
    assert bench.sent[-1] < sum(frame.size_bytes for frame in NEW.frames())


def test_good_release_is_what_the_plan_brings():
    assert good_release().manifest == NEW.manifest_sha256
