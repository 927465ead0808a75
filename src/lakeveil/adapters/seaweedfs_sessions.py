"""Sessions at the embedded store: credentials that it recognises by their signature alone.

SeaweedFS keeps no sessions. A session token is a JWT (HS256); the access key id and the secret
are derived from the session id in it:

    access key id   "ASIA" + the first 16 hexadecimal digits of SHA-256("access-key:" + sid)
    secret          base64(HMAC-SHA256(signing key, "secret-key:" + sid))

So whoever holds the signing key can make the same three strings, and nobody else can: we do, and
the store's own STS and IAM APIs stay shut. The store checks token, signature and `exp` on every
request by itself. What a session may do is no part of the token: it names a user
(`principal_of`), and without a record of that user (`adapters.store_keys`) it may do nothing.

Times are UTC seconds. Found in SeaweedFS 4.48 by experiment; the tests hold it to this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time

from lakeveil.adapters.credentials import Credentials
from lakeveil.ports.store_keys import SESSION_PREFIX, StoreCredential

ISSUER = "lakeveil"
LONGEST_S = 36 * 3600
"""The longest session of any of our doors, as of AWS's GetSessionToken."""
_ACCOUNT = "000000000000"
_PURPOSE = b"lakeveil: sessions at the embedded store"


def signing_key(credentials: Credentials) -> bytes:
    """The key that signs sessions, 32 bytes: derived, so that older installations have it, too."""
    return hmac.digest(credentials.store_tokens.filer_write.encode(), _PURPOSE, "sha256")


def sessions_config(credentials: Credentials) -> dict[str, object]:
    """What the store is told (`-s3.iam.config`): the signing key, and that no rule means no."""
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": f"{LONGEST_S // 3600}h",
            "issuer": ISSUER,
            "signingKey": base64.b64encode(signing_key(credentials)).decode(),
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
    }


def user_of(access_key_id: str) -> str:
    """The name of the store's user for a key of ours."""
    return f"lakeveil-{access_key_id}"


def mint(key: bytes, name: str, *, issued_at: float, expires_at: float) -> StoreCredential:
    """Make a session's three strings; good from `issued_at` until `expires_at`."""
    session_id = secrets.token_hex(16)
    digest = hashlib.sha256(f"access-key:{session_id}".encode()).hexdigest()
    access_key_id = SESSION_PREFIX + digest[:16]
    secret = hmac.digest(key, f"secret-key:{session_id}".encode(), "sha256")
    principal = f"arn:aws:iam::{_ACCOUNT}:user/{user_of(access_key_id)}"
    claims = {
        "iss": ISSUER,
        "sub": session_id,
        "jti": session_id,
        "sid": session_id,
        "iat": int(issued_at),
        "nbf": int(issued_at),
        # Down: never longer than we said.
        "exp": int(expires_at),
        "typ": "session",
        "snam": name,
        "role": principal,
        "assumed": f"{_ACCOUNT}:{name}",
        "principal": principal,
        "assumed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued_at)),
    }
    return StoreCredential(
        access_key_id=access_key_id,
        secret_access_key=base64.b64encode(secret).decode(),
        session_token=signed_token(key, claims),
        expires_at=float(int(expires_at)),
    )


def signed_token(key: bytes, claims: dict[str, object]) -> str:
    """A JWT (HS256) over these claims."""
    signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
    return f"{signed}.{_base64url(hmac.digest(key, signed.encode(), 'sha256'))}"


def _encode(document: dict[str, object]) -> str:
    return _base64url(json.dumps(document, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
