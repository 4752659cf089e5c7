"""Alembic's home: `env.py` runs the revisions in `versions/` on a connection given by `migrate`."""
