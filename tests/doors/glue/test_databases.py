"""Databases: who may make, see, change and drop them, and the plain tags on them."""

from __future__ import annotations

from typing import Any

import pytest

from lakeveil.core.access.grants import OnCatalog, OnLocation
from lakeveil.ports.lake import Location
from tests.doors.glue.asking import ON_ADS, on_table, publish
from tests.doors.glue.conftest import REGION, Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    CARL,
    HOME,
    OTHER,
    OWNER,
    THEIR_ADMIN,
    P,
    World,
)

ARN = f"arn:aws:glue:{REGION}:{HOME}:database"


def test_who_creates_a_database_owns_it(lake: World, client: Client) -> None:
    new = {"Name": "Sales", "Description": "All of it.", "Parameters": {"team": "s"}}
    glue = client(BOB)

    said = refusal(glue.create_database, DatabaseInput=new)
    assert said[:2] == (
        "AccessDeniedException",
        "Insufficient Lake Formation permission(s): Required Create Database on Catalog",
    )
    lake.grant(ADMIN, BOB.arn, OnCatalog(HOME), P.CREATE_DATABASE)
    glue.create_database(DatabaseInput=new)

    found = glue.get_database(Name="SALES")["Database"]
    assert (found["Name"], found["Description"]) == ("sales", "All of it.")
    assert (found["Parameters"], found["CatalogId"]) == ({"team": "s"}, HOME)
    assert found["CreateTableDefaultPermissions"] == []
    assert refusal(glue.create_database, DatabaseInput=new)[:2] == (
        "AlreadyExistsException",
        "Database already exists.",
    )
    assert code(client(ANA).get_database, Name="sales") == "EntityNotFoundException"
    glue.delete_database(Name="sales")
    assert code(glue.get_database, Name="sales") == "EntityNotFoundException"


def test_a_databases_location_is_given_like_a_tables(lake: World, client: Client) -> None:
    lake.grant(ADMIN, BOB.arn, OnCatalog(HOME), P.CREATE_DATABASE)
    new = {"Name": "sales", "LocationUri": "s3://lake/ads/sales"}
    glue = client(BOB)

    assert code(glue.create_database, DatabaseInput=new) == "AccessDeniedException"
    lake.grant(ADMIN, BOB.arn, OnLocation(HOME, "s3://lake/ads"), P.DATA_LOCATION_ACCESS)
    glue.create_database(DatabaseInput=new)
    # Whoever could move it, could make tables there without being asked.
    moved = {"Name": "sales", "LocationUri": "s3://salaries"}
    said = code(glue.update_database, Name="sales", DatabaseInput=moved)
    assert said == "AccessDeniedException"
    elsewhere = {"Name": "hr", "LocationUri": "s3://salaries"}
    assert code(client(ADMIN).create_database, DatabaseInput=elsewhere) == "InvalidInputException"


def test_its_path_is_for_those_who_make_tables_there(lake: World, client: Client) -> None:
    with lake.desk.lake.changing() as change:
        change.put_location(Location(account=HOME, location="s3://lake"))
    lake.grant(ADMIN, OWNER.arn, OnLocation(HOME, "s3://lake"), P.DATA_LOCATION_ACCESS)
    given = {"Name": "ads", "LocationUri": "s3://lake/acme/"}
    client(OWNER).update_database(Name="ads", DatabaseInput=given)
    lake.grant(ADMIN, ANA.arn, ON_ADS, P.DESCRIBE)

    for who in (OWNER, ADMIN):
        assert client(who).get_database(Name="ads")["Database"]["LocationUri"] == "s3://lake/acme/"
    assert "LocationUri" not in client(ANA).get_database(Name="ads")["Database"]
    lake.grant(ADMIN, ANA.arn, ON_ADS, P.CREATE_TABLE)
    assert "LocationUri" in client(ANA).get_database(Name="ads")["Database"]


def test_a_database_is_listed_for_those_who_may_know_of_it(lake: World, client: Client) -> None:
    def listed(who: Any, **more: Any) -> list[str]:
        return [d["Name"] for d in client(who).get_databases(**more)["DatabaseList"]]

    assert (listed(ADMIN), listed(OWNER), listed(ANA)) == (["ads"], ["ads"], [])
    publish(lake)
    assert listed(ANA) == ["ads"]
    assert listed(ANA, AttributesToGet=["NAME"]) == ["ads"]
    lake.grant(ADMIN, BOB.arn, on_table("events"), P.SELECT)
    assert listed(BOB) == ["ads"]


def test_what_other_accounts_share_is_listed_when_asked_for(lake: World, client: Client) -> None:
    lake.grant(ADMIN, CARL.arn, ON_ADS, P.DESCRIBE)

    def listed(who: Any, **more: Any) -> list[str]:
        return [d["CatalogId"] for d in client(who).get_databases(**more)["DatabaseList"]]

    assert listed(CARL) == []
    assert listed(CARL, ResourceShareType="FOREIGN") == [HOME]
    assert listed(CARL, ResourceShareType="ALL", CatalogId=OTHER) == [HOME]
    assert listed(CARL, CatalogId=HOME) == [HOME]
    assert listed(THEIR_ADMIN, ResourceShareType="ALL") == []
    assert client(CARL).get_database(CatalogId=HOME, Name="ads")["Database"]["Name"] == "ads"


