"""Revisions of the schema, oldest first; a revision that was released never changes."""
