"""Loading the lake as its users would: files into a landing folder, and from there by SQL.

Who brings the files may put them down and read nothing. The landing database has no tags, so it is
closed to everybody but the administrator who loads from it.
"""

from __future__ import annotations

import io
import json
import time
from typing import Any

import botocore.exceptions
import pyarrow as pa
import pyarrow.parquet as pq

from demo.events import Events
from demo.lake import BUCKET, TABLES, client
from demo.stack import Stack, StackError
from demo.workgroups import LOADING, create

LANDING = "landing"
LOADER = "loader"
MADE = {
    "campaigns": (
        "SELECT campaign, date(event_time) AS day, count(*) AS shown, sum(price) AS cost "
        "FROM ads.impressions GROUP BY campaign, date(event_time)"
    ),
    "visitors": "SELECT ip_address, count(*) AS shown FROM ads.impressions GROUP BY ip_address",
}
"""Tables of our own, made of others by CREATE TABLE AS: each is as closed as what it is made of."""
MAY_BRING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            "Resource": f"arn:aws:s3:::{BUCKET}/{LANDING}/*",
        }
    ],
}
KEY_FOLLOWS_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05


def load(running: Stack, made: Events) -> None:
    """Bring the files, and fill the lake's tables from them.

    Raises:
        StackError: a statement did not succeed; the message is what it said.
    """
    athena = client(running, "athena")
    create(athena)
    _bring(running, made)
    _run(athena, f"CREATE DATABASE {LANDING} LOCATION 's3://{BUCKET}/{LANDING}'")
    for (database, table), columns in TABLES.items():
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        _run(
            athena,
            f"CREATE EXTERNAL TABLE {LANDING}.{table} ({listed}) STORED AS PARQUET "
            f"LOCATION 's3://{BUCKET}/{LANDING}/{table}/'",
        )
        landed = f"SELECT * FROM {LANDING}.{table}"  # noqa: S608 - names of our own
        _run(athena, f"INSERT INTO {database}.{table} {landed}")
    for name, sql in MADE.items():
        place = f"s3://{BUCKET}/ads/{name}/"
        kind = f"table_type = 'ICEBERG', is_external = false, location = '{place}'"
        _run(athena, f"CREATE TABLE ads.{name} WITH ({kind}) AS {sql}")


def _bring(running: Stack, made: Events) -> None:
    policy = running.home / "may-bring.json"
    policy.write_text(json.dumps(MAY_BRING), "utf-8")
    running.lakeveil("identity", "user", "create", LOADER, "--policy", str(policy))
    running.add_key(LOADER, running.lakeveil("identity", "key", "create", LOADER))
    files = {
        "impressions": made.impressions,
        "clicks": made.clicks,
        "viewability": made.viewability,
    }
    s3 = running.s3(LOADER)
    for name, table in files.items():
        _put(s3, f"{LANDING}/{name}/part-0.parquet", _parquet(table))


def _put(s3: Any, key: str, body: bytes) -> None:
    """Put an object with a new key, which the store knows about a second after it was made."""
    end = time.monotonic() + KEY_FOLLOWS_WITHIN_S
    while True:
        try:
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        except botocore.exceptions.ClientError:
            if time.monotonic() > end:
                raise
            time.sleep(LOOK_EVERY_S)
        else:
            return


def _parquet(table: pa.Table) -> bytes:
    held = io.BytesIO()
    pq.write_table(table, held, compression="zstd")
    return held.getvalue()


def _run(athena: Any, sql: str) -> None:
    started = athena.start_query_execution(QueryString=sql, WorkGroup=LOADING)
    while True:
        found = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
        status = found["QueryExecution"]["Status"]
        if status["State"] not in {"QUEUED", "RUNNING"}:
            break
        time.sleep(LOOK_EVERY_S)
    if status["State"] != "SUCCEEDED":
        raise StackError(f"`{sql}` {status['State']}: {status.get('StateChangeReason')}")
