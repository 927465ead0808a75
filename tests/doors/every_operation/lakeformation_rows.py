"""Lake Formation's rows: locations and rights before there are tables, tags and grants after."""

from __future__ import annotations

from typing import Any

from tests.doors.every_operation.names import HOME, Names
from tests.doors.every_operation.rows import Row, refused, row

LF = "lakeformation:"


def named(identifier: str) -> dict[str, str]:
    """A `DataLakePrincipal`."""
    return {"DataLakePrincipalIdentifier": identifier}


def found(n: Names) -> list[Row]:
    """Where data lies, who administers it, and who may make databases."""
    admin, owner = n.arn("admin"), named(n.arn("owner"))
    at = {"ResourceArn": n.location_arn}
    lending = f"arn:aws:iam::{HOME}:role/{n.lending_role}"
    return [
        row("admin", LF + "RegisterResource", **at, UseServiceLinkedRole=True),
        row("admin", LF + "UpdateResource", **at, RoleArn=lending),
        row(
            "admin",
            LF + "PutDataLakeSettings",
            DataLakeSettings={
                "DataLakeAdmins": [named(admin)],
                "ReadOnlyAdmins": [named(n.arn("reader"))],
            },
        ),
        row(
            "admin",
            LF + "BatchGrantPermissions",
            Entries=[
                {
                    "Id": "1",
                    "Principal": owner,
                    "Resource": {"Catalog": {}},
                    "Permissions": ["CREATE_DATABASE"],
                },
                {
                    "Id": "2",
                    "Principal": owner,
                    "Resource": {"DataLocation": at},
                    "Permissions": ["DATA_LOCATION_ACCESS"],
                },
                {
                    "Id": "3",
                    "Principal": owner,
                    "Resource": {"Catalog": {}},
                    "Permissions": ["SELECT"],
                },
            ],
        ),
    ]


def build(n: Names) -> list[Row]:
    """Tags, expressions, filters, and the two rules of an analyst."""
    rules = [{"TagKey": n.tag, "TagValues": [n.open_value]}]
    cells = _cells(n)
    analyst, other = named(n.arn("analyst")), named(n.arn("other"))
    return [
        row("admin", LF + "CreateLFTag", TagKey=n.tag, TagValues=[n.open_value, "doomed"]),
        row("admin", LF + "CreateLFTag", TagKey=n.closed_tag, TagValues=[n.closed_tag_value]),
        row(
            "admin",
            LF + "UpdateLFTag",
            TagKey=n.tag,
            TagValuesToAdd=[n.closed_value],
            TagValuesToDelete=["doomed"],
        ),
        *(
            row(
                "admin",
                LF + "GrantPermissions",
                Principal=named(n.arn("admin")),
                Resource={"LFTag": {"TagKey": key, "TagValues": ["*"]}},
                Permissions=["ASSOCIATE"],
            )
            for key in (n.tag, n.closed_tag)
        ),
        row(
            "admin",
            LF + "AddLFTagsToResource",
            Resource={"Database": {"Name": n.database}},
            LFTags=[{"TagKey": n.tag, "TagValues": [n.open_value]}],
        ),
        *(
            row(
                "admin",
                LF + "AddLFTagsToResource",
                Resource=resource,
                LFTags=[
                    {"TagKey": n.tag, "TagValues": [n.closed_value]},
                    {"TagKey": n.closed_tag, "TagValues": [n.closed_tag_value]},
                ],
            )
            for resource in (
                columns(n, n.table, n.hidden),
                columns(n, n.iceberg_table, n.hidden),
                columns(n, n.sealed_table, n.closed_key),
                a_table(n, n.closed_table),
                a_table(n, n.doomed_table),
            )
        ),
        row("admin", LF + "CreateLFTagExpression", Name=n.expression, Expression=rules),
        row(
            "admin",
            LF + "UpdateLFTagExpression",
            Name=n.expression,
            Expression=rules,
            Description=n.expression_description,
        ),
        row(
            "admin",
            LF + "CreateDataCellsFilter",
            TableData={**cells, "RowFilter": {"AllRowsWildcard": {}}},
        ),
        row("admin", LF + "UpdateDataCellsFilter", TableData=cells),
        row(
            "admin",
            LF + "GrantPermissions",
            Principal=analyst,
            Resource={"LFTagPolicy": {"ResourceType": "DATABASE", "Expression": rules}},
            Permissions=["DESCRIBE"],
        ),
        row(
            "admin",
            LF + "GrantPermissions",
            Principal=analyst,
            Resource={"LFTagPolicy": {"ResourceType": "TABLE", "ExpressionName": n.expression}},
            Permissions=["SELECT"],
        ),
        row(
            "admin",
            LF + "GrantPermissions",
            Principal=analyst,
            Resource={"LFTag": {"TagKey": n.tag, "TagValues": [n.open_value]}},
            Permissions=["DESCRIBE"],
        ),
        row(
            "admin",
            LF + "GrantPermissions",
            Principal=other,
            Resource={"DataCellsFilter": _filter_name(n)},
            Permissions=["SELECT"],
        ),
        row(
            "admin",
            LF + "GrantPermissions",
            Principal=other,
            Resource=columns(n, n.table, n.shown, n.hidden),
            Permissions=["SELECT"],
        ),
        row(
            "admin",
            LF + "GrantPermissions",
            Principal=named(n.arn("engine")),
            Resource=a_table(n, n.table),
            Permissions=["SELECT"],
        ),
    ]


