"""The matrix of who sees what as a file: Parquet or CSV, one row for each cell.

Both say the same: `tags` is a map, `masks` and `grants` are lists in Parquet, and JSON in CSV. A
file is replaced as a whole, for its owner's eyes only: it says who may see what, and row filters
hold values. What is read back must have every column, or it is refused.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.explaining.cells import Cell
from lakeveil.core.access.grants import TableName
from lakeveil.errors import UsageError

COLUMNS = (
    "principal", "account", "database", "table", "column", "outcome", "rows", "masks", "grants",
    "tags",
)  # fmt: skip
_AS_JSON = ("masks", "grants", "tags")
_BATCH = 50_000


def write_cells(cells: Iterable[Cell], path: Path) -> int:
    """Write a matrix to `*.parquet` or `*.csv`; returns how many cells there were.

    Raises:
        UsageError: the file is to have another form.
    """
    write = {".parquet": _write_parquet, ".csv": _write_csv}.get(path.suffix.lower())
    if write is None:
        raise _form(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        count = write(cells, Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return count


def read_cells(path: Path) -> Iterator[Cell]:
    """Read what `write_cells` wrote.

    Raises:
        UsageError: it is no such file.
    """
    read = {".parquet": _read_parquet, ".csv": _read_csv}.get(path.suffix.lower())
    if read is None:
        raise _form(path)
    try:
        for row in read(path):
            yield _cell(row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"`{path}` is no matrix of access",
            why=type(error).__name__,
            fix="write one with: lakeveil access matrix --output FILE.parquet",
        ) from error


def _write_parquet(cells: Iterable[Cell], path: Path) -> int:
    import pyarrow as pa  # noqa: PLC0415 - slow to import, seldom needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    names = pa.list_(pa.string())
    kinds = {"masks": names, "grants": names, "tags": pa.map_(pa.string(), pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    count, rows = 0, iter(cells)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := [_row(cell) for cell in islice(rows, _BATCH)]:
            for row in batch:
                row["tags"] = sorted(row["tags"].items())
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _write_csv(cells: Iterable[Cell], path: Path) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for cell in cells:
            row = _row(cell)
            for name in _AS_JSON:
                row[name] = json.dumps(row[name], ensure_ascii=False, sort_keys=True)
            writer.writerow(row)
            count += 1
    return count


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import, seldom needed

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(COLUMNS)):
            for row in batch.to_pylist():
                yield {**row, "tags": dict(row["tags"])}


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            # Nothing read would look like nobody seeing anything.
            raise ValueError("the first line names other columns")
        for row in reader:
            yield {**row, **{name: json.loads(row[name]) for name in _AS_JSON}}


def _row(cell: Cell) -> dict[str, Any]:
    return {
        "principal": cell.principal,
        "account": cell.table.account,
        "database": cell.table.database,
        "table": cell.table.table,
        "column": cell.column,
        "outcome": cell.outcome.value,
        "rows": cell.rows,
        "masks": list(cell.masks),
        "grants": list(cell.grants),
        "tags": dict(cell.tags),
    }


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(
        principal=row["principal"],
        table=TableName(row["account"], row["database"], row["table"]),
        column=row["column"],
        outcome=Outcome(row["outcome"]),
        rows=row["rows"],
        masks=tuple(row["masks"]),
        grants=tuple(row["grants"]),
        tags=dict(row["tags"]),
    )


def _form(path: Path) -> UsageError:
    return UsageError(
        f"`{path}` has no form that is written here",
        why="its name says which: .parquet or .csv",
        fix="name it access.parquet",
    )
