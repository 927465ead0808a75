"""Settings, locations, filters and credentials through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors.lakeformation.asking import TABLE, code, named, refusal
from tests.doors.lakeformation.conftest import Client
from tests.flows.lakes import ADMIN, ANA, BOB, CARL, HOME, OTHER, OWNER, READER, World

PLACE = "arn:aws:s3:::photos/released"
ROLE = f"arn:aws:iam::{HOME}:role/lake"
FILTER = {
    "TableCatalogId": HOME,
    "DatabaseName": "ADS",
    "TableName": "Events",
    "Name": "Cheap",
    "ColumnNames": ["ID", "spend"],
    "RowFilter": {"FilterExpression": "spend < 10"},
}
CHEAP = {k: FILTER[k] for k in ("TableCatalogId", "DatabaseName", "TableName", "Name")}


def test_settings_are_replaced_as_a_whole(client: Client) -> None:
    admin = client(ADMIN)
    before = admin.get_data_lake_settings()["DataLakeSettings"]
    assert before["DataLakeAdmins"] == [named(ADMIN.arn)]
    assert before["Parameters"]["CROSS_ACCOUNT_VERSION"] == "4"
    assert before["CreateTableDefaultPermissions"] == []

    # What was read can be written back, as infrastructure tools do.
    admin.put_data_lake_settings(
        DataLakeSettings={**before, "DataLakeAdmins": [named(ADMIN.arn), named(BOB.arn)]}
    )
    after = client(ANA).get_data_lake_settings()["DataLakeSettings"]
    assert after["DataLakeAdmins"] == [named(ADMIN.arn), named(BOB.arn)]
    admin.put_data_lake_settings(DataLakeSettings={"DataLakeAdmins": [named(BOB.arn)]})
    assert client(BOB).get_data_lake_settings()["DataLakeSettings"]["ReadOnlyAdmins"] == []


@pytest.mark.parametrize(
    "setting",
    [
        {"CreateDatabaseDefaultPermissions": [
            {"Principal": named("IAM_ALLOWED_PRINCIPALS"), "Permissions": ["ALL"]}
        ]},
        {"CreateTableDefaultPermissions": [
            {"Principal": named("IAM_ALLOWED_PRINCIPALS"), "Permissions": ["ALL"]}
        ]},
        {"AllowExternalDataFiltering": True},
        {"AllowFullTableExternalDataAccess": True},
        {"ExternalDataFilteringAllowList": [named(OTHER)]},
        {"AuthorizedSessionTagValueList": ["engine"]},
        {"TrustedResourceOwners": [OTHER]},
        {"Parameters": {"CROSS_ACCOUNT_VERSION": "1"}},
        {"Parameters": {"SET_SOURCE_IDENTITY": "TRUE"}},
        {"Parameters": {"OTHER": "4"}},
        {"DataLakeAdmins": [named(CARL.arn)]},
        {"DataLakeAdmins": [{}]},
    ],
    ids=lambda setting: next(iter(setting)),
)  # fmt: skip
def test_settings_that_would_open_something_are_refused(
    refusing: Any, setting: dict[str, Any]
) -> None:
    wanted = {"DataLakeAdmins": [named(ADMIN.arn)], **setting}

    assert code(refusing.put_data_lake_settings, DataLakeSettings=wanted) == "InvalidInputException"
    assert refusing.get_data_lake_settings()["DataLakeSettings"]["ReadOnlyAdmins"] == [
        named(READER.arn)
    ]


def test_settings_are_for_administrators_and_shown_within_the_account(client: Client) -> None:
    own = {"DataLakeSettings": {"DataLakeAdmins": [named(ANA.arn)]}}

    assert code(client(ANA).put_data_lake_settings, **own) == "AccessDeniedException"
    assert code(client(CARL).get_data_lake_settings, CatalogId=HOME) == "AccessDeniedException"
    assert client(CARL).get_data_lake_principal()["Identity"] == CARL.arn


def test_a_location_is_registered_described_listed_updated_and_deregistered(
    lake: World, client: Client
) -> None:
    admin = client(ADMIN)
    admin.register_resource(ResourceArn=f"{PLACE}/", RoleArn=ROLE)
    admin.update_resource(ResourceArn=PLACE, RoleArn=f"{ROLE}-2")

    info = admin.describe_resource(ResourceArn=PLACE)["ResourceInfo"]

    assert info["LastModified"].timestamp() == lake.clock.now()
    assert (info["ResourceArn"], info["RoleArn"], info["HybridAccessEnabled"]) == (
        PLACE,
        f"{ROLE}-2",
        False,
    )
    arns = [r["ResourceArn"] for r in admin.list_resources()["ResourceInfoList"]]
    assert arns == ["arn:aws:s3:::lake/ads", PLACE]
    only = {"Field": "RESOURCE_ARN", "ComparisonOperator": "BEGINS_WITH"}
    narrowed = admin.list_resources(
        FilterConditionList=[{**only, "StringValueList": ["arn:aws:s3:::photos"]}], MaxResults=1
    )
    assert [r["ResourceArn"] for r in narrowed["ResourceInfoList"]] == [PLACE]
    assert code(admin.register_resource, ResourceArn=PLACE, RoleArn=ROLE) == (
        "AlreadyExistsException"
    )
    admin.deregister_resource(ResourceArn=PLACE)
    assert code(admin.describe_resource, ResourceArn=PLACE) == "EntityNotFoundException"


@pytest.mark.parametrize(
    "change",
    [
        {"HybridAccessEnabled": True},
        {"WithFederation": True},
        {"WithPrivilegedAccess": True},
        {"ExpectedResourceOwnerAccount": OTHER},
        {"UseServiceLinkedRole": True},
        {"RoleArn": None},
        {"ResourceArn": "s3://photos/released"},
        {"ResourceArn": "arn:aws:s3:::photos/../lake"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_registration_that_would_leave_gaps_is_refused(
    refusing: Any, change: dict[str, Any]
) -> None:
    asked = {"ResourceArn": PLACE, "RoleArn": ROLE, **change}
    given = {name: value for name, value in asked.items() if value is not None}

    assert code(refusing.register_resource, **given) == "InvalidInputException"


def test_locations_are_shown_to_whom_they_are_granted(client: Client) -> None:
    ana, known = client(ANA), "arn:aws:s3:::lake/ads"
    assert ana.list_resources()["ResourceInfoList"] == []
    assert refusal(ana.describe_resource, ResourceArn=known) == refusal(
        ana.describe_resource, ResourceArn=PLACE
    )
    assert code(ana.deregister_resource, ResourceArn=known) == "AccessDeniedException"

    client(ADMIN).grant_permissions(
        Principal=named(ANA.arn),
        Resource={"DataLocation": {"ResourceArn": known}},
        Permissions=["DATA_LOCATION_ACCESS"],
    )

    assert ana.describe_resource(ResourceArn=known)["ResourceInfo"]["ResourceArn"] == known


def test_a_filter_is_made_shown_changed_listed_and_deleted(lake: World, client: Client) -> None:
    admin = client(ADMIN)
    admin.create_data_cells_filter(TableData=FILTER)
    made = admin.get_data_cells_filter(**CHEAP)["DataCellsFilter"]
    assert made["ColumnNames"] == ["id", "spend"]
    assert made["RowFilter"] == {"FilterExpression": "spend < 10"}

    changed = {k: v for k, v in FILTER.items() if k != "ColumnNames"} | {
        "RowFilter": {"AllRowsWildcard": {}},
        "ColumnWildcard": {"ExcludedColumnNames": ["ip_address"]},
        "VersionId": made["VersionId"],
    }
    admin.update_data_cells_filter(TableData=changed)
    assert code(admin.update_data_cells_filter, TableData=changed) == (
        "ConcurrentModificationException"
    )

    for params in ({}, {"Table": TABLE["Table"]}, {"Table": {
        "DatabaseName": "ads", "TableWildcard": {}
    }}):  # fmt: skip
        [listed] = admin.list_data_cells_filter(**params)["DataCellsFilters"]
        assert listed["ColumnWildcard"] == {"ExcludedColumnNames": ["ip_address"]}
        assert listed["RowFilter"] == {"AllRowsWildcard": {}}
    admin.grant_permissions(
        Principal=named(ANA.arn), Resource={"DataCellsFilter": CHEAP}, Permissions=["SELECT"]
    )
    assert lake.sees(ANA) == ["id", "ts", "spend"]
    assert client(ANA).list_data_cells_filter()["DataCellsFilters"] == []
    assert code(admin.create_data_cells_filter, TableData=FILTER) == "AlreadyExistsException"
    admin.delete_data_cells_filter(**CHEAP)
    assert code(admin.get_data_cells_filter, **CHEAP) == "EntityNotFoundException"
    assert lake.sees(ANA) == []


@pytest.mark.parametrize(
    "change",
    [
        {"ColumnNames": ["nowhere"]},
        {"ColumnNames": []},
        {"ColumnWildcard": {}},
        {"RowFilter": {}},
        {"RowFilter": {"FilterExpression": "spend < 10", "AllRowsWildcard": {}}},
        {"RowFilter": {"FilterExpression": "spend < 'x'"}},
        {"VersionId": "1"},
    ],
)
def test_a_filter_that_says_nothing_clear_is_refused(refusing: Any, change: dict[str, Any]) -> None:
    asked = {**FILTER, **change}

    assert code(refusing.create_data_cells_filter, TableData=asked) == "InvalidInputException"


def test_filters_of_hidden_tables_are_not_there(client: Client) -> None:
    ana = client(ANA)

    assert code(ana.create_data_cells_filter, TableData=FILTER) == "EntityNotFoundException"
    assert code(ana.get_data_cells_filter, **CHEAP) == "EntityNotFoundException"
    assert code(ana.list_data_cells_filter, Table=TABLE["Table"]) == "EntityNotFoundException"
    assert code(client(ADMIN).delete_data_cells_filter, Name="x") == "InvalidInputException"


def test_no_credentials_are_vended_yet(client: Client) -> None:
    events = {"TableArn": f"arn:aws:glue:eu-central-1:{HOME}:table/ads/events"}
    nowhere = {"TableArn": f"arn:aws:glue:eu-central-1:{HOME}:table/ads/nowhere"}
    admin, ana, owner = client(ADMIN), client(ANA), client(OWNER)

    denied = refusal(owner.get_temporary_glue_table_credentials, **events)
    assert denied[::2] == ("AccessDeniedException", 403)
    assert "not vended by Lakeveil yet" in denied[1]
    # Who administers sees no data.
    denied = refusal(admin.get_temporary_glue_table_credentials, **events)
    assert denied[::2] == ("AccessDeniedException", 403)
    assert "Required Select on ads.events" in denied[1]
    assert (
        refusal(ana.get_temporary_glue_table_credentials, **events)
        == refusal(ana.get_temporary_glue_table_credentials, **nowhere)
        == refusal(admin.get_temporary_glue_table_credentials, **nowhere)
    )
    partition = {"Partition": {"Values": ["2026"]}}
    assert code(admin.get_temporary_glue_partition_credentials, **events, **partition) == (
        "AccessDeniedException"
    )
    places = {"DataLocations": ["s3://lake/ads"]}
    assert code(admin.get_temporary_data_location_credentials, **places) == (
        "AccessDeniedException"
    )
    assert code(admin.get_temporary_glue_table_credentials, TableArn="arn:aws:s3:::x") == (
        "InvalidInputException"
    )
