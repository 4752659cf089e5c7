"""The state store: snapshot and journal in one transaction, leases with epochs.

`orchestrator.store.sql` has the store; this module imports nothing, since SQLAlchemy is dear to
load and most commands need no state.
"""
