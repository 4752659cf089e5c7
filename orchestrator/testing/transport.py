"""The way to simulated devices, with faults drawn from a seed.

Laws:
1. The same seed and the same requests give the same faults (`faults`).
2. A request that is lost was, or was not, carried out: both happen.
3. A connection that closes takes a waiting delivery with it: the device hears no go.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import (
    Frame,
    Rc,
    Reply,
    ReplyReader,
    Request,
    Step,
    Verb,
    encode,
)
from orchestrator.device.reason import Reason
from orchestrator.engine.ports import Dialogue
from orchestrator.errors import DeviceError
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.faults import FaultKind, FaultSource
from orchestrator.testing.transaction import Answer, refuse

_RAW = frozenset({"step", "check", "have"})
_COMMON = frozenset({"txn", "controller", "component", "epoch", "seq", "audit"})


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities of each fault, per place where it can strike."""

    refuse: float = 0.0
    lose_request: float = 0.0
    lose_reply: float = 0.0
    cut_transfer: float = 0.0
    reboot: float = 0.0
    repeat: float = 0.0
    stall: float = 0.0
    drop_ready: float = 0.0
    stall_s: float = 45.0
    down_s: float = 20.0
    latency_s: float = 0.02


class SimulatedTransport:
    """Implements `Transport` over simulated devices.

    Args:
        devices: by id.
        random_source: how long things take.
        faults: how likely each fault is.
        source: decides which of them strike.
        wire: replies travel as bytes through the real reader.
    """

    def __init__(
        self,
        devices: Mapping[DeviceId, SimulatedDevice],
        *,
        random_source: random.Random | None = None,
        faults: Faults | None = None,
        source: FaultSource | None = None,
        wire: bool = True,
    ) -> None:
        self.devices = devices
        self.random = random_source or random.Random(0)  # noqa: S311  delays, not secrets
        self.faults = faults or Faults()
        self.source = source or FaultSource()
        self.wire = wire
        self.opened = 0

    async def open(self, device: Device, *, deadline_s: float) -> SimulatedSession:
        """Connects.

        Raises:
            DeviceError: UNREACHABLE.
        """
        self.opened += 1
        simulated = self.devices[device.id]
        await self.pause(simulated)
        if self.strikes(FaultKind.REFUSE, simulated) or not simulated.is_reachable:
            await asyncio.sleep(min(1.0, deadline_s))
            message = f"`{device.id}` does not answer"
            raise DeviceError(message, reason=Reason.UNREACHABLE)
        return SimulatedSession(self, simulated)

    async def close(self) -> None:
        """Nothing is left open."""

    async def pause(self, device: SimulatedDevice) -> None:
        """The time of one way over the network; sometimes long."""
        seconds = self.faults.latency_s * (0.5 + self.random.random())
        if self.strikes(FaultKind.STALL, device):
            seconds += self.faults.stall_s * self.strength(FaultKind.STALL, device)
        await asyncio.sleep(seconds)

    def strikes(self, kind: FaultKind, device: SimulatedDevice) -> bool:
        """Whether a fault happens now on the way to this device."""
        rate: float = getattr(self.faults, kind.value)
        return self.source.strikes(kind, rate, device.name)

    def strength(self, kind: FaultKind, device: SimulatedDevice) -> float:
        """How strong the fault is that struck last, in 0..1."""
        return self.source.last_share(kind, device.name)


