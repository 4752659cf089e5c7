"""Devices over SSH: hardened connections, the transport, enrolment. Home of asyncssh."""
