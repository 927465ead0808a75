"""The published advertising lake, set up by unmodified boto3: two rules instead of hundreds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors.lakeformation.asking import DATABASE, TABLE, columns, named, pair, policy, shown
from tests.doors.lakeformation.conftest import Client, key_of
from tests.doors.running import SECRET, Door
from tests.flows.lakes import ADMIN, ANA, BOB, CLICKS, EVENTS, HOME, World

INTERNAL = {"class": "non-private", "owner": "internal"}


@pytest.fixture
def admin(served: Door) -> Any:
    """The administrator, who has set up the lake for the analyst."""
    lf = served.boto3(key_of(ADMIN), SECRET, service="lakeformation", attempts=6)
    lf.create_lf_tag(TagKey="Class", TagValues=["private", "Non-Private"])
    lf.create_lf_tag(TagKey="owner", TagValues=["internal", "partner"])
    for key in INTERNAL:
        lf.grant_permissions(
            Principal=named(ADMIN.arn),
            Resource={"LFTag": {"TagKey": key, "TagValues": ["*"]}},
            Permissions=["ASSOCIATE"],
        )
    for where, tags in (
        (DATABASE, INTERNAL),
        (columns("ip_address"), {"class": "private"}),
    ):
        done = lf.add_lf_tags_to_resource(
            Resource=where, LFTags=[pair(k, v) for k, v in tags.items()]
        )
        assert done["Failures"] == []
    for kind, permission in (("DATABASE", "DESCRIBE"), ("TABLE", "SELECT")):
        lf.grant_permissions(
            Principal=named(ANA.arn),
            Resource=policy(kind, **INTERNAL),
            Permissions=[permission],
        )
    return lf


def test_two_rules_open_all_but_what_is_private(lake: World, admin: Any) -> None:
    del admin
    assert lake.sees(ANA, EVENTS) == ["id", "ts", "spend"]
    assert lake.sees(ANA, CLICKS) == ["id", "ts", "ip_address", "spend"]
    assert lake.sees(BOB) == []


def test_all_layers_of_a_tables_tags_are_told(admin: Any) -> None:
    every = [shown("class", "non-private"), shown("owner", "internal")]
    private = [shown("class", "private"), shown("owner", "internal")]

    inherited = admin.get_resource_lf_tags(Resource=TABLE)
    assigned = admin.get_resource_lf_tags(Resource=TABLE, ShowAssignedLFTags=True)
    one = admin.get_resource_lf_tags(Resource=columns("ip_address"), ShowAssignedLFTags=True)

    assert inherited["LFTagOnDatabase"] == inherited["LFTagsOnTable"] == every
    assert [(c["Name"], c["LFTags"]) for c in inherited["LFTagsOnColumns"]] == [
        ("id", every),
        ("ts", every),
        ("ip_address", private),
        ("spend", every),
    ]
    assert assigned["LFTagOnDatabase"] == every
    assert "LFTagsOnTable" not in assigned
    assert assigned["LFTagsOnColumns"] == one["LFTagsOnColumns"]
    assert one["LFTagsOnColumns"] == [{"Name": "ip_address", "LFTags": [shown("class", "private")]}]


def test_the_analysts_permissions_are_told_without_what_is_hidden(
    admin: Any, client: Client
) -> None:
    told = admin.list_permissions(Principal=named(ANA.arn), Resource=TABLE)
    own = client(ANA).list_permissions(Principal=named(ANA.arn), Resource=TABLE)

    expected = [
        ({"Table"}, ["DESCRIBE"]),
        ({"TableWithColumns"}, ["SELECT"]),
    ]
    for answer in (told, own):
        entries = answer["PrincipalResourcePermissions"]
        assert [(set(e["Resource"]), e["Permissions"]) for e in entries] == expected
        assert entries[1]["Resource"]["TableWithColumns"]["ColumnNames"] == ["id", "spend", "ts"]


def test_a_whole_table_is_told_with_the_wildcard(admin: Any) -> None:
    clicks = {"Table": {"DatabaseName": "ads", "Name": "clicks"}}

    entries = admin.list_permissions(Principal=named(ANA.arn), Resource=clicks)

    assert entries["PrincipalResourcePermissions"][1]["Resource"] == {
        "TableWithColumns": {
            "CatalogId": HOME,
            "DatabaseName": "ads",
            "Name": "clicks",
            "ColumnWildcard": {},
        }
    }


def test_searches_find_what_the_tags_say(admin: Any, client: Client) -> None:
    private = [{"TagKey": "class", "TagValues": ["private"]}]

    tables = admin.search_tables_by_lf_tags(Expression=private)["TableList"]
    databases = admin.search_databases_by_lf_tags(
        Expression=[{"TagKey": "owner", "TagValues": ["internal"]}]
    )["DatabaseList"]

    assert [t["Table"]["Name"] for t in tables] == ["events"]
    assert databases == [
        {
            "Database": {"CatalogId": HOME, "Name": "ads"},
            "LFTags": [shown("class", "non-private"), shown("owner", "internal")],
        }
    ]
    admin.grant_permissions(
        Principal=named(ANA.arn),
        Resource={"LFTag": {"TagKey": "class", "TagValues": ["*"]}},
        Permissions=["DESCRIBE"],
    )
    assert client(ANA).search_tables_by_lf_tags(Expression=private)["TableList"] == []


def test_an_override_that_is_removed_shows_the_column(lake: World, admin: Any) -> None:
    done = admin.remove_lf_tags_from_resource(
        Resource=columns("ip_address"), LFTags=[pair("CLASS", "Private")]
    )

    assert done["Failures"] == []
    assert "ip_address" in lake.sees(ANA)