def look(n: Names) -> list[Row]:
    """Everything that can be read, and the credentials that are not vended."""
    rules = [{"TagKey": n.tag, "TagValues": [n.open_value]}]
    denied = "AccessDeniedException"
    columns_only = {"SupportedPermissionTypes": ["COLUMN_PERMISSION"]}
    return [
        row("admin", LF + "GetLFTag", TagKey=n.tag),
        row("admin", LF + "ListLFTags"),
        row("admin", LF + "GetResourceLFTags", Resource=a_table(n, n.table)),
        row("admin", LF + "GetLFTagExpression", Name=n.expression),
        row("admin", LF + "ListLFTagExpressions"),
        row("analyst", LF + "SearchDatabasesByLFTags", Expression=rules),
        row("analyst", LF + "SearchTablesByLFTags", Expression=rules),
        row("admin", LF + "ListPermissions"),
        row(
            "analyst",
            LF + "ListPermissions",
            Principal=named(n.arn("analyst")),
            Resource=a_table(n, n.table),
        ),
        row("admin", LF + "GetEffectivePermissionsForPath", ResourceArn=n.location_arn),
        row("admin", LF + "GetDataLakeSettings"),
        row("analyst", LF + "GetDataLakePrincipal"),
        row("admin", LF + "DescribeResource", ResourceArn=n.location_arn),
        row("admin", LF + "ListResources"),
        row("admin", LF + "GetDataCellsFilter", **_filter_name(n)),
        row(
            "admin", LF + "ListDataCellsFilter", Table={"DatabaseName": n.database, "Name": n.table}
        ),
        refused(
            denied,
            row(
                "admin",
                LF + "GetTemporaryGlueTableCredentials",
                **columns_only,
                TableArn=n.table_arn(n.table),
            ),
        ),
        refused(
            denied,
            row(
                "admin",
                LF + "GetTemporaryGluePartitionCredentials",
                **columns_only,
                TableArn=n.table_arn(n.table),
                Partition={"Values": [n.value]},
            ),
        ),
        refused(
            denied,
            row("admin", LF + "GetTemporaryDataLocationCredentials", DataLocations=[n.location]),
        ),
    ]


def tear_down(n: Names) -> list[Row]:
    """What `build` made, taken down."""
    column = columns(n, n.table, n.shown, n.hidden)
    pair = {"TagKey": n.closed_tag, "TagValues": [n.closed_tag_value]}
    again = {"Principal": named(n.arn("other")), "Resource": column, "Permissions": ["SELECT"]}
    policy = {"ResourceType": "TABLE", "ExpressionName": n.expression}
    return [
        row("admin", LF + "RevokePermissions", **again),
        row(
            "admin",
            LF + "BatchRevokePermissions",
            Entries=[
                {
                    "Id": "1",
                    "Principal": named(n.arn("analyst")),
                    "Resource": {"LFTagPolicy": policy},
                    "Permissions": ["SELECT"],
                },
                {"Id": "2", **again},
            ],
        ),
        row(
            "admin",
            LF + "RemoveLFTagsFromResource",
            Resource=columns(n, n.table, n.hidden),
            LFTags=[pair, {"TagKey": n.tag, "TagValues": [n.open_value]}],
        ),
        row("admin", LF + "DeleteDataCellsFilter", **_filter_name(n)),
        row("admin", LF + "DeleteLFTagExpression", Name=n.expression),
        row("admin", LF + "DeleteLFTag", TagKey=n.closed_tag),
    ]


def let_go(n: Names) -> list[Row]:
    """The last of it, when there are no tables any more."""
    at = {"ResourceArn": n.location_arn}
    return [
        row("admin", LF + "DeregisterResource", **at),
        refused("EntityNotFoundException", row("admin", LF + "DescribeResource", **at)),
    ]


def a_table(n: Names, name: str) -> dict[str, Any]:
    """A table of the database as a resource."""
    return {"Table": {"DatabaseName": n.database, "Name": name}}


def columns(n: Names, name: str, *which: str) -> dict[str, Any]:
    """Columns of it as a resource."""
    on = {"DatabaseName": n.database, "Name": name, "ColumnNames": list(which)}
    return {"TableWithColumns": on}


def _filter_name(n: Names) -> dict[str, Any]:
    return {
        "TableCatalogId": HOME,
        "DatabaseName": n.database,
        "TableName": n.table,
        "Name": n.cells,
    }


def _cells(n: Names) -> dict[str, Any]:
    return {
        **_filter_name(n),
        "ColumnNames": ["id", n.hidden],
        "RowFilter": {"FilterExpression": f"{n.hidden} = '{n.cell_literal}'"},
    }
