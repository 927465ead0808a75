r"""Rows as lines of Hive-style tables: delimited text, and JSON.

Delimited text is LazySimpleSerDe's: values as they are, `\N` for NULL, nothing quoted or escaped.
A value that could not be read back from it is refused: one that holds the delimiter or an end of
line, or is `\N` itself. So are nested types, and bytes, in text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeveil.adapters.arrow_text import in_lines, texts
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.values import java_double

NULL = "\\N"
_S = pa.large_string()
_NUMBERS = {"tinyint", "smallint", "integer", "bigint", "decimal", "boolean"}
_CONTROL = r"[\x00-\x1f]"
_TICKS = 1_000
_EXACT_DIGITS = 15
"""Of a number in JSON; many a reader takes it for a double, so longer ones stand in quotes."""


def delimited(batch: Any, columns: Sequence[ResultColumn], delimiter: str) -> bytes:
    """Rows of a `pyarrow.RecordBatch`, in the order of `columns`.

    Raises:
        QueryError: NOT_SUPPORTED, a value that could not be read back.
    """
    cells = [
        _cell(column, said, delimiter) for column, said in zip(batch.columns, columns, strict=True)
    ]
    return in_lines(cells, delimiter)


def json_lines(batch: Any, columns: Sequence[ResultColumn]) -> bytes:
    """Rows of a `pyarrow.RecordBatch` as objects, one a line."""
    cells = [
        pc.binary_join_element_wise(
            _scalar(json.dumps(said.name.lower(), ensure_ascii=False) + ":"),
            pc.fill_null(_json(column, said.type), "null"),
            _scalar(""),
        )
        for column, said in zip(batch.columns, columns, strict=True)
    ]
    rows = pc.binary_join_element_wise(*cells, _scalar(",")) if len(cells) > 1 else cells[0]
    braced = pc.binary_join_element_wise(_scalar("{"), rows, _scalar("}"), _scalar(""))
    return in_lines([braced], ",")


def _cell(column: Any, said: ResultColumn, delimiter: str) -> Any:
    head = said.type.partition("(")[0]
    if head in {"array", "map", "row", "varbinary"}:
        raise QueryError(
            ErrorName.NOT_SUPPORTED,
            f"Column '{said.name}' is of type {said.type}, which text cannot hold. "
            "Use PARQUET or JSON.",
        )
    found = texts(column, said.type)
    if head in {"varchar", "char", "json", "uuid"}:
        bad = pc.or_(pc.match_substring_regex(found, r"[\r\n\x00]"), pc.equal(found, NULL))
        if pc.any(pc.or_(bad, pc.match_substring(found, delimiter))).as_py():
            raise QueryError(
                ErrorName.NOT_SUPPORTED,
                f"Column '{said.name}' has values with the field delimiter or an end of line, "
                "which text cannot hold. Use another delimiter, PARQUET or JSON.",
            )
    return pc.fill_null(found, NULL)


def _json(column: Any, trino: str) -> Any:
    """Values as JSON; NULL stays."""
    head = trino.partition("(")[0]
    if "varbinary" in trino:
        raise QueryError(ErrorName.NOT_SUPPORTED, "JSON cannot hold varbinary. Use PARQUET.")
    if head in _NUMBERS:
        found = texts(column, trino)
        long = pa.types.is_decimal(column.type) and column.type.precision > _EXACT_DIGITS
        return _in_quotes(found) if long else found
    if head in {"double", "real"}:
        found = texts(column, trino)
        # JSON has neither NaN nor infinities.
        odd = pc.invert(pc.is_finite(column))
        return pc.if_else(odd, _in_quotes(found), found)
    if head in {"date", "timestamp"}:
        return _in_quotes(texts(column, trino))
    if head in {"varchar", "char", "json", "uuid"}:
        return _escaped(pc.cast(column, _S))
    values = column.to_pylist(maps_as_pydicts=None)
    return pa.array([None if v is None else _dumped(v, column.type) for v in values], _S)


def _escaped(column: Any) -> Any:
    for sign in ("\\", '"'):
        column = pc.replace_substring(column, sign, "\\" + sign)
    if pc.any(pc.match_substring_regex(column, _CONTROL)).as_py():
        for number in range(0x20):
            column = pc.replace_substring(column, chr(number), f"\\u{number:04x}")
    return _in_quotes(column)


def _dumped(value: Any, kind: Any) -> str:
    return json.dumps(_plain(value, kind), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any, kind: Any) -> Any:
    """A value as `json` has it."""
    if value is None:
        return None
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_plain(one, kind.value_type) for one in value]
    if pa.types.is_map(kind):
        return {_key(key): _plain(one, kind.item_type) for key, one in value}
    if pa.types.is_struct(kind):
        return {field.name: _plain(value[field.name], field.type) for field in kind}
    return _simple(value)


def _simple(value: Any) -> Any:
    match value:
        case datetime():
            exact = "microseconds" if value.microsecond % _TICKS else "milliseconds"
            return value.isoformat(" ", exact)
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case float() if not math.isfinite(value):
            return java_double(value)
        case _:
            return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return str(key)


def _in_quotes(column: Any) -> Any:
    return pc.binary_join_element_wise(_scalar('"'), column, _scalar('"'), _scalar(""))


def _scalar(text: str) -> Any:
    return pa.scalar(text, _S)
