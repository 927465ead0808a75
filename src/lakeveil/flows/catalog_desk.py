"""What the catalog is looked at and changed with, and how things in it are looked up.

What somebody may not know of is answered in the words for what is not there, whether it is asked
for or asked to be changed. Of a table's two rows, ours and Iceberg's entry, neither may be behind:
one that is gets looked at anew first, and a table that cannot be is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from lakeveil.core.access.deciding.data_access import may_read_data, without_data
from lakeveil.core.access.deciding.decision import Decision
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.indexing.index import index_of
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.shown_document import View
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, Refused
from lakeveil.flows.change_access import AccessDesk, Call
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.iceberg import IcebergCatalog
from lakeveil.ports.lake import DatabaseRecord, Lake, LakeReader, TableRecord

_WRITES = frozenset({Permission.INSERT, Permission.DELETE, Permission.ALTER})


class _NoDirectory:
    """Changes of the catalog name no principals, so there is nobody to look up."""

    def knows(self, _identifier: str) -> bool:
        return False

    def identities_of(self, identifier: str) -> frozenset[str]:
        return frozenset({identifier})


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDesk:
    """The lake's state, Iceberg's entries, and the record of what is done to them."""

    lake: Lake
    iceberg: IcebergCatalog
    audit: AuditLog
    clock: Clock

    @property
    def access(self) -> AccessDesk:
        """The part of it that every change goes over."""
        return AccessDesk(
            lake=self.lake, audit=self.audit, directory=_NoDirectory(), clock=self.clock
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTable:
    """A table as one principal sees it.

    `data` is the decision about what may be read of it: none of it without the right to read data.
    """

    record: TableRecord
    decision: Decision
    data: Decision
    view: View

    @property
    def name(self) -> TableName:
        """The table's name."""
        return self.record.table.name

    def allows(self, *permissions: Permission) -> bool:
        """Whether one of these is held on it."""
        return not self.decision.permissions.isdisjoint(permissions)


def seen(authority: Authority, record: TableRecord) -> SeenTable | None:
    """A table as somebody sees it; None where it is not there for them."""
    table = record.table
    decision = index_of(authority.policy).remembered(authority.who, table, now=authority.now)
    if not decision.exists:
        return None
    owns = bool(table.owner) and table.owner in authority.who.identities
    views = owns or authority.views(table.name.account)
    every = frozenset([column.name for column in table.columns])
    # Names alone: to write out why each column shows takes twice as long as to decide.
    known = every if views else decision.shown_names()
    entire = views or decision.full_read
    data = decision if may_read_data(authority.who) else without_data(decision)
    return SeenTable(
        record=record,
        decision=decision,
        data=data,
        view=View(
            known=known,
            hidden=every - known,
            entire=entire,
            paths=entire or not decision.permissions.isdisjoint(_WRITES),
            values=data.full_read,
        ),
    )


def looking_at(lake: LakeReader, who: Principal, desk: CatalogDesk) -> Authority:
    """The authority of somebody over the very state that is looked at."""
    return Authority(who=who, policy=lake.policy(), now=desk.clock.now())


def known_database(
    lake: LakeReader, authority: Authority, account: str, name: str
) -> DatabaseRecord:
    """A database that the caller may know of.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    record = lake.database(account, name)
    if record is None or not authority.knows_database(record.database):
        raise NotFound(f"Database {name} not found.")
    return record


def known_table(lake: LakeReader, authority: Authority, name: TableName) -> SeenTable:
    """A table that the caller may know of, as it is in our own row.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    record = lake.table(name)
    found = seen(authority, record) if record else None
    if found is None:
        table_not_found(lake, authority, name)
    return found


def table_not_found(lake: LakeReader, authority: Authority, name: TableName) -> NoReturn:
    """Say that a table is not there, in words that tell nothing of a database that is hidden.

    Raises:
        NotFound: always.
    """
    known_database(lake, authority, name.account, name.database)
    raise NotFound(f"Table {name.table} not found.")


@contextmanager
def refusals_on_record(call: Call, desk: CatalogDesk, resource: str) -> Iterator[None]:
    """Put a refusal on record that comes before a change is announced."""
    try:
        yield
    except (Refused, NotFound) as error:
        desk.audit.record(call.event(AuditOutcome.REFUSED, resource, error_code=error.code))
        raise


def said_table(name: TableName) -> str:
    """A table as records of the audit log name it."""
    return f"table {name.account}/{name}"
