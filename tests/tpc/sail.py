"""Sail, an engine that is nothing of ours: a Spark Connect server in a process of its own.

It reads the files that the governed queries read, with the store's own key.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from tests.stack_fixture import Weed, free_ports

_SERVE = """
import sys
from pysail.spark import SparkConnectServer
SparkConnectServer("127.0.0.1", int(sys.argv[1])).start(background=False)
"""
_PASSED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH")
_START_S = 60.0


class Sail:
    """A session with it."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def look_at(self, tables: Mapping[str, str]) -> None:
        """Show it tables: names and the locations (`s3://...`) of their Parquet files."""
        for name, location in tables.items():
            self._session.read.parquet(location).createOrReplaceTempView(name)

    def ask(self, sql: str) -> pa.Table:
        """The answer to a query in Spark's dialect."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: pa.Table = self._session.sql(sql).toArrow()
        return found


@contextmanager
def running_sail(weed: Weed) -> Iterator[Sail]:
    """A server, and a session."""
    (port,) = free_ports(1)
    key = weed.credentials.s3["admin"]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": weed.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        "RUST_LOG": "error",
    }
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with warnings.catch_warnings():
            # It says that it knows no pandas as new as ours, which nothing here uses.
            warnings.simplefilter("ignore")
            session = _session(server, port)
        try:
            yield Sail(session)
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                session.stop()
    finally:
        server.kill()
        server.wait()


def _session(server: subprocess.Popen[bytes], port: int) -> Any:
    import socket

    from pyspark.sql import SparkSession

    give_up = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            break
        except OSError:
            if server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError("Sail does not come up") from None
            time.sleep(0.05)
    return SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
