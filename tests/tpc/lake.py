"""The tables of TPC on a real store, as external tables of a lake, and who asks about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from lakeveil.core.identity.principal import Principal
from lakeveil.flows.run_query import Asked, Took, asked_again, govern, reading
from tests.flows.lakes import ANA, OWNER, found, world
from tests.flows.statements.sql_world import SqlWorld, running_engine, sql_world
from tests.stack_fixture import Weed
from tests.tpc.benchmark import TpcTable, write_tables

UNUSED = {"tpch": ("part", "p_comment"), "tpcds": ("call_center", "cc_hours")}
"""A column that no query names: it is private, so what is asked is never all of a lake."""


class TpcLake:
    """`ads` of a small lake with TPC's tables in it; Ana may see what is public."""

    def __init__(self, world: SqlWorld) -> None:
        self.world = world
        self.locations: dict[str, str] = {}

    def add(self, tables: Iterable[TpcTable], *, prefix: str = "") -> None:
        """Put tables on the store, and into the catalog as their owner; names get a prefix."""
        for table in tables:
            name = prefix + table.name
            key = f"lake/{name}/part-0.parquet"
            self.world.s3.upload_file(str(table.file), self.world.bucket, key)
            location = f"s3://{self.world.bucket}/lake/{name}/"
            columns = ", ".join(f"`{column}` {kind}" for column, kind in table.columns)
            self.world.done(
                OWNER,
                f"CREATE EXTERNAL TABLE {name} ({columns}) STORED AS PARQUET LOCATION '{location}'",
            )
            self.locations[name] = location

    def ask(self, sql: str, *, who: Principal = ANA) -> pa.Table:
        """A query's rows by the governed path: checked, decided, put on record, run."""
        asked = self.asked(sql, who)
        governed = govern(sql, asked)
        with reading(governed, asked, Took()) as running:
            batches = list(running.batches())
            found = pa.Table.from_batches(batches, running.schema)
        return found.rename_columns([column.name for column in governed.checked.columns])

    def asked(self, sql: str, who: Principal = ANA) -> Asked:
        """A query that begins."""
        desk = self.world.desk
        queued = self.world.start(who, sql)
        begun = desk.log.begin(queued.id, server=desk.server, now=desk.clock.now())
        assert begun is not None
        return asked_again(begun, desk)


@contextmanager
def tpc_lake(name: str, scale: float, weed: Weed, directory: Path) -> Iterator[TpcLake]:
    """A lake of `tpch` or `tpcds`, in a directory that is empty."""
    found(directory)
    (directory / "engine").mkdir()
    with world(directory) as lake, running_engine(weed, directory / "engine") as engine:
        made = TpcLake(sql_world(lake, weed, engine))
        made.world.sees(ANA, **{"class": "public"})
        made.add(write_tables(name, scale, directory))
        table, column = UNUSED[name]
        made.world.tag(table, column, **{"class": "private"})
        yield made
