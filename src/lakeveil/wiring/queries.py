"""Governed SQL as a server runs it: an engine, a planner, writers, records, and the threads."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
import structlog

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.landlock import support
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.folders import S3Folders
from lakeveil.adapters.iceberg_writer import PyIcebergWriter
from lakeveil.adapters.mask_salt import ensure_mask_salt
from lakeveil.adapters.queries import SqlQueryLog, SqlWorkgroups
from lakeveil.adapters.query_runner import QueryRunner
from lakeveil.adapters.results import S3Results
from lakeveil.adapters.s3_client import s3_client_of
from lakeveil.adapters.scanning import StorePlanner
from lakeveil.adapters.scanning.hive_files import HiveFiles
from lakeveil.adapters.scanning.iceberg_files import IcebergFiles
from lakeveil.adapters.table_writer import S3TableWriter
from lakeveil.core.query.execution import QueryStatistics
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.run import execute
from lakeveil.ports.engine import JobLimits
from lakeveil.settings import Settings
from lakeveil.wiring.lake import LakeParts
from lakeveil.wiring.state import store_key

MIB, TIB = 2**20, 2**40

_log = structlog.get_logger(component="query")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParts:
    """What the doors of SQL stand on."""

    desk: StatementDesk
    runner: QueryRunner
    confined: bool
    """Whether the kernel confines the processes of queries."""


@contextmanager
def open_queries(engine: sa.Engine, parts: LakeParts, settings: Settings) -> Iterator[QueryParts]:
    """Start what runs queries; stop it at the end, with the queries that are on their way.

    Raises:
        SetupError: the engine's processes do not come up, as where Landlock is missing.
    """
    key, sql = store_key(settings), settings.sql
    presign = S3Presigner(settings.s3_endpoint, key=key, region=settings.store.region)
    spec = EngineSpec(
        directory=settings.home_path / "queries",
        port=presign.port,
        require_landlock=sql.require_landlock,
        processes=max(sql.processes, sql.concurrent_queries),
        spares=1,
    )
    with DuckDBEngine(spec, presign=presign) as duckdb:
        if not duckdb.confined:
            _log.warning(
                "queries run unconfined: this kernel cannot keep their processes from the network",
                missing="; ".join(support().missing),
                fix="run Linux 6.7 or newer with Landlock",
            )
        desk = _desk(engine, parts, settings, duckdb)
        runner = QueryRunner(
            partial(execute, desk=desk),
            pulse=partial(_pulse, desk),
            queries=desk.log,
            clock=parts.clock,
            server=desk.server,
            threads=sql.concurrent_queries,
        )
        runner.start()
        try:
            yield QueryParts(desk=desk, runner=runner, confined=duckdb.confined)
        finally:
            runner.stop()
            for job in desk.jobs.all().values():
                job.stop()
            runner.join(5.0)


def _desk(
    engine: sa.Engine, parts: LakeParts, settings: Settings, duckdb: DuckDBEngine
) -> StatementDesk:
    s3 = s3_client_of(settings.s3_endpoint, store_key(settings), region=settings.store.region)
    sql = settings.sql
    return StatementDesk(
        catalog=CatalogDesk(
            lake=parts.lake, iceberg=parts.iceberg, audit=parts.audit, clock=parts.clock
        ),
        engine=duckdb,
        planner=StorePlanner(iceberg=IcebergFiles(parts.iceberg.io_settings), hive=HiveFiles(s3)),
        results=S3Results(s3),
        log=SqlQueryLog(engine, price=lambda size: size / TIB * sql.price_per_tib),
        workgroups=SqlWorkgroups(engine),
        who_now=parts.identity.principal_of,
        server=f"{socket.gethostname()}-{uuid.uuid4()}",
        salt=ensure_mask_salt(settings.home_path),
        region=settings.store.region,
        limits=JobLimits(
            seconds=sql.timeout_s,
            memory_bytes=sql.memory_size_mib * MIB,
            temporary_bytes=sql.temporary_size_mib * MIB,
            threads=sql.threads,
        ),
        waiting=sql.waiting_queries,
        files=S3TableWriter(s3, clock=parts.clock),
        iceberg=PyIcebergWriter(parts.iceberg, s3, clock=parts.clock),
        folders=S3Folders(s3),
    )


def _pulse(desk: StatementDesk) -> None:
    """Keep how far queries are, and stop those that are over according to the records."""
    for query_id, job in desk.jobs.all().items():
        read = job.statistics()
        found = QueryStatistics(scanned_bytes=read.scanned_bytes, result_rows=read.rows)
        if not desk.log.note(query_id, found):
            job.stop()
