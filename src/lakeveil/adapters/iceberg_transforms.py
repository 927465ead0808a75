"""Partitions of Iceberg tables: the value that a transform makes of a column, by the column.

PyIceberg does the same through a Rust library that is not needed here: its own transforms of one
value are the rule, applied once to each different value. Times, of which a column may have as many
as rows, are done by the column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.partitioning import PartitionField
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    UnknownTransform,
    VoidTransform,
    YearTransform,
)
from pyiceberg.types import TimestampType, TimestamptzType

from lakeveil.core.query.failures import ErrorName, QueryError

_EPOCH_YEAR = 1970
_MONTHS = 12
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000


def partition_values(batch: Any, field: PartitionField, schema: Schema) -> Any:
    """What a field of a spec makes of each row of a `pyarrow.RecordBatch`, as an array.

    Raises:
        QueryError: NOT_SUPPORTED, a transform that is not known.
    """
    column = _source(batch, field, schema)
    transform = field.transform
    if isinstance(transform, UnknownTransform):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "The table is partitioned by a transform that is not known."
        )
    if isinstance(transform, VoidTransform):
        return pa.nulls(len(column), pa.int32())
    if isinstance(transform, IdentityTransform):
        return column
    kind = schema.find_field(field.source_id).field_type
    if isinstance(transform, YearTransform):
        return pc.subtract(pc.year(column), _EPOCH_YEAR)
    if isinstance(transform, MonthTransform):
        years = pc.subtract(pc.year(column), _EPOCH_YEAR)
        months = pc.subtract(pc.month(column), 1)
        return pc.add(pc.multiply(years, _MONTHS), months)
    if isinstance(transform, DayTransform | HourTransform) and isinstance(
        kind, TimestampType | TimestamptzType
    ):
        return _ticks(column, _DAY_US if isinstance(transform, DayTransform) else _HOUR_US)
    of_one = transform.transform(kind)
    encoded = column.dictionary_encode()
    made = pa.array([of_one(value) for value in encoded.dictionary.to_pylist()])
    return made.take(encoded.indices)


def _source(batch: Any, field: PartitionField, schema: Schema) -> Any:
    path = schema.find_column_name(field.source_id)
    names = [one.name for one in schema.fields]
    top = next((n for n in names if path == n or (path or "").startswith(f"{n}.")), None)
    if path is None or top is None:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "The table is partitioned by a column that it has no more."
        )
    column = batch.column(names.index(top))
    inner = path[len(top) + 1 :]
    return pc.struct_field(column, inner.split(".")) if inner else column


def _ticks(column: Any, size: int) -> Any:
    """Whole units since 1970, also for times before."""
    known = column.is_valid().to_numpy(zero_copy_only=False)
    numbers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return pa.array(np.floor_divide(numbers, size).astype(np.int32), mask=~known)
