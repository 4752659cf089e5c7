"""Data to text: diagnostics, previews, progress, events. Nothing here reads or writes."""
