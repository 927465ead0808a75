"""Who calls: an access key with its secret (Basic), or an issuer's token as a role (Bearer).

    Authorization: Basic base64(KEY ID:SECRET)           a user's key
    Authorization: Basic base64(KEY ID:SECRET:TOKEN)     a session's key with its token
    Authorization: Bearer JWT                            and the role that the bearer becomes

The role is named by its ARN: as the extra credential `role`, as the role of `system`, or as the
user. A bearer's session is opened as AssumeRoleWithWebIdentity opens one, and lasts no longer than
the token. `X-Trino-User` may be any name of the caller's own, or be left out; there is no
impersonation. Secrets are compared in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Refused, UsageError
from lakeveil.flows.refusals import Refusals
from lakeveil.flows.sign_in import ANONYMOUS, Wanted, assume_role_with_web_identity
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.identity import Callers, KeyMint, Roles, Sessions, TokenVerifier
from lakeveil.trino_rest.headers import RequestHeaders

MOST_KEPT = 10_000
"""Tokens whose sessions are remembered; of one that is forgotten another session is opened."""
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}", re.ASCII)
_ROLE = re.compile(r"ROLE\{(.*)\}", re.DOTALL)
_NO_ROLE = frozenset({"", "ALL", "NONE"})
_NO_KEY = "The access key or its secret is not good here."


class NotSignedIn(Exception):
    """Nobody we know calls; the message says what is wrong, and never quotes what was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInDesk:
    """What signing in takes."""

    callers: Callers
    roles: Roles
    sessions: Sessions
    tokens: TokenVerifier
    mint: KeyMint
    audit: AuditLog
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who calls, by which key, and the names that are its own."""

    principal: Principal
    access_key: str
    names: frozenset[str]

    def may_be_called(self, user: str) -> bool:
        """Whether `X-Trino-User` names the caller, or nobody."""
        return not user or user in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    access_key: str
    until: float
    subject: str


@dataclass(slots=True, kw_only=True)
class SignIn:
    """Knows callers by their `Authorization`. Thread-safe."""

    desk: SignInDesk
    refusals: Refusals = field(init=False)
    _held: OrderedDict[str, _Held] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.refusals = Refusals(audit=self.desk.audit, clock=self.desk.clock)

    def who(self, headers: RequestHeaders, *, source_ip: str, request_id: str) -> SignedIn:
        """Who calls.

        Raises:
            NotSignedIn: nobody that we know; that is on record, within bounds.
            Unavailable: the state or an issuer does not answer.
        """
        scheme, _, given = headers.one("authorization").partition(" ")
        if scheme.lower() == "basic":
            return self._by_key(given.strip(), headers, source_ip, request_id)
        if scheme.lower() == "bearer":
            return self._by_token(given.strip(), headers, source_ip, request_id)
        raise NotSignedIn("Authentication is required: an access key with its secret, or a token.")

    # -- keys ----------------------------------------------------------------------------------
    def _by_key(
        self, given: str, headers: RequestHeaders, source_ip: str, request_id: str
    ) -> SignedIn:
        key_id, password = _basic(given)
        secret, _, token = password.partition(":")
        callers = self.desk.callers
        known = callers.secret_of(key_id, token or None)
        # An unknown key is compared, too, so that it takes as long.
        right = hmac.compare_digest((known or "").encode(), secret.encode())
        if known is None or not right:
            if token and callers.has_expired(key_id, token):
                raise NotSignedIn("The session has ended. Sign in again.")
            self._refuse(key_id, source_ip, request_id)
        if _named_role(headers):
            raise NotSignedIn("A key's roles are taken by AssumeRole; sign in with that key.")
        return self._signed_in(key_id)

    def _refuse(self, key_id: str, source_ip: str, request_id: str) -> NoReturn:
        event = AuditEvent(
            principal=ANONYMOUS,
            action="sign-in",
            outcome=AuditOutcome.REFUSED,
            access_key=key_id if _KEY_ID.fullmatch(key_id) else "",
            resource="trino",
            source_ip=source_ip,
            request_id=request_id,
            error_code="key_not_good",
        )
        self.refusals.record(event, subject=f"trino {source_ip}")
        raise NotSignedIn(_NO_KEY)

    def _signed_in(self, access_key: str, *more: str) -> SignedIn:
        try:
            principal = self.desk.callers.principal_of(access_key)
        except Refused as error:
            raise NotSignedIn(_NO_KEY) from error
        return SignedIn(
            principal=principal, access_key=access_key, names=_names(principal, access_key, *more)
        )

    # -- tokens --------------------------------------------------------------------------------
    def _by_token(
        self, token: str, headers: RequestHeaders, source_ip: str, request_id: str
    ) -> SignedIn:
        user = headers.one("x-trino-user")
        role = _named_role(headers) or (user if user.startswith("arn:") else "")
        if not role:
            raise NotSignedIn("A token needs the role that its bearer becomes: its ARN.")
        name = hashlib.sha256(f"{role}\0{token}".encode()).hexdigest()
        held = self._kept(name)
        if held is not None:
            try:
                return self._signed_in(held.access_key, held.subject)
            except NotSignedIn:
                self._forget(name)
        held = self._opened(token, role, source_ip, request_id)
        with self._lock:
            self._held[name] = held
            while len(self._held) > MOST_KEPT:
                self._held.popitem(last=False)
        return self._signed_in(held.access_key, held.subject)

    def _opened(self, token: str, role: str, source_ip: str, request_id: str) -> _Held:
        desk, claims = self.desk, _claims(token)
        try:
            opened, bearer = assume_role_with_web_identity(
                token,
                Wanted(role_arn=role, session_name=_session_name(claims)),
                roles=desk.roles,
                sessions=desk.sessions,
                tokens=desk.tokens,
                mint=desk.mint,
                audit=desk.audit,
                refusals=self.refusals,
                clock=desk.clock,
                request_id=request_id,
                source_ip=source_ip,
            )
        except (Refused, UsageError) as error:
            raise NotSignedIn(error.what) from error
        # The token was good, and so is what it says of its end.
        return _Held(
            access_key=opened.key.access_key_id,
            until=min(opened.session.expires_at, float(claims["exp"])),
            subject=bearer.subject,
        )

    def _kept(self, name: str) -> _Held | None:
        now = self.desk.clock.now()
        with self._lock:
            held = self._held.get(name)
            if held is None or now >= held.until:
                self._held.pop(name, None)
                return None
            self._held.move_to_end(name)
            return held

    def _forget(self, name: str) -> None:
        with self._lock:
            self._held.pop(name, None)


def _basic(given: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    user, colon, password = text.partition(":")
    if not colon:
        raise NotSignedIn("The `Authorization` header cannot be read.")
    return user, password


def _named_role(headers: RequestHeaders) -> str:
    """The role that is asked for: the extra credential `role`, or the role of `system`."""
    credential = headers.pairs("x-trino-extra-credential").get("role", "")
    if credential:
        return credential
    named = headers.pairs("x-trino-role").get("system", "")
    found = _ROLE.fullmatch(named)
    role = found[1] if found else named
    return "" if role in _NO_ROLE else role


def _names(principal: Principal, *more: str) -> frozenset[str]:
    """What a caller may call itself."""
    return frozenset(
        {
            *more,
            principal.arn,
            principal.caller_arn,
            principal.user_id,
            arns.parse(principal.arn).name,
            principal.caller_arn.rpartition("/")[2],
        }
        - {""}
    )


def _claims(token: str) -> Mapping[str, Any]:
    """What a token says before it is checked; nothing is believed of it until it was."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _session_name(claims: Mapping[str, Any]) -> str:
    """The bearer's subject as far as it can be a session's name, which ARNs show."""
    subject = re.sub(r"[^A-Za-z0-9_+=,.@-]", "-", str(claims.get("sub", "")), flags=re.ASCII)
    return subject[:64].ljust(2, "-")
