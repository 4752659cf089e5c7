"""Mender Artifact v3: read, write and check, streaming, without extracting to disk."""
