"""Fetching from other servers, at addresses that people type in: never from inside the installation's network."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from app.extensions import settings
from app.services.errors import AddressRefused

SECONDS = (5, 15)
"""To connect to one address, and to wait for the next bytes."""
WHOLE = 30
"""Seconds for all of it, from connecting to the last byte."""
ADDRESSES = 3
"""Of those that a name leads to, as many are tried."""
MOST = 5_000_000
OPENING = 2000


LEADS_INSIDE = "This address leads into the server's own network"
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses, inside ones too, as a NAT64 gateway takes them (RFC 6052)."""


class _Inside(Exception):
    pass


class _Call:
    """Hangs up when WHOLE seconds are over, however slowly the other side does what: who sends one byte at a time
    keeps to every limit on waiting for the next."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + WHOLE
        self._after = ExitStack()

    def left(self) -> float:
        return self._ends - time.monotonic()

    def watch(self, connected: socket.socket) -> None:
        line = connected.dup()  # TLS takes the first for itself
        timer = Timer(max(self.left(), 0), _hang_up, [line])
        timer.daemon = True
        timer.start()
        for done in (line.close, timer.join, timer.cancel):
            self._after.callback(done)

    def end(self) -> None:
        self._after.close()


_call: ContextVar[_Call] = ContextVar("call")


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        line.shutdown(socket.SHUT_RDWR)


class _Connecting:
    host: str
    port: int
    timeout: Any
    source_address: Any
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        """Where the name has led when it was looked at: it may lead elsewhere at second sight."""
        found = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        addresses = [(str(address[0]), self.port) for *_, address in found]
        self._look_at(addresses)
        failed: OSError = TimeoutError()
        for address in addresses[:ADDRESSES]:
            call = _call.get()
            timeout = min(self.timeout, max(call.left(), 0.001))
            try:
                connected = create_connection(address, timeout, self.source_address, self.socket_options)
            except OSError as error:
                failed = error
            else:
                call.watch(connected)
                return connected
        raise failed

    def _look_at(self, addresses: list[tuple[str, int]]) -> None:
        """Before they are connected to."""


class _Public(_Connecting):
    """Looks before it connects, so that nobody learns what is open inside."""

    def _look_at(self, addresses: list[tuple[str, int]]) -> None:
        for address, _ in addresses:
            _require_public(address)


def _require_public(address: str) -> None:
    """Raises _Inside."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if not found.is_global or found in TRANSLATED:
        raise _Inside


class _HTTP(_Connecting, HTTPConnection):
    pass


class _HTTPS(_Connecting, HTTPSConnection):
    pass


class _PublicHTTP(_Public, HTTPConnection):
    pass


class _PublicHTTPS(_Public, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _Adapter(HTTPAdapter):
    pools: dict[str, type[HTTPConnectionPool]] = {"http": _HTTPPool, "https": _HTTPSPool}  # noqa: RUF012

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools


class _PublicAdapter(_Adapter):
    pools = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}  # noqa: RUF012


def require_public(url: str) -> None:
    """That an address may be sent to, as far as it can be told without asking anybody: it is https, and no number in
    the own network; to where a name leads is looked at when it is connected to. With ALLOW_PRIVATE_NETWORKS it may be
    http, and anywhere.

    Raises AddressRefused.
    """
    if settings().allow_private_networks:
        return
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise AddressRefused("The address must begin with https://")
    with suppress(socket.gaierror, UnicodeError):  # a name
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        try:
            _require_public(str(found[0][4][0]))
        except _Inside as inside:
            raise AddressRefused(LEADS_INSIDE) from inside


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
    with _answer(method, url, **kwargs) as answer:
        body = b""
        while part := answer.raw.read1(65536, decode_content=True):
            body += part
            if len(body) > most:
                raise AddressRefused(f"This address answers with more than {most} bytes")
        if _call.get().left() <= 0:  # an answer without a length ends where the line does
            raise TimeoutError
        return answer.status_code, body


def send(method: str, url: str, **kwargs: Any) -> tuple[int, bytes]:
    """Another server's status and how its answer begins, for who needs no more than to know that it took something:
    what it says besides may be long, slow or broken off.

    Raises:
        AddressRefused: it is not http(s), leads inside, or gives no status in time.
    """
    with _answer(method, url, **kwargs) as answer:
        opening = b""
        with suppress(urllib3.exceptions.HTTPError, ValueError, OSError):
            while len(opening) < OPENING and (part := answer.raw.read1(OPENING, decode_content=True)):
                opening += part
        return answer.status_code, opening[:OPENING]


@contextmanager
def _answer(method: str, url: str, **kwargs: Any) -> Iterator[requests.Response]:
    """Its head; what fails while the rest is read is refused as well."""
    if not url.startswith(("https://", "http://")):
        raise AddressRefused("An address begins with https://")
    call = _Call()
    _call.set(call)
    try:
        with session() as client:
            yield client.request(method, url, timeout=SECONDS, stream=True, allow_redirects=False, **kwargs)
    except _Inside as inside:
        raise AddressRefused(LEADS_INSIDE) from inside
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError) as failed:
        late = f"This address answers for more than {WHOLE} s"
        raise AddressRefused("This address does not answer" if call.left() > 0 else late) from failed
    finally:
        call.end()


def session() -> requests.Session:
    """A client of other servers, kept out of the own network unless ALLOW_PRIVATE_NETWORKS."""
    client = requests.Session()
    client.trust_env = False
    adapter = _Adapter() if settings().allow_private_networks else _PublicAdapter()
    client.mount("https://", adapter)
    client.mount("http://", adapter)
    return client
