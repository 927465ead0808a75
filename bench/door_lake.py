"""The lake that `bench.doors` asks about: 1,000 tables of 50 columns, and a caller of 100 grants.

All tables are in one database that is `class=non-private`; each has a `team` and a `layer`, and one
column in twenty is `class=private` by a tag of its own. The analyst who asks holds one rule for
what is not private, 68 narrower ones by tags, 30 grants by name and one data cells filter: every
table is there for it, its private columns are not. Where everything lies is random, and the same
each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Database, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.flows.first_account import EVERYTHING
from lakeveil.ports.lake import (
    Assignment,
    DatabaseRecord,
    LakeWriter,
    Location,
    Place,
    TableRecord,
)
from lakeveil.settings import Settings
from lakeveil.wiring.founding import found_account
from lakeveil.wiring.identity import identity_over

DATABASE = "ads"
TABLES, COLUMNS, GRANTS = 1000, 50, 100
BY_NAME = 30
OVERRIDDEN = 0.05
"""The share of columns with a tag of their own; 0.01 to 0.05 is usual."""
VALUES = {
    "class": ("non-private", "private"),
    "team": tuple(f"team{number}" for number in range(8)),
    "layer": ("raw", "clean", "serving"),
}
FILTERED = "table_0007"
_BUCKET = "s3://lake/ads"
_TYPES = ("string", "bigint", "double", "timestamp", "decimal(10,4)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Who calls: an administrator who tags, and an analyst who looks."""

    account: str
    administrator: IssuedKey
    analyst: IssuedKey
    analyst_arn: str


def lay_down(home: Path, *, tables: int = TABLES) -> Callers:
    """Make an installation in `home` with the lake in it, and keys for those who call.

    Raises:
        RuntimeError: `home` has one already.
    """
    settings = Settings(home=str(home))
    engine = open_database(settings.database_url)
    try:
        first = found_account(engine, settings)
        if first.key is None:
            raise RuntimeError(f"there is an installation in {home}")
        store = identity_over(engine, settings, writer="bench").store
        store.directory.create_user(first.account, "analyst", policy=EVERYTHING)
        analyst = arns.user_arn(first.account, "analyst")
        with open_lake(engine).changing() as change:
            _define(change, first.account, first.administrator, tables)
            change.put_filter(_filter(first.account))
            for grant in _grants(first.account, analyst, Random(2)):
                change.put_grant(grant)
        return Callers(
            account=first.account,
            administrator=first.key,
            analyst=store.keys.create(first.account, "analyst"),
            analyst_arn=analyst,
        )
    finally:
        engine.dispose()


def table_name(number: int) -> str:
    """The name of one of the tables."""
    return f"table_{number % TABLES:04d}"


def column_name(number: int) -> str:
    """The name of one of a table's columns."""
    return f"column_{number % COLUMNS:02d}"


def _define(change: LakeWriter, account: str, owner: str, tables: int) -> None:
    random = Random(1)
    for key, values in VALUES.items():
        change.put_tag(LFTag(account=account, key=key, values=frozenset(values)))
    change.put_location(Location(account=account, location=_BUCKET))
    change.put_database(DatabaseRecord(database=Database(account=account, name=DATABASE)))
    change.assign(Assignment(place=Place(account, DATABASE), key="class", value="non-private"))
    for number in range(tables):
        name = table_name(number)
        change.put_table(_table(TableName(account, DATABASE, name), owner))
        for key in ("team", "layer"):
            value = random.choice(VALUES[key])
            change.assign(Assignment(place=Place(account, DATABASE, name), key=key, value=value))
        for column in range(COLUMNS):
            if random.random() < OVERRIDDEN:
                place = Place(account, DATABASE, name, column_name(column))
                change.assign(Assignment(place=place, key="class", value="private"))


def _table(name: TableName, owner: str) -> TableRecord:
    columns = tuple(Column(column_name(n), _TYPES[n % len(_TYPES)]) for n in range(COLUMNS))
    location = f"{_BUCKET}/{name.table}"
    parquet = "org.apache.hadoop.hive.ql.io.parquet"
    document: dict[str, Any] = {
        "Description": "What was measured on one day.",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [
                {"Name": column.name, "Type": column.type, "Comment": "as the source has it"}
                for column in columns
            ],
            "Location": location,
            "InputFormat": f"{parquet}.MapredParquetInputFormat",
            "OutputFormat": f"{parquet}.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": f"{parquet}.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }
    return TableRecord(
        table=Table(name=name, columns=columns, owner=owner), document=document, location=location
    )


def _grants(account: str, principal: str, random: Random) -> Iterator[Grant]:
    for number, resource in enumerate(_resources(account, random)):
        yield Grant(
            id="",
            account=account,
            principal=principal,
            resource=resource,
            permissions=frozenset({Permission.SELECT}),
            granted_at=float(number),
        )


def _resources(account: str, random: Random) -> Iterator[Resource]:
    everything_open = Expression.of({"class": ["non-private"]})
    yield TagPolicy(account, PolicyKind.TABLE, everything_open)
    for _ in range(GRANTS - BY_NAME - 2):
        teams, layers = random.sample(VALUES["team"], 3), random.sample(VALUES["layer"], 2)
        narrow = Expression.of({"class": ["non-private"], "team": teams, "layer": layers})
        yield TagPolicy(account, PolicyKind.TABLE, narrow)
    for number in range(BY_NAME):
        table = table_name(random.randrange(TABLES))
        if number % 2:
            yield OnTable(account, DATABASE, table)
        else:
            yield OnColumns(account, DATABASE, table, frozenset({column_name(number)}))
    yield OnFilter(account, DATABASE, FILTERED, "europe")


def _filter(account: str) -> DataCellsFilter:
    return DataCellsFilter(
        table=TableName(account, DATABASE, FILTERED),
        name="europe",
        named=frozenset({column_name(0)}),
        rows="column_00 = 'EU'",
    )
