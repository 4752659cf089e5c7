"""Figures for Prometheus: its text format, a page of it over HTTP, and how late the event loop is."""
