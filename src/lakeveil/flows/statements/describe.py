"""One table, told in full: DESCRIBE, SHOW CREATE TABLE and SHOW CREATE VIEW.

DESCRIBE tells what the caller is shown. A statement that would make the table again tells all of
it, so it is for those who see the entire definition and for nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.answers import Answer, Line, said
from lakeveil.flows.statements.iceberg_tables import athena_properties
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.show import (
    columns_of,
    document_of,
    is_view,
    one_line,
    padded,
)
from lakeveil.ports.iceberg import IcebergMetadata
from lakeveil.sql.statements import Describe, ShowCreateTable, ShowCreateView
from lakeveil.sql.views import decode

DESCRIBED = ("col_name", "data_type", "comment")
_EMPTY: Line = ("", " ", " ")


def describe(statement: Describe, asked: Asked) -> Answer:
    """DESCRIBE [EXTENDED | FORMATTED] table [column].

    Raises:
        QueryError: COLUMN_NOT_FOUND, there is no such column for the caller; NOT_SUPPORTED, it
            asks for a partition.
    """
    if statement.partition is not None:
        raise QueryError(ErrorName.NOT_SUPPORTED, "DESCRIBE of a partition is not supported")
    found = known(statement.table, asked)
    shown = document_of(found)
    if statement.name:
        named = [one for one in columns_of(shown) if one["Name"] == statement.name.lower()]
        if not named:
            raise QueryError(
                ErrorName.COLUMN_NOT_FOUND, f"Column '{statement.name[:255]}' cannot be resolved"
            )
        return said(DESCRIBED, [_column(named[0])], asked)
    lines = list(_columns(shown))
    if statement.detail:
        lines += _details(found, shown)
    return said(DESCRIBED, lines, asked)


def show_create_table(statement: ShowCreateTable, asked: Asked) -> Answer:
    """SHOW CREATE TABLE, for who sees the entire definition.

    Raises:
        QueryError: PERMISSION_DENIED, the caller does not; NOT_SUPPORTED for a view.
    """
    found = _entire(known(statement.table, asked))
    if is_view(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"{found.name} is a view. Use SHOW CREATE VIEW.")
    file = found.record.metadata_location
    metadata = asked.desk.catalog.iceberg.read(file) if file else None
    text = "\n".join(_create_table(found, document_of(found), metadata))
    return said(("createtab_stmt",), ([line] for line in text.split("\n")), asked)


def show_create_view(statement: ShowCreateView, asked: Asked) -> Answer:
    """SHOW CREATE VIEW, for who sees the entire definition.

    Raises:
        QueryError: PERMISSION_DENIED, the caller does not; NOT_SUPPORTED, it is no view.
    """
    found = _entire(known(statement.view, asked))
    if not is_view(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"{found.name} is not a view")
    view = decode(str(found.record.document.get("ViewOriginalText", "")))
    name = f'"{found.name.database}"."{found.name.table}"'
    text = f"CREATE VIEW {name} AS\n{view.sql}"
    return said(("Create View",), ([line] for line in text.splitlines()), asked)


def _entire(found: SeenTable) -> SeenTable:
    if not found.view.entire:
        raise QueryError(
            ErrorName.PERMISSION_DENIED,
            f"Access Denied: Cannot show create statement for {found.name}",
        )
    return found


def _columns(shown: Mapping[str, Any]) -> Iterator[Line]:
    for column in columns_of(shown):
        yield _column(column)
    if keys := shown.get("PartitionKeys"):
        yield _EMPTY
        yield ("# Partition Information", " ", " ")
        yield tuple(padded(text) for text in ("# col_name", "data_type", "comment"))
        yield _EMPTY
        for key in keys:
            yield _column(key)


def _column(column: Mapping[str, str]) -> Line:
    return (
        padded(column["Name"]),
        padded(column.get("Type", "string")),
        padded(column.get("Comment", "")),
    )


def _details(found: SeenTable, shown: Mapping[str, Any]) -> Iterator[Line]:
    descriptor = shown.get("StorageDescriptor", {})
    created = datetime.fromtimestamp(found.record.created_at, UTC)
    yield _EMPTY
    yield ("# Detailed Table Information", " ", " ")
    yield _detail("Database:", found.name.database)
    yield _detail("CreateTime:", f"{created:%a %b %d %H:%M:%S UTC %Y}")
    if location := descriptor.get("Location"):
        yield _detail("Location:", location)
    yield _detail("Table Type:", shown.get("TableType", "EXTERNAL_TABLE"))
    yield from _parameters("Table Parameters:", shown.get("Parameters", {}))
    yield _EMPTY
    yield ("# Storage Information", " ", " ")
    serde = descriptor.get("SerdeInfo", {})
    yield _detail("SerDe Library:", serde.get("SerializationLibrary", ""))
    yield _detail("InputFormat:", descriptor.get("InputFormat", ""))
    yield _detail("OutputFormat:", descriptor.get("OutputFormat", ""))
    yield from _parameters("Storage Desc Params:", serde.get("Parameters", {}))


def _detail(name: str, value: str) -> Line:
    return (padded(name), padded(value), " ")


def _parameters(title: str, parameters: Mapping[str, str]) -> Iterator[Line]:
    if parameters:
        yield (padded(title), " ", " ")
        for name, value in sorted(parameters.items()):
            yield ("", padded(name), padded(value))


def _transform(column: str, transform: str) -> str:
    kind, _, size = transform.rstrip("]").partition("[")
    named = f"`{column}`"
    if kind == "identity":
        return named
    return f"{kind}({size}, {named})" if size else f"{kind}({named})"


def _create_table(
    found: SeenTable, shown: Mapping[str, Any], iceberg: IcebergMetadata | None
) -> Iterator[str]:
    descriptor = shown.get("StorageDescriptor", {})
    parameters = shown.get("Parameters", {})
    database, table = found.name.database, found.name.table
    # Athena quotes the name of a table over files as one.
    named = f"TABLE `{database}`.`{table}`" if iceberg else f"EXTERNAL TABLE `{database}.{table}`"
    yield f"CREATE {named}("
    yield _listed(descriptor.get("Columns", ())) + ")"
    if keys := shown.get("PartitionKeys"):
        yield "PARTITIONED BY ( "
        yield _listed(keys) + ")"
    if iceberg:
        # A field that was removed stays in old tables as one of no value.
        fields = [_transform(*one) for one in iceberg.partition_fields if one[1] != "void"]
        if fields:
            yield f"PARTITIONED BY ({', '.join(fields)})"
        parameters = athena_properties(iceberg.properties)
    else:
        yield from _stored(descriptor)
    if location := descriptor.get("Location"):
        yield f"LOCATION\n  {_quoted(location)}"
    if parameters:
        yield f"TBLPROPERTIES (\n{_pairs(parameters)})"


def _stored(descriptor: Mapping[str, Any]) -> Iterator[str]:
    serde = descriptor.get("SerdeInfo", {})
    if library := serde.get("SerializationLibrary"):
        yield f"ROW FORMAT SERDE \n  {_quoted(library)} "
    if parameters := serde.get("Parameters"):
        yield f"WITH SERDEPROPERTIES ( \n{_pairs(parameters)}) "
    if "InputFormat" in descriptor:
        yield f"STORED AS INPUTFORMAT \n  {_quoted(descriptor['InputFormat'])} "
        yield f"OUTPUTFORMAT \n  {_quoted(descriptor.get('OutputFormat', ''))}"


def _listed(columns: Any) -> str:
    return ", \n".join(
        f"  `{one['Name']}` {one.get('Type', 'string')}"
        + (f" COMMENT {_quoted(one['Comment'])}" if one.get("Comment") else "")
        for one in columns
    )


def _pairs(parameters: Mapping[str, str]) -> str:
    pairs = sorted(parameters.items())
    return ", \n".join(f"  {_quoted(name)}={_quoted(value)}" for name, value in pairs)


def _quoted(text: str) -> str:
    escaped = one_line(str(text)).replace("'", "''")
    return f"'{escaped}'"
