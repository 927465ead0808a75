"""Tables: of files that a client describes, and Iceberg's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lakeveil.aws.glue.formats import definition_of, iceberg_version, updates_of
from lakeveil.aws.glue.shapes import (
    Shape,
    account_of,
    document_of,
    error_detail,
    refuse_unserved,
    table_name,
    table_shape,
)
from lakeveil.aws.paging import page
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tables.table_document import METADATA_LOCATION, is_iceberg, parameter
from lakeveil.core.identity.wildcards import matches
from lakeveil.errors import Conflict, NotFound, Refused, UsageError
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_access import Call
from lakeveil.flows.change_tables import create_table, delete_table, update_table
from lakeveil.flows.commit_iceberg import (
    commit_iceberg_table,
    create_iceberg_table,
    define_iceberg_table,
    evolve_iceberg_table,
    register_iceberg_table,
)
from lakeveil.flows.read_catalog import check_database, read_table, read_tables

PAGE = 100
_SAID_BY_FORMAT = ("StorageDescriptor", "PartitionKeys")
_UNSERVED_INPUT = ("TargetTable", "FederatedTable", "ViewDefinition")
_ATTRIBUTES = {"NAME": "Name", "TABLE_TYPE": "TableType"}
_PATTERN = re.compile(r"\^?(?:[\w \-|.]|\.?\*)*\$?")


def create_a_table(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """CreateTable: an Iceberg table is made here, or registered from its first metadata file."""
    refuse_unserved(params, "TransactionId", "PartitionIndexes")
    if "OpenTableFormatInput" in params:
        _create_of_format(call, params, desk)
        return {}
    name, document = _given(call, params)
    create = register_iceberg_table if _is_iceberg(document) else create_table
    create(name, document, call=call, desk=desk)
    return {}


def get_table(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetTable."""
    _check_look(params)
    name = table_name(params, call.who.account, "Name")
    return {"Table": _attributes(table_shape(read_table(name, who=call.who, desk=desk)), params)}


def get_tables(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetTables: of a database; a hidden one is as absent as one that was never made."""
    _check_look(params)
    account, database = account_of(params, call.who.account), params["DatabaseName"].lower()
    fits = matcher(params.get("Expression", ""))
    found, token = page(
        (
            table
            for table in read_tables(account, database, who=call.who, desk=desk)
            if fits(table.name.table)
        ),
        lambda table: (table.name.table,),
        params,
        asker=f"GetTables {call.who.caller_arn}",
        size=PAGE,
    )
    if not found:
        check_database(account, database, who=call.who, desk=desk)
    return {"TableList": [_attributes(table_shape(one), params) for one in found], **token}


def update_a_table(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """UpdateTable: with a VersionId, only if nobody else changed it since."""
    refuse_unserved(params, "TransactionId", "ViewUpdateAction", "Force")
    if "UpdateOpenTableFormatInput" in params:
        evolve_iceberg_table(
            _named_alone(call, params),
            updates_of(params["UpdateOpenTableFormatInput"]),
            version=params.get("VersionId", ""),
            skip_archive=bool(params.get("SkipArchive", False)),
            call=call,
            desk=desk,
        )
        return {}
    name, document = _given(call, params)
    update = commit_iceberg_table if _is_iceberg(document) else update_table
    update(
        name,
        document,
        version=params.get("VersionId", ""),
        skip_archive=bool(params.get("SkipArchive", False)),
        call=call,
        desk=desk,
    )
    return {}


def delete_a_table(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """DeleteTable: files stay."""
    refuse_unserved(params, "TransactionId")
    delete_table(table_name(params, call.who.account, "Name"), call=call, desk=desk)
    return {}


def batch_delete_table(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """BatchDeleteTable: what cannot be dropped is reported while the others are."""
    refuse_unserved(params, "TransactionId")
    errors = []
    for given in params["TablesToDelete"]:
        name = table_name({**params, "TableName": given}, call.who.account)
        try:
            delete_table(name, call=call, desk=desk)
        except (Conflict, NotFound, Refused) as error:
            errors.append({"TableName": given, "ErrorDetail": error_detail(error)})
    return {"Errors": errors}


def matcher(expression: str) -> Callable[[str], bool]:
    """Which names fit a pattern: letters, `*` or `.*` for anything, `.` for one, `|` for or.

    Raises:
        UsageError: it has more of a regular expression than that.
    """
    if not expression:
        return lambda _name: True
    if not _PATTERN.fullmatch(expression):
        raise UsageError(
            "Expression is not supported: write names with `*`, and `|` between alternatives."
        )
    text = expression.lower().removeprefix("^").removesuffix("$").replace(".*", "*")
    patterns = text.replace(".", "?").split("|")
    return lambda name: any(matches(pattern, name) for pattern in patterns)


def _create_of_format(call: Call, params: Shape, desk: CatalogDesk) -> None:
    """Make an Iceberg table: of a schema of its own, or of a table's columns."""
    given = params["OpenTableFormatInput"].get("IcebergInput", {})
    if "CreateIcebergTableInput" not in given:
        version = iceberg_version(given, 1, 2)
        name, document = _given(call, params)
        create_iceberg_table(name, document, format_version=version, call=call, desk=desk)
        return
    iceberg_version(given, 2)
    if "TableInput" in params:
        name, document = _given(call, params)
        for member in _SAID_BY_FORMAT:
            if document.get(member):
                raise UsageError(
                    f"{member} cannot stand beside CreateIcebergTableInput",
                    why="that says columns, partitioning and location",
                    fix=f"leave {member} out",
                )
    else:
        name, document = _named_alone(call, params), {}
    definition = definition_of(given["CreateIcebergTableInput"])
    define_iceberg_table(name, document, definition, call=call, desk=desk)


def _named_alone(call: Call, params: Shape) -> TableName:
    """The table that is named beside an input of its format.

    Raises:
        UsageError: none is, or another definition of it stands beside.
    """
    if "TableInput" in params:
        raise UsageError(
            "TableInput cannot stand beside UpdateOpenTableFormatInput",
            why="each would change the whole table",
            fix="name the table by Name, and change the two one after the other",
        )
    if "Name" not in params:
        raise UsageError(
            "Name is missing", why="there is no TableInput that names the table", fix="give Name"
        )
    return table_name(params, call.who.account, "Name")


def _given(call: Call, params: Shape) -> tuple[TableName, dict[str, Any]]:
    given = params.get("TableInput")
    if given is None:
        raise UsageError("TableInput is missing.")
    refuse_unserved(given, *_UNSERVED_INPUT)
    if params.get("Name", given["Name"]).lower() != given["Name"].lower():
        raise UsageError("Name differs from TableInput.Name: a table cannot be renamed.")
    name = table_name({**params, "TableName": given["Name"]}, call.who.account)
    return name, document_of(given, "Name")


def _is_iceberg(document: Shape) -> bool:
    return is_iceberg(document) or bool(parameter(document, METADATA_LOCATION))


def _check_look(params: Shape) -> None:
    refuse_unserved(params, "TransactionId", "QueryAsOfTime")
    if "LATEST_ICEBERG_METADATA" in params.get("AttributesToGet", ()):
        raise UsageError("LATEST_ICEBERG_METADATA is not supported by Lakeveil.")


def _attributes(shape: dict[str, Any], params: Shape) -> dict[str, Any]:
    wanted = params.get("AttributesToGet") or ["DEFAULT"]
    if "DEFAULT" in wanted:
        return shape
    kept = {"Name", *(_ATTRIBUTES[one] for one in wanted)}
    return {key: value for key, value in shape.items() if key in kept}
