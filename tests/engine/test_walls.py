"""What each wall of a worker's process refuses by itself, tried from the inside."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakeveil.adapters.engine.confinement import environment
from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.landlock import support
from lakeveil.core.query.failures import QueryError
from tests.engine.small_lake import SmallLake, ask, job, relation, scan

ROOT = Path(__file__).resolve().parents[2]
THROUGH = "went through"
_SHARED = ("/dev/", "/memfd:counters")


def behind(
    tmp_path: Path, tries: list[str], *, urls: list[str], port: int, locked: bool, confined: bool
) -> dict[str, str]:
    """What became of each try."""
    wanted = {
        "own": str(tmp_path),
        "port": port,
        "urls": urls,
        "locked": locked,
        "confined": confined,
        "tries": tries,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.walls", json.dumps(wanted)],
        cwd=ROOT,
        env=environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(tries, json.loads(done.stdout), strict=True))


@contextmanager
def listening() -> Iterator[int]:
    """A port on which somebody listens who is not the store."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def url(lake: SmallLake) -> str:
    """An object that may be read."""
    file = lake.parquet("mine.parquet", {"k": ["mine"]})
    return lake.presign(file.location, version="", seconds=60)


@pytest.fixture
def other(lake: SmallLake) -> str:
    """Another object of the same bucket, whose URL would be good."""
    file = lake.parquet("other.parquet", {"k": ["theirs"]})
    return lake.presign(file.location, version="", seconds=60)


def test_the_locked_instance_alone_opens_its_urls_and_nothing_else(
    lake: SmallLake, tmp_path: Path, url: str, other: str
) -> None:
    outside = tmp_path.parent / "outside.db"
    refused = [
        f"COPY (SELECT 'overwritten' AS k) TO '{url}' (FORMAT parquet)",
        f"SELECT * FROM read_parquet('{other}')",
        f"SELECT * FROM '{other}'",
        f"SELECT * FROM read_parquet('{url}#')",
        f"SELECT * FROM read_parquet('{url.replace('mine', '*')}')",
        f"SELECT * FROM read_text(['{url}', '{other}'])",
        f"ATTACH '{outside}' AS more",
        f"ATTACH '{url}' AS more",
        "INSTALL spatial",
        "LOAD spatial",
        "LOAD '/usr/lib/x.duckdb_extension'",
        "SET threads = 1",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        f"SET allowed_paths = ['{other}']",
        "SET TimeZone = 'Asia/Tokyo'",
        "RESET lock_configuration",
        "PRAGMA enable_profiling = 'json'",
        "SET log_query_path = '/tmp/log'",
        "SELECT getenv('HOME')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/lakeveil-out.csv'",
        "EXPORT DATABASE '/tmp/lakeveil-out'",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT * FROM read_parquet('hf://datasets/a/b.parquet')",
    ]
    found = behind(
        tmp_path, refused, urls=[url], port=lake.presign.port, locked=True, confined=False
    )
    assert {t: w for t, w in found.items() if w == THROUGH} == {}
    assert lake.s3.get_object(Bucket=lake.bucket, Key="mine.parquet")["ContentLength"] > 0


def test_a_presigned_url_cannot_write_whatever_the_engine_does(
    lake: SmallLake, tmp_path: Path, url: str
) -> None:
    copy = f"COPY (SELECT 'overwritten' AS k) TO '{url}' (FORMAT parquet)"
    reading = f"SELECT * FROM read_parquet('{url}')"
    found = behind(
        tmp_path, [copy, reading], urls=[], port=lake.presign.port, locked=False, confined=False
    )
    assert found[copy] != THROUGH
    assert found[reading] == THROUGH


@pytest.mark.skipif(not support().enough, reason="the kernel has no Landlock for ports")
def test_landlock_alone_leaves_the_stores_port_and_no_files(
    lake: SmallLake, tmp_path: Path, url: str
) -> None:
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("secret")
    own = tmp_path / "own"
    own.mkdir()
    parent = os.getpid()
    with listening() as port:
        refused = [
            "SELECT * FROM read_text('/etc/passwd')",
            f"SELECT * FROM read_text('{secret}')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')",
            f"python: open('{secret}')",
            f"python: open('/proc/{parent}/environ')",
            "python: open('/etc/shadow')",
            f"python: os.kill({parent}, 0)",
            f"python: os.unlink('{secret}')",
            "python: os.execv('/bin/true', ['true'])",
            f"python: socket.create_connection(('127.0.0.1', {port}), 1)",
            "python: socket.create_server(('127.0.0.1', 0))",
        ]
        allowed = [
            f"SELECT * FROM read_parquet('{url}')",
            f"python: open('{own}/mine', 'w').close()",
            "SET threads = 1",
        ]
        found = behind(
            own,
            refused + allowed,
            urls=[],
            port=lake.presign.port,
            locked=False,
            confined=True,
        )
    assert {t: w for t, w in found.items() if w == THROUGH} == dict.fromkeys(allowed, THROUGH)
    assert secret.read_text() == "secret"


@pytest.mark.skipif(not support().enough, reason="the kernel has no Landlock for ports")
def test_without_a_port_nothing_is_reached(lake: SmallLake, tmp_path: Path, url: str) -> None:
    connect = f"python: socket.create_connection(('127.0.0.1', {lake.presign.port}), 1)"
    reading = f"SELECT * FROM read_parquet('{url}')"
    with listening() as port:
        found = behind(
            tmp_path, [connect, reading], urls=[], port=port, locked=False, confined=True
        )
    assert "PermissionError" in found[connect]
    assert found[reading] != THROUGH


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/lakeveil-out.csv'",
        "INSTALL spatial",
        "SET threads = 7",
        "SELECT * FROM nothing_here",
        "SELECT getenv('PATH')",
        "SELECT nope FROM r0",
        "SELEC 1",
    ],
)
def test_what_the_engine_says_of_a_failure_goes_no_further(
    lake: SmallLake, engine: DuckDBEngine, sql: str
) -> None:
    file = lake.parquet("said.parquet", {"k": ["value-of-a-row"]})
    said = relation(scan({"k": "string"}, file))
    with pytest.raises(QueryError) as failed:
        ask(engine, job(sql, said))
    assert failed.value.failure.message in {
        "The engine does not support this query",
        "The engine could not run the query",
    }


def test_a_worker_has_none_of_our_environment_and_no_descriptor_of_ours(
    lake: SmallLake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.engine.small_lake import engine_spec

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LAKEVEIL_STORE__KEY", "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with DuckDBEngine(engine_spec(lake, tmp_path), presign=lake.presign) as engine:
        (pid,) = engine.processes[:1]
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        names = {entry.partition(b"=")[0] for entry in environ.split(b"\0") if entry}
        files = _open_files(str(pid))
    assert not {n for n in names if n.startswith((b"AWS_", b"LAKEVEIL_", b"HTTP_"))}
    assert b"secret" not in environ
    ours = _open_files("self")
    assert not {f for f in files & ours if f.startswith("/") and not f.startswith(_SHARED)}


def _open_files(process: str) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(entry.readlink()))
    return found
