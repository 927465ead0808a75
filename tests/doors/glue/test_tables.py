"""Tables over files that clients describe: made by their owner, seen as the decision has it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from lakeveil.core.access.grants import OnColumns, OnLocation
from lakeveil.core.audit import AuditOutcome
from lakeveil.ports.lake import Assignment, Place
from tests.doors.glue.asking import AT, ON_ADS, names, on_table, publish, register, table_input
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER, READER, P, World

VISITS = {"DatabaseName": "ads", "Name": "visits"}
EVERY = ["id", "ip_address", "page", "region", "year"]


@pytest.fixture
def owner(lake: World, client: Client) -> Any:
    """Dave, who has made the table `visits`; all but `ip_address` is open to Ana."""
    register(lake, "s3://lake/ads/")
    glue = client(OWNER)
    glue.create_table(DatabaseName="ads", TableInput=table_input())
    publish(lake)
    return glue


def test_the_owner_sees_the_table_as_it_was_written(owner: Any) -> None:
    given = table_input()
    found = owner.get_table(**VISITS)["Table"]

    assert names(found) == EVERY
    for member in ("Description", "Owner", "TableType", "Parameters"):
        assert found[member] == given[member]
    assert found["StorageDescriptor"]["Location"] == AT
    assert found["StorageDescriptor"]["SerdeInfo"] == given["StorageDescriptor"]["SerdeInfo"]
    assert (found["CatalogId"], found["DatabaseName"], found["VersionId"]) == (HOME, "ads", "0")
    assert found["CreatedBy"] == OWNER.arn
    assert found["IsRegisteredWithLakeFormation"] is True


def test_a_hidden_column_is_nowhere_in_the_answer(owner: Any, client: Client) -> None:
    del owner
    found = client(ANA).get_table(**VISITS)

    assert names(found["Table"]) == ["id", "page", "region", "year"]
    assert "ip_address" not in json.dumps(found, default=str)
    assert "Location" not in found["Table"]["StorageDescriptor"]
    assert found["Table"]["StorageDescriptor"]["BucketColumns"] == ["id"]
    assert found["Table"]["Parameters"] == {"classification": "parquet"}
    assert found["Table"]["Description"] == "Visits of pages."


@pytest.mark.parametrize("who", [ADMIN, READER], ids=["administrator", "read-only"])
def test_administrators_see_every_column_to_tag_it(owner: Any, client: Client, who: Any) -> None:
    del owner
    assert names(client(who).get_table(**VISITS)["Table"]) == EVERY


def test_describe_alone_shows_a_table_without_columns(
    lake: World, owner: Any, client: Client
) -> None:
    del owner
    lake.grant(ADMIN, BOB.arn, on_table(), P.DESCRIBE)

    found = client(BOB).get_table(**VISITS)["Table"]

    assert names(found) == []
    assert "Location" not in found["StorageDescriptor"]


def test_who_writes_there_is_told_where(lake: World, owner: Any, client: Client) -> None:
    del owner
    lake.grant(ADMIN, BOB.arn, on_table(), P.INSERT)

    found = client(BOB).get_table(**VISITS)["Table"]

    assert found["StorageDescriptor"]["Location"] == AT
    assert names(found) == []


def test_a_listing_shows_each_table_as_it_is_shown_alone(owner: Any, client: Client) -> None:
    for glue in (owner, client(ANA), client(ADMIN)):
        listed = glue.get_tables(DatabaseName="ads")["TableList"]
        assert [table["Name"] for table in listed] == ["clicks", "events", "visits"]
        assert listed[-1] == glue.get_table(**VISITS)["Table"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("c*", ["clicks"]),
        ("C.*", ["clicks"]),
        ("clicks|visits", ["clicks", "visits"]),
        ("^.isits$", ["visits"]),
        ("*s", ["clicks", "events", "visits"]),
        ("isits", []),
    ],
)
def test_names_are_listed_by_a_pattern(owner: Any, expression: str, expected: list[str]) -> None:
    listed = owner.get_tables(DatabaseName="ads", Expression=expression)["TableList"]

    assert [table["Name"] for table in listed] == expected


def test_a_pattern_that_is_not_evaluated_is_refused(owner: Any) -> None:
    for expression in ("(a+)+$", "[a-z]*", "a{2}"):
        said = code(owner.get_tables, DatabaseName="ads", Expression=expression)
        assert said == "InvalidInputException"


def test_pages_belong_to_whoever_asked(owner: Any, client: Client) -> None:
    pages = owner.get_paginator("get_tables").paginate(
        DatabaseName="ads", PaginationConfig={"PageSize": 1}
    )
    token = owner.get_tables(DatabaseName="ads", MaxResults=1)["NextToken"]

    assert [t["Name"] for p in pages for t in p["TableList"]] == ["clicks", "events", "visits"]
    for glue in (client(ANA), client(ADMIN)):
        assert code(glue.get_tables, DatabaseName="ads", NextToken=token) == "InvalidInputException"
    assert code(owner.get_tables, DatabaseName="ads", NextToken="x") == "InvalidInputException"


def test_names_alone_can_be_asked_for(owner: Any) -> None:
    found = owner.get_tables(DatabaseName="ads", AttributesToGet=["NAME", "TABLE_TYPE"])

    assert found["TableList"][-1] == {"Name": "visits", "TableType": "EXTERNAL_TABLE"}


@pytest.mark.parametrize(
    "more",
    [
        {"TransactionId": "1"},
        {"QueryAsOfTime": 1.0},
        {"AttributesToGet": ["LATEST_ICEBERG_METADATA"]},
    ],
)
def test_what_is_not_served_is_refused_by_name(owner: Any, more: dict[str, Any]) -> None:
    said = refusal(owner.get_table, **VISITS, **more)

    assert said[0] == "InvalidInputException"
    assert "not supported by Lakeveil" in said[1]


def test_create_table_takes_the_permission_on_the_database(
    lake: World, owner: Any, client: Client
) -> None:
    del owner
    new = {"DatabaseName": "ads", "TableInput": table_input("more", "s3://lake/ads/more")}

    assert code(client(BOB).create_table, **new) == "EntityNotFoundException"
    assert code(client(ANA).create_table, **new) == "AccessDeniedException"
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.CREATE_TABLE)
    said = refusal(client(BOB).create_table, **new)
    assert said[0] == "AccessDeniedException"
    assert said[1].endswith("Required Data Location Access on s3://lake/ads/more")
    lake.grant(ADMIN, BOB.arn, OnLocation(HOME, "s3://lake/ads"), P.DATA_LOCATION_ACCESS)
    client(BOB).create_table(**new)
    assert client(BOB).get_table(DatabaseName="ads", Name="more")["Table"]["CreatedBy"] == BOB.arn


def test_a_location_within_the_databases_own_needs_no_permission(
    lake: World, client: Client
) -> None:
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.CREATE_TABLE)
    register(lake, "s3://lake/ads")
    client(OWNER).update_database(
        Name="ads", DatabaseInput={"Name": "ads", "LocationUri": "s3://lake/ads/own/"}
    )
    glue = client(BOB)

    glue.create_table(DatabaseName="ads", TableInput=table_input("t", "s3://lake/ads/own/t"))
    beside = table_input("u", "s3://lake/ads/owner")
    assert code(glue.create_table, DatabaseName="ads", TableInput=beside) == "AccessDeniedException"


def test_nobody_makes_a_table_where_nothing_is_registered(lake: World, client: Client) -> None:
    lake.grant(ADMIN, ADMIN.arn, ON_ADS, P.CREATE_TABLE)
    elsewhere = table_input("t", "s3://salaries/all")

    said = refusal(client(ADMIN).create_table, DatabaseName="ads", TableInput=elsewhere)

    assert said[0] == "InvalidInputException"
    assert "is not registered" in said[1]


@pytest.mark.parametrize("location", [AT, f"{AT}/year=2026", "s3://lake/ads"])
def test_a_second_table_over_the_same_files_takes_sight_of_all_of_the_first(
    lake: World, owner: Any, client: Client, location: str
) -> None:
    del owner
    lake.grant(ADMIN, ANA.arn, ON_ADS, P.CREATE_TABLE)
    lake.grant(ADMIN, ANA.arn, OnLocation(HOME, "s3://lake/ads"), P.DATA_LOCATION_ACCESS)
    new = {"DatabaseName": "ads", "TableInput": table_input("mine", location)}

    assert code(client(ANA).create_table, **new) == "AccessDeniedException"
    for name in ("visits", "events", "clicks"):
        lake.grant(ADMIN, ANA.arn, on_table(name), P.SELECT)
    client(ANA).create_table(**new)


def test_a_name_is_given_once_whoever_knows_of_it(lake: World, owner: Any, client: Client) -> None:
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.CREATE_TABLE)
    again = {"DatabaseName": "ads", "TableInput": table_input("Visits", "s3://lake/ads/other")}
    lake.grant(ADMIN, BOB.arn, OnLocation(HOME, "s3://lake/ads"), P.DATA_LOCATION_ACCESS)

    expected = ("AlreadyExistsException", "Table already exists.", 400)
    assert refusal(owner.create_table, **again) == expected
    assert refusal(client(BOB).create_table, **again) == expected
    assert code(client(BOB).get_table, **VISITS) == "EntityNotFoundException"


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "a.b"},
        {"Name": "a/b"},
        {"Name": " a"},
        {"PartitionKeys": [{"Name": "id", "Type": "int"}]},
        {"TargetTable": {"CatalogId": HOME, "DatabaseName": "ads", "Name": "events"}},
        {"Parameters": {"table_type": "ICEBERG"}},
        {"StorageDescriptor": {"Location": "/etc", "Columns": []}},
        {"Parameters": {"storage.location.template": "s3://lake/salaries/${year}"}},
    ],
)
def test_what_is_invalid_is_refused(owner: Any, change: dict[str, Any]) -> None:
    new = {**table_input("new", "s3://lake/ads/new"), **change}

    assert code(owner.create_table, DatabaseName="ads", TableInput=new) == "InvalidInputException"


def test_an_update_keeps_the_tags_and_makes_a_version(
    lake: World, owner: Any, client: Client
) -> None:
    del lake
    after = table_input(Description="Changed.")
    after["StorageDescriptor"]["Columns"].append({"Name": "Added", "Type": "string"})

    owner.update_table(DatabaseName="ads", TableInput=after, VersionId="0")

    found = client(ANA).get_table(**VISITS)["Table"]
    assert names(found) == ["id", "page", "added", "region", "year"]
    assert (found["Description"], found["VersionId"]) == ("Changed.", "1")


def test_an_update_from_an_old_version_is_refused(owner: Any) -> None:
    owner.update_table(DatabaseName="ads", TableInput=table_input(), VersionId="0")

    assert refusal(owner.update_table, DatabaseName="ads", TableInput=table_input(), VersionId="0")[
        :2
    ] == (
        "ConcurrentModificationException",
        "Update table failed due to concurrent modifications.",
    )


def test_of_writers_from_the_same_version_one_gets_through(owner: Any, client: Client) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(5)
    glues = [client(OWNER) for _ in range(5)]

    def write(number: int) -> None:
        barrier.wait()
        given = table_input(Description=f"by {number}")
        try:
            glues[number].update_table(DatabaseName="ads", TableInput=given, VersionId="0")
            outcomes.append(f"by {number}")
        except owner.exceptions.ConcurrentModificationException:
            outcomes.append("too late")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = (one for one in outcomes if one != "too late")
    assert len(outcomes) == 5
    found = owner.get_table(**VISITS)["Table"]
    assert (found["Description"], found["VersionId"]) == (winner, "1")


def test_to_alter_takes_alter_and_sight_of_all_of_the_table(
    lake: World, owner: Any, client: Client
) -> None:
    del owner
    change = {"DatabaseName": "ads", "TableInput": table_input()}
    refused = (
        "AccessDeniedException",
        "Insufficient Lake Formation permission(s): Required Alter on visits",
    )

    assert refusal(client(ANA).update_table, **change)[:2] == refused
    lake.grant(ADMIN, BOB.arn, on_table(), P.ALTER)
    assert refusal(client(BOB).update_table, **change)[:2] == refused
    lake.grant(ADMIN, BOB.arn, on_table(), P.SELECT)
    client(BOB).update_table(**change)


def test_a_table_moves_only_where_its_mover_may_keep_data(
    lake: World, owner: Any, client: Client
) -> None:
    lake.grant(ADMIN, BOB.arn, on_table(), P.ALTER, P.SELECT)
    moved = {"DatabaseName": "ads", "TableInput": table_input(location="s3://lake/ads/events/x")}

    assert code(client(BOB).update_table, **moved) == "AccessDeniedException"
    elsewhere = table_input(location="s3://salaries/all")
    assert code(owner.update_table, DatabaseName="ads", TableInput=elsewhere) == (
        "AccessDeniedException"
    )
    assert owner.get_table(**VISITS)["Table"]["StorageDescriptor"]["Location"] == AT


def test_a_rename_is_refused(owner: Any) -> None:
    said = code(owner.update_table, DatabaseName="ads", Name="visits", TableInput=table_input("v"))

    assert said == "InvalidInputException"


def test_a_hidden_column_under_another_name_stays_hidden(
    lake: World, owner: Any, client: Client
) -> None:
    """Nothing tells whether `address` is a new column, or `ip_address` itself."""
    table = table_input()
    columns = table["StorageDescriptor"]["Columns"]
    columns[[c["Name"] for c in columns].index("ip_address")]["Name"] = "address"

    owner.update_table(DatabaseName="ads", TableInput=table)

    assert names(client(ANA).get_table(**VISITS)["Table"]) == ["id", "page", "region", "year"]
    assert "address" in names(owner.get_table(**VISITS)["Table"])
    # Until somebody says what it is.
    with lake.desk.lake.changing() as change:
        place = Place(HOME, "ads", "visits", "address")
        change.assign(Assignment(place=place, key="class", value="non-private"))
    assert "address" in names(client(ANA).get_table(**VISITS)["Table"])


def test_a_dropped_table_leaves_no_grant_behind(lake: World, owner: Any, client: Client) -> None:
    lake.grant(ADMIN, BOB.arn, on_table(), P.DROP)

    assert code(client(ANA).delete_table, **VISITS) == "AccessDeniedException"
    client(BOB).delete_table(**VISITS)

    assert lake.grants_to(BOB.arn) == []
    assert code(owner.get_table, **VISITS) == "EntityNotFoundException"
    owner.create_table(DatabaseName="ads", TableInput=table_input())
    assert owner.get_table(**VISITS)["Table"]["VersionId"] == "0"


def test_several_are_dropped_and_those_that_cannot_be_are_told(
    lake: World, owner: Any, client: Client
) -> None:
    del owner
    some = OnColumns(HOME, "ads", "events", frozenset({"id"}))
    lake.grant(ADMIN, BOB.arn, some, P.SELECT)
    lake.grant(ADMIN, BOB.arn, on_table(), P.DROP)

    done = client(BOB).batch_delete_table(
        DatabaseName="ads", TablesToDelete=["visits", "events", "clicks", "none"]
    )

    assert [(e["TableName"], e["ErrorDetail"]["ErrorCode"]) for e in done["Errors"]] == [
        ("events", "AccessDeniedException"),
        ("clicks", "EntityNotFoundException"),
        ("none", "EntityNotFoundException"),
    ]
    assert done["Errors"][1]["ErrorDetail"]["ErrorMessage"] == "Table clicks not found."


def test_changes_and_refusals_are_on_record(lake: World, owner: Any, client: Client) -> None:
    code(client(ANA).delete_table, **VISITS)
    owner.delete_table(**VISITS)

    records = [e.record for e in lake.trail.entries(resource=f"table {HOME}/ads.visits")]
    assert [
        (r.event.principal, r.event.action, r.event.outcome) for r in records if r and r.intent
    ] == [
        (OWNER.arn, "glue:DeleteTable", AuditOutcome.DONE),
        (ANA.arn, "glue:DeleteTable", AuditOutcome.REFUSED),
        (OWNER.arn, "glue:CreateTable", AuditOutcome.DONE),
    ]
