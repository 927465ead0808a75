"""Catalogs, databases and tables by Athena's API: what Glue's door shows, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doors.athena.athena_lake import COLUMNS, AthenaLake

CATALOG = {"CatalogName": "AwsDataCatalog"}


def refused(lake: AthenaLake, operation: str, who: str = "wanda", **params: Any) -> tuple[str, str]:
    """Code and message of a call that has to be refused."""
    with pytest.raises(ClientError) as error:
        getattr(lake.client(who), operation)(**params)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def missing(what: str) -> str:
    """What Athena says of what Glue does not find; PyAthena tells by it that a table is absent."""
    envelope = "Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException"
    return f"{what} not found. ({envelope}; Proxy: null)"


def test_there_is_one_catalog(lake: AthenaLake) -> None:
    athena = lake.client("wanda")

    assert athena.list_data_catalogs()["DataCatalogsSummary"] == [
        {"CatalogName": "AwsDataCatalog", "Type": "GLUE"}
    ]
    assert athena.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]["Type"] == "GLUE"
    # Its name is a part of a resource that policies name, so whoever may not use it is denied.
    assert refused(lake, "get_data_catalog", Name="other")[0] == "AccessDeniedException"
    assert refused(lake, "get_data_catalog", "admin", Name="other")[0] == "InvalidRequestException"


def test_databases_are_those_that_one_may_know_of(lake: AthenaLake) -> None:
    athena = lake.client("wanda")

    assert [one["Name"] for one in athena.list_databases(**CATALOG)["DatabaseList"]] == ["ads"]
    assert athena.get_database(**CATALOG, DatabaseName="ads")["Database"]["Name"] == "ads"
    assert refused(lake, "get_database", **CATALOG, DatabaseName="payroll") == (
        "MetadataException",
        missing("Database payroll"),
    )
    assert refused(lake, "get_database", **CATALOG, DatabaseName="nope") == (
        "MetadataException",
        missing("Database nope"),
    )


def test_a_tables_columns_are_those_that_one_may_select(lake: AthenaLake) -> None:
    athena = lake.client("wanda")
    about = {**CATALOG, "DatabaseName": "ads"}
    found = athena.get_table_metadata(**about, TableName="EVENTS")["TableMetadata"]

    assert {one["Name"]: one["Type"] for one in found["Columns"]} == {
        name: kind for name, kind in COLUMNS.items() if name != "ip_address"
    }
    assert (found["Name"], found["TableType"]) == ("events", "EXTERNAL_TABLE")
    assert refused(lake, "get_table_metadata", **about, TableName="nope") == (
        "MetadataException",
        missing("Table nope"),
    )
    hidden = {**CATALOG, "DatabaseName": "payroll", "TableName": "salaries"}
    assert refused(lake, "get_table_metadata", **hidden) == (
        "MetadataException",
        missing("Database payroll"),
    )


@pytest.mark.parametrize(
    ("expression", "names"),
    [("", {"events", "many", "large"}), ("ev*|many", {"events", "many"}), ("(ev", set())],
)
def test_tables_are_listed_by_expression_in_pages(
    lake: AthenaLake, expression: str, names: set[str]
) -> None:
    wanted = {"Expression": expression} if expression else {}
    pages = (
        lake.client("wanda")
        .get_paginator("list_table_metadata")
        .paginate(**CATALOG, DatabaseName="ads", **wanted, PaginationConfig={"PageSize": 1})
    )

    assert {one["Name"] for page in pages for one in page["TableMetadataList"]} == names
