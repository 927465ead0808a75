"""Glue's shapes and our values: databases, tables, partitions, errors.

Names are lower case, as Glue stores them for Hive's sake; times are UTC seconds. What the API can
say and Lakeveil does not know is refused by name rather than left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from lakeveil.aws.protocol import AwsError
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tables.shown_document import shown_document, shown_partition
from lakeveil.core.access.tables.table_document import completed
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused, UsageError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.change_partitions import NewPartition
from lakeveil.flows.read_catalog import SeenPartition
from lakeveil.ports.lake import DatabaseRecord

Shape = Mapping[str, Any]

_ACCOUNT = re.compile(r"[0-9]{12}")


def account_of(params: Shape, default: str, member: str = "CatalogId") -> str:
    """The account that a catalog's id names.

    Raises:
        UsageError: it is not 12 digits: catalogs within an account are not known here.
    """
    given = str(params.get(member, default))
    if not _ACCOUNT.fullmatch(given):
        raise UsageError(f"{member} `{given[:255]}` is no account's: it must have 12 digits.")
    return given


def table_name(params: Shape, default: str, member: str = "TableName") -> TableName:
    """The table that a request names."""
    account = account_of(params, default)
    return TableName(account, params["DatabaseName"].lower(), params[member].lower())


def refuse_unserved(params: Shape, *members: str) -> None:
    """Refuse what is asked for and not served, rather than leave it out in silence.

    Raises:
        UsageError: with the first of the members that is set and not false or empty.
    """
    for member in members:
        if params.get(member):
            raise UsageError(f"{member} is not supported by Lakeveil.")


def document_of(shape: Shape, *without: str) -> dict[str, Any]:
    """An input as a document that can be kept, but for some of its members."""
    return {key: _plain(value) for key, value in shape.items() if key not in without}


def partition_of(shape: Shape) -> NewPartition:
    """A `PartitionInput`."""
    return NewPartition(shape.get("Values", []), document_of(shape, "Values"))


def database_shape(record: DatabaseRecord, *, path: bool) -> dict[str, Any]:
    """A `Database`. Nothing is granted by default on what is created in it."""
    members = (
        ("Description", "LocationUri", "Parameters") if path else ("Description", "Parameters")
    )
    return {
        "Name": record.database.name,
        "CatalogId": record.database.account,
        "CreateTime": record.created_at,
        "CreateTableDefaultPermissions": [],
        **{key: record.document[key] for key in members if key in record.document},
    }


def table_shape(found: SeenTable) -> dict[str, Any]:
    """A `Table` as its caller sees it."""
    record, table = found.record, found.record.table
    document = completed(record.document, table.columns, record.location)
    return {
        "Name": table.name.table,
        "DatabaseName": table.name.database,
        "CatalogId": table.name.account,
        "CreateTime": record.created_at,
        "UpdateTime": record.updated_at,
        "CreatedBy": table.owner[:255] or None,
        "VersionId": str(record.version),
        "IsRegisteredWithLakeFormation": is_registered(found),
        **shown_document(document, found.view),
    }


def is_registered(found: SeenTable) -> bool:
    """Whether grants govern a table's data."""
    return bool(found.record.location) and found.record.table.governed


def partition_shape(found: SeenPartition, *, columns: bool = True) -> dict[str, Any]:
    """A `Partition`, with or without the columns that it was written with."""
    name = found.table.name
    shape = {
        "Values": list(found.values),
        "DatabaseName": name.database,
        "TableName": name.table,
        "CatalogId": name.account,
        **shown_partition(found.document, found.table.view),
    }
    if not columns and "StorageDescriptor" in shape:
        shape["StorageDescriptor"].pop("Columns", None)
    return shape


def aws_error(error: LakeveilError, modelled: Iterable[str]) -> AwsError | None:
    """What the API answers for one of our errors; None where we are at fault ourselves.

    `modelled` are the errors that the operation has in the model.
    """
    message = error.what if not error.why else f"{error.what}: {error.why}."
    if error.fix and isinstance(error, UsageError):
        message = f"{message.removesuffix('.')}. {error.fix[0].upper()}{error.fix[1:]}."
    match error:
        case UsageError(code="limit_exceeded"):
            code = "ResourceNumberLimitExceededException"
        case UsageError():
            code = "InvalidInputException"
        case NotFound():
            code = "EntityNotFoundException"
        case Refused(code="finer_than_supported"):
            code = "PermissionTypeMismatchException"
        case Refused():
            code = "AccessDeniedException"
        case Conflict(code="already_exists"):
            code = "AlreadyExistsException"
        case Conflict():
            code = "ConcurrentModificationException"
        case _:
            return None
    if code == "ResourceNumberLimitExceededException" and code not in modelled:
        code = "InvalidInputException"
    return AwsError(code, message)


def error_detail(error: LakeveilError) -> dict[str, str]:
    """An `ErrorDetail`, of one thing out of several.

    Raises:
        LakeveilError: the error itself, where we are at fault.
    """
    answer = aws_error(error, ())
    if answer is None:
        raise error
    return {"ErrorCode": answer.code, "ErrorMessage": answer.message}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
