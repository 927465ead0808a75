"""The catalog as a query's principal sees it: one state, looked at once.

Names, columns and decisions come from the same consistent read, and each table is judged once: what
a query was checked against is what its views are made of. A table without a readable column is
there for whoever may describe it, and cannot be read.

A view is written out as a query with the rights of who asks, and nothing stands between that query
and its reader. So of a view only those columns are there that show in full, in every row: a mask or
a row filter on the view itself could not be applied.
"""

from __future__ import annotations

from collections.abc import Mapping

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tables.table_document import ICEBERG, TABLE_TYPE, parameter
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable, seen
from lakeveil.flows.iceberg_rows import is_behind
from lakeveil.flows.metadata_views import METADATA_DATABASES, metadata_relation
from lakeveil.ports.lake import LakeReader
from lakeveil.sql.governed import shown_type
from lakeveil.sql.relations import NO_CONDITIONS, Relation, RelationColumn
from lakeveil.sql.views import decode


class BehindTable(Exception):
    """A table whose row is to be looked at anew before it can be read."""

    def __init__(self, name: TableName) -> None:
        self.name = name
        super().__init__(str(name))


class SeenCatalog:
    """`sql.relations.Catalog` of one principal over one state."""

    def __init__(self, lake: LakeReader, authority: Authority) -> None:
        self._lake = lake
        self._authority = authority
        self._account = authority.who.account
        self._seen: dict[TableName, SeenTable | None] = {}

    def relation(
        self, database: str, table: str, *, where: Mapping[str, str] = NO_CONDITIONS
    ) -> Relation | None:
        """See `Catalog`.

        Raises:
            BehindTable: its row has to follow its entry first.
            QueryError: the principal may know of the table, and read nothing of it.
        """
        if database in METADATA_DATABASES:
            return metadata_relation(
                database, table, where=where, lake=self._lake, authority=self._authority
            )
        found = self.table(TableName(self._account, database, table))
        return self._relation(found) if found else None

    def has_database(self, database: str) -> bool:
        """See `Catalog`."""
        if database in METADATA_DATABASES:
            return True
        record = self._lake.database(self._account, database)
        return record is not None and self._authority.knows_database(record.database)

    def table(self, name: TableName) -> SeenTable | None:
        """A table as the principal sees it; the same one each time."""
        if name not in self._seen:
            record = self._lake.table(name)
            found = seen(self._authority, record) if record else None
            iceberg = found is not None and bool(found.record.metadata_location)
            if found and iceberg and is_behind(found.record, self._lake.iceberg_entry(name)):
                raise BehindTable(name)
            self._seen[name] = found
        return self._seen[name]

    def _relation(self, found: SeenTable) -> Relation:
        document = found.record.document
        is_view = document.get("TableType") == "VIRTUAL_VIEW"
        types = {column.name: column for column in found.record.table.columns}
        shown = [
            RelationColumn(
                decided.name,
                shown_type(decided, types[decided.name].type),
                types[decided.name].partition,
            )
            for decided in found.data.shown()
            if decided.visible.every or not is_view
        ]
        if not shown:
            raise QueryError(
                ErrorName.PERMISSION_DENIED,
                f"Access Denied: Cannot select from table {found.name}",
            )
        view = decode(document.get("ViewOriginalText", "")) if is_view else None
        return Relation(
            name=found.name,
            columns=tuple(shown),
            view=view.sql if view else None,
            view_database=view.database if view else "",
            iceberg=parameter(document, TABLE_TYPE).upper() == ICEBERG,
        )
