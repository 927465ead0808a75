"""Whose key is this? Asked at every call of every door, and answered from memory.

What was read is kept with the counter of changes as it was then; a counter that grew, in whatever
process, voids all of it. So a key that is disabled, a role that is deleted or a member that is
removed is refused at the next call, and a call costs one SELECT of one row.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from lakeveil.adapters.database import reading, transaction
from lakeveil.adapters.identity.key_cipher import KeyCipher
from lakeveil.adapters.identity.key_ids import is_key_id
from lakeveil.adapters.identity.sessions import session_of, token_hash
from lakeveil.adapters.identity.versions import version
from lakeveil.adapters.tables.identity import (
    identity_groups,
    identity_keys,
    identity_members,
    identity_roles,
    identity_sessions,
    identity_users,
)
from lakeveil.core.identity.directory import DEEPEST_CHAIN, Group, Role, Session, User
from lakeveil.core.identity.principal import (
    Principal,
    principal_of_session,
    principal_of_user,
)
from lakeveil.errors import Refused, Unavailable
from lakeveil.ports import Clock
from lakeveil.ports.identity import LiveKey

MOST_KEPT = 10_000
"""Keys in memory; beyond that all are read anew, a few microseconds' work each."""
USE_NOTED_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A key that was good when it was read."""

    secret: str = field(repr=False)
    token_hash: str
    """Empty for a user's long-lived key."""
    expires_at: float | None
    principal: Principal


class CachedCallers:
    """The Callers and KeyRing ports. Thread-safe."""

    def __init__(self, engine: sa.Engine, cipher: KeyCipher, clock: Clock) -> None:
        self._engine = engine
        self._cipher = cipher
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Known] = {}
        self._changes = -1
        self._noted: dict[str, float] = {}

    def secret_of(self, access_key_id: str, session_token: str | None = None) -> str | None:
        """The secret of a key that is good now, or None; a session's with its token only."""
        known = self._find(access_key_id)
        if known is None:
            return None
        if not known.token_hash:
            return None if session_token else known.secret
        given = token_hash(session_token or "")
        return known.secret if hmac.compare_digest(given, known.token_hash) else None

    def has_expired(self, access_key_id: str, session_token: str | None) -> bool:
        """Whether this was a session's key and token that ended by themselves, not long ago.

        Told only to whoever has the token: nobody else learns that there was such a key.
        """
        if not is_key_id(access_key_id) or not session_token:
            return False
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(identity_sessions.c.token_hash, identity_sessions.c.expires_at).where(
                    identity_sessions.c.key_id == access_key_id
                )
            ).first()
        return (
            row is not None
            and hmac.compare_digest(token_hash(session_token), row.token_hash)
            and self._clock.now() >= row.expires_at
        )

    def principal_of(self, access_key_id: str) -> Principal:
        """Who calls with a key whose signature was checked.

        Raises:
            Refused: the key is unknown, disabled, revoked or expired.
        """
        known = self._find(access_key_id)
        if known is None:
            raise Refused(
                "the access key is not good here",
                why="it is unknown, disabled, revoked or expired",
                fix="sign in again, or ask for a new key",
                code="key_not_good",
            )
        if not known.token_hash:
            self._note_use(access_key_id)
        return known.principal

    def version(self) -> tuple[int, int]:
        """Grows with each change (first) and each new key (second); compare for equality."""
        return version(self._engine)

    def live_keys(self) -> Sequence[LiveKey]:
        """Every key and session that is good now."""
        with reading(self._engine) as connection:
            ids = [
                *connection.scalars(sa.select(identity_keys.c.id)),
                *connection.scalars(sa.select(identity_sessions.c.key_id)),
            ]
            found = [(key_id, self._read(connection, key_id)) for key_id in ids]
        return [
            LiveKey(
                access_key_id=key_id,
                secret_access_key=known.secret,
                principal=known.principal,
                expires_at=known.expires_at,
                temporary=bool(known.token_hash),
            )
            for key_id, known in found
            if known is not None and not self._expired(known)
        ]

    def _find(self, key_id: str) -> _Known | None:
        if not is_key_id(key_id):
            return None
        changes, _ = version(self._engine)
        with self._lock:
            known = self._kept.get(key_id) if changes == self._changes else None
        if known is None:
            with reading(self._engine) as connection:
                known = self._read(connection, key_id)
            if known is None:
                # Not kept: whoever tries ids must not fill our memory.
                return None
            self._keep(key_id, known, changes)
        return None if self._expired(known) else known

    def _keep(self, key_id: str, known: _Known, changes: int) -> None:
        """Keep what was read after the counter stood at `changes`: at worst it is newer."""
        with self._lock:
            if changes < self._changes:
                return
            if changes > self._changes or len(self._kept) >= MOST_KEPT:
                self._kept.clear()
                self._changes = changes
            self._kept[key_id] = known

    def _expired(self, known: _Known) -> bool:
        return known.expires_at is not None and self._clock.now() >= known.expires_at

    def _note_use(self, key_id: str) -> None:
        """Remember, to the hour, when a key was last used."""
        now = self._clock.now()
        with self._lock:
            if now - self._noted.get(key_id, 0.0) < USE_NOTED_EVERY_S:
                return
            if len(self._noted) >= MOST_KEPT:
                self._noted.clear()
            self._noted[key_id] = now
        # Nobody is refused because a note could not be taken.
        with suppress(Unavailable), transaction(self._engine) as tx:
            tx.execute(
                sa.update(identity_keys)
                .where(identity_keys.c.id == key_id)
                .values(last_used_at=now)
            )

    # --- reading one key with all that it stands on ------------------------------------------

    def _read(self, connection: sa.Connection, key_id: str) -> _Known | None:
        key = connection.execute(
            sa.select(identity_keys).where(identity_keys.c.id == key_id)
        ).first()
        if key is not None:
            if not key.active:
                return None
            return _Known(
                secret=self._cipher.open(key.sealed_secret, key_id=key_id),
                token_hash="",
                expires_at=key.expires_at,
                principal=_user(connection, key.account, key.user),
            )
        row = connection.execute(
            sa.select(identity_sessions).where(identity_sessions.c.key_id == key_id)
        ).first()
        if row is None:
            return None
        session = session_of(row)
        expires_at = _good_until(connection, session)
        if expires_at is None:
            return None
        return _Known(
            secret=self._cipher.open(row.sealed_secret, key_id=key_id),
            token_hash=row.token_hash,
            expires_at=expires_at,
            principal=_session(connection, session),
        )


