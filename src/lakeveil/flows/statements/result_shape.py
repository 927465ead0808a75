"""The columns of a table that is made of a query, and what WITH says of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.relations import OutputColumn
from lakeveil.sql.statements import PropertyValue
from lakeveil.sql.types import trino_to_hive

FORMATS = frozenset({"parquet", "orc", "json", "textfile"})
COMPRESSIONS = frozenset({"snappy", "zstd", "gzip", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProperties:
    """How files are to be written: `format`, and `compression` empty for the format's own."""

    format: str = "parquet"
    compression: str = ""
    delimiter: str = ""
    partitioned_by: tuple[str, ...] = ()


def check_names(columns: Sequence[OutputColumn]) -> tuple[str, ...]:
    """The names of a new table's columns, in lower case.

    Raises:
        QueryError: MISSING_COLUMN_NAME, DUPLICATE_COLUMN_NAME.
    """
    names: list[str] = []
    for place, column in enumerate(columns):
        name = column.name.lower()
        if not name or name == f"_col{place}":
            raise QueryError(
                ErrorName.MISSING_COLUMN_NAME,
                f"Column name not specified at position {place + 1}",
            )
        if name in names:
            raise QueryError(
                ErrorName.DUPLICATE_COLUMN_NAME, f"Column name '{name}' specified more than once"
            )
        names.append(name)
    return tuple(names)


def kept_columns(
    names: Sequence[str], columns: Sequence[OutputColumn]
) -> tuple[tuple[ResultColumn, str], ...]:
    """Each column as it is written, and its type in Hive's spelling.

    Raises:
        QueryError: NOT_SUPPORTED, a type that tables cannot have.
    """
    return tuple(
        (ResultColumn(name, column.type), trino_to_hive(column.type))
        for name, column in zip(names, columns, strict=True)
    )


def file_properties(
    properties: Mapping[str, PropertyValue], *, formats: frozenset[str] = FORMATS
) -> FileProperties:
    """What WITH says of files.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY, something that cannot be.
    """
    form = _text(properties, "format", "parquet").lower()
    if form not in formats:
        raise _invalid("format", form)
    given = (
        _text(properties, "write_compression", "")
        or _text(properties, "compression", "")
        or _text(properties, f"{form}_compression", "")
    ).lower()
    if given and given not in COMPRESSIONS:
        raise _invalid("write_compression", given)
    by = properties.get("partitioned_by", ())
    if not isinstance(by, tuple):
        raise _invalid("partitioned_by", str(by))
    return FileProperties(
        format=form,
        compression=given,
        delimiter=_text(properties, "field_delimiter", ""),
        partitioned_by=tuple(name.lower() for name in by),
    )


def check_partitioned_last(names: Sequence[str], by: Sequence[str]) -> None:
    """Refuse partition columns that are not the last ones.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY.
    """
    if by and (tuple(names[-len(by) :]) != tuple(by) or len(by) == len(names)):
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY,
            "Partition keys must be the last columns in the table and in the same order as the "
            f"table properties: [{', '.join(by)}]",
        )


def _text(properties: Mapping[str, PropertyValue], name: str, default: str) -> str:
    found = properties.get(name, default)
    if not isinstance(found, str):
        raise _invalid(name, str(found))
    return found


def _invalid(name: str, value: str) -> QueryError:
    return QueryError(ErrorName.INVALID_TABLE_PROPERTY, f"Invalid value for {name}: {value[:128]}")
