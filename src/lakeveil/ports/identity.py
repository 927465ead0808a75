"""Ports of identity: who calls, what is kept of whom, and whose tokens are good.

Every method of a store raises `Unavailable` where the state does not answer; nobody is let in
then. Times are UTC seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lakeveil.core.identity.directory import IssuedKey, Issuer, Role, Session
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.web_identity import WebIdentity


class Callers(Protocol):
    """Knows whose each key is. Asked at every call, so it must be quick. Thread-safe."""

    def secret_of(self, access_key_id: str, session_token: str | None = None) -> str | None:
        """The secret of a key that is good now, or None.

        A session's key is good with its token only, a user's without any.
        """
        ...

    def has_expired(self, access_key_id: str, session_token: str | None) -> bool:
        """Whether this was a session's key with its token, and its time is over."""
        ...

    def principal_of(self, access_key_id: str) -> Principal:
        """Who calls with a key whose signature was checked.

        Raises:
            Refused: the key is unknown, disabled, revoked or expired.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKey:
    """A key that is good now, for a store that must know our keys itself."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    principal: Principal
    expires_at: float | None = None
    temporary: bool = False
    """A session's: good together with its token only, which nobody but its holder has."""


class KeyRing(Protocol):
    """Every key that is good, for whoever provisions them elsewhere."""

    def version(self) -> tuple[int, int]:
        """Grows with each change (first) and each new key (second); compare for equality."""
        ...

    def live_keys(self) -> Sequence[LiveKey]:
        """Every key and session that is good now."""
        ...


class Roles(Protocol):
    """Finds roles."""

    def role(self, account: str, name: str) -> Role:
        """A role.

        Raises:
            NotFound: there is none of that name.
        """
        ...


class Sessions(Protocol):
    """Temporary keys. A session is good as long as everything it stands on."""

    def open(self, session: Session, key: IssuedKey) -> None:
        """Make a temporary key good until `session.expires_at`.

        Raises:
            Refused: what it stands on is gone, disabled or expired.
        """
        ...

    def find(self, key_id: str) -> Session | None:
        """A session by its key, whether or not it is still good."""
        ...

    def revoke(self, key_id: str) -> None:
        """End a session, and those opened from it.

        Raises:
            NotFound: there is none with that key.
        """
        ...


class KeyMint(Protocol):
    """Makes temporary keys: for our own doors alone, or such that a store takes them, too."""

    def mint(self, session: Session, who: Principal) -> IssuedKey:
        """A key with its token for a session that will speak as `who`; it opens nothing yet.

        `session.key_id` is empty. The key may end earlier than the session asks for.

        Raises:
            Unavailable: whoever makes them did not answer.
        """
        ...

    def let_in(self, key: IssuedKey, who: Principal) -> None:
        """Make a key that is on record good wherever else it is to be good.

        Raises:
            Unavailable: it is not good there; the session must then be none.
        """
        ...


class Issuers(Protocol):
    """Whose tokens are believed."""

    def issuer_of(self, account: str, url: str) -> Issuer | None:
        """The issuer of an account by its URL, exactly."""
        ...


class TokenVerifier(Protocol):
    """Checks tokens of issuers."""

    def verify(self, token: str, *, account: str) -> WebIdentity:
        """Who bears a token that one of this account's issuers made for us.

        Raises:
            Refused: `invalid_token` or `token_expired`; the token is never quoted.
            Unavailable: the issuer's keys cannot be read.
        """
        ...
