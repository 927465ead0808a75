"""Glue's rows: databases, tables with versions and partitions, looked at and taken down again."""

from __future__ import annotations

from typing import Any

from tests.doors.every_operation.names import HOME, Names
from tests.doors.every_operation.rows import Row, refused, row

PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


def build(n: Names) -> list[Row]:
    """Two databases and the tables in them."""
    at = {"DatabaseName": n.database}
    closed = {"DatabaseName": n.closed_database}
    orders = {**at, "TableName": n.table}
    sealed = {**at, "TableName": n.sealed_table}
    where = {"LocationUri": n.location, "Parameters": {n.parameter: n.parameter_value}}
    database = {"Name": n.database, "Description": n.description}
    hidden = {"Name": n.closed_database, "Description": n.closed_description, **where}
    return [
        row("owner", "glue:CreateDatabase", DatabaseInput=database, Tags={"made": "here"}),
        row("owner", "glue:CreateDatabase", DatabaseInput=hidden),
        row("owner", "glue:UpdateDatabase", Name=n.database, DatabaseInput={**database, **where}),
        row(
            "owner",
            "glue:TagResource",
            ResourceArn=n.database_arn,
            TagsToAdd={n.resource_tag: n.resource_tag_value},
        ),
        row("owner", "glue:CreateTable", **at, TableInput=table(n, n.table)),
        row("owner", "glue:CreateTable", **at, TableInput=_closed(n, n.closed_table)),
        row("owner", "glue:CreateTable", **closed, TableInput=_closed(n, n.closed_table, "2")),
        row("owner", "glue:CreateTable", **at, TableInput=_sealed(n)),
        row("owner", "glue:CreateTable", **at, TableInput=_closed(n, n.doomed_table)),
        row(
            "owner",
            "glue:CreateTable",
            **at,
            TableInput={"Name": n.iceberg_table, "Description": n.description},
            OpenTableFormatInput={"IcebergInput": _iceberg(n)},
        ),
        row(
            "owner",
            "glue:UpdateTable",
            **at,
            Name=n.iceberg_table,
            UpdateOpenTableFormatInput={"UpdateIcebergInput": _iceberg_update(n)},
        ),
        row("owner", "glue:UpdateTable", **at, TableInput=table(n, n.table, more="again")),
        row(
            "owner",
            "glue:UpdateTable",
            **at,
            TableInput=table(n, n.table, more="at last"),
            VersionId="1",
            SkipArchive=False,
        ),
        row("owner", "glue:CreatePartition", **orders, PartitionInput=partition(n, n.value)),
        row(
            "owner",
            "glue:BatchCreatePartition",
            **orders,
            PartitionInputList=[partition(n, n.other_value), partition(n, "third")],
        ),
        row(
            "owner",
            "glue:UpdatePartition",
            **orders,
            PartitionValueList=[n.value],
            PartitionInput=partition(n, n.value),
        ),
        row(
            "owner",
            "glue:BatchUpdatePartition",
            **orders,
            Entries=[
                {
                    "PartitionValueList": [n.other_value],
                    "PartitionInput": partition(n, n.other_value),
                },
                {"PartitionValueList": ["nope"], "PartitionInput": partition(n, "nope")},
            ],
        ),
        row(
            "owner",
            "glue:CreatePartition",
            **sealed,
            PartitionInput={"Values": [n.closed_values]},
        ),
    ]


def look(n: Names) -> list[Row]:
    """Everything that can be read."""
    at, orders = {"DatabaseName": n.database}, {"DatabaseName": n.database, "TableName": n.table}
    asked = {"CatalogId": HOME, "SupportedPermissionTypes": ["COLUMN_PERMISSION"]}
    return [
        row("owner", "glue:GetDatabase", Name=n.database),
        row("owner", "glue:GetDatabases"),
        row("owner", "glue:GetTags", ResourceArn=n.database_arn),
        row("owner", "glue:GetCatalogImportStatus"),
        row("owner", "glue:GetUserDefinedFunctions", **at, Pattern="*"),
        row("owner", "glue:GetTable", **at, Name=n.table),
        row("owner", "glue:GetTable", **at, Name=n.iceberg_table),
        row("owner", "glue:GetTables", **at),
        row("owner", "glue:SearchTables", SearchText=n.table),
        row("owner", "glue:GetTableVersion", **orders, VersionId="1"),
        row("owner", "glue:GetTableVersions", **orders),
        row("owner", "glue:GetPartition", **orders, PartitionValues=[n.value]),
        row("owner", "glue:GetPartitions", **orders, Expression=f"{n.key} = '{n.value}'"),
        row(
            "owner",
            "glue:BatchGetPartition",
            **orders,
            PartitionsToGet=[{"Values": [n.value]}, {"Values": ["nope"]}],
        ),
        row("owner", "glue:GetPartitionIndexes", **orders),
        row("engine", "glue:GetUnfilteredTableMetadata", **asked, **at, Name=n.table),
        row("engine", "glue:GetUnfilteredPartitionsMetadata", **asked, **orders),
        row(
            "engine",
            "glue:GetUnfilteredPartitionMetadata",
            **asked,
            **orders,
            PartitionValues=[n.value],
        ),
        refused(
            "AccessDeniedException",
            row("owner", "glue:GetUnfilteredTableMetadata", **asked, **at, Name=n.table),
        ),
    ]


