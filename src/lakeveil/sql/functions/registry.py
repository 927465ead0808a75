"""All rows, and each by its names."""

from __future__ import annotations

from lakeveil.sql.functions import (
    aggregates,
    collections,
    conditionals,
    documents,
    numbers,
    patterns,
    strings,
    times,
)
from lakeveil.sql.functions.table import Function, Kind

FUNCTIONS: tuple[Function, ...] = (
    *conditionals.ROWS,
    *numbers.ROWS,
    *strings.ROWS,
    *patterns.ROWS,
    *times.ROWS,
    *collections.ROWS,
    *documents.ROWS,
    *aggregates.ROWS,
)
"""Every function of Trino's that we know of, the refused ones too."""

_BY_NAME: dict[str, Function] = {}
for _row in FUNCTIONS:
    for _name in (_row.name, *_row.aliases):
        if _name in _BY_NAME:
            raise ValueError(_name)
        _BY_NAME[_name] = _row

# `ROW(1, 2)` makes a row of any number of any types, which no signature says.
ROW = "row"
AGGREGATES = frozenset(name for name, f in _BY_NAME.items() if f.kind is Kind.AGGREGATE)
WINDOWS = frozenset(name for name, f in _BY_NAME.items() if f.kind is Kind.WINDOW)


def function_of(name: str) -> Function | None:
    """The row of a function by any of its names, in lower case."""
    return _BY_NAME.get(name)
