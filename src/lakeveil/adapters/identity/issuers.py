"""Whose tokens each account believes, in SQL: a table, so that it is changed while all runs.

In the settings they would be the same for every account, and a change would need a restart of
every process; and removing one must end its sessions at once, as with anybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.database import reading
from lakeveil.adapters.identity.key_ids import new_entity_id
from lakeveil.adapters.identity.newcomers import NOBODY, begin_afresh
from lakeveil.adapters.identity.versions import changing
from lakeveil.adapters.lake.departures import depart
from lakeveil.adapters.tables.identity import identity_accounts, identity_issuers
from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import Departure, leaver
from lakeveil.core.identity.directory import Issuer
from lakeveil.errors import Conflict, NotFound
from lakeveil.ports import Clock


class IssuerTable:
    """The issuers over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, issuer: Issuer) -> Issuer:
        """Believe an issuer's tokens from now on, in one account.

        Raises:
            NotFound: there is no such account.
            Conflict: it has an issuer of that name or URL.
        """
        kept = replace(issuer, created_at=self._clock.now())
        table = identity_issuers.c
        with changing(self._engine) as tx:
            known = tx.execute(
                sa.select(identity_accounts.c.id).where(identity_accounts.c.id == kept.account)
            ).first()
            if known is None:
                raise _not_found(f"account `{kept.account}`")
            same = sa.or_(table.name == kept.name, table.url == kept.url)
            if tx.execute(sa.select(table.name).where(table.account == kept.account, same)).first():
                raise Conflict(
                    f"account `{kept.account}` has an issuer of that name or URL",
                    why="a token says by the URL alone whose it is",
                    fix="lakeveil identity issuer ls",
                )
            begin_afresh(tx, kept.arn, now=kept.created_at)
            values = {name: getattr(kept, name) for name in kept.__dataclass_fields__}
            audiences = msgspec.json.encode(kept.audiences).decode()
            tx.execute(sa.insert(identity_issuers).values(**{**values, "audiences": audiences}))
        return kept

    def issuers(self, account: str) -> Sequence[Issuer]:
        """The issuers of an account, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(identity_issuers)
                .where(identity_issuers.c.account == account)
                .order_by(identity_issuers.c.name)
            ).all()
        return [_issuer(row) for row in rows]

    def issuer_of(self, account: str, url: str) -> Issuer | None:
        """The issuer of an account by its URL, exactly."""
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(identity_issuers).where(
                    identity_issuers.c.account == account, identity_issuers.c.url == url
                )
            ).first()
        return None if row is None else _issuer(row)

    def remove(self, account: str, name: str) -> Departure:
        """Believe it no longer; its sessions end, and what its people and groups had goes along.

        Raises:
            NotFound: there is none of that name.
        """
        with changing(self._engine) as tx:
            done = tx.execute(
                sa.delete(identity_issuers).where(
                    identity_issuers.c.account == account, identity_issuers.c.name == name
                )
            )
            if not done.rowcount:
                raise _not_found(f"issuer `{name}`")
            who = leaver(arns.issuer_arn(account, name), new_entity_id(NOBODY))
            return depart(tx, who, now=self._clock.now())


def _issuer(row: Any) -> Issuer:
    return Issuer(**{**row._asdict(), "audiences": tuple(msgspec.json.decode(row.audiences))})


def _not_found(what: str) -> NotFound:
    return NotFound(
        f"there is no {what}",
        why="it was removed, or never added",
        fix="lakeveil identity issuer ls",
    )
