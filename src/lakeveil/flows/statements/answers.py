"""What a statement leaves: its record, its result, and how to take it back.

A query that is stopped while it writes is over before its statement is. Whatever it left by then is
taken back, so each statement that leaves something says how.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from lakeveil.core.query.execution import QueryExecution, QueryStatistics, ResultColumn
from lakeveil.core.query.result_forms import CSV, JSON_LINES, TEXT
from lakeveil.flows.run_query import Asked, Took, succeeded

Line = Sequence[str]
"""The values of a row of text; those of several columns stand beside each other with tabs."""

LINES_AT_ONCE = 10_000


def nothing() -> None:
    """There is nothing to take back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A statement that succeeded. `undo` removes what it left."""

    execution: QueryExecution
    undo: Callable[[], None] = nothing


def said(columns: Sequence[str], lines: Iterable[Line], asked: Asked) -> Answer:
    """An answer in lines, written as Athena's `ID.txt`; every column is a `varchar`."""
    took = Took()
    execution = asked.execution
    shape = tuple(ResultColumn(name, "varchar") for name in columns)
    output = text_location(execution.output)
    written, rows = asked.desk.results.write(output, shape, _batches(columns, lines), text=True)
    took.writing_s = max(0.0, time.monotonic() - took.started)
    return Answer(
        execution=succeeded(
            replace(execution, columns=shape, output=output),
            took,
            asked.desk,
            QueryStatistics(result_rows=rows, result_bytes=written),
        )
    )


def done(asked: Asked) -> Answer:
    """A statement that answers nothing; its result is there, and empty."""
    answer = said(("result",), (), asked)
    return replace(answer, execution=replace(answer.execution, columns=()))


def wrote(
    execution: QueryExecution,
    took: Took,
    asked: Asked,
    *,
    rows: int,
    size: int,
    scanned: int,
    undo: Callable[[], None] = nothing,
) -> Answer:
    """A statement that left rows somewhere; its own result is there, and empty."""
    asked.desk.results.write(execution.output, (), (), text=True)
    took.writing_s = max(0.0, time.monotonic() - took.started - took.planning_s - took.engine_s)
    return Answer(
        execution=succeeded(
            replace(execution, update_count=rows),
            took,
            asked.desk,
            QueryStatistics(scanned_bytes=scanned, written_rows=rows, written_bytes=size),
        ),
        undo=undo,
    )


def text_location(output: str) -> str:
    """Where a result in lines lies: Athena calls it `.txt`."""
    return f"{output.removesuffix(CSV).removesuffix(JSON_LINES)}{TEXT}"


def _batches(columns: Sequence[str], lines: Iterable[Line]) -> Iterable[pa.RecordBatch]:
    kept: list[Line] = []
    for line in lines:
        kept.append(line)
        if len(kept) == LINES_AT_ONCE:
            yield _batch(columns, kept)
            kept = []
    if kept:
        yield _batch(columns, kept)


def _batch(columns: Sequence[str], lines: Sequence[Line]) -> pa.RecordBatch:
    arrays = [
        pa.array([line[place] for line in lines], pa.string()) for place in range(len(columns))
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))
