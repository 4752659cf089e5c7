"""Hooks: telling people and programs what happened to a rollout, from its journal.

`notify.delivery` decides what is still due and when it is tried again; the other modules tell.
"""
