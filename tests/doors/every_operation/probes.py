"""What somebody asks who wants to know what is hidden: beside the rows of the table.

Lists in pages of one entry, searches for hidden words, every way to name a thing, and changes that
could say more than "not found" about what stands in their way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.doors.every_operation.glue_rows import partition, table
from tests.doors.every_operation.lakeformation_rows import a_table, columns, named
from tests.doors.every_operation.names import HOME, Names
from tests.doors.every_operation.rows import Row, row

LF, OWN = "lakeformation:", "lakeveil:"
PEOPLE = ("admin", "analyst", "other", "stranger")


def probes(who: str, n: Names) -> list[Row]:
    """All of them, as requests of somebody."""
    return [
        row(who, call, **params)
        for call, params in (
            *_lists(n),
            *_tables(n),
            *_partitions(n),
            *_searches(n),
            *_tags(n),
            *_permissions(n),
            *_changes(n),
            *_explaining(n),
            *_athena(n),
        )
    ]


def _lists(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    one, at = {"MaxResults": 1}, {"DatabaseName": n.database}
    for kind in ("ALL", "FOREIGN"):
        yield "glue:GetDatabases", {"ResourceShareType": kind, **one}
        yield "glue:SearchTables", {"ResourceShareType": kind, **one}
        yield LF + "ListLFTags", {"ResourceShareType": kind, **one}
    yield "glue:GetDatabases", {"AttributesToGet": ["NAME"]}
    yield "glue:GetTables", {**at, **one}
    yield "glue:GetTables", {"DatabaseName": n.closed_database}
    yield "glue:GetTables", {**at, "AttributesToGet": ["NAME", "TABLE_TYPE"]}
    yield "glue:GetTables", {**at, "Expression": f"{n.closed_table[:6]}*|{n.table}"}
    yield LF + "ListLFTagExpressions", one
    yield LF + "ListPermissions", one
    yield LF + "ListResources", one
    for field, value in (("RESOURCE_ARN", n.prefix), ("ROLE_ARN", n.lending_role)):
        condition = {"Field": field, "ComparisonOperator": "CONTAINS", "StringValueList": [value]}
        yield LF + "ListResources", {"FilterConditionList": [condition]}
    yield LF + "ListDataCellsFilter", one
    yield LF + "ListDataCellsFilter", {"Table": {**at, "TableWildcard": {}}}
    yield OWN + "ListDiscoverable", one
    yield OWN + "ListAccessRequests", {"MaxResults": 1, "States": ["PENDING", "DENIED"]}


def _tables(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"DatabaseName": n.database}
    for name in (n.table, n.closed_table, n.sealed_table, n.iceberg_table, n.doomed_table):
        spelled = {"DatabaseName": n.database.upper(), "Name": name.upper()}
        yield "glue:GetTable", {**at, "Name": name}
        yield "glue:GetTable", {**spelled, "AttributesToGet": ["NAME"]}
        yield "glue:GetTableVersions", {**at, "TableName": name, "MaxResults": 1}
        for version in ("0", "2", "9"):
            yield "glue:GetTableVersion", {**at, "TableName": name, "VersionId": version}
        yield "glue:GetPartitionIndexes", {**at, "TableName": name}
        yield LF + "ListDataCellsFilter", {"Table": {**at, "Name": name}}
        yield (
            LF + "GetTemporaryGlueTableCredentials",
            {
                "TableArn": n.table_arn(name),
                "SupportedPermissionTypes": ["COLUMN_PERMISSION"],
            },
        )
        yield (
            "glue:GetUnfilteredTableMetadata",
            {
                **at,
                "Name": name,
                "CatalogId": HOME,
                "SupportedPermissionTypes": ["CELL_FILTER_PERMISSION", "COLUMN_PERMISSION"],
            },
        )
    yield "glue:GetTable", {"DatabaseName": n.closed_database, "Name": n.closed_table}
    yield "glue:GetDatabase", {"Name": n.closed_database}
    yield "glue:GetUserDefinedFunctions", {"DatabaseName": n.closed_database, "Pattern": "*"}


def _partitions(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    orders = {"DatabaseName": n.database, "TableName": n.table}
    sealed = {"DatabaseName": n.database, "TableName": n.sealed_table}
    yield "glue:GetPartitions", {**orders, "MaxResults": 1}
    yield "glue:GetPartitions", {**orders, "Expression": f"{n.hidden} = 'x'"}
    yield "glue:GetPartitions", {**orders, "ExcludeColumnSchema": True}
    yield "glue:GetPartitions", sealed
    yield "glue:GetPartitions", {**sealed, "Expression": f"{n.closed_key} = '{n.closed_values}'"}
    yield "glue:GetPartition", {**sealed, "PartitionValues": [n.closed_values]}
    yield "glue:GetPartition", {**sealed, "PartitionValues": []}
    yield "glue:GetPartition", {**sealed, "PartitionValues": [n.closed_values, "x"]}
    yield "glue:BatchGetPartition", {**sealed, "PartitionsToGet": [{"Values": [n.closed_values]}]}
    yield "glue:CreatePartition", {**sealed, "PartitionInput": {"Values": [n.closed_values]}}
    yield "glue:CreatePartition", {**sealed, "PartitionInput": {"Values": []}}
    yield "glue:DeletePartition", {**sealed, "PartitionValues": [n.closed_values]}
    yield (
        "glue:BatchDeletePartition",
        {
            **sealed,
            "PartitionsToDelete": [{"Values": [n.closed_values]}],
        },
    )
    yield (
        "glue:UpdatePartition",
        {
            **sealed,
            "PartitionValueList": [n.closed_values],
            "PartitionInput": {"Values": [n.closed_values]},
        },
    )
    yield "glue:CreatePartition", {**orders, "PartitionInput": partition(n, n.value)}


def _searches(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    for word in (n.hidden, n.closed_table, n.closed_comment, n.closed_description, n.table, "e"):
        yield "glue:SearchTables", {"SearchText": word}
        yield "glue:SearchTables", {"SearchText": f'"{word}"', "MaxResults": 1}
        yield OWN + "SearchData", {"Text": word}
    for key, value in (
        ("Name", n.closed_table),
        ("DatabaseName", n.closed_database),
        ("Description", n.closed_description),
        ("Owner", n.owner),
    ):
        yield "glue:SearchTables", {"Filters": [{"Key": key, "Value": value}]}
    yield "glue:SearchTables", {"SortCriteria": [{"FieldName": "UpdateTime", "Sort": "DESC"}]}


def _tags(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    taggable: list[dict[str, Any]] = [
        columns(n, n.table, n.hidden),
        columns(n, n.table, n.shown),
        a_table(n, n.closed_table),
        {"Database": {"Name": n.database}},
        {"Catalog": {}},
    ]
    for key, value in (
        (n.tag, n.closed_value),
        (n.closed_tag, n.closed_tag_value),
        (n.closed_tag, "*"),
        (n.tag, "*"),
    ):
        rule = [{"TagKey": key, "TagValues": [value]}]
        yield LF + "GetLFTag", {"TagKey": key}
        yield LF + "SearchTablesByLFTags", {"Expression": rule}
        yield LF + "SearchDatabasesByLFTags", {"Expression": rule, "MaxResults": 1}
        yield LF + "UpdateLFTag", {"TagKey": key, "TagValuesToDelete": [value]}
        yield LF + "CreateLFTag", {"TagKey": key, "TagValues": [value]}
        yield LF + "DeleteLFTag", {"TagKey": key}
        yield LF + "CreateLFTagExpression", {"Name": n.expression, "Expression": rule}
        for resource in taggable:
            yield LF + "AddLFTagsToResource", {"Resource": resource, "LFTags": rule}
            yield LF + "RemoveLFTagsFromResource", {"Resource": resource, "LFTags": rule}
    looked_at: list[dict[str, Any]] = [
        {"Database": {"Name": n.database}},
        {"Database": {"Name": n.closed_database}},
        a_table(n, n.table),
        a_table(n, n.closed_table),
        a_table(n, n.sealed_table),
        columns(n, n.table, n.shown),
        columns(n, n.table, n.hidden),
        columns(n, n.table, n.shown, n.hidden),
        columns(n, n.closed_table, n.hidden),
    ]
    for resource in looked_at:
        for assigned in (True, False):
            yield LF + "GetResourceLFTags", {"Resource": resource, "ShowAssignedLFTags": assigned}


def _resources(n: Names) -> list[dict[str, Any]]:
    return [
        {"Catalog": {}},
        {"Database": {"Name": n.database}},
        {"Database": {"Name": n.closed_database}},
        a_table(n, n.table),
        a_table(n, n.closed_table),
        a_table(n, n.iceberg_table),
        columns(n, n.table, n.hidden),
        columns(n, n.table, n.shown, n.hidden),
        {
            "TableWithColumns": {
                "DatabaseName": n.database,
                "Name": n.table,
                "ColumnWildcard": {"ExcludedColumnNames": [n.hidden]},
            }
        },
        {"DataLocation": {"ResourceArn": n.location_arn}},
        {"DataLocation": {"ResourceArn": f"{n.location_arn}/{n.closed_table}"}},
        {
            "DataCellsFilter": {
                "TableCatalogId": HOME,
                "DatabaseName": n.database,
                "TableName": n.table,
                "Name": n.cells,
            }
        },
        {"LFTag": {"TagKey": n.tag, "TagValues": [n.open_value]}},
        {"LFTag": {"TagKey": n.tag, "TagValues": [n.closed_value]}},
        {"LFTag": {"TagKey": n.closed_tag, "TagValues": ["*"]}},
        {"LFTagPolicy": {"ResourceType": "TABLE", "ExpressionName": n.expression}},
        {
            "LFTagPolicy": {
                "ResourceType": "TABLE",
                "Expression": [{"TagKey": n.tag, "TagValues": [n.closed_value]}],
            }
        },
        {"LFTagExpression": {"Name": n.expression}},
    ]


def _permissions(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    for who in PEOPLE:
        yield LF + "ListPermissions", {"Principal": named(n.arn(who))}
    for resource in _resources(n):
        yield LF + "ListPermissions", {"Resource": resource, "IncludeRelated": "TRUE"}
        for who in ("analyst", "other"):
            asked = {"Principal": named(n.arn(who)), "Resource": resource}
            yield LF + "ListPermissions", asked
        grants = [
            {"Principal": named(n.arn(to)), "Resource": resource, "Permissions": [permission]}
            for to, permission in (("stranger", "SELECT"), ("other", "DESCRIBE"))
        ]
        for grant in grants:
            yield LF + "GrantPermissions", grant
            yield LF + "RevokePermissions", grant
        for batch in ("BatchGrantPermissions", "BatchRevokePermissions"):
            entries = [{"Id": str(number), **grant} for number, grant in enumerate(grants)]
            yield LF + batch, {"Entries": entries}
    for path in (n.location_arn, f"{n.location_arn}/{n.closed_table}", f"arn:aws:s3:::{n.bucket}"):
        yield LF + "GetEffectivePermissionsForPath", {"ResourceArn": path, "MaxResults": 1}
        yield LF + "DescribeResource", {"ResourceArn": path}


def _changes(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"DatabaseName": n.database}
    for name in (n.table, n.closed_table, "new"):
        given = table(n, name)
        yield "glue:CreateTable", {**at, "TableInput": given}
        yield "glue:UpdateTable", {**at, "TableInput": given, "VersionId": "0"}
        yield "glue:DeleteTable", {**at, "Name": name}
        yield "glue:DeleteTableVersion", {**at, "TableName": name, "VersionId": "0"}
        yield "glue:BatchDeleteTable", {**at, "TablesToDelete": [name, "nope"]}
    for database in (n.database, n.closed_database):
        given = {"Name": database, "LocationUri": f"{n.location}/{n.closed_table}"}
        yield "glue:CreateDatabase", {"DatabaseInput": given}
        yield "glue:UpdateDatabase", {"Name": database, "DatabaseInput": given}
        yield "glue:DeleteDatabase", {"Name": database}
    for path in (n.location_arn, f"{n.location_arn}/{n.closed_table}", f"arn:aws:s3:::{n.bucket}"):
        yield LF + "RegisterResource", {"ResourceArn": path, "UseServiceLinkedRole": True}
        yield LF + "DeregisterResource", {"ResourceArn": path}
    cells = {
        **at,
        "TableCatalogId": HOME,
        "TableName": n.table,
        "RowFilter": {"AllRowsWildcard": {}},
    }
    for name, listed in ((n.cells, [n.shown]), ("mine", [n.hidden]), ("mine", [n.shown])):
        given = {**cells, "Name": name, "ColumnNames": listed}
        yield LF + "CreateDataCellsFilter", {"TableData": given}
        yield LF + "UpdateDataCellsFilter", {"TableData": given}
    rows = {"FilterExpression": f"{n.hidden} = 'x'"}
    yield (
        LF + "CreateDataCellsFilter",
        {"TableData": {**cells, "Name": "mine", "ColumnNames": [n.shown], "RowFilter": rows}},
    )


def _athena(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"CatalogName": "AwsDataCatalog"}
    yield "athena:ListWorkGroups", {"MaxResults": 1}
    yield "athena:ListDatabases", {**at, "MaxResults": 1}
    yield "athena:ListTableMetadata", {**at, "DatabaseName": n.database, "MaxResults": 1}
    for name in (n.table, n.closed_table, n.sealed_table, n.iceberg_table):
        about = {**at, "DatabaseName": n.database}
        yield "athena:GetTableMetadata", {**about, "TableName": name.upper()}
        yield "athena:ListTableMetadata", {**about, "Expression": f"{name[:6]}*"}
    hidden = {**at, "DatabaseName": n.closed_database}
    yield "athena:GetDatabase", hidden
    yield "athena:ListTableMetadata", hidden
    yield "athena:GetTableMetadata", {**hidden, "TableName": n.closed_table}
    for group in (n.workgroup, n.workgroup.upper(), "primary"):
        yield "athena:ListNamedQueries", {"WorkGroup": group}
        yield "athena:ListPreparedStatements", {"WorkGroup": group}
        yield "athena:ListQueryExecutions", {"WorkGroup": group, "MaxResults": 50}
    arn = n.workgroup_arn
    for said in (arn, arn.replace("us-east-1", "eu-central-1"), f"{arn}/x"):
        yield "athena:ListTagsForResource", {"ResourceARN": said}


def _explaining(n: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in (n.table, n.closed_table, n.sealed_table):
        about = {"DatabaseName": n.database, "TableName": name}
        yield OWN + "ExplainAccess", about
        for column in (n.shown, n.hidden, n.closed_key):
            yield OWN + "ExplainAccess", {**about, "ColumnName": column}
            asked = {**about, "ColumnNames": [column], "Reason": "please"}
            yield OWN + "RequestAccess", asked
            yield OWN + "BreakGlass", asked
        yield OWN + "ExplainAccess", {**about, "Principal": n.arn("other")}
        yield OWN + "SetDiscoverable", {**about, "Discoverable": True}
    for database in (n.database, n.closed_database):
        yield OWN + "ExplainAccess", {"DatabaseName": database}
        yield OWN + "SetDiscoverable", {"DatabaseName": database, "Discoverable": True}
    yield OWN + "GuardNames", {"Pattern": f"{n.hidden[:5]}*", "TagKey": n.tag}
    yield OWN + "GuardNames", {"Pattern": f"{n.guard}*", "TagKey": n.closed_tag}
    yield OWN + "LiftNameGuard", {"Pattern": f"{n.guard}*", "TagKey": n.tag}
    maskable = {"Table", "TableWithColumns", "DataCellsFilter", "LFTagPolicy"}
    for resource in _resources(n):
        if not maskable & resource.keys() or "ColumnWildcard" in str(resource):
            continue
        yield (
            OWN + "GrantMasked",
            {
                "Principal": n.arn("stranger"),
                "Resource": resource,
                "Mask": {"Kind": "HASH"},
            },
        )
