"""OpenID Connect providers: what they say about themselves and about who has signed in there, believed once checked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

from authlib.integrations.requests_client.oauth2_session import OAuth2ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.jws import JWSRegistry
from pydantic import AfterValidator, BaseModel, ValidationError

from app import clock
from app.extensions import settings
from app.services import outside
from app.services.errors import AddressRefused, SingleSignOnFailed

Claims = Mapping[str, Any]

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Those whose signing key only the provider has: the key of HS256 could be one that it publishes, and none has none."""
SCOPE = "openid email profile"
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
KEPT = 300
"""Seconds for which a provider's documents are not asked for again."""
MOST_KEPT = 200
MOST = 250_000
"""Bytes of an answer: many times what any provider says."""

Document = TypeVar("Document", bound=BaseModel)

_kept: dict[tuple[str, type[BaseModel]], tuple[float, BaseModel]] = {}


def require_https(address: str) -> str:
    """Raises ValueError unless what goes there is encrypted, or ALLOW_PRIVATE_NETWORKS lets it be in the open."""
    schemes = {"https", "http"} if settings().allow_private_networks else {"https"}
    parts = urlsplit(address)
    if parts.scheme not in schemes or not parts.hostname or not address.isprintable():
        raise ValueError("does not begin with https://")
    return address


Address = Annotated[str, AfterValidator(require_https)]


class Provider(BaseModel):
    """A provider as it describes itself. Source: OpenID Connect Discovery 1.0, section 3; RFC 9207, section 3."""

    issuer: str
    authorization_endpoint: Address
    token_endpoint: Address
    jwks_uri: Address
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False


class _Keys(BaseModel):
    keys: list[dict[str, Any]]


class _Tokens(BaseModel):
    id_token: str


def discover(issuer: str, *, anew: bool = False) -> Provider:
    """What the provider says about itself, by default up to KEPT seconds ago.

    Raises:
        AddressRefused: no provider answers there, or it calls itself otherwise.
    """
    provider = _document(f"{issuer.removesuffix('/')}/.well-known/openid-configuration", Provider, anew)
    if provider.issuer != issuer:
        raise AddressRefused(f"The provider there calls itself {provider.issuer[:500]}: send that as issuer")
    return provider


def sign_in_page(
    provider: Provider, client_id: str, redirect_uri: str, *, state: str, nonce: str, verifier: str
) -> str:
    """The address at which a person signs in at the provider."""
    client = OAuth2Client(None, client_id, scope=SCOPE, redirect_uri=redirect_uri, code_challenge_method="S256")
    url, _ = client.create_authorization_url(
        provider.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
    )
    return cast(str, url)


def redeem(
    provider: Provider, client_id: str, client_secret: str, redirect_uri: str, *, code: str, verifier: str
) -> str:
    """The ID token that the provider gives for a code.

    Raises:
        AddressRefused: the provider does not answer.
        SingleSignOnFailed: it refuses.
    """
    basic = "client_secret_basic" in provider.token_endpoint_auth_methods_supported
    method = "client_secret_basic" if basic else "client_secret_post"
    status, body = outside.exchange(
        "POST",
        provider.token_endpoint,
        MOST,
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        },
        auth=OAuth2ClientAuth(client_id, client_secret, method),
    )
    if status >= 500:  # noqa: PLR2004 - it is the server's fault
        raise AddressRefused(f"This address answers {status}")
    try:
        return _Tokens.model_validate_json(body).id_token
    except ValidationError as refused:
        raise SingleSignOnFailed(f"Your organisation's sign-in did not confirm who you are ({status})") from refused


def claims_of(provider: Provider, client_id: str, id_token: str, nonce: str) -> Claims:
    """What the provider says about the person, once it is known to be the provider who says it, here and now, to us.

    Source: OpenID Connect Core 1.0, section 3.1.3.7.

    Raises:
        AddressRefused: the provider's keys cannot be fetched.
        SingleSignOnFailed: it is somebody else's, for somebody else, of another sign-in, or has expired.
    """
    try:
        try:
            token = _verified(id_token, _keys(provider))
        except InvalidKeyIdError:  # the provider has a new key
            token = _verified(id_token, _keys(provider, anew=True))
        wanted = {"iss": {"value": provider.issuer}, "aud": {"value": client_id}}
        claims = CodeIDToken(token.claims, token.header, wanted, {"client_id": client_id, "nonce": nonce})
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY)
    except (JoseError, ValueError, TypeError) as invalid:
        raise SingleSignOnFailed(f"The provider's ID token is not valid: {_reason(invalid)}") from invalid
    return cast(Claims, claims)


def _verified(id_token: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(id_token, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))


def _reason(invalid: Exception) -> str:
    return invalid.error.replace("_", " ") if isinstance(invalid, JoseError) else "it cannot be read"


def _keys(provider: Provider, *, anew: bool = False) -> KeySet:
    """Those that can be used; a provider may have others, for others."""
    usable = []
    for key in _document(provider.jwks_uri, _Keys, anew).keys:
        with suppress(JoseError, KeyError, ValueError, TypeError, UnsupportedAlgorithm):
            usable.append(JWKRegistry.import_key(key))
    return KeySet(usable)


def _document(url: str, shape: type[Document], anew: bool) -> Document:
    told, document = _kept.get((url, shape), (0.0, None))
    if document is None or anew or told < time.monotonic() - KEPT:
        document = _fetch(url, shape)
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[url, shape] = (time.monotonic(), document)
    return cast(Document, document)


def _fetch(url: str, shape: type[Document]) -> Document:
    try:
        status, body = outside.exchange("GET", require_https(url), MOST)
        if status != 200:  # noqa: PLR2004 - OK
            raise AddressRefused(f"{url} answers {status}")
        return shape.model_validate_json(body)
    except ValidationError as unfit:
        fields = ", ".join(sorted({str(error["loc"][0]) for error in unfit.errors() if error["loc"]})) or "JSON"
        raise AddressRefused(f"{url} is not an OpenID Connect provider's: see {fields}") from unfit
    except ValueError as insecure:
        raise AddressRefused("A provider's address begins with https://") from insecure
