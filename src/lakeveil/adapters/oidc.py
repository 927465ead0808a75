"""The TokenVerifier port: tokens of OpenID Connect issuers, checked with their published keys.

An issuer's keys are found by discovery (OpenID Connect Discovery 1.0, section 4) and kept for an
hour. A token that names a key we do not have makes us look again, so that a rotated key is good
at once, but not more often than every `LOOK_AGAIN_S`: anybody can send such tokens. Accepted are
RS256, ES256 and EdDSA, each with keys of its own kind only. Keys kept past their time, an issuer
that does not answer, a document that is not as it should be: all of it refuses.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from lakeveil.core.identity.directory import Issuer, check_issuer_url
from lakeveil.core.identity.web_identity import WebIdentity, invalid, web_identity
from lakeveil.errors import Unavailable, UsageError
from lakeveil.ports import Clock
from lakeveil.ports.identity import Issuers

MAX_TOKEN = 20_000
"""Characters, as in STS's model."""
MAX_DOCUMENT_BYTES = 256 * 1024
KEEP_S = 3600.0
LOOK_AGAIN_S = 10.0

_DISCOVERY = "/.well-known/openid-configuration"
# HS256 would take a published key for a shared secret, and `none` anything.
_ALGORITHMS: Mapping[str, tuple[type[RSAKey | ECKey | OKPKey], str]] = {
    "RS256": (RSAKey, ""),
    "ES256": (ECKey, "P-256"),
    "EdDSA": (OKPKey, "Ed25519"),
    # The same by its newer name (RFC 9864).
    "Ed25519": (OKPKey, "Ed25519"),
}
_MIN_RSA_BITS = 2048

PublicKey = RSAKey | ECKey | OKPKey


class _Ours(JWSRegistry):
    """The algorithms above and no others; headers we do not know are ignored, as RFC 7515 says."""

    max_header_length = 4096

    def get_alg(self, name: str) -> Any:
        """The library's own warns of EdDSA's old name, which is what issuers write."""
        if name not in _ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY = _Ours(strict_check_header=False)


@dataclass(slots=True)
class _Keys:
    """The keys of one issuer as they were last read."""

    by_id: Mapping[str, PublicKey] = field(default_factory=dict)
    read_at: float = float("-inf")
    tried_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


class OidcVerifier:
    """Checks tokens of the issuers in a table. Thread-safe.

    `timeout_s` bounds the reading of each of an issuer's two documents.
    """

    def __init__(self, issuers: Issuers, clock: Clock, *, timeout_s: float = 5.0) -> None:
        self._issuers = issuers
        self._clock = clock
        self._timeout_s = timeout_s
        self._keys: dict[str, _Keys] = {}
        self._lock = threading.Lock()

    def verify(self, token: str, *, account: str) -> WebIdentity:
        """Who bears a token that one of this account's issuers made for us.

        Raises:
            Refused: `invalid_token` or `token_expired`; the token is never quoted.
            Unavailable: the issuer's keys cannot be read.
        """
        header, claims = _unverified(token)
        issuer = self._issuers.issuer_of(account, str(claims.get("iss", "")))
        if issuer is None:
            raise invalid("nobody here trusts its issuer")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
            raise invalid(f"it is signed with none of {', '.join(_ALGORITHMS)}")
        if not isinstance(key_id, str) or not key_id:
            raise invalid("it does not name the key it is signed with")
        if "crit" in header:
            raise invalid("its header asks for an extension")
        key = self._key(issuer, key_id)
        kind, curve = _ALGORITHMS[algorithm]
        if not isinstance(key, kind) or (curve and key.as_dict(private=False).get("crv") != curve):
            raise invalid("its key is of another kind than its algorithm")
        try:
            checked = jws.deserialize_compact(token, key, registry=_REGISTRY)
            # What was signed is read again: nothing of the unverified claims is used further.
            claims = _object(checked.payload)
        except (JoseError, ValueError):
            raise invalid("its signature is not its issuer's") from None
        return web_identity(claims, issuer, now=self._clock.now())

    def _key(self, issuer: Issuer, key_id: str) -> PublicKey:
        with self._lock:
            keys = self._keys.setdefault(issuer.url, _Keys())
        # Without the lock: whoever names a key that we have waits for nobody's reading.
        if self._clock.now() - keys.read_at < KEEP_S and (known := keys.by_id.get(key_id)):
            return known
        # One reads, the others wait for what it finds.
        with keys.lock:
            now = self._clock.now()
            fresh = now - keys.read_at < KEEP_S
            if not (fresh and key_id in keys.by_id):
                if now - keys.tried_at >= LOOK_AGAIN_S:
                    keys.tried_at = now
                    keys.by_id, keys.read_at = _read_keys(issuer.url, self._timeout_s), now
                elif not fresh:
                    raise _unavailable(issuer.url, "it did not answer a moment ago")
            if key_id not in keys.by_id:
                raise invalid("it is signed with a key that its issuer does not publish")
            return keys.by_id[key_id]


