"""CREATE TABLE.

A table over files is EXTERNAL and has a LOCATION, as Athena asks; an Iceberg table says so in
its properties. Both go through the catalog's own flows: who may create tables there, and keep data
at that place. Dropping a table is `drop_tables`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows import change_tables
from lakeveil.flows.change_tables import check_creation
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.answers import Answer, done
from lakeveil.flows.statements.hive_formats import descriptor, format_of
from lakeveil.flows.statements.iceberg_tables import NewIceberg, create_iceberg, iceberg_properties
from lakeveil.flows.statements.naming import table_of
from lakeveil.flows.statements.refused import about_table, already_there
from lakeveil.sql.statements import ColumnDefinition, CreateTable
from lakeveil.sql.types import hive_type


def create_table(statement: CreateTable, asked: Asked) -> Answer:
    """CREATE EXTERNAL TABLE, or CREATE TABLE of Iceberg.

    Raises:
        QueryError: TABLE_ALREADY_EXISTS, SCHEMA_NOT_FOUND, TYPE_NOT_FOUND, NOT_SUPPORTED.
        Refused: the caller lacks CREATE_TABLE, or may not use the location.
        UsageError: the location is not registered, or something else cannot be.
    """
    for column in (*statement.columns, *statement.partitions):
        hive_type(column.type)
    if not statement.location:
        raise QueryError(ErrorName.GENERIC_USER_ERROR, "CREATE TABLE needs a LOCATION")
    create = _create_iceberg if statement.iceberg else _create_external
    try:
        create(statement, asked)
    except QueryError as error:
        if not (statement.if_not_exists and already_there(error)):
            raise
    return done(asked)


def glue_columns(columns: Iterable[ColumnDefinition]) -> list[dict[str, str]]:
    """Columns as a document has them."""
    return [
        {
            "Name": column.name.lower(),
            "Type": column.type,
            **({"Comment": column.comment} if column.comment else {}),
        }
        for column in columns
    ]


def _create_external(statement: CreateTable, asked: Asked) -> None:
    if not statement.external:
        raise QueryError(
            ErrorName.NOT_SUPPORTED,
            "Tables over files are made by CREATE EXTERNAL TABLE, others with "
            "TBLPROPERTIES ('table_type' = 'ICEBERG')",
        )
    if statement.transforms:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "PARTITIONED BY of an external table names types, too"
        )
    form, parameters = format_of(statement)
    name = table_of(statement.table, asked)
    document: dict[str, Any] = {
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": form.classification,
            **statement.properties,
        },
        "StorageDescriptor": descriptor(
            form, glue_columns(statement.columns), statement.location, **parameters
        ),
        "PartitionKeys": glue_columns(statement.partitions),
        **({"Description": statement.comment} if statement.comment else {}),
    }
    with about_table(name, statement.table):
        change_tables.create_table(name, document, call=asked.call, desk=asked.desk.catalog)


def _create_iceberg(statement: CreateTable, asked: Asked) -> None:
    if statement.external or statement.partitions or statement.serde or statement.stored_as:
        raise QueryError(
            ErrorName.NOT_SUPPORTED,
            "An Iceberg table is made by CREATE TABLE, partitioned by its own columns, without a "
            "SERDE",
        )
    name = table_of(statement.table, asked)
    new = NewIceberg(
        name=name,
        columns=tuple((column.name.lower(), column.type) for column in statement.columns),
        location=statement.location,
        transforms=statement.transforms,
        properties=iceberg_properties(statement.properties),
        comment=statement.comment,
        comments={one.name.lower(): one.comment for one in statement.columns if one.comment},
    )
    with about_table(name, statement.table):
        create_iceberg(
            new,
            check=lambda lake, authority, location: check_creation(lake, authority, name, location),
            asked=asked,
        )
