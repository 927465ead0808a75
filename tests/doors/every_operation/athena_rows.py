"""Athena's rows: a workgroup and what is saved in it, queries and their results, the catalog.

The workgroup is the owner's: it has words of its own, which nobody else may learn. Everybody else
asks in `primary`.
"""

from __future__ import annotations

from tests.doors.every_operation.names import Names
from tests.doors.every_operation.rows import Row, refused, row, told

ATHENA = "athena:"
CATALOG = {"CatalogName": "AwsDataCatalog"}
QUERY = {"QueryExecutionId": told("StartQueryExecution", "QueryExecutionId")}


def build(n: Names) -> list[Row]:
    """A workgroup with a saved query and a prepared statement."""
    group = {"WorkGroup": n.workgroup}
    arn = {"ResourceARN": n.workgroup_arn}
    return [
        row(
            "owner",
            ATHENA + "CreateWorkGroup",
            Name=n.workgroup,
            Description=n.workgroup_description,
            Configuration={
                "ResultConfiguration": {"OutputLocation": f"s3://{n.bucket}/{n.workgroup}/"}
            },
            Tags=[{"Key": n.cost_tag, "Value": n.cost_tag_value}],
        ),
        row(
            "owner",
            ATHENA + "UpdateWorkGroup",
            **group,
            ConfigurationUpdates={"BytesScannedCutoffPerQuery": 10_000_000},
        ),
        row("owner", ATHENA + "TagResource", **arn, Tags=[{"Key": "year", "Value": "2026"}]),
        row("owner", ATHENA + "UntagResource", **arn, TagKeys=["year"]),
        row(
            "owner",
            ATHENA + "CreateNamedQuery",
            **group,
            Name=n.saved_query,
            Database=n.database,
            QueryString=f"SELECT {n.shown} FROM {n.table}",
        ),
        row(
            "owner",
            ATHENA + "UpdateNamedQuery",
            NamedQueryId=told("CreateNamedQuery", "NamedQueryId"),
            Name=n.saved_query,
            QueryString=f"SELECT {n.hidden} FROM {n.table}",
        ),
        row(
            "owner",
            ATHENA + "CreatePreparedStatement",
            **group,
            StatementName=n.statement,
            QueryStatement=f"SELECT {n.hidden} FROM {n.table} WHERE id = ?",
        ),
        row(
            "owner",
            ATHENA + "UpdatePreparedStatement",
            **group,
            StatementName=n.statement,
            QueryStatement=f"SELECT {n.hidden} FROM {n.table}",
        ),
    ]


def look(n: Names) -> list[Row]:
    """Queries, and everything that can be read."""
    group = {"WorkGroup": n.workgroup}
    statement = {**group, "StatementName": n.statement}
    saved = told("CreateNamedQuery", "NamedQueryId")
    at = {**CATALOG, "DatabaseName": n.database}
    return [
        row(
            "owner",
            ATHENA + "StartQueryExecution",
            **group,
            QueryString=f"SELECT {n.hidden} FROM {n.table}",
            QueryExecutionContext={"Database": n.database},
        ),
        row("owner", ATHENA + "GetQueryExecution", **QUERY),
        row(
            "owner",
            ATHENA + "StartQueryExecution",
            **group,
            QueryString=f"SELECT 'x' AS {n.shown}, CAST(NULL AS varchar) AS nothing",
        ),
        row("owner", ATHENA + "GetQueryExecution", **QUERY),
        row("owner", ATHENA + "GetQueryResults", **QUERY),
        row("owner", ATHENA + "GetQueryRuntimeStatistics", **QUERY),
        row(
            "owner",
            ATHENA + "BatchGetQueryExecution",
            QueryExecutionIds=[told("StartQueryExecution", "QueryExecutionId"), "nope"],
        ),
        row("owner", ATHENA + "ListQueryExecutions", **group),
        row("owner", ATHENA + "StopQueryExecution", **QUERY),
        row("owner", ATHENA + "GetWorkGroup", **group),
        row("owner", ATHENA + "ListWorkGroups"),
        row("owner", ATHENA + "ListEngineVersions"),
        row("owner", ATHENA + "ListTagsForResource", ResourceARN=n.workgroup_arn),
        row("owner", ATHENA + "GetNamedQuery", NamedQueryId=saved),
        row("owner", ATHENA + "BatchGetNamedQuery", NamedQueryIds=[saved, "nope"]),
        row("owner", ATHENA + "ListNamedQueries", **group),
        row("owner", ATHENA + "GetPreparedStatement", **statement),
        row(
            "owner",
            ATHENA + "BatchGetPreparedStatement",
            **group,
            PreparedStatementNames=[n.statement, "nope"],
        ),
        row("owner", ATHENA + "ListPreparedStatements", **group),
        row("owner", ATHENA + "ListDataCatalogs"),
        row("owner", ATHENA + "GetDataCatalog", Name="AwsDataCatalog"),
        row("reader", ATHENA + "ListDatabases", **CATALOG),
        row("reader", ATHENA + "GetDatabase", **at),
        row("reader", ATHENA + "ListTableMetadata", **at),
        row("reader", ATHENA + "GetTableMetadata", **at, TableName=n.table),
        row("reader", ATHENA + "GetTableMetadata", **at, TableName=n.iceberg_table),
        refused(
            "InvalidRequestException",
            row("reader", ATHENA + "GetQueryResults", **QUERY),
        ),
    ]


def tear_down(n: Names) -> list[Row]:
    """What `build` made, taken down."""
    group = {"WorkGroup": n.workgroup}
    return [
        row(
            "owner",
            ATHENA + "DeleteNamedQuery",
            NamedQueryId=told("CreateNamedQuery", "NamedQueryId"),
        ),
        row("owner", ATHENA + "DeletePreparedStatement", **group, StatementName=n.statement),
        row("owner", ATHENA + "DeleteWorkGroup", **group),
    ]
