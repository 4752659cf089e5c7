"""What every implementation of a port must do: contract tests, one per port.

Subclass one, say in its `make` how an implementation comes to be, and let pytest (asyncio mode
`auto`) collect the class; every case is inherited. Nothing here imports pytest, so that plug-ins
may use any runner.
"""

from __future__ import annotations

from orchestrator.testing.audit_contract import AuditCase, AuditContract
from orchestrator.testing.notifier_contract import NotifierCase, NotifierContract
from orchestrator.testing.outbox_contract import OutboxCase, OutboxContract
from orchestrator.testing.refusal import refused
from orchestrator.testing.small_contracts import ClockContract, ProberCase, ProberContract
from orchestrator.testing.store_cases import StoreCase
from orchestrator.testing.store_contract import StoreContract
from orchestrator.testing.transport_contract import TransportCase, TransportContract

__all__ = [
    "AuditCase", "AuditContract", "ClockContract", "NotifierCase", "NotifierContract", "OutboxCase", "OutboxContract", "ProberCase", "ProberContract", "StoreCase", "StoreContract",
    "TransportCase", "TransportContract", "refused",
]  # fmt: skip