def test_an_update_takes_alter_and_keeps_what_is_not_sent(lake: World, client: Client) -> None:
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.ALTER)
    given = {"Name": "ads", "Description": "New."}
    client(OWNER).tag_resource(ResourceArn=f"{ARN}/ads", TagsToAdd={"cost": "7"})

    assert code(client(ANA).update_database, Name="ads", DatabaseInput=given) == (
        "EntityNotFoundException"
    )
    lake.grant(ADMIN, ANA.arn, ON_ADS, P.DESCRIBE)
    assert code(client(ANA).update_database, Name="ads", DatabaseInput=given) == (
        "AccessDeniedException"
    )
    client(BOB).update_database(Name="ads", DatabaseInput=given)

    assert client(BOB).get_database(Name="ads")["Database"]["Description"] == "New."
    assert client(BOB).get_tags(ResourceArn=f"{ARN}/ads")["Tags"] == {"cost": "7"}
    renamed = {"Name": "other"}
    said = code(client(BOB).update_database, Name="ads", DatabaseInput=renamed)
    assert said == "InvalidInputException"


def test_a_database_goes_with_its_tables_only_if_each_of_them_may_go(
    lake: World, client: Client
) -> None:
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.DROP)
    lake.grant(ADMIN, BOB.arn, on_table("events"), P.DROP)

    assert refusal(client(BOB).delete_database, Name="ads")[:2] == (
        "AccessDeniedException",
        "Insufficient Lake Formation permission(s): Required Drop on database ads",
    )
    lake.grant(ADMIN, BOB.arn, on_table("clicks"), P.DROP)
    client(BOB).delete_database(Name="ads")

    assert lake.grants_to(BOB.arn) == []
    assert list(lake.desk.lake.tables(HOME)) == []


def test_plain_tags_decide_nothing_and_take_alter(lake: World, client: Client) -> None:
    arn = {"ResourceArn": f"{ARN}/ads"}
    owner = client(OWNER)

    owner.tag_resource(**arn, TagsToAdd={"cost": "7", "team": "ads"})
    owner.untag_resource(**arn, TagsToRemove=["team", "none"])

    assert client(ADMIN).get_tags(**arn)["Tags"] == {"cost": "7"}
    assert code(client(ADMIN).tag_resource, **arn, TagsToAdd={}) == "AccessDeniedException"
    assert code(client(ANA).get_tags, **arn) == "EntityNotFoundException"
    assert code(client(ANA).tag_resource, **arn, TagsToAdd={}) == "EntityNotFoundException"
    many = {f"k{number}": "" for number in range(50)}
    assert code(owner.tag_resource, **arn, TagsToAdd=many) == "InvalidInputException"
    table = {"ResourceArn": f"arn:aws:glue:{REGION}:{HOME}:table/ads/events"}
    assert code(owner.get_tags, **table) == "InvalidInputException"
    del lake


@pytest.mark.parametrize(
    "given",
    [
        {"Name": "a.b"},
        {"Name": "a/b"},
        {"Name": "x", "LocationUri": "/tmp/x"},
        {"Name": "x", "TargetDatabase": {"CatalogId": OTHER, "DatabaseName": "y"}},
        {
            "Name": "x",
            "CreateTableDefaultPermissions": [
                {
                    "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"},
                    "Permissions": ["ALL"],
                }
            ],
        },
    ],
)
def test_what_is_invalid_is_refused(client: Client, given: dict[str, Any]) -> None:
    said = code(client(ADMIN).create_database, DatabaseInput=given)

    assert said == "InvalidInputException"


def test_an_empty_default_is_no_default(lake: World, client: Client) -> None:
    lake.grant(ADMIN, BOB.arn, OnCatalog(HOME), P.CREATE_DATABASE)

    client(BOB).create_database(DatabaseInput={"Name": "x", "CreateTableDefaultPermissions": []})


def test_nobody_creates_in_another_accounts_catalog(client: Client) -> None:
    new = {"Name": "x"}

    assert code(client(ADMIN).create_database, CatalogId=OTHER, DatabaseInput=new) == (
        "AccessDeniedException"
    )
    assert code(client(ADMIN).create_database, CatalogId="x", DatabaseInput=new) == (
        "InvalidInputException"
    )


def test_what_clients_ask_first_is_answered(client: Client) -> None:
    glue = client(OWNER)

    assert glue.get_catalog_import_status()["ImportStatus"] == {"ImportCompleted": True}
    asked = {"DatabaseName": "ads", "Pattern": "*"}
    assert glue.get_user_defined_functions(**asked)["UserDefinedFunctions"] == []
    assert code(client(ANA).get_user_defined_functions, **asked) == "EntityNotFoundException"
