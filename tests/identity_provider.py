"""A small OpenID Connect provider, on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from joserfc import jws
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

CLIENT = ("rollcall", "a secret between them")


def signed(claims: dict[str, Any], key: RSAKey) -> str:
    return jws.serialize_compact({"alg": "RS256", "kid": key.kid}, json.dumps(claims), key)


@dataclass
class IdentityProvider:
    """What a test changes of it is what goes wrong."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "ada", "name": "Ada Lovelace"})
    """The claims of whoever signs in."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first"}))
    sign: Callable[[dict[str, Any], RSAKey], str] = signed
    claims: dict[str, Any] = field(default_factory=dict)
    """Instead of, or beside, those that belong into the ID token."""
    refuses: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append(request.path)
        calls = {"/authorize": self.authorize, "/token": self.token, "/keys": self.keys}
        answer = calls.get(request.path, self.discovery)
        return (Response(status=503) if self.down else answer(request))(environ, start_response)

    def discovery(self, request: Request) -> Response:
        assert request.path == "/.well-known/openid-configuration"
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return _json(told | self.metadata)

    def keys(self, _: Request) -> Response:
        unusable = {"kty": "EC", "crv": "of tomorrow", "kid": "other"}
        return _json({"keys": [unusable, self.key.as_dict(private=False, use="sig", alg="RS256")]})

    def authorize(self, request: Request) -> Response:
        asked = request.args
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT[0])
        assert asked["scope"] == "openid email profile"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(900)  # as long as some providers' are
        self.codes[code] = asked.to_dict()
        back = {"error": self.refuses} if self.refuses else {"code": code}
        location = f"{asked['redirect_uri']}?{urlencode(back | {'state': asked['state'], 'session_state': 'x'})}"
        return Response(status=302, headers={"Location": location})

    def token(self, request: Request) -> Response:
        form = request.form
        begun = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            begun is None
            or begun["code_challenge"] != challenge.decode()
            or begun["redirect_uri"] != form["redirect_uri"]
        ):
            return _json({"error": "invalid_grant"}, 400)
        if self.client(request) != CLIENT:
            return _json({"error": "invalid_client"}, 401)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT[0], "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        id_token = self.sign(claims | self.person | self.claims, self.key)
        return _json({"access_token": "unused", "token_type": "Bearer", "id_token": id_token})

    def client(self, request: Request) -> tuple[str | None, str | None]:
        sent = request.authorization
        if "client_secret_post" in self.metadata.get("token_endpoint_auth_methods_supported", ()):
            return request.form["client_id"], request.form["client_secret"]
        return (sent.username, sent.password) if sent else (None, None)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")


@contextmanager
def running() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    server = make_server("127.0.0.1", 0, provider, threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