class SimulatedSession:
    """Implements `Session`."""

    def __init__(self, transport: SimulatedTransport, device: SimulatedDevice) -> None:
        self._transport = transport
        self._device = device
        self._serial = device.connect()
        self._boots = device.boots
        self._closed = False

    @property
    def host_key(self) -> str:
        """None: nobody signs with it."""
        return ""

    async def ask(self, request: Request, *, deadline_s: float) -> Reply:
        """Sends a request.

        Raises:
            DeviceError: CONNECTION_LOST or TIMEOUT; the outcome is unknown.
        """
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(request)
        except TimeoutError as error:
            message = f"no reply within {deadline_s:.0f} s"
            raise DeviceError(message, reason=Reason.TIMEOUT) from error

    async def _ask(self, request: Request) -> Reply:
        _ = request.line  # must fit the grammar
        await self._way(FaultKind.LOSE_REQUEST)
        answer = self._device.answer(request, self._serial)
        if self._strikes(FaultKind.REPEAT):
            answer = self._device.answer(request, self._serial)
        await self._way(FaultKind.LOSE_REPLY)
        return self._reply(answer)

    async def converse(self, request: Request, dialogue: Dialogue, *, deadline_s: float) -> Reply:
        """Sends a delivery or a proof.

        Raises:
            DeviceError: CONNECTION_LOST or TIMEOUT; the outcome is unknown.
        """
        _ = request.line
        del deadline_s
        if request.verb is Verb.PROVE:
            return await self._prove(request, dialogue)
        if request.verb is Verb.REBUILD:
            return await self._rebuild(request, dialogue)
        return await self._deliver(request, dialogue)

    async def _prove(self, request: Request, dialogue: Dialogue) -> Reply:
        device = self._device
        await self._way(FaultKind.LOSE_REQUEST)
        rc, lines = device.answer(request, self._serial)
        await self._way(FaultKind.LOSE_REPLY)
        nonce = device.offers(request.params["txn"])
        if rc != Rc.OK or not nonce:
            return self._reply((rc, lines))
        word = await self._word(dialogue, lines, float(request.params["wait"]))
        await self._way(FaultKind.LOSE_REQUEST)
        if not word:
            return self._reply((rc, lines))
        common = {key: value for key, value in request.params.items() if key in _COMMON}
        follow = Request(Verb(word), common | {"nonce": nonce})
        answer = device.answer(follow, self._serial)
        await self._way(FaultKind.LOSE_REPLY)
        return self._reply(answer)

    async def _deliver(self, request: Request, dialogue: Dialogue) -> Reply:
        txn = request.params["txn"]
        before = self._device.state_fields()
        await self._way(FaultKind.LOSE_REQUEST)
        early = self._device.begin(request)
        if early is not None:
            await self._way(FaultKind.LOSE_REPLY)
            return self._reply(early)
        refusal = await self._load(txn, dialogue)
        if refusal is not None:
            await self._way(FaultKind.LOSE_REPLY)
            return self._reply(refusal)
        try:
            word = await self._word(dialogue, before, float(request.params["wait"]))
            await self._way(FaultKind.LOSE_REQUEST)
        except BaseException:
            self._device.cancel(txn)  # end of stdin instead of a go
            raise
        if word == "keep":
            return self._reply((Rc.OK, before))
        if word != "go":
            self._device.cancel(txn)
            return self._reply(refuse(Rc.NOT_NOW, "cancelled"))
        if self._device.epoch > int(request.params["epoch"]):
            return self._reply(refuse(Rc.FENCED, "fenced"))
        answer = self._device.activate(txn, float(request.params["deadline"]))
        await self._way(FaultKind.LOSE_REPLY)
        return self._reply(answer)

    async def _rebuild(self, request: Request, dialogue: Dialogue) -> Reply:
        """A simulated patch is `patch ` and what it makes, of the one file that it is for."""
        device, params = self._device, request.params
        await self._way(FaultKind.LOSE_REQUEST)
        early = device.begin(request)
        if early is not None:
            return self._reply(early)
        if self._strikes(FaultKind.CUT_TRANSFER):
            raise self._lost()
        patch = b"".join(b"".join(frame.chunks(0)) for frame in dialogue.frames)
        dialogue.on_bytes(len(patch))
        made = patch.removeprefix(b"patch ")
        fits = hashlib.sha256(made).hexdigest() == params["sha"]
        if params["from"] != device.changeable or not fits:
            return self._reply(refuse(Rc.IO, "io"))
        device.take(params["txn"], params["name"], made, 0)
        await self._way(FaultKind.LOSE_REPLY)
        return self._reply((Rc.OK, device.state_fields()))

    async def _load(self, txn: str, dialogue: Dialogue) -> Answer | None:
        device = self._device
        sent = 0
        for frame in dialogue.frames:
            data = b"".join(frame.chunks(frame.offset))
            if self._strikes(FaultKind.CUT_TRANSFER):
                device.take(txn, frame.name, data[: len(data) // 2], frame.offset)
                raise self._lost()
            if not device.take(txn, frame.name, data, frame.offset):
                return refuse(Rc.RESUME, "io")
            sent += len(data)
            dialogue.on_bytes(sent)
        for name, step in (("stage", None), ("verify", device.verify), ("install", device.install)):
            await self._way(FaultKind.LOSE_REQUEST)
            refusal = step(txn) if step is not None else None
            if refusal is not None:
                return refusal
            dialogue.on_step(Step(name, 0, "ok"))
        return None

    async def _word(self, dialogue: Dialogue, lines: list[tuple[str, str]], wait_s: float) -> str:
        """What the controller answers; the connection may break meanwhile."""
        limit_s = wait_s
        drops = self._strikes(FaultKind.DROP_READY)
        if drops:
            limit_s = self._transport.strength(FaultKind.DROP_READY, self._device) * 30.0
        try:
            async with asyncio.timeout(limit_s):
                return await dialogue.decide(Reply(Rc.OK, tuple(lines)))
        except TimeoutError:
            if drops:
                raise self._lost() from None
            return ""

    async def stage(self, request: Request, frame: Frame, *, deadline_s: float) -> Reply:
        """Sends one frame.

        Raises:
            DeviceError: CONNECTION_LOST; the outcome is unknown.
        """
        del deadline_s
        await self._way(FaultKind.LOSE_REQUEST)
        early = self._device.begin(request)
        if early is not None:
            return self._reply(early)
        data = b"".join(frame.chunks(frame.offset))
        fits = self._device.take(request.params["txn"], frame.name, data, frame.offset)
        return self._reply((Rc.OK, []) if fits else refuse(Rc.RESUME, "io"))

    async def close(self) -> None:
        """Closes the connection."""
        self._closed = True

    async def _way(self, loss: FaultKind) -> None:
        transport, device = self._transport, self._device
        await transport.pause(device)
        if self._strikes(FaultKind.REBOOT):
            strength = transport.strength(FaultKind.REBOOT, device)
            device.reboot(transport.faults.down_s * (0.5 + strength))
        alive = device.is_reachable and device.boots == self._boots and not self._closed
        if not alive or self._strikes(loss):
            raise self._lost()

    def _strikes(self, kind: FaultKind) -> bool:
        return self._transport.strikes(kind, self._device)

    def _lost(self) -> DeviceError:
        self._closed = True
        message = f"connection to `{self._device.name}` was lost"
        return DeviceError(message, reason=Reason.CONNECTION_LOST)

    def _reply(self, answer: Answer) -> Reply:
        rc, lines = answer
        if not self._transport.wire:
            return Reply(rc, tuple(lines))
        reader = ReplyReader()
        reader.feed(encode_reply(rc, lines))
        return reader.finish()


def encode_reply(rc: int, lines: list[tuple[str, str]]) -> bytes:
    """A reply as bytes, with its end line."""
    body = "".join(
        f"{key} {value if key in _RAW else encode(value)}\n" for key, value in lines
    ).encode("ascii")
    return body + f"end {rc} {hashlib.sha256(body).hexdigest()}\n".encode("ascii")
