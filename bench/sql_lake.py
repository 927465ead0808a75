"""The lake that `bench.sql` asks about: TPC-H as Iceberg tables, one column of it private.

State lies on disk as a server's does: SQLite that waits for the disk, audit log and query log in
it. Ana, an analyst, sees what is tagged public.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.flows.lakes import ANA, OWNER, People, World, found
from tests.flows.statements.sql_world import SqlWorld, running_engine, sql_world
from tests.stack_fixture import Weed
from tests.tpc.benchmark import write_tables
from tests.tpc.lake import UNUSED, TpcLake

from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.grants import TableName
from lakeveil.flows.change_access import AccessDesk

SOURCES = "plain_"


@contextmanager
def tpch_lake(scale: float, weed: Weed, directory: Path) -> Iterator[TpcLake]:
    """The lake, in a directory that is empty."""
    found(directory)
    (directory / "engine").mkdir()
    engine = open_database(f"sqlite:///{directory / 'state.db'}")
    clock = ManualClock(time.time())
    audit = open_audit_log(engine, directory, clock=clock)
    desk = AccessDesk(lake=open_lake(engine), audit=audit, directory=People(), clock=clock)
    lake = World(desk=desk, trail=AuditTrail(engine, audit.keys), clock=clock, engine=engine)
    try:
        with running_engine(weed, directory / "engine") as duckdb:
            made = TpcLake(sql_world(lake, weed, duckdb))
            _fill(made, scale, directory)
            yield made
    finally:
        engine.dispose()


def data_files(lake: TpcLake, table: str) -> list[str]:
    """Locations of the files that a table's current snapshot has."""
    # Whoever reads a table first lets its row follow its entry.
    lake.ask(f"SELECT count(*) FROM {table}")
    record = lake.world.desk.catalog.lake.table(TableName(ANA.account, "ads", table))
    assert record is not None
    scan = lake.world.desk.planner.plan(record)
    return [file.location for group in scan.groups for file in group.files]


def _fill(lake: TpcLake, scale: float, directory: Path) -> None:
    tables = write_tables("tpch", scale, directory)
    world: SqlWorld = lake.world
    lake.add(tables, prefix=SOURCES)
    for table in tables:
        place = f"s3://{world.bucket}/lake/{table.name}/"
        world.done(
            OWNER,
            f"CREATE TABLE {table.name} WITH (table_type = 'ICEBERG', location = '{place}', "
            f"is_external = false) AS SELECT * FROM {SOURCES}{table.name}",
        )
        table.file.unlink()
    world.sees(ANA, **{"class": "public"})
    world.tag(*UNUSED["tpch"], **{"class": "private"})
