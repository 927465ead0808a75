"""A running Trino door over a real lake: engine, store, records, identities and an issuer."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import trino.dbapi

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
from lakeveil.adapters.engine.presigned import S3Presigner
from lakeveil.adapters.folders import S3Folders
from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.iceberg_writer import PyIcebergWriter
from lakeveil.adapters.identity.key_ids import DoorKeys
from lakeveil.adapters.lake import open_lake
from lakeveil.adapters.metrics import Meter
from lakeveil.adapters.object_store import StoreKey
from lakeveil.adapters.oidc import OidcVerifier
from lakeveil.adapters.queries import SqlQueryLog, SqlWorkgroups
from lakeveil.adapters.query_runner import QueryRunner
from lakeveil.adapters.results import S3Results
from lakeveil.adapters.scanning import StorePlanner
from lakeveil.adapters.scanning.hive_files import HiveFiles
from lakeveil.adapters.scanning.iceberg_files import IcebergFiles
from lakeveil.adapters.table_writer import S3TableWriter
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnLocation,
    OnTable,
    Resource,
    TableName,
)
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey, Issuer
from lakeveil.core.query.workgroups import Workgroup
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.hive_formats import PARQUET, descriptor
from lakeveil.flows.statements.run import execute
from lakeveil.ports.engine import JobLimits
from lakeveil.ports.lake import DatabaseRecord, Location, TableRecord
from lakeveil.trino_rest.attention import Attention
from lakeveil.trino_rest.door import is_trino, trino_door
from lakeveil.trino_rest.queries import Queries
from lakeveil.trino_rest.sign_in import SignInDesk
from lakeveil.web.app import App, http_app
from tests.doors.running import serving
from tests.identity_parts import ACCOUNT, Identity, allow, identity_in, trusting, trusting_issuer
from tests.oidc_issuer import OidcIssuer
from tests.stack_fixture import Weed

P = Permission
ISSUER = arns.issuer_arn(ACCOUNT, "dev")
COLUMNS: Mapping[str, str] = {
    "id": "bigint",
    "name": "string",
    "price": "decimal(12,2)",
    "seen": "timestamp",
    "day": "date",
    "score": "double",
    "tags": "array<string>",
    "attrs": "map<string,bigint>",
    "spot": "struct<x:bigint,label:string>",
    "raw": "binary",
    "ip_address": "string",
}
SEEN = datetime(2026, 1, 31, 12, 34, 56, 789_012)  # noqa: DTZ001 - the table's have no zone
ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "name": 'says "no",\nreally',
        "price": Decimal("12.30"),
        "seen": SEEN,
        "day": date(2026, 1, 31),
        "score": float("nan"),
        "tags": ["a, b", None, "null"],
        "attrs": [("k=v", 1), ("n", None)],
        "spot": {"x": 2**53 + 1, "label": "é"},
        "raw": b"\x00\xff",
        "ip_address": "10.0.0.1",
    },
    dict.fromkeys(COLUMNS) | {"id": 2},
]


@dataclass(kw_only=True)
class Served:
    """The door, and what lies behind it."""

    url: str
    identity: Identity
    issuer: OidcIssuer
    desk: StatementDesk
    queries: Queries
    keys: Mapping[str, IssuedKey]
    app: App
    bucket: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def authorization(self, who: str) -> str:
        """What a client sends for somebody."""
        return basic(self.keys[who])

    def connect(self, who: str = "ana", **more: Any) -> Any:
        """Trino's own client, as one connects over plain HTTP."""
        headers = {"Authorization": self.authorization(who)}
        given = {"catalog": "awsdatacatalog", "schema": "ads", "http_headers": headers} | more
        return connect(host="127.0.0.1", port=self.port, user=who, **given)

    def post(self, sql: str, who: str = "ana", **headers: str) -> httpx.Response:
        """A statement by hand."""
        given = {
            "Authorization": self.authorization(who),
            "X-Trino-Schema": "ads",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return httpx.post(f"{self.url}/v1/statement", content=sql, headers=given, timeout=30)

    def get(self, url: str, who: str = "ana", **more: Any) -> httpx.Response:
        """An address by hand."""
        headers = {"Authorization": self.authorization(who)} | more
        return httpx.get(url, headers=headers, timeout=30)

    def last(self, first: httpx.Response, who: str = "ana") -> dict[str, Any]:
        """The document that has no next one."""
        document: dict[str, Any] = first.json()
        while "nextUri" in document:
            document = self.get(document["nextUri"], who).json()
        return document

    def token(self, **claims: Any) -> str:
        """A token of the issuer."""
        now = self.identity.clock.now()
        usual = {
            "iss": self.issuer.url,
            "aud": "lake",
            "sub": "eve@example.com",
            "iat": now,
            "exp": now + 300,
            "groups": ["analysts"],
        }
        return self.issuer.token({**usual, **claims})


def connect(**given: Any) -> Any:
    """A connection of Trino's client, which says nothing of types."""
    return trino.dbapi.connect(**given)  # type: ignore[no-untyped-call]


def basic(key: IssuedKey) -> str:
    """A key as Basic credentials; a session's with its token."""
    import base64

    password = ":".join(part for part in (key.secret_access_key, key.session_token) if part)
    return f"Basic {base64.b64encode(f'{key.access_key_id}:{password}'.encode()).decode()}"


@contextmanager
def serving_queries(home: Path, weed: Weed, issuer: OidcIssuer) -> Iterator[Served]:
    """Everything, on a free port."""
    with ExitStack() as opened:
        identity = opened.enter_context(identity_in(home / "home"))
        desk = opened.enter_context(_desk(identity, weed, home))
        keys = _people(identity, issuer)
        _lake(desk, weed)
        runner = QueryRunner(
            partial(execute, desk=desk),
            pulse=lambda: None,
            queries=desk.log,
            clock=identity.clock,
            server=desk.server,
            threads=2,
        )
        runner.start()
        opened.callback(runner.join, 5.0)
        opened.callback(runner.stop)
        queries = Queries(desk=desk, submit=runner.submit, attention=Attention(after_s=300.0))
        app = _app(queries, identity)
        door = opened.enter_context(serving(app))
        yield Served(
            url=door.url,
            identity=identity,
            issuer=issuer,
            desk=desk,
            queries=queries,
            keys=keys,
            app=app,
            bucket="lake-results",
        )


def _app(queries: Queries, identity: Identity) -> App:
    store = identity.store
    sign_in = SignInDesk(
        callers=store.callers,
        roles=store.directory,
        sessions=store.sessions,
        tokens=OidcVerifier(store.issuers, identity.clock),
        mint=DoorKeys(),
        audit=identity.audit,
        clock=identity.clock,
    )
    meter = Meter()

    async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError

    return http_app(
        allowed_hosts=("127.0.0.1", "localhost"),
        checks={},
        metrics=lambda _ready: b"",
        aws=nothing,
        trino=trino_door(
            queries,
            sign_in,
            version="1.2.3",
            observe=partial(meter.request, door="trino"),
            sweep_every_s=0.05,
        ),
        is_trino=is_trino,
        observe=meter.request,
        span=lambda _name, _headers: nullcontext(),
    )


@contextmanager
def _desk(identity: Identity, weed: Weed, home: Path) -> Iterator[StatementDesk]:
    ours = weed.credentials.s3["service"]
    key = StoreKey(ours.access_key_id, ours.secret_access_key)
    s3, clock, engine = weed.s3("service"), identity.clock, identity.engine
    iceberg = SqlIcebergCatalog(engine, endpoint=weed.endpoint, key=key, region="us-east-1")
    presign = S3Presigner(weed.endpoint, key=key, region="us-east-1")
    spec = EngineSpec(directory=home / "queries", port=presign.port)
    with DuckDBEngine(spec, presign=presign) as duckdb:
        yield StatementDesk(
            catalog=CatalogDesk(
                lake=open_lake(engine), iceberg=iceberg, audit=identity.audit, clock=clock
            ),
            engine=duckdb,
            planner=StorePlanner(iceberg=IcebergFiles(iceberg.io_settings), hive=HiveFiles(s3)),
            results=S3Results(s3),
            log=SqlQueryLog(engine, price=lambda _size: 0.0),
            workgroups=SqlWorkgroups(engine),
            who_now=identity.store.callers.principal_of,
            server="test",
            salt="a salt of forty characters, for the tests",
            limits=JobLimits(seconds=60.0, memory_bytes=512 * 2**20),
            files=S3TableWriter(s3, clock=clock),
            iceberg=PyIcebergWriter(iceberg, s3, clock=clock),
            folders=S3Folders(s3),
        )


def _people(identity: Identity, issuer: OidcIssuer) -> Mapping[str, IssuedKey]:
    identity.store.issuers.add(
        Issuer(account=ACCOUNT, name="dev", url=issuer.url, audiences=("lake",))
    )
    identity.role("analyst", trusting_issuer(ISSUER, aud="lake", sub="eve@example.com"), allow())
    identity.role("nobody", trusting(ACCOUNT), allow())
    identity.store.directory.create_user(ACCOUNT, "powerless")
    return {
        "ana": identity.user("ana", allow()),
        "bob": identity.user("bob", allow()),
        "admin": identity.user("admin", allow()),
        "powerless": identity.store.keys.create(ACCOUNT, "powerless"),
    }


def _lake(desk: StatementDesk, weed: Weed) -> None:
    s3 = weed.s3("service")
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS, _schema()), body)
    s3.put_object(Bucket="lake", Key="ads/events/1.parquet", Body=body.getvalue())
    many = io.BytesIO()
    pq.write_table(pa.table({"n": pa.array(range(25_000), pa.int64())}), many)
    s3.put_object(Bucket="lake", Key="ads/many/1.parquet", Body=many.getvalue())
    ana = arns.user_arn(ACCOUNT, "ana")
    with desk.catalog.lake.changing() as change:
        change.put_settings(
            ACCOUNT, LakeSettings(administrators=frozenset({arns.user_arn(ACCOUNT, "admin")}))
        )
        change.put_location(Location(account=ACCOUNT, location="s3://lake/ads"))
        change.put_database(DatabaseRecord(database=Database(account=ACCOUNT, name="ads")))
        change.put_database(DatabaseRecord(database=Database(account=ACCOUNT, name="secret")))
        change.put_table(_table("events", COLUMNS))
        change.put_table(_table("many", {"n": "bigint"}))
        for who, resource, *permissions in _grants(ana):
            change.put_grant(
                Grant(
                    id="",
                    account=ACCOUNT,
                    principal=who,
                    resource=resource,
                    permissions=frozenset(permissions),
                )
            )
    for name in ("bu-a", "off"):
        desk.workgroups.create(
            Workgroup(
                account=ACCOUNT,
                name=name,
                output=f"s3://lake-results/{name}/",
                enabled=name != "off",
            )
        )
    desk.workgroups.put(
        Workgroup(
            account=ACCOUNT, name="primary", output="s3://lake-results/primary/", enforced=False
        )
    )