def tear_down(n: Names) -> list[Row]:
    """What `build` made, taken down."""
    at, orders = {"DatabaseName": n.database}, {"DatabaseName": n.database, "TableName": n.table}
    return [
        row("owner", "glue:DeletePartition", **orders, PartitionValues=[n.value]),
        row(
            "owner",
            "glue:BatchDeletePartition",
            **orders,
            PartitionsToDelete=[{"Values": [n.other_value]}, {"Values": ["nope"]}],
        ),
        row("owner", "glue:DeleteTableVersion", **orders, VersionId="0"),
        row("owner", "glue:BatchDeleteTableVersion", **orders, VersionIds=["1", "7"]),
        row("owner", "glue:DeleteTable", **at, Name=n.doomed_table),
        row(
            "owner",
            "glue:BatchDeleteTable",
            **at,
            TablesToDelete=[n.closed_table, n.doomed_table],
        ),
        row(
            "owner", "glue:UntagResource", ResourceArn=n.database_arn, TagsToRemove=[n.resource_tag]
        ),
        row("owner", "glue:DeleteDatabase", Name=n.database),
        row("owner", "glue:DeleteDatabase", Name=n.closed_database),
        refused("EntityNotFoundException", row("owner", "glue:GetDatabase", Name=n.database)),
    ]


def table(n: Names, name: str, *, more: str = "") -> dict[str, Any]:
    """The table whose column `hidden` is not for everybody, mentioned wherever it can be."""
    columns = [
        {"Name": "id", "Type": "bigint", "Comment": n.comment},
        {"Name": n.shown, "Type": "bigint", "Comment": f"beside {n.hidden}"},
        {"Name": n.hidden, "Type": "string", "Comment": n.closed_comment},
    ]
    return {
        "Name": name,
        "Description": n.description,
        "Owner": n.arn("owner"),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "classification": "parquet",
            n.parameter: n.parameter_value,
            "about": f"{n.hidden} {more}",
            f"stats.{n.hidden}": "12",
        },
        "PartitionKeys": [{"Name": n.key, "Type": "string"}],
        "StorageDescriptor": _storage(n, name, columns, n.hidden),
    }


def partition(n: Names, value: str) -> dict[str, Any]:
    """A partition that has the hidden column in it, too."""
    storage = table(n, n.table)["StorageDescriptor"]
    storage["Location"] += f"/{n.key}={value}"
    return {
        "Values": [value],
        "StorageDescriptor": storage,
        "Parameters": {"least": f"{n.hidden} 10"},
    }


def _storage(n: Names, name: str, columns: list[dict[str, Any]], sorted_by: str) -> dict[str, Any]:
    return {
        "Columns": columns,
        "Location": f"{n.location}/{name}",
        "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
        "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": f"{PARQUET}.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1", "paths": sorted_by},
        },
        "BucketColumns": [sorted_by],
        "SortColumns": [{"Column": sorted_by, "SortOrder": 1}],
        "Parameters": {"about": sorted_by},
    }


def _closed(n: Names, name: str, more: str = "") -> dict[str, Any]:
    columns = [{"Name": n.hidden, "Type": "string", "Comment": n.closed_comment}]
    return {
        "Name": name,
        "Description": n.closed_description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet"},
        "StorageDescriptor": _storage(n, f"{name}{more}", columns, n.hidden),
    }


def _sealed(n: Names) -> dict[str, Any]:
    """A table that is open but for what it is partitioned by."""
    columns = [{"Name": n.shown, "Type": "bigint"}]
    return {
        "Name": n.sealed_table,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet"},
        "PartitionKeys": [{"Name": n.closed_key, "Type": "string", "Comment": n.closed_comment}],
        "StorageDescriptor": _storage(n, n.sealed_table, columns, n.shown),
    }


def _iceberg(n: Names) -> dict[str, Any]:
    inside = {"id": 3, "name": n.closed_key, "type": "string", "required": False}
    fields = [
        {"Id": 1, "Name": n.shown, "Type": "long", "Required": True},
        {
            "Id": 2,
            "Name": n.hidden,
            "Type": {"type": "struct", "fields": [inside]},
            "Required": False,
            "Doc": n.closed_comment,
        },
    ]
    return {
        "MetadataOperation": "CREATE",
        "Version": "2",
        "CreateIcebergTableInput": {
            "Location": f"{n.location}/{n.iceberg_table}",
            "Schema": {"Type": "struct", "Fields": fields, "IdentifierFieldIds": [1]},
            "PartitionSpec": {"Fields": [{"SourceId": 1, "Transform": "bucket[4]", "Name": "b"}]},
            "WriteOrder": {"OrderId": 1, "Fields": [_sorted_by(1)]},
            "Properties": {"write.parquet.compression-codec": "zstd"},
        },
    }


def _iceberg_update(n: Names) -> dict[str, Any]:
    """One update by its action, one that says a state."""
    schema = _iceberg(n)["CreateIcebergTableInput"]["Schema"]
    location = f"{n.location}/{n.iceberg_table}"
    updates = [
        {
            "Action": "set-properties",
            "Schema": schema,
            "Location": location,
            "Properties": {"commit.retry.num-retries": "2"},
        },
        {
            "Schema": schema,
            "Location": location,
            "PartitionSpec": {"Fields": []},
            "SortOrder": {"OrderId": 2, "Fields": [_sorted_by(3)]},
        },
    ]
    return {"UpdateIcebergTableInput": {"Updates": updates}}


def _sorted_by(source: int) -> dict[str, Any]:
    return {
        "SourceId": source,
        "Transform": "identity",
        "Direction": "asc",
        "NullOrder": "nulls-first",
    }