def _unverified(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims as they are written: good only to find out which key to check with."""
    if len(token) > MAX_TOKEN or not token.isascii():
        raise invalid("it is no JSON Web Token")
    try:
        parts = jws.extract_compact(token.encode(), registry=_REGISTRY)
        return parts.headers(), _object(parts.payload)
    except (JoseError, ValueError):
        raise invalid("it is no JSON Web Token") from None


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload, object_pairs_hook=_without_repetition)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(claims, dict):
        raise ValueError("no object")  # noqa: TRY004 - what it is called as a whole: not a token
    return claims


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a claim is given twice")
    return document


def _read_keys(url: str, timeout_s: float) -> Mapping[str, PublicKey]:
    """The issuer's published keys that we can use, by their ids."""
    discovered = _fetch(url.rstrip("/") + _DISCOVERY, url, timeout_s)
    if discovered.get("issuer") != url:
        raise _unavailable(url, "its discovery document is another issuer's")
    address = discovered.get("jwks_uri")
    try:
        check_issuer_url(str(address).partition("?")[0])
    except UsageError:
        raise _unavailable(url, "its `jwks_uri` is no https URL") from None
    published = _fetch(str(address), url, timeout_s).get("keys")
    if not isinstance(published, list):
        raise _unavailable(url, "its key set has no keys")
    found: dict[str, PublicKey] = {}
    for entry in published:
        key_id = entry.get("kid") if isinstance(entry, dict) else None
        key = _usable(entry) if isinstance(key_id, str) else None
        if key is None:
            continue
        if key_id in found:
            raise _unavailable(url, "two of its keys have the same id")
        found[str(key_id)] = key
    return found


def _usable(entry: Mapping[str, Any]) -> PublicKey | None:
    """A public key for one of our algorithms; None for any other that an issuer may publish."""
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in {"RSA", "EC", "OKP"}:
        return None
    if entry.get("alg") not in {None, *_ALGORITHMS}:
        return None
    try:
        if entry["kty"] == "RSA" and _bits(entry["n"]) < _MIN_RSA_BITS:
            return None
        key = KeySet.import_key_set({"keys": [dict(entry)]}).keys[0]
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _bits(number: str) -> int:
    """The length of a number as JSON Web Keys write it."""
    padded = number + "=" * (-len(number) % 4)
    return int.from_bytes(base64.urlsafe_b64decode(padded)).bit_length()


def _fetch(address: str, issuer: str, timeout_s: float) -> Mapping[str, Any]:
    """A JSON object over HTTP: no redirects, bounded in size and in time as a whole."""
    loopback = urlsplit(address).scheme == "http"
    proxies = [urllib.request.ProxyHandler({})] if loopback else []
    opener = urllib.request.build_opener(_NoRedirect(), *proxies)
    request = urllib.request.Request(address, headers={"Accept": "application/json"})  # noqa: S310 - https, or http to loopback: checked with the issuer
    ends_at = time.monotonic() + timeout_s
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            document = json.loads(_read(answer, lambda: time.monotonic() > ends_at))
    except HTTPError as error:
        error.close()
        raise _unavailable(issuer, f"HTTP status {error.code} at its {_name(address)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise _unavailable(issuer, f"{type(error).__name__} at its {_name(address)}") from error
    if not isinstance(document, dict):
        raise _unavailable(issuer, f"its {_name(address)} is no JSON object")
    return document


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An issuer that was moved is to be entered anew: its answer must not lead us elsewhere."""

    def redirect_request(self, *_details: Any, **_more: Any) -> None:
        """Follow nothing; the answer then counts as the error it is."""


def _read(answer: HTTPResponse, is_late: Callable[[], bool]) -> bytes:
    chunks, size = list[bytes](), 0
    # What is there, not all that was asked for: a trickle must not outlast the clock.
    while chunk := answer.read1(64 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_DOCUMENT_BYTES:
            raise ValueError("too large")
        if is_late():
            raise TimeoutError
    return b"".join(chunks)


def _name(address: str) -> str:
    return "discovery document" if address.endswith(_DISCOVERY) else "key set"


def _unavailable(issuer: str, why: str) -> Unavailable:
    return Unavailable(
        f"the keys of the issuer {issuer} cannot be read",
        why=why,
        fix="check that it is up and can be reached from here; it is asked again by itself",
        code="issuer_unavailable",
    )
