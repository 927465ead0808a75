"""The published lake, set up below the door, and requests that several tests make."""

from __future__ import annotations

from typing import Any

from lakeveil.core.access.grants import OnDatabase, OnLocation, OnTable, PolicyKind, TagPolicy
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.ports.lake import Assignment, Location, Place
from tests.flows.lakes import ADMIN, ANA, HOME, OWNER, P, World

OPEN = Expression.of({"class": ["non-private"]})
AT = "s3://lake/ads/visits"


def publish(lake: World, table: str = "visits") -> None:
    """All of `ads` is not private but one column; Ana has the two rules of an analyst."""
    with lake.desk.lake.changing() as change:
        values = frozenset({"private", "non-private"})
        change.put_tag(LFTag(account=HOME, key="class", values=values))
        for place, value in (
            (Place(HOME, "ads"), "non-private"),
            (Place(HOME, "ads", table, "ip_address"), "private"),
        ):
            change.assign(Assignment(place=place, key="class", value=value))
    for kind, permission in ((PolicyKind.DATABASE, P.DESCRIBE), (PolicyKind.TABLE, P.SELECT)):
        lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, kind, OPEN), permission)


def register(lake: World, location: str) -> None:
    """Register a location that Dave may keep data at."""
    with lake.desk.lake.changing() as change:
        change.put_location(Location(account=HOME, location=location))
    lake.grant(ADMIN, OWNER.arn, OnLocation(HOME, location), P.DATA_LOCATION_ACCESS)


def on_table(name: str = "visits") -> OnTable:
    """A table of `ads` as a resource."""
    return OnTable(HOME, "ads", name)


ON_ADS = OnDatabase(HOME, "ads")


def table_input(name: str = "visits", location: str = AT, **more: Any) -> dict[str, Any]:
    """A table of Parquet files as Hive-style clients describe it."""
    return {
        "Name": name,
        "Description": "Visits of pages.",
        "Owner": "ads team",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "classification": "parquet",
            "spark.sql.sources.schema": '{"fields":[{"name":"ip_address"}]}',
        },
        "PartitionKeys": [
            {"Name": "Region", "Type": "string"},
            {"Name": "year", "Type": "int"},
        ],
        "StorageDescriptor": {
            "Columns": [
                {"Name": "ID", "Type": "bigint", "Comment": "the visit"},
                {"Name": "ip_address", "Type": "string"},
                {"Name": "page", "Type": "string", "Comment": "seen from ip_address"},
            ],
            "Location": location,
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": (
                    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                ),
                "Parameters": {"serialization.format": "1", "paths": "id,ip_address,page"},
            },
            "BucketColumns": ["ip_address", "id"],
            "SortColumns": [{"Column": "ip_address", "SortOrder": 1}],
        },
        **more,
    }


def names(table: dict[str, Any]) -> list[str]:
    """The columns of a `Table`, partition keys last."""
    columns = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", [])]
    return [column["Name"] for column in columns]
