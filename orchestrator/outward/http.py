"""One request from the controller over HTTP, within tight limits.

Laws:
1. Only http and https, without user and password in the address; no proxy, no cookies, and
   no credentials but a token for its own origin; certificates are checked against the system's
   store.
2. A redirect is followed only within the same host and port (or from http to https of that host).
   What is sent with a body (POST) follows none.
3. A name that resolves to a link-local or cloud-metadata address is refused; the connection goes
   to the address that was looked at, so that a second look-up cannot change it. An address that the
   plan writes out is the author's decision and is used.
4. The deadline covers everything; of a body no more is read than the caller allows. Compressed
   bodies are refused, not unpacked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from orchestrator.outward.failure import OutwardError

if TYPE_CHECKING:
    import httpx

REDIRECTS_MAX = 3
ADDRESSES_MAX = 4  # of one name that are tried
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
SUCCESS = range(200, 300)
_METADATA = frozenset({"100.100.100.200", "fd00:ec2::254"})  # not link-local, but the same thing

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Origin = tuple[str, str, int]  # scheme, host, port
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, shown to one origin only, whatever redirects say; never printed."""

    origin: Origin
    secret: str = field(repr=False)
    scheme: str = "Bearer"


async def get(
    url: str,
    read: Callable[[httpx.Response], Awaitable[T]],
    *,
    deadline_s: float,
    token: Token | None = None,
) -> T:
    """What `read` makes of the answer, whose body has not been read yet.

    Raises:
        OutwardError: there was no answer, or `read` found that it cannot be used. It never holds the
            token: a server that says what it was sent does so in words that are kept and shown.
    """
    target = checked_url(url)
    work = _follow(target, read, deadline_s=deadline_s, token=token)
    try:
        return await _limited(target, work, deadline_s)
    except OutwardError as error:
        if token is None:
            raise
        masked = error.without(token.secret)
    raise masked  # and nothing of the other one, which a traceback would show


async def fetch(
    url: str, *, deadline_s: float, bytes_max: int, token: Token | None = None
) -> bytes:
    """The body of a successful answer.

    Raises:
        OutwardError: there was no answer, no successful one, or it is compressed or too long.
    """

    async def read(response: httpx.Response) -> bytes:
        if response.status_code not in SUCCESS:
            message = f"`{response.request.headers['host']}` answers {response.status_code}"
            raise OutwardError(message)
        return await body_of(response, bytes_max)

    return await get(url, read, deadline_s=deadline_s, token=token)


async def post(url: str, body: bytes, headers: Mapping[str, str], *, deadline_s: float) -> int:
    """The status of the answer to a body that was sent; what the answer says is not read.

    Raises:
        OutwardError: there was no answer; whether the body arrived is not known.
    """
    target = checked_url(url)
    return await _limited(target, _status(target, body, headers, deadline_s), deadline_s)


async def _status(
    target: httpx.URL, body: bytes, headers: Mapping[str, str], deadline_s: float
) -> int:
    async with _client(deadline_s) as client:
        response = await _send(client, "POST", target, headers, body)
        await response.aclose()
        return response.status_code


async def _limited(target: httpx.URL, work: Awaitable[T], deadline_s: float) -> T:
    """The deadline, and trouble of all kinds in the same words."""
    import httpx

    try:
        async with asyncio.timeout(deadline_s):
            return await work
    except TimeoutError as error:
        message = f"no answer of `{target.host}` within {deadline_s:g} s"
        raise OutwardError(message) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError) as error:
        message = f"`{target.host}`: {error or type(error).__name__}"
        raise OutwardError(message) from error


async def body_of(response: httpx.Response, bytes_max: int) -> bytes:
    """The body, never held beyond the limit.

    Raises:
        OutwardError: it is compressed or longer.
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        message = "the answer is compressed although that was declined"
        raise OutwardError(message)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > bytes_max:
            message = f"the answer is longer than {bytes_max // 1024} KiB"
            raise OutwardError(message)
    return bytes(body)


def checked_url(url: str) -> httpx.URL:
    """The address, taken apart once and for all.

    Raises:
        OutwardError: it is not one that may be asked.
    """
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        message = f"`{url}` is no address: {error}"
        raise OutwardError(message) from error
    if parsed.scheme not in _PORTS or not parsed.host:
        message = f"`{url}` is not an http or https address"
        raise OutwardError(message)
    if parsed.userinfo:
        message = f"the address of `{parsed.host}` must not hold a user or password"
        raise OutwardError(message)
    return parsed


async def _follow(
    target: httpx.URL,
    read: Callable[[httpx.Response], Awaitable[T]],
    *,
    deadline_s: float,
    token: Token | None,
) -> T:
    async with _client(deadline_s) as client:
        for _ in range(REDIRECTS_MAX + 1):
            headers = {"accept": "application/json, */*;q=0.1"}
            if token is not None and token.origin == origin(target):
                headers["authorization"] = f"{token.scheme} {token.secret}"
            response = await _send(client, "GET", target, headers)
            try:
                onward = _redirect(target, response)
                if onward is None:
                    return await read(response)
                target = onward
            finally:
                await response.aclose()
    message = f"`{target.host}` redirects more than {REDIRECTS_MAX} times"
    raise OutwardError(message)


def _client(deadline_s: float) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        verify=_tls_context(),  # also for http: a redirect may go on to https
        trust_env=False,
        follow_redirects=False,
        timeout=deadline_s,
        headers={"accept-encoding": "identity"},
    )


async def _send(
    client: httpx.AsyncClient,
    method: str,
    target: httpx.URL,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> httpx.Response:
    """The answer's head, from the first address that takes the connection."""
    import httpx

    trouble: Exception | None = None
    for address in await addresses(target.host, target.port or _PORTS[target.scheme]):
        request = client.build_request(
            method,
            target.copy_with(host=address),
            content=body,
            headers={"host": target.netloc.decode("ascii"), **headers},
            extensions={"sni_hostname": target.host},
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            trouble = error
    assert trouble is not None, "there is at least one address"
    raise trouble


async def addresses(host: str, port: int) -> list[str]:
    """Where to connect to for a host: at least one address and at most `ADDRESSES_MAX`.

    Raises:
        OutwardError: it does not resolve, or to what must not be asked.
    """
    if _ip(host) is not None:
        return [host]
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"`{host}` does not resolve"
        raise OutwardError(message) from error
    resolved = dict.fromkeys(str(entry[4][0]) for entry in found)
    usable = [address for address in resolved if not _forbidden(address)]
    if not usable:
        message = f"`{host}` resolves to a link-local or metadata address"
        raise OutwardError(message)
    return usable[:ADDRESSES_MAX]


def _forbidden(address: str) -> bool:
    ip = _ip(address.partition("%")[0])
    if ip is None:
        return True
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified or str(ip) in _METADATA


def _ip(text: str) -> Ip | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _redirect(target: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    location = response.headers.get("location")
    if response.status_code not in _REDIRECTS or location is None:
        return None
    onward = checked_url(str(target.join(location)))
    same = origin(onward) == origin(target)
    upgrade = (origin(target), origin(onward)) == (
        ("http", target.host, _PORTS["http"]),
        ("https", target.host, _PORTS["https"]),
    )
    if not same and not upgrade:
        message = f"`{target.host}` redirects to another place, `{onward.host}`"
        raise OutwardError(message)
    return onward


def origin(url: httpx.URL) -> Origin:
    """What must be the same for two addresses to be of one server."""
    return url.scheme, url.host, url.port or _PORTS[url.scheme]


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
