"""Load, resolve, preview, apply, status: the only place that joins adapters to ports.

Adapters and heavy libraries are imported where they are needed, and the modules of this package
when one of their names is used first: a command pays for what it does. `tests/unit/cli` watches
that. Nothing here prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.lazy import homes, loading

if TYPE_CHECKING:
    from orchestrator.api.admin_values import (
        ACCESS_S,
        ADMIN_PARALLEL_COUNT,
        FETCH_BYTES_MAX,
        Accessed,
        AccessRequest,
        BundleRequest,
        EnrollRequest,
        Fetched,
        FetchRequest,
        PinRequest,
        ReleaseRequest,
    )
    from orchestrator.api.approvals import (
        approval_sign,
        approval_statement,
        approval_text,
        approvals_are_signed,
    )
    from orchestrator.api.artifact_values import ArtifactShown, BuildRequest, DeltaShown, KeyShown
    from orchestrator.api.artifacts import (
        artifact_build,
        artifact_inspect,
        artifact_sign,
        artifact_verify,
        helper_build,
        key_generate,
        key_show,
    )
    from orchestrator.api.asked_values import Asked, AskRequest
    from orchestrator.api.asking import ask, join, propose
    from orchestrator.api.attaching import release_attach
    from orchestrator.api.attesting import device_attest
    from orchestrator.api.auditing import Audited, audit_checkpoint, audit_verify
    from orchestrator.api.authorities import Vouching, ca_init, ca_sign_host, ca_sign_user
    from orchestrator.api.bundle_checks import bundle_verify
    from orchestrator.api.bundles import device_bundle, device_pin
    from orchestrator.api.circles import circle
    from orchestrator.api.commits import refuse_uncommitted
    from orchestrator.api.controlling import control
    from orchestrator.api.deltas import artifact_delta
    from orchestrator.api.device_access import device_fetch, device_run, device_shell
    from orchestrator.api.device_logs import ModuleLog, device_log, module_log
    from orchestrator.api.device_roots import device_root
    from orchestrator.api.devices import device_adopt, device_check, device_facts
    from orchestrator.api.driving import apply, run
    from orchestrator.api.enrolment import device_enroll, device_release
    from orchestrator.api.evidence import refuse_unevidenced
    from orchestrator.api.evidence_bundles import release_bundle
    from orchestrator.api.explaining import Explanation, explain, explanations, meanings
    from orchestrator.api.fleets import Fleet, FleetRequest, fleet
    from orchestrator.api.following import Following
    from orchestrator.api.freezes import freeze, frozen, unfreeze
    from orchestrator.api.holds import device_unhold, pattern_devices
    from orchestrator.api.hooks import deliveries
    from orchestrator.api.inventories import hosts, inventory_graph, inventory_host, inventory_list
    from orchestrator.api.inventory_values import HostShown
    from orchestrator.api.joining import grown
    from orchestrator.api.local_lab import lab_break, lab_down, lab_status, lab_up
    from orchestrator.api.looking import journal, rollouts, status, why
    from orchestrator.api.metering import Meter, Metering
    from orchestrator.api.owners import owner_words
    from orchestrator.api.plan_names import plan_name
    from orchestrator.api.plans import prepare, unproven
    from orchestrator.api.project import init, validate
    from orchestrator.api.proposals import proposal_in, refuse_stale_proposal, request_of
    from orchestrator.api.reconciling import reconcile
    from orchestrator.api.recording import ACTS_COUNT_DEFAULT, acts
    from orchestrator.api.reporting import Reported, report
    from orchestrator.api.roles import require_role
    from orchestrator.api.roots import (
        root_add,
        root_init,
        root_rotate,
        root_show,
        root_sign,
        root_verify,
    )
    from orchestrator.api.saved import refuse_stale
    from orchestrator.api.schemas import schema_named, schema_names
    from orchestrator.api.showing import PlanShown, plan_shown
    from orchestrator.api.signing import passphrase
    from orchestrator.api.states import (
        state_backup,
        state_export,
        state_export_all,
        state_migrate,
    )
    from orchestrator.api.stores import shown_state
    from orchestrator.api.tickets import (
        release_create,
        release_inspect,
        release_sign,
        release_verify,
    )
    from orchestrator.api.tracing import Outlet, Traces, observing, open_traces, require_extra
    from orchestrator.api.trust_values import (
        AttachRequest,
        RootRequest,
        SignWith,
        TicketChecks,
        TicketRequest,
        Unlock,
    )
    from orchestrator.api.values import (
        DeviceAnswer,
        Finished,
        LabRequest,
        LabShown,
        Nobody,
        Observer,
        Onlooker,
        PlanRequest,
        Prepared,
        Reconciled,
        Run,
        Settings,
        Source,
        StateMigrated,
        Status,
        Stay,
        Unreadable,
        Validated,
        Why,
    )
    from orchestrator.api.watching import watch
    from orchestrator.api.witnesses import Witnesses

_NAMES = {
    "admin_values": "ACCESS_S ADMIN_PARALLEL_COUNT AccessRequest Accessed BundleRequest EnrollRequest FETCH_BYTES_MAX FetchRequest Fetched PinRequest ReleaseRequest",
    "approvals": "approval_sign approval_statement approval_text approvals_are_signed",
    "artifact_values": "ArtifactShown BuildRequest DeltaShown KeyShown",
    "artifacts": "artifact_build artifact_inspect artifact_sign artifact_verify helper_build key_generate key_show",
    "asked_values": "AskRequest Asked",
    "asking": "ask join propose",
    "attaching": "release_attach",
    "attesting": "device_attest",
    "auditing": "Audited audit_checkpoint audit_verify",
    "authorities": "Vouching ca_init ca_sign_host ca_sign_user",
    "bundle_checks": "bundle_verify",
    "bundles": "device_bundle device_pin",
    "commits": "refuse_uncommitted",
    "controlling": "control",
    "deltas": "artifact_delta",
    "device_access": "device_fetch device_run device_shell",
    "device_logs": "ModuleLog device_log module_log",
    "device_roots": "device_root",
    "devices": "device_adopt device_check device_facts",
    "driving": "apply run",
    "enrolment": "device_enroll device_release",
    "evidence": "refuse_unevidenced",
    "evidence_bundles": "release_bundle",
    "explaining": "Explanation explain explanations meanings",
    "fleets": "Fleet FleetRequest fleet",
    "following": "Following",
    "circles": "circle",
    "freezes": "freeze frozen unfreeze",
    "holds": "device_unhold pattern_devices",
    "hooks": "deliveries",
    "inventories": "hosts inventory_graph inventory_host inventory_list",
    "inventory_values": "HostShown",
    "joining": "grown",
    "local_lab": "lab_break lab_down lab_status lab_up",
    "looking": "journal rollouts status why",
    "metering": "Meter Metering",
    "owners": "owner_words",
    "plan_names": "plan_name",
    "plans": "prepare unproven",
    "project": "init validate",
    "proposals": "proposal_in refuse_stale_proposal request_of",
    "reconciling": "reconcile",
    "recording": "ACTS_COUNT_DEFAULT acts",
    "reporting": "Reported report",
    "roles": "require_role",
    "roots": "root_add root_init root_rotate root_show root_sign root_verify",
    "saved": "refuse_stale",
    "schemas": "schema_named schema_names",
    "showing": "PlanShown plan_shown",
    "signing": "passphrase",
    "states": "state_backup state_export state_export_all state_migrate",
    "stores": "shown_state",
    "tickets": "release_create release_inspect release_sign release_verify",
    "tracing": "Outlet Traces observing open_traces require_extra",
    "trust_values": "AttachRequest RootRequest SignWith TicketChecks TicketRequest Unlock",
    "values": "DeviceAnswer Finished LabRequest LabShown Nobody Observer Onlooker PlanRequest Prepared Reconciled Run Settings Source StateMigrated Status Stay Unreadable Validated Why",
    "watching": "watch",
    "witnesses": "Witnesses",
}
_HOMES = homes(_NAMES)
__getattr__ = loading(__name__, _HOMES)

__all__ = [
    "ACCESS_S",
    "ACTS_COUNT_DEFAULT",
    "ADMIN_PARALLEL_COUNT",
    "FETCH_BYTES_MAX",
    "AccessRequest",
    "Accessed",
    "ArtifactShown",
    "AskRequest",
    "Asked",
    "AttachRequest",
    "Audited",
    "BuildRequest",
    "BundleRequest",
    "DeltaShown",
    "DeviceAnswer",
    "EnrollRequest",
    "Explanation",
    "FetchRequest",
    "Fetched",
    "Finished",
    "Fleet",
    "FleetRequest",
    "Following",
    "HostShown",
    "KeyShown",
    "LabRequest",
    "LabShown",
    "Meter",
    "Metering",
    "ModuleLog",
    "Nobody",
    "Observer",
    "Onlooker",
    "Outlet",
    "PinRequest",
    "PlanRequest",
    "PlanShown",
    "Prepared",
    "Reconciled",
    "ReleaseRequest",
    "Reported",
    "RootRequest",
    "Run",
    "Settings",
    "SignWith",
    "Source",
    "StateMigrated",
    "Status",
    "Stay",
    "TicketChecks",
    "TicketRequest",
    "Traces",
    "Unlock",
    "Unreadable",
    "Validated",
    "Vouching",
    "Why",
    "Witnesses",
    "acts",
    "apply",
    "approval_sign",
    "approval_statement",
    "approval_text",
    "approvals_are_signed",
    "artifact_build",
    "artifact_delta",
    "artifact_inspect",
    "artifact_sign",
    "artifact_verify",
    "ask",
    "audit_checkpoint",
    "audit_verify",
    "bundle_verify",
    "ca_init",
    "ca_sign_host",
    "ca_sign_user",
    "circle",
    "control",
    "deliveries",
    "device_adopt",
    "device_attest",
    "device_bundle",
    "device_check",
    "device_enroll",
    "device_facts",
    "device_fetch",
    "device_log",
    "device_pin",
    "device_release",
    "device_root",
    "device_run",
    "device_shell",
    "device_unhold",
    "explain",
    "explanations",
    "fleet",
    "freeze",
    "frozen",
    "grown",
    "helper_build",
    "hosts",
    "init",
    "inventory_graph",
    "inventory_host",
    "inventory_list",
    "join",
    "journal",
    "key_generate",
    "key_show",
    "lab_break",
    "lab_down",
    "lab_status",
    "lab_up",
    "meanings",
    "module_log",
    "observing",
    "open_traces",
    "owner_words",
    "passphrase",
    "pattern_devices",
    "plan_name",
    "plan_shown",
    "prepare",
    "proposal_in",
    "propose",
    "reconcile",
    "refuse_stale",
    "refuse_stale_proposal",
    "refuse_uncommitted",
    "refuse_unevidenced",
    "release_attach",
    "release_bundle",
    "release_create",
    "release_inspect",
    "release_sign",
    "release_verify",
    "report",
    "request_of",
    "require_extra",
    "require_role",
    "rollouts",
    "root_add",
    "root_init",
    "root_rotate",
    "root_show",
    "root_sign",
    "root_verify",
    "run",
    "schema_named",
    "schema_names",
    "shown_state",
    "state_backup",
    "state_export",
    "state_export_all",
    "state_migrate",
    "status",
    "unfreeze",
    "unproven",
    "validate",
    "watch",
    "why",
]
