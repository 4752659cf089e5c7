"""The state store: snapshot and journal in one transaction, leases with epochs."""
