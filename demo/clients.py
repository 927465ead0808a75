"""Three clients that people have already, as their own documentation says to use them.

Nothing of them is changed: each is told an address, a key and a workgroup.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import awswrangler as wr
import boto3
import pyathena
import pyathena.error
import trino.dbapi
import trino.exceptions

from demo.stack import Stack
from demo.workgroups import REGION, WORKGROUPS

DATABASE = "ads"
POLL_S = 0.05
_ERROR_NAME = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came back: columns and rows and the bytes read, or the name of an error."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    scanned: int = 0
    error: str = ""
    message: str = ""


def by_pyathena(running: Stack, person: str, sql: str) -> Result:
    """By PyAthena's cursor, through Athena's API."""
    keys: dict[str, Any] = dict(running.keys(person))
    connection = pyathena.connect(
        **keys,
        endpoint_url=running.ready["endpoints"]["http"],
        region_name=REGION,
        work_group=WORKGROUPS[person],
        schema_name=DATABASE,
        poll_interval=POLL_S,
    )
    with connection, connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except pyathena.error.DatabaseError as error:
            return _refused(str(error))
        return _answered(
            [one[0] for one in cursor.description or ()],
            cursor.fetchall(),
            cursor.data_scanned_in_bytes or 0,
        )


def by_awswrangler(running: Stack, person: str, sql: str) -> Result:
    """By awswrangler, which reads the result's file from the store with its caller's key."""
    http = running.ready["endpoints"]["http"]
    wr.config.athena_endpoint_url = http
    wr.config.glue_endpoint_url = http
    wr.config.sts_endpoint_url = http
    wr.config.s3_endpoint_url = running.s3_endpoint
    try:
        frame = wr.athena.read_sql_query(
            sql,
            database=DATABASE,
            workgroup=WORKGROUPS[person],
            ctas_approach=False,
            athena_query_wait_polling_delay=POLL_S,
            boto3_session=boto3.Session(**running.keys(person), region_name=REGION),
        )
    except wr.exceptions.QueryFailed as error:
        return _refused(str(error))
    statistics = frame.query_metadata["Statistics"]
    return _answered(
        list(frame.columns),
        frame.itertuples(index=False, name=None),
        statistics["DataScannedInBytes"],
    )


def by_trino(running: Stack, person: str, sql: str) -> Result:
    """By Trino's own client, through Trino's protocol on the same port.

    It sends passwords over HTTPS alone. On loopback the header is given as it would be sent.
    """
    address = urlsplit(running.ready["endpoints"]["http"])
    keys = running.keys(person)
    pair = f"{keys['aws_access_key_id']}:{keys['aws_secret_access_key']}"
    connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
        host=address.hostname or "",
        port=address.port or 0,
        user=person,
        catalog="awsdatacatalog",
        schema=DATABASE,
        client_tags=[f"workgroup={WORKGROUPS[person]}"],
        http_headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
    )
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        rows = cursor.fetchall()
    except trino.exceptions.TrinoUserError as error:
        return Result(error=error.error_name or "", message=error.message)
    columns = [one[0] for one in cursor.description or ()]
    return _answered(columns, rows, (cursor.stats or {}).get("processedBytes", 0))


CLIENTS: Mapping[str, Callable[[Stack, str, str], Result]] = {
    "PyAthena": by_pyathena,
    "awswrangler": by_awswrangler,
    "trino": by_trino,
}


def _refused(message: str) -> Result:
    found = _ERROR_NAME.search(message)
    return Result(error=found[1] if found else "UNKNOWN", message=message)


def _answered(columns: Sequence[str], rows: Iterable[Iterable[Any]], scanned: int) -> Result:
    return Result(
        columns=tuple(columns),
        rows=tuple(tuple(_plain(value) for value in row) for row in rows),
        scanned=scanned,
    )


def _plain(value: Any) -> Any:
    """A value as Python has it: pandas and numpy have types of their own."""
    if isinstance(value, dt.datetime):
        # pandas' timestamps are datetimes, and compare as such.
        return dt.datetime.fromisoformat(value.isoformat())
    return value.item() if hasattr(value, "item") else value
