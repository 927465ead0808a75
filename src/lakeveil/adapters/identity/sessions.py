"""Temporary keys. Kept are the encrypted secret and a hash of the token, until they expire."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.database import reading
from lakeveil.adapters.identity.key_cipher import KeyCipher
from lakeveil.adapters.identity.versions import changing, issuing
from lakeveil.adapters.tables.identity import identity_keys, identity_sessions
from lakeveil.core.identity.directory import LONGEST_SESSION_S, IssuedKey, Session
from lakeveil.errors import NotFound, Refused
from lakeveil.ports import Clock

_DETAILS = ("name", "policy", "tags", "identities")


class TemporaryKeys:
    """The sessions over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, cipher: KeyCipher, clock: Clock) -> None:
        self._engine = engine
        self._cipher = cipher
        self._clock = clock

    def open(self, session: Session, key: IssuedKey) -> None:
        """Make a temporary key good until `session.expires_at`.

        Raises:
            Refused: what it stands on (user or role, parent, issuer) is gone by now.
        """
        now = self._clock.now()
        sealed = self._cipher.seal(key.secret_access_key, key_id=key.access_key_id)
        details = {name: getattr(session, name) for name in _DETAILS}
        with issuing(self._engine) as tx:
            _check_parent(tx, session, now)
            # One that expired may still carry another that was opened from it just before.
            tx.execute(
                sa.delete(identity_sessions).where(
                    identity_sessions.c.expires_at < now - LONGEST_SESSION_S
                )
            )
            try:
                tx.execute(
                    sa.insert(identity_sessions).values(
                        key_id=key.access_key_id,
                        sealed_secret=sealed,
                        token_hash=token_hash(key.session_token),
                        account=session.account,
                        user=session.user or None,
                        role=session.role or None,
                        issuer=session.issuer or None,
                        parent=session.parent or None,
                        depth=session.depth,
                        issued_at=now,
                        expires_at=session.expires_at,
                        details=msgspec.json.encode(details).decode(),
                    )
                )
            except sa.exc.IntegrityError as error:
                raise _gone() from error

    def find(self, key_id: str) -> Session | None:
        """A session by its key, whether or not it is still good."""
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(identity_sessions).where(identity_sessions.c.key_id == key_id)
            ).first()
        return None if row is None else session_of(row)

    def of(self, account: str, *, role: str = "", user: str = "") -> Sequence[Session]:
        """The sessions of a role, or of a user's own, that have not expired; newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(identity_sessions)
                .where(_of(account, role, user), identity_sessions.c.expires_at > self._clock.now())
                .order_by(identity_sessions.c.issued_at.desc(), identity_sessions.c.key_id)
            ).all()
        return [session_of(row) for row in rows]

    def revoke(self, key_id: str, *, role: tuple[str, str] | None = None) -> None:
        """End one session, and those opened from it; with `role` (account, name) only one of it.

        Raises:
            NotFound: there is none with that key.
        """
        wanted = [identity_sessions.c.key_id == key_id]
        if role is not None:
            account, name = role
            wanted.append(_of(account, name, ""))
        with changing(self._engine) as tx:
            done = tx.execute(sa.delete(identity_sessions).where(*wanted))
            if not done.rowcount:
                raise NotFound(
                    f"there is no session with the key `{key_id[:128]}`",
                    why="it ended, or never began",
                    fix="lakeveil identity role sessions ROLE",
                )

    def revoke_all(self, account: str, *, role: str = "", user: str = "") -> int:
        """End every session of a role, or of a user's own, and those opened from them."""
        with changing(self._engine) as tx:
            return tx.execute(sa.delete(identity_sessions).where(_of(account, role, user))).rowcount


def token_hash(token: str) -> str:
    """What is kept of a session token; it is long and random, so a plain hash hides it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def session_of(row: Any) -> Session:
    """A row of the table as the session it is."""
    details = msgspec.json.decode(row.details)
    return Session(
        key_id=row.key_id,
        account=row.account,
        user=row.user or "",
        role=row.role or "",
        issuer=row.issuer or "",
        parent=row.parent or "",
        depth=row.depth,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        name=details["name"],
        policy=details["policy"],
        tags=details["tags"],
        identities=tuple(details["identities"]),
    )


def _of(account: str, role: str, user: str) -> sa.ColumnElement[bool]:
    table = identity_sessions.c
    return sa.and_(table.account == account, table.role == role if role else table.user == user)


def _check_parent(tx: sa.Connection, session: Session, now: float) -> None:
    """Refuse a session whose parent went away between the caller's signature and now."""
    if not session.parent:
        return
    key = tx.execute(
        sa.select(identity_keys.c.active, identity_keys.c.expires_at).where(
            identity_keys.c.id == session.parent
        )
    ).first()
    if key is not None:
        good = key.active and (key.expires_at is None or now < key.expires_at)
    else:
        expires_at = tx.scalar(
            sa.select(identity_sessions.c.expires_at).where(
                identity_sessions.c.key_id == session.parent
            )
        )
        good = expires_at is not None and now < expires_at
    if not good:
        raise _gone()


def _gone() -> Refused:
    return Refused(
        "the session cannot be opened",
        why="what it would stand on was deleted, disabled or has expired",
        fix="sign in again",
        code="access_denied",
    )
