"""Values that stand in Iceberg's metadata and in no file, as text that the engine casts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimestamptzType,
)

from lakeveil.core.query.failures import ErrorName, QueryError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the type has no zone


def constant_text(value: object, kind: IcebergType) -> str:  # noqa: PLR0911 - one for each type
    """A value in Iceberg's own form (days, microseconds) as text.

    Raises:
        QueryError: NOT_SUPPORTED, a type that has no such text.
    """
    match kind, value:
        case BooleanType(), bool():
            return str(value).lower()
        case DateType(), date():
            return value.isoformat()
        case DateType(), int():
            return (_EPOCH + timedelta(days=value)).date().isoformat()
        case ((TimestampType() | TimestamptzType()), datetime()):
            return value.replace(tzinfo=None).isoformat(" ")
        case ((TimestampType() | TimestamptzType()), int()):
            return (_EPOCH + timedelta(microseconds=value)).isoformat(" ")
        case DecimalType(), Decimal():
            return f"{value:f}"
        case (
            (IntegerType() | LongType(), int())
            | (FloatType() | DoubleType(), int() | float())
            | (StringType(), str())
        ):
            return str(value)
        case _:
            raise QueryError(
                ErrorName.NOT_SUPPORTED,
                "A column that no file holds is of a type that is not read.",
            )
