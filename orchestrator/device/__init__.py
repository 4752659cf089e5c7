"""The contract with a device: requests, replies, limits, reasons, and the helper it runs."""
