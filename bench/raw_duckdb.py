"""DuckDB as it is, for `bench.sql` to compare with: a process that reads the same objects.

It is set up as the engine's processes are (threads, memory, httpfs, caches, Arrow batches of the
same size) and has nothing that governs: the store's own key, plain views, no lock, no audit log.
Requests and answers are lines of JSON on the standard streams; times are taken in here, so neither
those nor the way of a result to anybody else is in them. Sizes in bytes, times in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import boto3
import duckdb
import pyarrow as pa
from pyarrow import csv

BATCH_ROWS = 16_384


def main() -> None:
    """Serve until the input ends."""
    setup = json.loads(sys.stdin.readline())
    store = boto3.client(
        "s3",
        endpoint_url=f"http://{setup['endpoint']}",
        aws_access_key_id=setup["key"],
        aws_secret_access_key=setup["secret"],
        region_name="us-east-1",
    )
    warm: duckdb.DuckDBPyConnection | None = None
    blank: duckdb.DuckDBPyConnection = _open(setup)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        began, cpu = time.perf_counter(), time.process_time()
        if asked["cold"]:
            engine = blank
            _look(engine, setup, asked["tables"])
        else:
            if warm is None:
                warm = _open(setup)
                _look(warm, setup, setup["files"])
                began, cpu = time.perf_counter(), time.process_time()
            engine = warm
        reader = engine.execute(asked["sql"]).to_arrow_reader(BATCH_ROWS)
        batches = list(reader)
        took, spent = time.perf_counter() - began, time.process_time() - cpu
        if asked["output"]:
            with pa.BufferOutputStream() as body:
                csv.write_csv(pa.Table.from_batches(batches, reader.schema), body)
                content = body.getvalue().to_pybytes()
            bucket, _, key = asked["output"].removeprefix("s3://").partition("/")
            store.put_object(Bucket=bucket, Key=key, Body=content)
        whole = time.perf_counter() - began
        spent_whole = time.process_time() - cpu
        done = {"s": took, "cpu_s": spent, "whole_s": whole, "whole_cpu_s": spent_whole}
        print(json.dumps(done | {"rows": sum(map(len, batches))}), flush=True)
        if asked["cold"]:
            engine.close()
            blank = _open(setup)


def _open(setup: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": f"{setup['memory_bytes'] // 1024} KiB",
            "threads": str(setup["threads"]),
            "temp_directory": setup["directory"],
            "preserve_insertion_order": "false",
        }
    )
    engine.execute(f"LOAD '{setup['extension']}'")
    engine.execute("SET parquet_metadata_cache = true")
    engine.execute("SET enable_progress_bar = false")
    engine.execute("SET TimeZone = 'UTC'")
    return engine


def _look(engine: Any, setup: dict[str, Any], tables: list[str] | dict[str, Any]) -> None:
    engine.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{setup['key']}', SECRET '{setup['secret']}', "
        f"REGION 'us-east-1', ENDPOINT '{setup['endpoint']}', USE_SSL false, URL_STYLE 'path')"
    )
    for table in tables:
        files = ", ".join(f"'{file}'" for file in setup["files"][table])
        engine.execute(f"CREATE VIEW {table} AS FROM read_parquet([{files}])")


if __name__ == "__main__":
    main()