def _grants(ana: str) -> Iterator[tuple[Any, ...]]:
    hidden = frozenset({"ip_address"})
    shown: Resource = OnColumns(ACCOUNT, "ads", "events", hidden, excluding=True)
    yield ana, shown, P.SELECT
    yield ana, OnTable(ACCOUNT, "ads", "many"), P.SELECT, P.DESCRIBE
    yield ana, OnDatabase(ACCOUNT, "ads"), P.DESCRIBE
    admin = arns.user_arn(ACCOUNT, "admin")
    yield admin, OnDatabase(ACCOUNT, "ads"), P.CREATE_TABLE, P.DESCRIBE
    yield admin, OnLocation(ACCOUNT, "s3://lake/ads"), P.DATA_LOCATION_ACCESS
    yield admin, OnTable(ACCOUNT, "ads", "many"), P.SELECT
    yield arns.role_arn(ACCOUNT, "analyst"), OnTable(ACCOUNT, "ads", "many"), P.SELECT


def _table(name: str, columns: Mapping[str, str]) -> TableRecord:
    location = f"s3://lake/ads/{name}"
    described = [{"Name": column, "Type": kind} for column, kind in columns.items()]
    return TableRecord(
        table=Table(
            name=TableName(ACCOUNT, "ads", name),
            columns=tuple(Column(column, kind) for column, kind in columns.items()),
        ),
        document={
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": descriptor(PARQUET, described, location),
        },
        location=location,
    )


def _schema() -> pa.Schema:
    return pa.schema(
        {
            "id": pa.int64(),
            "name": pa.string(),
            "price": pa.decimal128(12, 2),
            "seen": pa.timestamp("us"),
            "day": pa.date32(),
            "score": pa.float64(),
            "tags": pa.list_(pa.string()),
            "attrs": pa.map_(pa.string(), pa.int64()),
            "spot": pa.struct({"x": pa.int64(), "label": pa.string()}),
            "raw": pa.binary(),
            "ip_address": pa.string(),
        }
    )
