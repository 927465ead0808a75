"""A lake on a real store in which people ask by SQL."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.folders import S3Folders
from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.iceberg_writer import PyIcebergWriter
from lakeveil.adapters.object_store import StoreKey
from lakeveil.adapters.queries import SqlQueryLog, SqlWorkgroups
from lakeveil.adapters.results import S3Results
from lakeveil.adapters.scanning import StorePlanner
from lakeveil.adapters.scanning.hive_files import HiveFiles
from lakeveil.adapters.scanning.iceberg_files import IcebergFiles
from lakeveil.adapters.table_writer import S3TableWriter
from lakeveil.core.access.grants import OnLocation, PolicyKind, TableName, TagPolicy
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.core.query.execution import QueryExecution, QueryState
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_access import Call
from lakeveil.flows.start_query import START, QueryRequest, start_query
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.run import execute
from lakeveil.ports.lake import Assignment, Location, Place
from tests.flows.lakes import ADMIN, EVERYBODY, HOME, OWNER, World, person
from tests.stack_fixture import Weed

EVE = person("eve")


def allowing(*pairs: tuple[str, str], deny: tuple[tuple[str, str], ...] = ()) -> Rights:
    """Rights of these actions on resources."""
    return Rights(
        statements=(
            *(Statement(effect=Effect.ALLOW, actions=(a,), resources=(r,)) for a, r in pairs),
            *(Statement(effect=Effect.DENY, actions=(a,), resources=(r,)) for a, r in deny),
        )
    )


@dataclass(kw_only=True)
class SqlWorld:
    """Short ways to ask and to look."""

    lake: World
    desk: StatementDesk
    s3: Any
    bucket: str
    people: dict[str, Principal]

    def ask(
        self, who: Principal, sql: str, *parameters: str, database: str = "ads"
    ) -> QueryExecution:
        """Run a statement to its end."""
        queued = self.start(who, sql, *parameters, database=database)
        execute(HOME, queued.id, self.desk)
        ended = self.desk.log.get(HOME, queued.id)
        assert ended is not None
        assert ended.state.over
        return ended

    def start(
        self, who: Principal, sql: str, *parameters: str, database: str = "ads"
    ) -> QueryExecution:
        """Put a statement into the queue."""
        who = self.people[who.arn]
        request = QueryRequest(
            sql=sql, database=database, parameters=parameters, output=self.output(who)
        )
        call = Call(who=who, action=START, access_key=who.arn)
        return start_query(request, call=call, desk=self.desk)

    def done(self, who: Principal, sql: str, *parameters: str, database: str = "ads") -> list[str]:
        """The lines of a statement that succeeds; of a query those after the names."""
        ended = self.ask(who, sql, *parameters, database=database)
        assert ended.failure is None, ended.failure.text
        assert ended.state is QueryState.SUCCEEDED
        body: bytes = self.get(ended.output)
        lines = body.decode().splitlines()
        return lines[1:] if ended.output.endswith(".csv") and lines else lines

    def refused(self, who: Principal, sql: str, *parameters: str, database: str = "ads") -> str:
        """What somebody is told of a statement that fails."""
        ended = self.ask(who, sql, *parameters, database=database)
        assert ended.state is QueryState.FAILED, ended.state
        assert ended.failure is not None
        return ended.failure.text

    def output(self, who: Principal) -> str:
        """Where somebody's results go."""
        return f"s3://{self.bucket}/results/{who.arn.rpartition('/')[2]}/"

    def get(self, location: str) -> bytes:
        """An object."""
        bucket, _, key = location.removeprefix("s3://").partition("/")
        found: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return found

    def keys(self, prefix: str) -> list[str]:
        """What lies below a prefix of the bucket."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return sorted(one["Key"] for one in found.get("Contents", ()))

    def put(self, key: str, **columns: list[Any]) -> None:
        """A Parquet file in the bucket."""
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=buffer.getvalue())

    def sees(self, who: Principal, **expression: str) -> None:
        """Grant somebody what carries these tags, and the database."""
        tags = Expression.of({key: [value] for key, value in expression.items()})
        every = TagPolicy(HOME, PolicyKind.TABLE, tags)
        self.lake.grant(ADMIN, who.arn, every, Permission.SELECT, Permission.DESCRIBE)
        databases = TagPolicy(HOME, PolicyKind.DATABASE, tags)
        self.lake.grant(ADMIN, who.arn, databases, Permission.DESCRIBE)

    def tag(self, table: str = "", column: str = "", **tags: str) -> None:
        """Tag `ads`, a table of it or a column."""
        with self.lake.desk.lake.changing() as change:
            for key, value in tags.items():
                place = Place(HOME, "ads", table, column)
                change.assign(Assignment(place=place, key=key, value=value))

    def tags(self, table: str, column: str) -> dict[str, str]:
        """The effective tags of a column."""
        record = self.lake.desk.lake.table(TableName(HOME, "ads", table))
        assert record is not None
        return record.table.tags.of_column(column)

    def may(self, who: Principal, rights: Rights) -> None:
        """Give somebody other rights from now on."""
        self.people[who.arn] = replace(who, rights=rights)

    def unit_rights(self, who: Principal, *more: tuple[str, str]) -> Rights:
        """A business unit's: its workgroup, its output, its data."""
        place = self.output(who).removeprefix("s3://")
        return allowing(
            ("athena:*", f"arn:aws:athena:us-east-1:{HOME}:workgroup/primary"),
            ("s3:*", f"arn:aws:s3:::{place}*"),
            ("lakeformation:GetDataAccess", "*"),
            *more,
        )


