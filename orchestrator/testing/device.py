"""A simulated device: the helper's protocol over a model of what is really installed.

It shares no code with the engine. Beside what it answers it keeps the hidden truth that checkers
read: what is active, how often it was activated, what was asked of it.

Source: docs/reference/device-protocol.md.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.device.protocol import Rc, Request, Verb
from orchestrator.testing.release import NOTHING, Lie, Release
from orchestrator.testing.telling import state_of, told_check, told_state
from orchestrator.testing.transaction import KNOWN, LIVE, OPEN, Answer, Holder, Line, Txn, refuse

RESTART_S = 2.0  # how long a release that takes the device down runs before it does
BOOT_S = 8.0

_CHECKING = frozenset({Verb.HEALTH, Verb.PROVE})
_MUTATING = frozenset({
    Verb.DELIVER, Verb.STAGE, Verb.VERIFY, Verb.INSTALL, Verb.ACTIVATE, Verb.CONFIRM, Verb.COMMIT,
    Verb.ROLLBACK, Verb.ABORT, Verb.ADOPT, Verb.GC,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Examined:
    """One time that it was asked how it is: what it ran in which boot, and what checks said."""

    boot_id: str
    manifest: str
    exits: tuple[tuple[str, int], ...]


class SimulatedDevice:
    """One device; `releases` says how each manifest behaves on it."""

    def __init__(
        self,
        name: str,
        *,
        now: Callable[[], float],
        installed: Release,
        releases: tuple[Release, ...] = (),
        keeps_previous: bool = True,
        rooted: bool = False,
    ) -> None:
        self.name = name
        self.now = now
        self.keeps_previous = keeps_previous
        self.rooted = rooted  # it has a trust root, so that nothing changes without a ticket
        self.behind_s = 0.0  # of its own clock
        self.releases = {release.manifest: release for release in (installed, *releases)}
        self.active = installed.manifest
        self.txn: Txn | None = None
        self.reverted = ""
        self.boots = 1
        self.epoch = 0
        self.controller = ""
        self.commit_nonce = ""
        self.down_until = 0.0
        # the hidden truth
        self.activations: dict[str, int] = {}
        self.mutations: list[tuple[float, int, str, str]] = []
        self.commits: list[tuple[float, int]] = []
        self.witnessed: dict[tuple[str, str], tuple[int, str]] = {}  # newest last
        self.examined: list[Examined] = []
        self.told: dict[str, str] = {}  # by boot, what it said it runs since that changed
        self.read_back: dict[str, str] = {}  # the same over a connection made since
        self.offline: list[tuple[float, float]] = []
        self.reboots_at: list[float] = []  # a heap: the device goes down at these times
        self.changeable = ""  # SHA-256 of the file that it can make another one of, by a patch
        self.lie: Lie | None = None
        self.on_activated: Callable[[SimulatedDevice, str], None] = lambda _device, _txn: None
        self._serial = 0
        self._changed_serial = 0  # of the last connection when what is active last changed
        self._nonce_asked = False

    # --- what the world does to it -----------------------------------------------------------

    def connect(self) -> int:
        """A connection was opened; gives its number."""
        self._serial += 1
        return self._serial

    @property
    def is_reachable(self) -> bool:
        """Whether it would answer right now."""
        self.pass_time()
        now = self.now()
        if now < self.down_until or self.releases[self.active].bricks:
            return False
        return not any(start <= now < end for start, end in self.offline)

    def pass_time(self) -> None:
        """What happened since: reboots, and the dead-man where its deadline has passed."""
        while self.reboots_at and self.reboots_at[0] <= self.now():
            at = heapq.heappop(self.reboots_at)
            self._expire(at)
            self._boot(at + BOOT_S)
        self._expire(self.now())

    def _expire(self, at: float) -> None:
        txn = self.txn
        if txn is not None and txn.state == "probation" and at >= txn.deadline_at:
            self._revert(txn)

    def reboot(self, down_s: float) -> None:
        """Loses power; the boot hook takes a probation back."""
        self.pass_time()
        self._boot(self.now() + down_s)

    def _boot(self, up_at: float) -> None:
        self.boots += 1
        self.down_until = max(self.down_until, up_at)
        if self.txn is not None and self.txn.state == "probation":
            self._revert(self.txn)
        elif self.txn is not None and self.txn.state == "confirmed":
            self.commit_nonce = self._new_nonce()
            self._nonce_asked = False

    def _revert(self, txn: Txn) -> None:
        self.active = txn.previous
        self._changed()
        txn.state = "rolled-back"
        self.reverted = txn.id

    def _changed(self) -> None:
        """Another version is active: what was told before is no evidence any more."""
        self._changed_serial = self._serial
        self.told.clear()
        self.read_back.clear()

    def _new_nonce(self) -> str:
        seed = f"{self.name}/{self.boots}/{sum(self.activations.values())}"
        return hashlib.sha256(seed.encode()).hexdigest()[:32]

    @property
    def boot_id(self) -> str:
        """Changes with each boot."""
        return f"boot-{self.name}-{self.boots}"

    # --- what it is asked --------------------------------------------------------------------

    def answer(self, request: Request, serial: int) -> Answer:
        """Answers any request but `deliver`."""
        self.pass_time()
        params = dict(request.params)
        if request.verb in _MUTATING:
            refusal = self._fence(request.verb, params)
            if refusal is not None:
                return refusal
        if request.verb not in _MUTATING:
            return self._tell(request.verb, params, serial)
        return self._change(request.verb, params)

    def _change(self, verb: Verb, params: dict[str, str]) -> Answer:
        match verb:
            case Verb.VERIFY:
                answer = self.verify(params["txn"]) or (Rc.OK, [])
            case Verb.INSTALL:
                answer = self.install(params["txn"]) or (Rc.OK, [])
            case Verb.ACTIVATE:
                answer = self.activate(params["txn"], float(params["deadline"]))
            case Verb.CONFIRM:
                answer = self._confirm(params)
            case Verb.COMMIT:
                answer = self._commit(params)
            case Verb.ROLLBACK | Verb.ABORT:
                answer = self._roll_back(params["txn"])
            case Verb.ADOPT | Verb.GC:
                answer = (Rc.OK, [])
            case _:
                answer = refuse(Rc.USAGE, "usage")
        return answer

    def _fence(self, verb: Verb, params: dict[str, str]) -> Answer | None:
        epoch = int(params["epoch"])
        if self.controller not in ("", params["controller"]) and verb is not Verb.ADOPT:
            return refuse(Rc.FENCED, "fenced")
        if epoch < self.epoch:
            return refuse(Rc.FENCED, "fenced")
        self.controller, self.epoch = params["controller"], epoch
        self.mutations.append((self.now(), epoch, verb.value, params.get("txn", "")))
        self._witness(params)
        return None

    def _witness(self, params: dict[str, str]) -> None:
        rollout_id, _, seq = params.get("seq", "").rpartition(".")
        key = (params["controller"], rollout_id)
        if seq and int(seq) > self.witnessed.get(key, (-1, ""))[0]:
            self.witnessed.pop(key, None)
            self.witnessed[key] = int(seq), params["audit"]

    def _known(self) -> list[Line]:
        """Where journals stood, the newest first."""
        found = [(*key, str(seq), last) for key, (seq, last) in self.witnessed.items()]
        return [("audit", " ".join(words)) for words in reversed(found)]

    def state_fields(self, nonce: str = "") -> list[Line]:
        """The fields of state."""
        return state_of(self, nonce)

    def _tell(self, verb: Verb, params: dict[str, str], serial: int) -> Answer:
        if verb in (Verb.HELLO, *_CHECKING) and serial > self._changed_serial:
            self._nonce_asked = True
        lines = self.state_fields(params.get("nonce", ""))
        if not self.releases[self.active].corrupt:
            self.told[self.boot_id] = self.active
            if serial > self._changed_serial:
                self.read_back[self.boot_id] = self.active
        if verb is Verb.STATUS and "txn" not in params:
            lines += self._known()
        elif verb is Verb.STATUS:
            txn = self.txn
            known = txn is not None and txn.id == params.get("txn")
            lines.append(("txn-state", told_state(self, txn) if txn and known else NOTHING))
            if txn is not None and known and txn.state == "staging":
                for name, data in txn.frames.items():
                    digest = hashlib.sha256(data).hexdigest()
                    lines.append(("have", f"{name} {len(data)} {digest}"))
        if verb in _CHECKING:
            names = [name for name in params.get("checks", "").split(",") if name]
            results = [(name, told_check(self)) for name in names]
            lines += [("check", f"{name} {result}") for name, result in results]
            exits = tuple((name, int(result.split()[0])) for name, result in results)
            self.examined.append(Examined(self.boot_id, self.active, exits))
        if verb is Verb.FACTS:
            suffix = "+keeps-previous" if self.keeps_previous else ""
            lines += [("module", f"directory{suffix}"), ("health-check", "service")]
            lines += self._known()[:1]
            lines += [("delta", "xdelta3")] if self.changeable else []
        return Rc.OK, lines

    # --- steps of a delivery, called by the session one by one -------------------------------

    def begin(self, request: Request) -> Answer | None:
        """Accepts a delivery; an answer means that it is over already."""
        self.pass_time()
        params = dict(request.params)
        if self._runs(params.get("unless", "")):
            return Rc.OK, self.state_fields()
        refusal = self._fence(request.verb, params)
        if refusal is not None:
            return refusal
        txn = self.txn
        if txn is not None and txn.id == params["txn"]:
            if txn.state in KNOWN or txn.state == "rolled-back":
                return Rc.OK, self.state_fields()
            if txn.state not in OPEN:
                return refuse(Rc.WRONG_STATE, "wrong_state")
        elif txn is not None and txn.state in LIVE:
            return refuse(Rc.WRONG_STATE, "wrong_state")
        else:
            self.txn = Txn(params["txn"])
        return None

    def _runs(self, manifest: str) -> bool:
        proven = not self.releases[self.active].corrupt
        settled = self.txn is None or self.txn.state not in LIVE | {"rollback-failed"}
        return settled and proven and self.active == manifest

    def offers(self, txn_id: str) -> str:
        """The nonce with which that transaction can be made permanent now, or nothing."""
        own = self._own(txn_id)
        return self.commit_nonce if own is not None and own.state in LIVE else ""

    def take(self, txn_id: str, name: str, data: bytes, offset: int) -> bool:
        """Bytes of a frame came in; False when they do not fit where it stands."""
        txn = self._own(txn_id)
        if txn is None or txn.state not in OPEN:
            return False  # a delivery from before it was activated goes on after a stop
        return txn.take(name, data, offset)

    def verify(self, txn_id: str) -> Answer | None:
        """Signature and hashes; an answer is a refusal."""
        txn = self._own(txn_id)
        if txn is None or txn.state not in OPEN:
            return refuse(Rc.WRONG_STATE, "wrong_state")
        return txn.verify(Holder(self.name, self.rooted, self.now() - self.behind_s))

    def install(self, txn_id: str) -> Answer | None:
        """Puts the payload beside what runs; an answer is a refusal."""
        txn = self._own(txn_id)
        if txn is None or txn.state not in ("verified", "installed"):
            return refuse(Rc.WRONG_STATE, "wrong_state")
        release = self.releases.get(txn.manifest)
        if release is None or release.install_fails:
            txn.state = "aborted"
            return refuse(Rc.BACKEND, "install_failed")
        txn.state = "installed"
        return None

    def cancel(self, txn_id: str) -> None:
        """No go came: removes what was staged."""
        txn = self._own(txn_id)
        if txn is not None and txn.state in OPEN:
            txn.abort()

    def activate(self, txn_id: str, deadline_s: float) -> Answer:
        """Arms the dead-man, then switches."""
        self.pass_time()
        txn = self._own(txn_id)
        if txn is not None and txn.state in KNOWN:
            return Rc.OK, self.state_fields()
        if txn is None or txn.state != "installed":
            return refuse(Rc.WRONG_STATE, "wrong_state")
        release = self.releases[txn.manifest]
        if release.activate_fails:
            txn.state = "rolled-back"
            return refuse(Rc.BACKEND, "activate_failed")
        txn.previous = self.active
        txn.state = "probation"
        txn.deadline_at = self.now() + deadline_s
        if self.lie is not Lie.TARGET:
            self.active = txn.manifest
        if release.restarts:
            heapq.heappush(self.reboots_at, self.now() + RESTART_S)
        self.activations[txn.manifest] = self.activations.get(txn.manifest, 0) + 1
        self.commit_nonce = self._new_nonce()
        self._changed()
        self.examined.clear()
        self._nonce_asked = False
        self.on_activated(self, txn_id)
        return Rc.OK, [("state", txn.state), ("txn", txn.id)]

    def _own(self, txn_id: str) -> Txn | None:
        return self.txn if self.txn is not None and self.txn.id == txn_id else None

    # --- after activation --------------------------------------------------------------------

    def _confirm(self, params: dict[str, str]) -> Answer:
        txn = self._own(params["txn"])
        if txn is not None and txn.state in ("confirmed", "committed"):
            return Rc.OK, []
        if txn is None or txn.state != "probation":
            return refuse(Rc.WRONG_STATE, "wrong_state")
        if params["nonce"] != self.commit_nonce or not self._nonce_asked:
            return refuse(Rc.NOT_NOW, "stale_nonce")
        txn.state = "confirmed"
        return Rc.OK, []

    def _commit(self, params: dict[str, str]) -> Answer:
        txn = self._own(params["txn"])
        if txn is not None and txn.state == "committed":
            return Rc.OK, []
        if txn is None or txn.state not in LIVE:
            return refuse(Rc.WRONG_STATE, "wrong_state")
        if params["nonce"] != self.commit_nonce or not self._nonce_asked:
            return refuse(Rc.NOT_NOW, "stale_nonce")
        if self.releases[txn.manifest].commit_fails:
            return refuse(Rc.BACKEND, "commit_failed")
        txn.state = "committed"
        self.commits.append((self.now(), self.boots))
        return Rc.OK, []

    def _roll_back(self, txn_id: str) -> Answer:
        txn = self._own(txn_id)
        if txn is None or txn.state == "aborted":
            return refuse(Rc.WRONG_STATE, "nothing_to_roll_back")
        if txn.state == "rolled-back":
            return Rc.OK, []
        if txn.state in OPEN:
            txn.abort()
            return Rc.OK, []
        if self.releases[txn.manifest].rollback_fails:
            txn.state = "rollback-failed"
            return refuse(Rc.BACKEND, "rollback_failed")
        self.active = txn.previous
        self._changed()
        txn.state = "rolled-back"
        return Rc.OK, []
