"""Data catalogs, databases and tables, as the caller sees them: what Glue's door shows, too."""

from __future__ import annotations

import re
from typing import Any

from lakeveil.aws.athena.executions import AthenaDesk
from lakeveil.aws.athena.shapes import CATALOG, Shape
from lakeveil.aws.glue.shapes import database_shape, table_shape
from lakeveil.aws.paging import page
from lakeveil.core.access.grants import TableName
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.change_access import Call
from lakeveil.flows.read_catalog import (
    check_database,
    read_database,
    read_databases,
    read_table,
    read_tables,
)

PAGE = 50
MAX_EXPRESSION = 256


def list_data_catalogs(_call: Call, _params: Shape, _desk: AthenaDesk) -> Shape:
    """ListDataCatalogs: there is one, under the name that Athena's clients expect."""
    return {"DataCatalogsSummary": [{"CatalogName": CATALOG, "Type": "GLUE"}]}


def get_data_catalog(call: Call, params: Shape, _desk: AthenaDesk) -> Shape:
    """GetDataCatalog."""
    _check_catalog(params["Name"])
    return {
        "DataCatalog": {
            "Name": CATALOG,
            "Type": "GLUE",
            "Parameters": {"catalog-id": call.who.account},
        }
    }


def get_database(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetDatabase."""
    _check_catalog(params["CatalogName"])
    record, path = read_database(
        call.who.account,
        params["DatabaseName"].lower(),
        who=call.who,
        desk=desk.queries.catalog,
    )
    return {"Database": _database(database_shape(record, path=path))}


def list_databases(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListDatabases."""
    _check_catalog(params["CatalogName"])
    found, token = page(
        read_databases([call.who.account], who=call.who, desk=desk.queries.catalog),
        lambda entry: (entry[0].database.name,),
        params,
        asker=f"ListDatabases {call.who.caller_arn}",
        size=PAGE,
    )
    shapes = [_database(database_shape(record, path=path)) for record, path in found]
    return {"DatabaseList": shapes, **token}


def get_table_metadata(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetTableMetadata."""
    _check_catalog(params["CatalogName"])
    name = TableName(call.who.account, params["DatabaseName"].lower(), params["TableName"].lower())
    found = read_table(name, who=call.who, desk=desk.queries.catalog)
    return {"TableMetadata": _table(found)}


def list_table_metadata(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListTableMetadata: those whose name an expression matches, as a regular expression."""
    _check_catalog(params["CatalogName"])
    account, database = call.who.account, params["DatabaseName"].lower()
    check_database(account, database, who=call.who, desk=desk.queries.catalog)
    wanted = _pattern(params.get("Expression", ""))
    found, token = page(
        (
            table
            for table in read_tables(account, database, who=call.who, desk=desk.queries.catalog)
            if wanted is None or wanted.fullmatch(table.name.table)
        ),
        lambda table: (table.name.table,),
        params,
        asker=f"ListTableMetadata {call.who.caller_arn}",
        size=PAGE,
    )
    return {"TableMetadataList": [_table(table) for table in found], **token}


def _check_catalog(name: str) -> None:
    if name.lower() != CATALOG.lower():
        raise NotFound(f"Catalog {name[:255]} is not found.")


def _pattern(expression: str) -> re.Pattern[str] | None:
    """Names with `*` for anything and `|` between alternatives, as Hive's SHOW TABLES reads them.

    Nothing else of regular expressions: one that backtracks would take the server's time.
    """
    if not expression:
        return None
    if len(expression) > MAX_EXPRESSION:
        raise UsageError(f"Expression has at most {MAX_EXPRESSION} characters.")
    tidy = expression.lower().replace(".*", "*").strip("'")
    parts = [re.escape(part).replace(r"\*", ".*") for part in re.sub(r"\*+", "*", tidy).split("|")]
    return re.compile("|".join(parts))


def _database(shape: dict[str, Any]) -> dict[str, Any]:
    return {key: shape[key] for key in ("Name", "Description", "Parameters") if key in shape}


def _table(found: SeenTable) -> dict[str, Any]:
    shape = table_shape(found)
    return {
        "Name": shape["Name"],
        "CreateTime": shape["CreateTime"],
        "TableType": shape.get("TableType"),
        "Columns": _columns(shape.get("StorageDescriptor", {}).get("Columns", ())),
        "PartitionKeys": _columns(shape.get("PartitionKeys", ())),
        "Parameters": shape.get("Parameters", {}),
    }


def _columns(shapes: Any) -> list[dict[str, Any]]:
    return [
        {key: one[key] for key in ("Name", "Type", "Comment") if one.get(key)} for one in shapes
    ]
