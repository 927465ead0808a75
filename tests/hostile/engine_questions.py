"""What shows whether an engine keeps its rules, asked of one that may be broken."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.query.failures import QueryError
from lakeveil.ports.engine import (
    EngineJob,
    EngineRelation,
    FileGroup,
    JobLimits,
    Scan,
    ScanColumn,
    ScanFile,
    ScanFormat,
)
from lakeveil.sql.governed_view import GovernedView

_FAILS_BY_A_HIDDEN_ROW = (
    "SELECT id FROM r0 WHERE CAST(n AS BIGINT) > 0",
    "SELECT count(*) FROM r0 a JOIN r0 b ON CAST(a.n AS BIGINT) = b.id",
    (
        "SELECT CASE WHEN (SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'permitted%')"
        " = 0 THEN error('DIVISION_BY_ZERO: ' || n) END FROM r0"
    ),
)
"""DuckDB 1.5 is not known to evaluate the first two on rows that are held back; another
may. The last fails until there are tables of the permitted rows: it shows that the second run is.
"""
_FAILS = "SELECT CAST(n || 'x' AS BIGINT) FROM r0"


def answers(asked: dict[str, Any], directory: Path) -> dict[str, bool]:
    """What there is to be seen."""
    key = StoreKey(*asked["key"])
    presign = S3Presigner(asked["endpoint"], key=key, region="us-east-1")
    relation = _filtered(asked, _client(asked))
    spec = EngineSpec(directory=directory, port=presign.port)
    with DuckDBEngine(spec, presign=presign) as engine:
        status = Path(f"/proc/{engine.processes[0]}/status").read_text("ascii")
        (held,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
        return {
            "fails by a hidden row": any(
                _error(engine, sql, relation) for sql in _FAILS_BY_A_HIDDEN_ROW
            ),
            "tells how": "cast" in _error(engine, _FAILS, relation),
            "capabilities": int(held.split()[1], 16) != 0,
        }


def _client(asked: dict[str, Any]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=asked["endpoint"],
        aws_access_key_id=asked["key"][0],
        aws_secret_access_key=asked["key"][1],
        region_name="us-east-1",
    )


def _filtered(asked: dict[str, Any], s3: Any) -> EngineRelation:
    """Rows of which every third is deleted, whose `n` is no number."""
    rows = range(300)
    table = pa.table(
        {
            "id": pa.array(rows, pa.int64()),
            "n": ["hidden" if n % 3 == 0 else str(n) for n in rows],
        }
    )
    body = io.BytesIO()
    pq.write_table(table, body)
    s3.put_object(Bucket=asked["bucket"], Key="rows.parquet", Body=body.getvalue())
    file = ScanFile(location=f"s3://{asked['bucket']}/rows.parquet", size=len(body.getvalue()))
    columns = {"id": "bigint", "n": "string"}
    return EngineRelation(
        alias="r0",
        scan=Scan(
            format=ScanFormat.PARQUET,
            columns=tuple(ScanColumn(name=n, type=t) for n, t in columns.items()),
            groups=(FileGroup(files=(file,), deleted_rows={file.location: tuple(rows)[::3]}),),
            snapshot="1",
        ),
        view=GovernedView(columns={"id": '"id"', "n": '"n"'}, where="TRUE"),
    )


def _error(engine: DuckDBEngine, sql: str, relation: EngineRelation) -> str:
    job = EngineJob(
        id=uuid.uuid4().hex,
        binding="mallory",
        sql=sql,
        relations=(relation,),
        limits=JobLimits(seconds=60.0, memory_bytes=2**28),
    )
    try:
        with engine.run(job) as running:
            list(running.batches())
    except QueryError as error:
        return str(error)
    return ""
