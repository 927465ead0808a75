"""Users' long-lived access keys: at most two each, encrypted, disabled and deleted at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.database import reading
from lakeveil.adapters.identity.key_cipher import KeyCipher
from lakeveil.adapters.identity.key_ids import new_user_key
from lakeveil.adapters.identity.versions import changing, issuing
from lakeveil.adapters.tables.identity import identity_keys, identity_users
from lakeveil.core.identity.directory import MAX_KEYS_PER_USER, AccessKey, IssuedKey
from lakeveil.errors import NotFound, UsageError
from lakeveil.ports import Clock

_PUBLIC = [c for c in identity_keys.c if c.name != "sealed_secret"]


class AccessKeys:
    """The keys over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, cipher: KeyCipher, clock: Clock) -> None:
        self._engine = engine
        self._cipher = cipher
        self._clock = clock

    def create(self, account: str, user: str, *, expires_at: float | None = None) -> IssuedKey:
        """Make a key. Its secret is in the answer and never shown again.

        Raises:
            NotFound: there is no such user.
            UsageError: it has two keys already, or the key would have expired by now.
        """
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise UsageError(
                "the key would never be good",
                why="its expiry is in the past",
                fix="give a time that is still to come",
            )
        key_id, secret = new_user_key()
        sealed = self._cipher.seal(secret, key_id=key_id)
        with issuing(self._engine) as tx:
            _check_room(tx, account, user)
            tx.execute(
                sa.insert(identity_keys).values(
                    id=key_id,
                    account=account,
                    user=user,
                    sealed_secret=sealed,
                    active=True,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
        return IssuedKey(access_key_id=key_id, secret_access_key=secret, expires_at=expires_at)

    def of_user(self, account: str, user: str) -> Sequence[AccessKey]:
        """A user's keys, the oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(*_PUBLIC)
                .where(_of(account, user))
                .order_by(identity_keys.c.created_at, identity_keys.c.id)
            ).all()
        return [AccessKey(**row._asdict()) for row in rows]

    def find(self, key_id: str) -> AccessKey:
        """One key.

        Raises:
            NotFound: there is none of that id.
        """
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(*_PUBLIC).where(identity_keys.c.id == key_id)
            ).first()
        if row is None:
            raise _not_found(key_id)
        return AccessKey(**row._asdict())

    def set_active(self, key_id: str, *, active: bool) -> None:
        """Disable a key, and all sessions that stand on it, or enable it again.

        Raises:
            NotFound: there is none of that id.
        """
        self._change(key_id, sa.update(identity_keys).values(active=active))

    def delete(self, key_id: str) -> None:
        """Delete a key; the sessions that stand on it are no longer good.

        Raises:
            NotFound: there is none of that id.
        """
        self._change(key_id, sa.delete(identity_keys))

    def _change(self, key_id: str, statement: Any) -> None:
        with changing(self._engine) as tx:
            if not tx.execute(statement.where(identity_keys.c.id == key_id)).rowcount:
                raise _not_found(key_id)


def _of(account: str, user: str) -> sa.ColumnElement[bool]:
    return sa.and_(identity_keys.c.account == account, identity_keys.c.user == user)


def _check_room(tx: sa.Connection, account: str, user: str) -> None:
    # The user's row is locked, so that of two at once only one is the second key.
    found = tx.execute(
        sa.select(identity_users.c.id)
        .where(identity_users.c.account == account, identity_users.c.name == user)
        .with_for_update()
    ).first()
    if found is None:
        raise NotFound(
            f"there is no user `{user}`",
            why="it was deleted, or never created",
            fix="lakeveil identity user ls",
        )
    had = tx.scalar(sa.select(sa.func.count()).select_from(identity_keys).where(_of(account, user)))
    if (had or 0) >= MAX_KEYS_PER_USER:
        raise UsageError(
            f"user `{user}` has {had} keys already",
            why="two are enough to change from one to the other, and a third is soon forgotten",
            fix="delete one: lakeveil identity key ls",
            code="limit_exceeded",
        )


def _not_found(key_id: str) -> NotFound:
    return NotFound(
        f"there is no access key `{key_id[:128]}`",
        why="it was deleted, or never made",
        fix="lakeveil identity key ls",
    )
