"""Tables on a real store, and jobs over them in one line."""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.object_store import StoreKey
from lakeveil.ports.engine import (
    EngineJob,
    EngineRelation,
    EngineStatistics,
    FileGroup,
    JobLimits,
    Scan,
    ScanColumn,
    ScanFile,
    ScanFormat,
)
from lakeveil.sql.governed_view import GovernedView
from tests.stack_fixture import Weed


class SmallLake:
    """A bucket, written to as its owner and read by URL."""

    def __init__(self, weed: Weed, *, versioned: bool = False) -> None:
        self.weed = weed
        self.s3 = weed.s3()
        self.bucket = weed.new_bucket("engine")
        if versioned:
            self.s3.put_bucket_versioning(
                Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        key = weed.credentials.s3["admin"]
        self.presign = S3Presigner(
            weed.endpoint,
            key=StoreKey(key.access_key_id, key.secret_access_key),
            region="us-east-1",
        )

    def put(self, key: str, body: bytes) -> ScanFile:
        """An object."""
        done = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        version = done.get("VersionId") or ""
        return ScanFile(location=f"s3://{self.bucket}/{key}", size=len(body), version=version)

    def parquet(self, key: str, table: pa.Table | Mapping[str, Any], **how: Any) -> ScanFile:
        """A Parquet file."""
        buffer = io.BytesIO()
        pq.write_table(
            table if isinstance(table, pa.Table) else pa.table(dict(table)), buffer, **how
        )
        return self.put(key, buffer.getvalue())


@dataclass(frozen=True)
class Outcome:
    """What a job gave."""

    table: pa.Table
    statistics: EngineStatistics = field(default_factory=EngineStatistics)

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Rows, sorted."""
        columns = [column.to_pylist() for column in self.table.columns]
        return sorted(zip(*columns, strict=True), key=repr)


def engine_spec(lake: SmallLake, directory: Path, **changes: Any) -> EngineSpec:
    """How tests run an engine."""
    return EngineSpec(directory=directory, port=lake.presign.port, **changes)


def scan(
    columns: Mapping[str, str],
    *groups: FileGroup | ScanFile,
    kind: ScanFormat = ScanFormat.PARQUET,
    options: Mapping[str, str] | None = None,
) -> Scan:
    """A scan; a file alone is a group of its own."""
    return Scan(
        format=kind,
        columns=tuple(ScanColumn(name=n, type=t) for n, t in columns.items()),
        groups=tuple(FileGroup(files=(g,)) if isinstance(g, ScanFile) else g for g in groups),
        snapshot=uuid.uuid4().hex,
        options=options or {},
    )


def relation(
    of: Scan,
    *,
    alias: str = "r0",
    columns: Mapping[str, str] | Sequence[str] | None = None,
    where: str = "TRUE",
) -> EngineRelation:
    """All columns of a scan, or those given, perhaps as masks."""
    if columns is None:
        columns = [c.name for c in of.columns]
    if not isinstance(columns, Mapping):
        columns = {name: f'"{name}"' for name in columns}
    return EngineRelation(alias=alias, scan=of, view=GovernedView(columns=columns, where=where))


def job(
    sql: str,
    *relations: EngineRelation,
    binding: str = "anna",
    strict: bool = False,
    **limits: Any,
) -> EngineJob:
    """A job."""
    return EngineJob(
        id=uuid.uuid4().hex,
        binding=binding,
        sql=sql,
        relations=relations,
        limits=JobLimits(**{"seconds": 60.0, "memory_bytes": 512 * 2**20} | limits),
        strict=strict,
    )


def ask(engine: DuckDBEngine, one: EngineJob) -> Outcome:
    """Run a job to its end."""
    with engine.run(one) as running:
        batches = list(running.batches())
        return Outcome(pa.Table.from_batches(batches, running.schema), running.statistics())
