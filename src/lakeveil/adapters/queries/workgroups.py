"""Workgroups, named queries and prepared statements, each kept as one JSON record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.database import reading, transaction
from lakeveil.adapters.tables.queries import named_queries, prepared_statements, workgroups
from lakeveil.core.query.workgroups import PRIMARY, Workgroup
from lakeveil.errors import Conflict
from lakeveil.ports.queries import NamedQuery, PreparedStatement

_W, _N, _P = workgroups, named_queries, prepared_statements


class SqlWorkgroups:
    """`Workgroups` over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, account: str, name: str) -> Workgroup | None:
        """See `Workgroups`."""
        record = self._one(sa.select(_W.c.record).where(_W.c.account == account, _W.c.name == name))
        if record is not None:
            return msgspec.json.decode(record, type=Workgroup)
        return _primary(account) if name == PRIMARY else None

    def all(self, account: str) -> list[Workgroup]:
        """See `Workgroups`."""
        rows = self._every(sa.select(_W.c.record).where(_W.c.account == account))
        found = {one.name: one for one in (msgspec.json.decode(r, type=Workgroup) for r in rows)}
        found.setdefault(PRIMARY, _primary(account))
        return [found[name] for name in sorted(found)]

    def create(self, workgroup: Workgroup) -> None:
        """See `Workgroups`."""
        with transaction(self._engine) as tx:
            there = tx.execute(sa.select(_W.c.name).where(*_of(workgroup))).first()
            if there is not None or workgroup.name == PRIMARY:
                raise Conflict(f"WorkGroup {workgroup.name} is already created", code="exists")
            tx.execute(
                sa.insert(_W).values(
                    account=workgroup.account, name=workgroup.name, record=_text(workgroup)
                )
            )

    def put(self, workgroup: Workgroup) -> None:
        """See `Workgroups`."""
        with transaction(self._engine) as tx:
            tx.execute(sa.delete(_W).where(*_of(workgroup)))
            tx.execute(
                sa.insert(_W).values(
                    account=workgroup.account, name=workgroup.name, record=_text(workgroup)
                )
            )

    def remove(self, account: str, name: str, *, everything: bool) -> None:
        """See `Workgroups`."""
        saved = [
            (table, (table.c.account == account, table.c.workgroup == name)) for table in (_N, _P)
        ]
        with transaction(self._engine) as tx:
            for table, inside in saved:
                if everything:
                    tx.execute(sa.delete(table).where(*inside))
                elif tx.execute(sa.select(table.c.name).where(*inside)).first() is not None:
                    raise Conflict(f"WorkGroup {name} is not empty", code="not_empty")
            tx.execute(sa.delete(_W).where(_W.c.account == account, _W.c.name == name))

    def put_named(self, query: NamedQuery) -> None:
        """See `Workgroups`."""
        with transaction(self._engine) as tx:
            tx.execute(sa.delete(_N).where(_N.c.id == query.id, _N.c.account == query.account))
            tx.execute(
                sa.insert(_N).values(
                    id=query.id,
                    account=query.account,
                    workgroup=query.workgroup,
                    name=query.name,
                    record=_text(query),
                )
            )

    def named(self, account: str, query_id: str) -> NamedQuery | None:
        """See `Workgroups`."""
        record = self._one(
            sa.select(_N.c.record).where(_N.c.account == account, _N.c.id == query_id)
        )
        return None if record is None else msgspec.json.decode(record, type=NamedQuery)

    def named_in(self, account: str, workgroup: str) -> Iterator[NamedQuery]:
        """See `Workgroups`."""
        rows = self._every(
            sa.select(_N.c.record)
            .where(_N.c.account == account, _N.c.workgroup == workgroup)
            .order_by(_N.c.name, _N.c.id)
        )
        return (msgspec.json.decode(record, type=NamedQuery) for record in rows)

    def remove_named(self, account: str, query_id: str) -> None:
        """See `Workgroups`."""
        with transaction(self._engine) as tx:
            tx.execute(sa.delete(_N).where(_N.c.account == account, _N.c.id == query_id))

    def put_prepared(self, statement: PreparedStatement, *, new: bool) -> None:
        """See `Workgroups`."""
        same = (
            _P.c.account == statement.account,
            _P.c.workgroup == statement.workgroup,
            _P.c.name == statement.name,
        )
        with transaction(self._engine) as tx:
            if new and tx.execute(sa.select(_P.c.name).where(*same)).first() is not None:
                raise Conflict(f"Prepared statement {statement.name} already exists", code="exists")
            tx.execute(sa.delete(_P).where(*same))
            tx.execute(
                sa.insert(_P).values(
                    account=statement.account,
                    workgroup=statement.workgroup,
                    name=statement.name,
                    record=_text(statement),
                )
            )

    def prepared(self, account: str, workgroup: str, name: str) -> PreparedStatement | None:
        """See `Workgroups`."""
        record = self._one(
            sa.select(_P.c.record).where(
                _P.c.account == account, _P.c.workgroup == workgroup, _P.c.name == name
            )
        )
        return None if record is None else msgspec.json.decode(record, type=PreparedStatement)

    def prepared_in(self, account: str, workgroup: str) -> Iterator[PreparedStatement]:
        """See `Workgroups`."""
        rows = self._every(
            sa.select(_P.c.record)
            .where(_P.c.account == account, _P.c.workgroup == workgroup)
            .order_by(_P.c.name)
        )
        return (msgspec.json.decode(record, type=PreparedStatement) for record in rows)

    def remove_prepared(self, account: str, workgroup: str, name: str) -> None:
        """See `Workgroups`."""
        with transaction(self._engine) as tx:
            tx.execute(
                sa.delete(_P).where(
                    _P.c.account == account, _P.c.workgroup == workgroup, _P.c.name == name
                )
            )

    def _one(self, query: sa.Select[Any]) -> str | None:
        with reading(self._engine) as connection:
            found = connection.execute(query).scalar()
        return None if found is None else str(found)

    def _every(self, query: sa.Select[Any]) -> list[str]:
        with reading(self._engine) as connection:
            return [str(record) for record in connection.execute(query).scalars()]


def _of(workgroup: Workgroup) -> tuple[Any, ...]:
    return (_W.c.account == workgroup.account, _W.c.name == workgroup.name)


def _text(record: Workgroup | NamedQuery | PreparedStatement) -> str:
    return msgspec.json.encode(record).decode()


def _primary(account: str) -> Workgroup:
    """What `primary` is until somebody changes it: on, without a place of its own for results."""
    return Workgroup(account=account, name=PRIMARY, enforced=False)