@contextmanager
def running_engine(weed: Weed, directory: Path) -> Iterator[DuckDBEngine]:
    """An engine over the store."""
    key = weed.credentials.s3["admin"]
    presign = S3Presigner(
        weed.endpoint, key=StoreKey(key.access_key_id, key.secret_access_key), region="us-east-1"
    )
    spec = EngineSpec(directory=directory, port=presign.port)
    with DuckDBEngine(spec, presign=presign) as engine:
        yield engine


def sql_world(lake: World, weed: Weed, engine: DuckDBEngine) -> SqlWorld:
    """A lake in a bucket of its own, with `ads.events` in it and `ads` tagged `class=public`."""
    s3, bucket = weed.s3(), weed.new_bucket("statements")
    key = weed.credentials.s3["admin"]
    iceberg = SqlIcebergCatalog(
        lake.engine,
        endpoint=weed.endpoint,
        key=StoreKey(key.access_key_id, key.secret_access_key),
        region="us-east-1",
    )
    people = {one.arn: one for one in (*EVERYBODY, EVE)}
    desk = StatementDesk(
        catalog=CatalogDesk(
            lake=lake.desk.lake, iceberg=iceberg, audit=lake.desk.audit, clock=lake.clock
        ),
        engine=engine,
        planner=StorePlanner(iceberg=IcebergFiles(iceberg.io_settings), hive=HiveFiles(s3)),
        results=S3Results(s3),
        log=SqlQueryLog(lake.engine),
        workgroups=SqlWorkgroups(lake.engine),
        who_now=lambda key: people[key],
        server="test",
        salt="salt",
        files=S3TableWriter(s3, clock=lake.clock),
        iceberg=PyIcebergWriter(iceberg, s3, clock=lake.clock),
        folders=S3Folders(s3),
    )
    world = SqlWorld(lake=lake, desk=desk, s3=s3, bucket=bucket, people=people)
    with lake.desk.lake.changing() as change:
        change.put_location(Location(account=HOME, location=f"s3://{bucket}/lake"))
        change.remove_table(TableName(HOME, "ads", "events"))
        change.remove_table(TableName(HOME, "ads", "clicks"))
        for tag, values in {"class": {"public", "private"}, "team": {"a", "b"}}.items():
            change.put_tag(LFTag(account=HOME, key=tag, values=frozenset(values)))
    world.tag(**{"class": "public"})
    place = OnLocation(account=HOME, location=f"s3://{bucket}/lake")
    lake.grant(ADMIN, OWNER.arn, place, Permission.DATA_LOCATION_ACCESS)
    world.put(
        "lake/events/one.parquet",
        id=[1, 2, 3],
        ip_address=["10.0.0.1", "10.0.0.2", "10.0.0.3"],
        spend=[10, 20, 30],
    )
    world.done(
        OWNER,
        "CREATE EXTERNAL TABLE events (id bigint, ip_address string, spend bigint) "
        f"STORED AS PARQUET LOCATION 's3://{bucket}/lake/events/'",
    )
    world.tag("events", "ip_address", **{"class": "private"})
    return world
