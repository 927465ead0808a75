"""The SQL engine: one job over the permitted part of some tables, in Arrow batches.

An engine gets SQL that was regenerated from a checked tree, and views that hold the permitted
columns, rows and masks. It is handed no secret. Whatever it says of a failure is mapped to
`QueryError`; its own words go no further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from lakeveil.ports.lake import TableRecord
from lakeveil.sql.governed_view import GovernedView


class ScanFormat(StrEnum):
    """How files are read."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFile:
    """One object: `s3://bucket/key`, pinned to a version where the bucket keeps versions."""

    location: str
    size: int
    version: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualityDelete:
    """A file of rows that are gone: those that equal one of its rows in `columns`.

    `stored` are the names that these have in the file, in the same order.
    """

    file: ScanFile
    columns: tuple[str, ...]
    stored: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGroup:
    """Files that are read alike.

    A table column that is in `constants` has that value (as text, None for NULL) in every row of
    these files, as partitions of Hive-style tables have. What was deleted since and is still in
    the files: `position_deletes` are Parquet files of `file_path` and `pos`, `deleted_rows` are
    positions by the location of the file, `equality_deletes` say which rows are gone by value.
    """

    files: tuple[ScanFile, ...]
    constants: Mapping[str, str | None] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Table column -> the name it has in these files, where that differs."""
    missing: frozenset[str] = frozenset()
    """Table columns that these files do not have: NULL."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Table column -> what these files hold in its place, that cannot become of its type.

    A view that reads it is refused; which column it is is told to who is shown it.
    """
    position_deletes: tuple[ScanFile, ...] = ()
    deleted_rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    equality_deletes: tuple[EqualityDelete, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanColumn:
    """A column of the table, hidden or not: name and type (Hive's spelling)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Which files hold a table at one moment. `options` are of the format (`delimiter`, `header`).

    `snapshot` names the state: two scans of the same table and snapshot are equal.
    """

    format: ScanFormat
    columns: tuple[ScanColumn, ...]
    groups: tuple[FileGroup, ...]
    snapshot: str
    options: Mapping[str, str] = field(default_factory=dict)


class ScanPlanner(Protocol):
    """Finds a table's files."""

    def plan(
        self,
        record: TableRecord,
        *,
        snapshot: int | None = None,
        timestamp_ms: int | None = None,
        partitions: Iterator[tuple[tuple[str, ...], Mapping[str, Any]]] | None = None,
    ) -> Scan:
        """The files of a table now, of a snapshot, or of the snapshot current at a time.

        `partitions` are those of a Hive-style table, as the catalog lists them.

        Raises:
            QueryError: there is no such snapshot, or a format that is not read.
            Unavailable: the store is away.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRelation:
    """One relation of a job: the regenerated SQL knows it by `alias`."""

    alias: str
    scan: Scan
    view: GovernedView


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Beyond any of these the query ends. Sizes in bytes, time in seconds."""

    seconds: float = 1800.0
    memory_bytes: int = 2 * 2**30
    temporary_bytes: int = 10 * 2**30
    scanned_bytes: int | None = None
    result_bytes: int | None = None
    threads: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineJob:
    """What an engine is to run, for whom: `binding` names principal, workgroup and policy version.

    A process that served one binding never serves another. With `strict` the process that runs
    `sql` cannot reach the store: another feeds it what the views let through, and no more.
    """

    id: str
    binding: str
    sql: str
    relations: tuple[EngineRelation, ...] = ()
    limits: JobLimits = field(default_factory=JobLimits)
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatistics:
    """What was read so far, in bytes from the store, and what was returned."""

    scanned_bytes: int = 0
    rows: int = 0
    engine_s: float = 0.0
    cold_start_s: float = 0.0


class RunningJob(Protocol):
    """A job on its way. Batches come in order and are read once."""

    @property
    def schema(self) -> Any:
        """The result's `pyarrow.Schema`."""
        ...

    def batches(self) -> Iterator[Any]:
        """The result as `pyarrow.RecordBatch`es.

        Raises:
            QueryError: the query failed, was stopped, or went beyond a limit.
        """
        ...

    def stop(self) -> None:
        """End it now, from any thread: its process is killed."""
        ...

    def statistics(self) -> EngineStatistics:
        """So far, from any thread."""
        ...


class Engine(Protocol):
    """Runs jobs."""

    def run(self, job: EngineJob) -> AbstractContextManager[RunningJob]:
        """Start a job; leaving the context ends it.

        Raises:
            QueryError: it cannot be run.
            Unavailable: no process could be had.
        """
        ...
