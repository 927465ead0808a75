"""Speed of the governed doors: one caller's requests, and four callers at once.

    python -m bench.doors [--json]

`lakeveil serve` as it is, over a lake on disk (`bench.door_lake`), asked by other processes with
signed requests over connections that are kept. Milliseconds are the client's, from the first byte
sent to the last one read, signing aside. Each operation has three turns, in turn with the others,
and its quietest one (by p99) counts; requests a second over four connections, CPU milliseconds of
the server for each request are the best of the turns, too. Tables, columns and tags go round. Where
the server's time goes is sampled in a server of its own for each operation (`bench.door_profile`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.stack_fixture import free_ports

from bench.door_lake import (
    COLUMNS,
    DATABASE,
    GRANTS,
    TABLES,
    VALUES,
    Callers,
    column_name,
    lay_down,
    table_name,
)
from bench.door_profile import ROOMS
from lakeveil.core.identity.directory import IssuedKey

ROOT = Path(__file__).resolve().parent.parent
TURNS, CONNECTIONS, SECONDS = 3, 4, 2.0
WARM_UP = 10
APART = 731
"""So far apart in the round are callers at once that no two make one change at a time."""
REGION = "eu-central-1"
_JSON = {"Content-Type": "application/x-amz-json-1.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, before it is signed."""

    service: str
    body: str
    path: str = "/"
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An operation: the call of each number, who makes it, how many make up a turn."""

    name: str
    call: Callable[[Callers, int], Call]
    count: int
    administers: bool = False


def main() -> None:
    """Print two rows for each operation: how quick it is, and where its time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakeveil-doors-") as folder:
        callers = lay_down(Path(folder, "home"))
        found: dict[str, Any] = {
            "lake": f"{TABLES:,} tables x {COLUMNS} columns, {GRANTS} grants to the caller",
            "operations": _measured(Path(folder), callers),
            "shares": [_shares(Path(folder), callers, what) for what in MEASURED],
            "load": round(os.getloadavg()[0], 1),
        }
    if wanted.json:
        print(json.dumps(found))
        return
    print(f"{found['lake']}; load of the machine at the end: {found['load']}")
    for row in (*found["operations"], *found["shares"]):
        print("  ".join(f"{name} {value}" for name, value in row.items()))


# --- what is asked -------------------------------------------------------------------------------


def _get_table(_callers: Callers, number: int) -> Call:
    return _glue("GetTable", DatabaseName=DATABASE, Name=table_name(number * 37))


def _get_tables(_callers: Callers, _number: int) -> Call:
    return _glue("GetTables", DatabaseName=DATABASE, MaxResults=100)


def _get_resource_tags(_callers: Callers, number: int) -> Call:
    table = {"DatabaseName": DATABASE, "Name": table_name(number * 37)}
    return _formation("GetResourceLFTags", Resource={"Table": table})


def _list_permissions(callers: Callers, _number: int) -> Call:
    principal = {"DataLakePrincipalIdentifier": callers.analyst_arn}
    return _formation("ListPermissions", Principal=principal, MaxResults=100)


def _add_tags(_callers: Callers, number: int) -> Call:
    column = {
        "DatabaseName": DATABASE,
        "Name": table_name(number * 37),
        "ColumnNames": [column_name(number * 7)],
    }
    tag = {"TagKey": "layer", "TagValues": [VALUES["layer"][number % 3]]}
    return _formation("AddLFTagsToResource", Resource={"TableWithColumns": column}, LFTags=[tag])


def _get_caller_identity(_callers: Callers, _number: int) -> Call:
    return Call(
        service="sts",
        body="Action=GetCallerIdentity&Version=2011-06-15",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )


def _glue(operation: str, **params: Any) -> Call:
    headers = {**_JSON, "X-Amz-Target": f"AWSGlue.{operation}"}
    return Call(service="glue", body=json.dumps(params), headers=headers)


def _formation(operation: str, **params: Any) -> Call:
    body = json.dumps(params)
    return Call(service="lakeformation", path=f"/{operation}", body=body, headers=_JSON)


MEASURED = (
    Measured(name="glue GetTable", call=_get_table, count=500),
    Measured(name="glue GetTables, 100 a page", call=_get_tables, count=25),
    Measured(name="lakeformation GetResourceLFTags", call=_get_resource_tags, count=300),
    Measured(name="lakeformation ListPermissions, 100 grants", call=_list_permissions, count=40),
    Measured(name="lakeformation AddLFTagsToResource", call=_add_tags, count=200, administers=True),
    Measured(name="sts GetCallerIdentity", call=_get_caller_identity, count=500),
)


