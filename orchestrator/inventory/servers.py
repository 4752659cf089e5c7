"""Servers that list hosts: a JSON listing over HTTP, or NetBox.

    https://cmdb.example/fleet.json                          what Ansible's scripts print
    netbox+https://netbox.example/api/dcim/devices/?site=ber   NetBox's own lists

Laws:
1. A server is asked only if the operator's own configuration names its origin: where devices are
   is not for a commit to say. Tokens stand there too, as a file or a variable, and go nowhere else.
2. TLS, with certificates checked; without it only this machine is asked.
3. What a server lists is no template: who may write there is not whom the inventory trusts with the
   variables of other hosts, and those may be encrypted.
4. A token that a server lists is no name and no value: it stands there as hidden.
5. One deadline and one limit of bytes hold for all pages of a source.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.inventory import netbox
from orchestrator.inventory.listed import ListingError, parse
from orchestrator.inventory.own_loop import waited
from orchestrator.outward import http
from orchestrator.outward.failure import HIDDEN, OutwardError
from orchestrator.outward.tokens import Tokens

_ADDRESS = re.compile(r"(netbox\+)?(https?://.*)", re.DOTALL)
_USER = re.compile(r"//[^/@]*@")
_DEADLINE_S = 120.0  # as programs have
_BYTES_MAX = 64 * 1024 * 1024
_PAGES_MAX = 1_000
_PAGE_SIZE = 1_000  # NetBox's own limit, unless it was changed
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_BEARER_PREFIX = "nbt_"  # NetBox 4.5; older ones are no bearer tokens


class ServerError(Exception):
    """A server that may not be asked, or whose answer is no inventory; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Servers:
    """Whom the operator lets list hosts.

    Args:
        entries: `ORIGIN`, or with a token `ORIGIN=file:PATH` or `ORIGIN=env:NAME`.
        environment: where `env:` looks.
    """

    entries: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def listing(self, address: str) -> bytes:
        """What the server lists, in the form that programs print.

        Raises:
            ServerError: it is not allowed, did not answer, or lists nothing sensible.
        """
        match = _ADDRESS.fullmatch(address)
        assert match is not None, "somebody asked `is_address`"
        url = match[2]
        try:
            token = self._token(url)
            if match[1]:
                return json.dumps(waited(lambda: _of_netbox(url, token))).encode()
            data = waited(lambda: _fetched(url, token, _DEADLINE_S, _BYTES_MAX))
            parse(data)
        except OutwardError as error:
            raise ServerError(str(error)) from error
        except ListingError as error:
            raise ServerError(str(error)) from error
        return data

    def _token(self, url: str) -> http.Token | None:
        """The token for an address that may be asked."""
        origin = http.origin(http.checked_url(url))
        scheme, host, port = origin
        allowed = {http.origin(http.checked_url(entry.partition("=")[0])) for entry in self.entries}
        if origin not in allowed:
            name = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            hint = f"name it in `inventory_servers` of your own configuration: `{name}`"
            raise ServerError("a server, which is asked only where you allow it", hint)
        if scheme != "https" and host not in _THIS_MACHINE:
            raise ServerError("without TLS anybody may answer", "write `https://`")
        with_token = [entry for entry in self.entries if "=" in entry]
        return Tokens(with_token, self.environment).for_url(url)


NO_SERVERS = Servers()


def is_address(text: str) -> bool:
    """Whether a source is one of a server."""
    return _ADDRESS.fullmatch(text) is not None


def shown_address(text: str) -> str:
    """The address without a user and password, which are refused."""
    return _USER.sub("//", text)


async def _fetched(url: str, token: http.Token | None, deadline_s: float, bytes_max: int) -> bytes:
    data = await http.fetch(url, deadline_s=deadline_s, bytes_max=bytes_max, token=token)
    return data if token is None else data.replace(token.secret.encode(), HIDDEN.encode())


async def _of_netbox(url: str, token: http.Token | None) -> dict[str, object]:
    if token is not None and not token.secret.startswith(_BEARER_PREFIX):
        token = replace(token, scheme="Token")
    ends = time.monotonic() + _DEADLINE_S
    left = _BYTES_MAX
    pages: list[netbox.Page] = []
    onward: str | None = _with_limit(url)
    while onward is not None:
        if len(pages) == _PAGES_MAX:
            raise ListingError(f"more than {_PAGES_MAX} pages")
        if http.origin(http.checked_url(onward)) != http.origin(http.checked_url(url)):
            raise ListingError("the next page is on another server (`next`, behind a proxy?)")
        data = await _fetched(onward, token, max(ends - time.monotonic(), 0.0), left)
        left -= len(data)
        pages.append(netbox.page_of(data))
        onward = pages[-1].onward
    return netbox.listing(pages)


def _with_limit(url: str) -> str:
    """As large pages as there are, where the address does not say."""
    _, mark, query = url.partition("?")
    if any(part.startswith("limit=") for part in query.split("&")):
        return url
    return f"{url}{'&' if mark else '?'}limit={_PAGE_SIZE}"
