"""What SHOW, DESCRIBE and EXPLAIN answer, from lines to the rows and columns that Trino has.

The lines are Athena's, aligned with spaces and parted by tabs. A plan or a definition is one text
in Trino, and DESCRIBE has Trino's types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakeveil.core.query.execution import QueryExecution
from lakeveil.flows.metadata_views import told_type

Rows = list[list[str]]

_NAMES = {
    "SHOW_DATABASES": ("Schema",),
    "SHOW_TABLES": ("Table",),
    "SHOW_VIEWS": ("Table",),
    "SHOW_COLUMNS": ("Column",),
    "DESCRIBE_TABLE": ("Column", "Type", "Extra", "Comment"),
    "SHOW_CREATE_TABLE": ("Create Table",),
    "SHOW_CREATE_VIEW": ("Create View",),
    "EXPLAIN": ("Query Plan",),
}
_PARTITIONS = "# Partition Information"
_DETAILS = "# Detailed Table Information"


def shown_columns(execution: QueryExecution) -> Sequence[str]:
    """The columns' names."""
    return _NAMES.get(execution.substatement) or [column.name for column in execution.columns]


def shown_rows(execution: QueryExecution, lines: Sequence[str]) -> Rows:
    """The rows that all lines of a result make."""
    return _WRITERS.get(execution.substatement, _parted)(lines)


def _parted(lines: Sequence[str]) -> Rows:
    return [[part.rstrip() for part in line.split("\t")] for line in lines]


def _one_text(lines: Sequence[str]) -> Rows:
    return [["\n".join(lines)]]


def _described(lines: Sequence[str]) -> Rows:
    columns: dict[str, tuple[str, str]] = {}
    keys: set[str] = set()
    into_keys = False
    for name, *rest in _parted(lines):
        if name == _DETAILS:
            break
        if name == _PARTITIONS:
            into_keys = True
        elif name and into_keys:
            keys.add(name)
        elif name:
            kind, comment, *_ = [*rest, "", ""]
            columns[name] = (told_type(kind), comment)
    return [
        [name, kind, "partition key" if name in keys else "", comment]
        for name, (kind, comment) in columns.items()
    ]


_WRITERS: dict[str, Callable[[Sequence[str]], Rows]] = {
    "DESCRIBE_TABLE": _described,
    "SHOW_CREATE_TABLE": _one_text,
    "SHOW_CREATE_VIEW": _one_text,
    "EXPLAIN": _one_text,
}
