"""Fetching from other servers, at addresses that people type in: never from inside the installation's network."""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from app.extensions import settings
from app.services.errors import AddressRefused

SECONDS = (5, 15)
"""To connect, and to wait for the next bytes."""
WHOLE = 30
"""Seconds for all of an answer."""
MOST = 5_000_000


TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses, inside ones too, as a NAT64 gateway takes them (RFC 6052)."""


class _Inside(Exception):
    pass


class _Public:
    """Looks before it connects, so that nobody learns what is open inside, and at who really answered, so that a name
    that leads elsewhere at second sight leads nowhere."""

    host: str
    port: int

    def _new_conn(self) -> Any:
        found = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        for *_, address in found:
            _require_public(str(address[0]))
        connected = super()._new_conn()  # type: ignore[misc]
        try:
            _require_public(connected.getpeername()[0])
        except _Inside:
            connected.close()
            raise
        return connected


def _require_public(address: str) -> None:
    """Raises _Inside."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if not found.is_global or found in TRANSLATED:
        raise _Inside


class _PublicHTTP(_Public, HTTPConnection):
    pass


class _PublicHTTPS(_Public, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _PublicAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


def request(method: str, url: str, **kwargs: Any) -> bytes:
    """What another server answers, at most MOST bytes; redirections are not followed.

    Raises:
        AddressRefused: as `exchange`, or it answers with an error.
    """
    status, body = exchange(method, url, **kwargs)
    if status != requests.codes.ok:
        raise AddressRefused(f"This address answers {status}")
    return body


def exchange(method: str, url: str, most: int = MOST, **kwargs: Any) -> tuple[int, bytes]:
    """Another server's status and answer, at most so many bytes; redirections are not followed.

    Raises:
        AddressRefused: it is not http(s), leads inside, does not answer, or answers too slowly or with too much.
    """
    if not url.startswith(("https://", "http://")):
        raise AddressRefused("An address begins with https://")
    try:
        with session() as client:
            answer = client.request(method, url, timeout=SECONDS, stream=True, allow_redirects=False, **kwargs)
            body = _body(answer, most)
    except _Inside as inside:
        raise AddressRefused("This address leads into the server's own network") from inside
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError) as failed:
        raise AddressRefused("This address does not answer") from failed
    return answer.status_code, body


def _body(answer: requests.Response, most: int) -> bytes:
    """Piece by piece, since who sends one byte at a time keeps to every limit on waiting for the next."""
    body, ends = b"", time.monotonic() + WHOLE
    while part := answer.raw.read1(65536, decode_content=True):
        body += part
        if len(body) > most or time.monotonic() > ends:
            raise AddressRefused(f"This address answers with more than {most} bytes, or for more than {WHOLE} s")
    return body


def session() -> requests.Session:
    """A client of other servers, kept out of the own network unless ALLOW_PRIVATE_NETWORKS."""
    client = requests.Session()
    client.trust_env = False
    if not settings().allow_private_networks:
        client.mount("https://", _PublicAdapter())
        client.mount("http://", _PublicAdapter())
    return client