# --- asking --------------------------------------------------------------------------------------


class Client:
    """One connection, kept."""

    def __init__(self, port: int, callers: Callers) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._url = f"http://127.0.0.1:{port}"
        self._callers = callers

    def ask(self, what: Measured, number: int) -> float:
        """Make one call, which must succeed; the milliseconds that it took."""
        call = what.call(self._callers, number)
        key = self._callers.administrator if what.administers else self._callers.analyst
        headers = _signed(self._url, call, key)
        began = time.perf_counter()
        self._connection.request("POST", call.path, call.body, headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{what.name}: {answer.status} {body[:300]!r}")
        return took


def _signed(url: str, call: Call, key: IssuedKey) -> dict[str, str]:
    request = AWSRequest("POST", url + call.path, headers=dict(call.headers), data=call.body)
    credentials = Credentials(key.access_key_id, key.secret_access_key)
    SigV4Auth(credentials, call.service, REGION).add_auth(request)
    return dict(request.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    port: int
    pid: int

    def cpu_ms(self) -> float:
        """What it has used until now, in all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = int(fields[11]), int(fields[12])
        return (user + system) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(folder: Path, *module: str) -> Iterator[Server]:
    """Run a server over the lake in `folder`."""
    (port,) = free_ports(1)
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LAKEVEIL_HOME": str(folder / "home"),
        "LAKEVEIL_PORTS__HTTP": str(port),
    }
    command = [sys.executable, "-m", *module]
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
            yield Server(port=port, pid=process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


# --- measuring -----------------------------------------------------------------------------------


def _measured(folder: Path, callers: Callers) -> list[dict[str, Any]]:
    turns: dict[str, list[_Turn]] = {what.name: [] for what in MEASURED}
    pool = multiprocessing.get_context("spawn").Pool(CONNECTIONS)
    with serving(folder, "lakeveil", "serve", "--json") as server, pool:
        for turn in range(TURNS):
            for what in MEASURED:
                turns[what.name].append(_turn(server, callers, pool, what, 100_000 * turn))
    return [
        {
            "operation": what.name,
            **_quantiles(min((one.took for one in turns[what.name]), key=_p99)),
            "server_cpu_ms": round(min(one.cpu_ms for one in turns[what.name]), 1),
            "requests_per_s": round(max(one.rate for one in turns[what.name])),
        }
        for what in MEASURED
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    took: list[float]
    """Milliseconds of each request, in order of size."""
    cpu_ms: float
    rate: float


def _turn(server: Server, callers: Callers, pool: Pool, what: Measured, first: int) -> _Turn:
    # Anew for each turn: the server closes connections on which nothing is asked for some seconds.
    client = Client(server.port, callers)
    for number in range(WARM_UP):
        client.ask(what, first + 90_000 + number)
    before = server.cpu_ms()
    took = [client.ask(what, first + number) for number in range(what.count)]
    cpu_ms = (server.cpu_ms() - before) / what.count
    asking = [
        (server.port, callers, MEASURED.index(what), first + APART * (number + 1))
        for number in range(CONNECTIONS)
    ]
    rate = sum(pool.starmap(_keep_asking, asking, chunksize=1)) / SECONDS
    return _Turn(took=sorted(took), cpu_ms=cpu_ms, rate=rate)


def _keep_asking(port: int, callers: Callers, which: int, first: int) -> int:
    """How many requests one connection gets through; in a process of its own."""
    client, number = Client(port, callers), 0
    ends = time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        client.ask(MEASURED[which], first + number)
        number += 1
    return number


def _shares(folder: Path, callers: Callers, what: Measured) -> dict[str, str]:
    """Where a server's time goes that is asked nothing else."""
    counts = folder / "counts.json"
    with serving(folder, "bench.door_profile", str(counts)) as server:
        client = Client(server.port, callers)
        for number in range(what.count):
            client.ask(what, 500_000 + number)
    found = json.loads(counts.read_text())
    every = sum(found.values())
    shares = {room: f"{found.get(room, 0) / every:.0%}" for room in ROOMS}
    return {"operation": what.name, **shares}


def _quantiles(ordered: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(_p99(ordered), 1),
        "max_ms": round(ordered[-1], 1),
    }


def _p99(ordered: list[float]) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


if __name__ == "__main__":
    main()
