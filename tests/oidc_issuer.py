"""A small OpenID Connect issuer on loopback, with keys of its own that can be rotated."""

from __future__ import annotations

import base64
import functools
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

Key = RSAKey | ECKey | OKPKey
ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}


def rsa_key(key_id: str, bits: int = 2048) -> RSAKey:
    """A key for RS256."""
    return RSAKey.generate_key(bits, {"kid": key_id})


@functools.cache
def _first_key() -> RSAKey:
    # Making one takes longer than most tests.
    return rsa_key("first")


@dataclass
class OidcIssuer:
    """The issuer. Change `keys`, `discovery` or `behaviour` while it runs."""

    url: str
    keys: list[Key] = field(default_factory=lambda: [_first_key()])
    discovery: dict[str, Any] = field(default_factory=dict)
    published: list[Any] = field(default_factory=list)
    """More entries of the key set, as they are."""
    behaviour: str = ""
    """`down`, `redirect`, `large`, `garbage` or `slow`."""
    reads: int = 0
    """How often the key set was read."""

    def token(
        self, claims: Mapping[str, Any], *, key: Key | None = None, header: Any = None
    ) -> str:
        """A token, signed with the first key or another."""
        key = key or self.keys[0]
        head = {"alg": ALGORITHMS[key.key_type], "kid": key.kid, **(header or {})}
        return jwt.encode(head, dict(claims), key, algorithms=[head["alg"]])

    def shared_secret_token(self, claims: Mapping[str, Any]) -> str:
        """The classic forgery: HS256 with the published key as the secret."""
        # By hand: no library makes one any more.
        parts = ({"alg": "HS256", "kid": self.keys[0].kid}, dict(claims))
        signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        secret = self.keys[0].as_pem(private=False)
        return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), 'sha256'))}"

    def unsigned_token(self, claims: Mapping[str, Any]) -> str:
        """The other classic: no signature at all."""
        parts = ({"alg": "none", "kid": self.keys[0].kid}, dict(claims))
        return ".".join(_base64(json.dumps(part).encode()) for part in parts) + "."


@contextmanager
def running_issuer() -> Iterator[OidcIssuer]:
    """An issuer on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = OidcIssuer(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(
        uvicorn.Config(
            _app(issuer), log_config=None, log_level="critical", lifespan="off", ws="none"
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield issuer
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _app(issuer: OidcIssuer) -> Starlette:
    def misbehave() -> Response | None:
        match issuer.behaviour:
            case "down":
                return Response(status_code=503)
            case "redirect":
                return RedirectResponse(f"{issuer.url}/elsewhere")
            case "large":
                return Response(b'{"x": "' + b"x" * 2**20 + b'"}')
            case "garbage":
                return Response(b"<html>")
            case "slow":
                time.sleep(1.5)
            case _:
                pass
        return None

    def discovery(_request: Request) -> Response:
        document = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys", **issuer.discovery}
        return misbehave() or JSONResponse(document)

    def keys(_request: Request) -> Response:
        issuer.reads += 1
        public = [key.as_dict(private=False) for key in issuer.keys]
        return JSONResponse({"keys": [*public, *issuer.published]})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/elsewhere", discovery),
            Route("/keys", keys),
        ]
    )


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
