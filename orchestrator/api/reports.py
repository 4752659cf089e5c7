"""Signed reports: what a device says of itself, held against the host keys that it is known by."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.device.protocol import Reply
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, TrustError
from orchestrator.rollout.events import Vouched

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.trust.report import Report

_SIGNATURES_MAX = 4
_SAME = ("nonce", "state", "artifact", "manifest", "active", "boot-id")
_HINT = "`rollout device attest` asks it again; look at the device before anything runs on it"


@dataclass(frozen=True, slots=True)
class HostReports:
    """Judges the proofs of a rollout; implements `engine.ports.Reports`."""

    required: bool = False

    def judge(self, device: Device, said: Reply, host_key: str) -> Vouched:
        """Who signed what a proof says; see `Reports`.

        Raises:
            TrustError: a signature does not hold, or there is none and there has to be one.
            DeviceError: PROTOCOL, the reply and what was signed differ.
        """
        from orchestrator.trust.report import fingerprint_of

        if why := unsigned(said):
            if self.required:
                message = f"`{device.id}` did not sign its report: {why}"
                hint = "`require_signed_reports` wants a signature of its host's key"
                raise TrustError(message, hint=hint, code="T191")
            return Vouched(why=why)
        report = attested(device, said, said.fields["nonce"], (host_key, *device.address.host_keys))
        for key in _SAME:
            if report.values[key] != said.fields.get(key):
                message = f"its reply and what it signed differ in `{key}`"
                raise DeviceError(message, reason=Reason.PROTOCOL)
        return Vouched(fingerprint_of(report.signed_by))


def unsigned(said: Reply) -> str:
    """Why there is nothing signed in a reply; empty where there is."""
    if "report" in said.fields and said.all("signature"):
        return ""
    return said.fields.get("unsigned", "no_report")


def attested(device: Device, said: Reply, nonce: str, host_keys: Iterable[str]) -> Report:
    """The report in a reply, signed by one of the device's host keys, for this nonce.

    Raises:
        TrustError: no known host key signed it, or it is of another device or another time.
        DeviceError: PROTOCOL, it cannot be read.
    """
    from orchestrator.trust.report import signed_report

    try:
        text = base64.b64decode(said.fields.get("report", ""), validate=True)
        found = [base64.b64decode(one, validate=True) for one in said.all("signature")]
    except binascii.Error as error:
        message = "its report is not base64"
        raise DeviceError(message, reason=Reason.PROTOCOL) from error
    keys = tuple(key for key in dict.fromkeys(host_keys) if key)
    report = signed_report(text, found[:_SIGNATURES_MAX], keys, time.time())
    if report.values["nonce"] != nonce:
        raise TrustError("it signed another nonce", hint=_HINT, code="T191")
    if report.values["device"] != device.id:
        message = f"it signed as `{report.values['device']}`"
        raise TrustError(message, hint=_HINT, code="T191")
    return report
