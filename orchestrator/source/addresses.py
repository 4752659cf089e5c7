"""Network addresses as text."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address


def is_ipv6(text: str) -> bool:
    """Whether the text is an IPv6 address without a zone."""
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text