def _good_until(connection: sa.Connection, session: Session) -> float | None:
    """When a session ends, or None where something it stands on is gone.

    A session outlives the one that opened it by an hour at most, as in AWS, but only while that
    one was not revoked. A long-lived key that expires takes its sessions along.
    """
    expires_at, parent = session.expires_at, session.parent
    for _ in range(DEEPEST_CHAIN + 1):
        if not parent:
            return expires_at
        key = connection.execute(
            sa.select(identity_keys.c.active, identity_keys.c.expires_at).where(
                identity_keys.c.id == parent
            )
        ).first()
        if key is not None:
            if not key.active:
                return None
            return expires_at if key.expires_at is None else min(expires_at, key.expires_at)
        above = connection.execute(
            sa.select(identity_sessions.c.parent).where(identity_sessions.c.key_id == parent)
        ).first()
        if above is None:
            return None
        parent = above.parent or ""
    return None


def _user(connection: sa.Connection, account: str, name: str) -> Principal:
    user = connection.execute(
        sa.select(identity_users).where(
            identity_users.c.account == account, identity_users.c.name == name
        )
    ).one()
    groups = connection.execute(
        sa.select(identity_groups)
        .join(
            identity_members,
            sa.and_(
                identity_members.c.account == identity_groups.c.account,
                identity_members.c.group == identity_groups.c.name,
            ),
        )
        .where(identity_members.c.account == account, identity_members.c.user == name)
    ).all()
    return principal_of_user(User(**user._asdict()), (Group(**group._asdict()) for group in groups))


def _session(connection: sa.Connection, session: Session) -> Principal:
    if session.user:
        return _user(connection, session.account, session.user)
    role = connection.execute(
        sa.select(identity_roles).where(
            identity_roles.c.account == session.account, identity_roles.c.name == session.role
        )
    ).one()
    return principal_of_session(Role(**role._asdict()), session)
