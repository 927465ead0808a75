"""The first account of an installation, in one transaction: account, user and key, or nothing."""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.database import reading
from lakeveil.adapters.identity.key_cipher import KeyCipher
from lakeveil.adapters.identity.key_ids import new_entity_id, new_user_key
from lakeveil.adapters.identity.versions import changing
from lakeveil.adapters.tables.identity import (
    identity_accounts,
    identity_keys,
    identity_users,
    identity_version,
)
from lakeveil.core.identity.directory import Account, IssuedKey, User
from lakeveil.core.identity.rights import from_policy_document
from lakeveil.ports import Clock


class Founder:
    """Makes the first account over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, cipher: KeyCipher, clock: Clock) -> None:
        self._engine = engine
        self._cipher = cipher
        self._clock = clock

    def first_account(self) -> Account | None:
        """The account that was made first, without what it belongs to."""
        table = identity_accounts.c
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(table.id, table.name, table.created_at)
                .order_by(table.created_at, table.id)
                .limit(1)
            ).first()
        return None if row is None else Account(**row._asdict())

    def found(self, account: Account, *, user: str, policy: str) -> IssuedKey | None:
        """Add an account with one user and a key, all at once; None where there is an account."""
        from_policy_document(policy)
        now = self._clock.now()
        checked = User(account=account.id, name=user, id=new_entity_id("AIDA"))
        key_id, secret = new_user_key()
        sealed = self._cipher.seal(secret, key_id=key_id)
        with changing(self._engine) as tx:
            # Whoever else is at it waits here, and then finds an account.
            tx.execute(sa.select(identity_version).with_for_update())
            if tx.execute(sa.select(identity_accounts.c.id).limit(1)).first() is not None:
                return None
            tx.execute(
                sa.insert(identity_accounts).values(
                    id=account.id, name=account.name, created_at=now
                )
            )
            tx.execute(
                sa.insert(identity_users).values(
                    account=account.id, name=user, id=checked.id, policy=policy, created_at=now
                )
            )
            tx.execute(
                sa.insert(identity_keys).values(
                    id=key_id,
                    account=account.id,
                    user=user,
                    sealed_secret=sealed,
                    active=True,
                    created_at=now,
                )
            )
        return IssuedKey(access_key_id=key_id, secret_access_key=secret)
