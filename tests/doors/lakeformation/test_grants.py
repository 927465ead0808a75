"""Granting, revoking and listing through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from lakeveil.core.access.grants import OnColumns
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_grants import grant_masked, grant_until
from tests.doors.lakeformation.asking import (
    DATABASE,
    TABLE,
    code,
    columns,
    named,
    policy,
    refusal,
)
from tests.doors.lakeformation.conftest import Client
from tests.flows.lakes import (
    ADMIN,
    ANA,
    ANALYSTS,
    BOB,
    CARL,
    HOME,
    OTHER,
    OWNER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    on_table,
)

NOT_HELD = "No permissions revoked."


def grant(client: Any, to: str, resource: dict[str, Any], *permissions: str, **more: Any) -> None:
    client.grant_permissions(
        Principal=named(to), Resource=resource, Permissions=list(permissions), **more
    )


def listed(client: Any, **params: Any) -> list[tuple[str, str, list[str], list[str]]]:
    """Principal, kind of resource, permissions, grant option."""
    return [
        (
            e["Principal"]["DataLakePrincipalIdentifier"],
            next(iter(e["Resource"])),
            e["Permissions"],
            e["PermissionsWithGrantOption"],
        )
        for e in client.list_permissions(**params)["PrincipalResourcePermissions"]
    ]


def test_a_grant_is_made_listed_and_revoked(lake: World, client: Client) -> None:
    admin = client(ADMIN)
    grant(admin, ANA.arn, TABLE, "SELECT", "INSERT", PermissionsWithGrantOption=["SELECT"])
    assert lake.decision(ANA).full_read

    [entry] = admin.list_permissions()["PrincipalResourcePermissions"]
    assert entry["Resource"] == {
        "Table": {"CatalogId": HOME, "DatabaseName": "ads", "Name": "events"}
    }
    assert entry["Permissions"] == ["INSERT", "SELECT"]
    assert entry["PermissionsWithGrantOption"] == ["SELECT"]
    assert entry["LastUpdatedBy"] == ADMIN.arn
    assert entry["LastUpdated"].timestamp() == lake.clock.now()
    assert "AdditionalDetails" not in entry

    admin.revoke_permissions(
        Principal=named(ANA.arn), Resource=TABLE, Permissions=["SELECT", "INSERT"]
    )
    assert listed(admin) == []


def test_names_are_folded_and_a_wildcard_without_exclusions_is_the_table(
    lake: World, client: Client
) -> None:
    every = {"TableWithColumns": {"DatabaseName": "ADS", "Name": "Events", "ColumnWildcard": {}}}
    grant(client(ADMIN), ANA.arn, every, "SELECT")
    grant(client(ADMIN), BOB.arn, columns("ID", "Ts"), "SELECT")

    assert lake.decision(ANA).full_read
    assert lake.sees(BOB) == ["id", "ts"]


def test_each_entry_of_a_batch_stands_for_itself(lake: World, client: Client) -> None:
    admin = client(ADMIN)
    entry = {"Principal": named(ANA.arn), "Resource": TABLE, "Permissions": ["SELECT"]}
    entries = [
        {"Id": "1", **entry, "PermissionsWithGrantOption": ["SELECT"]},
        {"Id": "2", **entry, "Principal": named("IAM_ALLOWED_PRINCIPALS")},
        {"Id": "3", "Principal": named(ANA.arn)},
        {"Id": "4", **entry, "Resource": {"Database": {"Name": "nowhere"}}},
    ]

    failures = admin.batch_grant_permissions(Entries=entries)["Failures"]

    assert [(f["RequestEntry"]["Id"], f["Error"]["ErrorCode"]) for f in failures] == [
        ("2", "InvalidInputException"),
        ("3", "InvalidInputException"),
        ("4", "InvalidInputException"),
    ]
    [held] = lake.grants_to(ANA.arn)
    assert held.grantable == {P.SELECT}
    done = admin.batch_revoke_permissions(Entries=[entries[0], {"Id": "5", **entry}])
    assert [f["RequestEntry"]["Id"] for f in done["Failures"]] == ["5"]
    assert lake.grants_to(ANA.arn) == []


def test_a_batch_has_at_most_twenty_entries_with_an_id_each(client: Client) -> None:
    admin = client(ADMIN)
    entry = {"Principal": named(ANA.arn), "Resource": TABLE, "Permissions": ["SELECT"]}

    many = [{"Id": str(n), **entry} for n in range(21)]
    assert code(admin.batch_grant_permissions, Entries=many) == "InvalidInputException"
    twice = [{"Id": "1", **entry}] * 2
    assert code(admin.batch_revoke_permissions, Entries=twice) == "InvalidInputException"


def test_refusals_have_the_services_codes(client: Client) -> None:
    admin, ana = client(ADMIN), client(ANA)
    asked = {"Principal": named(BOB.arn), "Permissions": ["SELECT"]}
    unknown = {"Table": {"DatabaseName": "ads", "Name": "nowhere"}}

    assert refusal(ana.grant_permissions, Resource=TABLE, **asked) == refusal(
        ana.grant_permissions, Resource=unknown, **asked
    )
    assert refusal(admin.grant_permissions, Resource=unknown, **asked) == (
        "EntityNotFoundException",
        "Table not found.",
        400,
    )
    grant(admin, ANA.arn, TABLE, "DESCRIBE")
    assert refusal(ana.grant_permissions, Resource=TABLE, **asked) == (
        "AccessDeniedException",
        "Resource does not exist or requester is not authorized to access requested permissions.",
        403,
    )
    assert refusal(admin.revoke_permissions, Resource=TABLE, **asked) == (
        "InvalidInputException",
        f"{NOT_HELD} Grantee has no permissions and no grantable permissions on resource.",
        400,
    )
    both = {"TableWithColumns": {**columns("id")["TableWithColumns"], "ColumnWildcard": {}}}
    for resource in (
        both,
        {"Table": {"DatabaseName": "ads"}},
        {"UserDefinedFunction": {"DatabaseName": "ads", "Name": "f"}},
    ):
        assert code(admin.grant_permissions, Resource=resource, **asked) == "InvalidInputException"


@pytest.mark.parametrize(
    "change",
    [
        {"Condition": {"Expression": "true"}},
        {"Permissions": ["SUPER_USER"]},
        {"Permissions": []},
        {"Principal": {}},
        {"PermissionsWithGrantOption": ["INSERT"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_served_is_refused(refusing: Any, change: dict[str, Any]) -> None:
    asked = {"Principal": named(ANA.arn), "Resource": TABLE, "Permissions": ["SELECT"], **change}

    assert code(refusing.grant_permissions, **asked) == "InvalidInputException"


def test_everybody_sees_the_grants_that_concern_them(client: Client) -> None:
    admin = client(ADMIN)
    grant(admin, ANA.arn, TABLE, "SELECT")
    grant(admin, ANALYSTS, DATABASE, "DESCRIBE")
    grant(admin, BOB.arn, TABLE, "DESCRIBE")
    grant(admin, OTHER, TABLE, "SELECT", PermissionsWithGrantOption=["SELECT"])
    grant(client(THEIR_ADMIN), CARL.arn, {"Table": {"CatalogId": HOME, **TABLE["Table"]}}, "SELECT")

    def to(who: Any, **params: Any) -> list[str]:
        return [entry[0] for entry in listed(client(who), **params)]

    everything = [ANA.arn, ANALYSTS, BOB.arn, OTHER]
    assert to(ADMIN) == to(READER) == everything
    assert to(OWNER) == []
    assert to(OWNER, Resource=TABLE) == [ANA.arn, BOB.arn, OTHER]
    assert to(ANA) == [ANA.arn, ANALYSTS]
    assert to(BOB) == [BOB.arn]
    assert to(THEIR_ADMIN) == [OTHER, CARL.arn]
    assert to(THEIR_ADMIN, CatalogId=HOME) == [OTHER]
    assert to(CARL) == [CARL.arn]
    assert to(ADMIN, CatalogId=OTHER) == []


def test_lists_can_be_narrowed(client: Client) -> None:
    admin = client(ADMIN)
    grant(admin, ANA.arn, TABLE, "SELECT")
    grant(admin, BOB.arn, columns("id"), "SELECT")
    grant(admin, BOB.arn, DATABASE, "DESCRIBE")
    admin.create_lf_tag(TagKey="class", TagValues=["a"])
    grant(admin, BOB.arn, policy("TABLE", **{"class": "a"}), "SELECT")
    admin.create_data_cells_filter(
        TableData={
            "TableCatalogId": HOME,
            "DatabaseName": "ads",
            "TableName": "events",
            "Name": "f",
            "ColumnNames": ["id"],
            "RowFilter": {"AllRowsWildcard": {}},
        }
    )
    on_filter = {
        "DataCellsFilter": {
            "TableCatalogId": HOME,
            "DatabaseName": "ads",
            "TableName": "events",
            "Name": "f",
        }
    }
    grant(admin, BOB.arn, on_filter, "SELECT")

    def kinds(**params: Any) -> list[str]:
        return [entry[1] for entry in listed(admin, **params)]

    assert kinds(Resource=TABLE) == ["Table", "TableWithColumns"]
    assert kinds(Resource=TABLE, IncludeRelated="TRUE") == [
        "Table",
        "TableWithColumns",
        "DataCellsFilter",
    ]
    assert kinds(Principal=named(BOB.arn), ResourceType="DATABASE") == ["Database"]
    assert kinds(ResourceType="LF_TAG_POLICY") == ["LFTagPolicy"]
    assert kinds(ResourceType="LF_TAG_POLICY_TABLE") == ["LFTagPolicy"]
    assert kinds(ResourceType="LF_TAG_POLICY_DATABASE") == kinds(ResourceType="CATALOG") == []
    assert kinds(Principal=named("IAM_ALLOWED_PRINCIPALS"), Resource=TABLE) == []
    sizes, token = list[int](), dict[str, str]()
    while not sizes or token:
        page = admin.list_permissions(MaxResults=2, **token)
        sizes.append(len(page["PrincipalResourcePermissions"]))
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert sizes == [2, 2, 1]


def test_effective_permissions_are_those_of_all_that_speaks_for_somebody(client: Client) -> None:
    admin = client(ADMIN)
    grant(admin, ANALYSTS, TABLE, "INSERT", "SELECT", PermissionsWithGrantOption=["INSERT"])
    grant(admin, ANALYSTS, DATABASE, "CREATE_TABLE")

    assert listed(admin, Principal=named(ANA.arn), Resource=TABLE) == [
        (ANA.arn, "Table", ["DESCRIBE", "INSERT"], ["DESCRIBE", "INSERT"]),
        (ANA.arn, "TableWithColumns", ["SELECT"], []),
    ]
    assert listed(admin, Principal=named(ANA.arn), Resource=DATABASE) == [
        (ANA.arn, "Database", ["CREATE_TABLE", "DESCRIBE"], [])
    ]
    assert listed(admin, Principal=named(BOB.arn), Resource=TABLE) == []
    owner = listed(client(OWNER), Principal=named(OWNER.arn), Resource=TABLE)
    assert owner[1] == (OWNER.arn, "TableWithColumns", ["SELECT"], ["SELECT"])
    # What a colleague may do is no business of an analyst's.
    grant(admin, BOB.arn, TABLE, "DESCRIBE")
    asked = {"Principal": named(ANA.arn), "Resource": TABLE}
    assert code(client(BOB).list_permissions, **asked) == "AccessDeniedException"


def test_a_grant_does_not_show_its_holder_the_columns_it_leaves_out(client: Client) -> None:
    without = {
        "TableWithColumns": {
            "DatabaseName": "ads",
            "Name": "events",
            "ColumnWildcard": {"ExcludedColumnNames": ["ip_address"]},
        }
    }
    grant(client(ADMIN), ANA.arn, without, "SELECT")

    def wildcard(who: Any) -> Any:
        [entry] = client(who).list_permissions()["PrincipalResourcePermissions"]
        return entry["Resource"]["TableWithColumns"]["ColumnWildcard"]

    assert wildcard(ADMIN) == {"ExcludedColumnNames": ["ip_address"]}
    assert wildcard(ANA) == {}


def test_a_grant_on_what_is_closed_is_not_shown_to_its_holder(client: Client) -> None:
    grant(client(ADMIN), ANA.arn, TABLE, "SELECT")
    assert len(listed(client(ANA))) == 1

    client(ADMIN).deregister_resource(ResourceArn="arn:aws:s3:::lake/ads")

    assert listed(client(ANA)) == []
    assert len(listed(client(ADMIN))) == 1


def test_a_mask_is_never_listed_as_select_and_an_expiry_is_told(
    lake: World, client: Client
) -> None:
    select = frozenset({P.SELECT})
    column = OnColumns(HOME, "ads", "events", frozenset({"ip_address"}))
    grant_masked(
        Asked(principal=ANA.arn, resource=column, permissions=select),
        Mask(MaskKind.LAST_FOUR),
        call=lake.call(ADMIN),
        desk=lake.desk,
    )
    grant_until(
        Asked(principal=BOB.arn, resource=on_table(), permissions=select),
        1_800_000_000.0,
        call=lake.call(ADMIN),
        desk=lake.desk,
    )
    admin = client(ADMIN)

    masked, ending = admin.list_permissions()["PrincipalResourcePermissions"]

    assert (masked["Permissions"], masked["AdditionalDetails"]) == (
        [],
        {"ResourceShare": ["mask:last-four"]},
    )
    assert (ending["Permissions"], ending["AdditionalDetails"]) == (
        ["SELECT"],
        {"ResourceShare": ["expires:2027-01-15T08:00:00Z"]},
    )
    assert listed(admin, Principal=named(ANA.arn), Resource=TABLE) == [
        (ANA.arn, "Table", ["DESCRIBE"], [])
    ]
    lake.clock.sleep(200_000_000)
    assert len(listed(admin)) == 1


def test_permissions_of_a_path_are_those_of_the_tables_and_the_location(client: Client) -> None:
    admin = client(ADMIN)
    grant(admin, ANA.arn, TABLE, "SELECT")
    grant(admin, BOB.arn, DATABASE, "DESCRIBE")
    place = "arn:aws:s3:::lake/ads"
    grant(admin, BOB.arn, {"DataLocation": {"ResourceArn": place}}, "DATA_LOCATION_ACCESS")

    def at(who: Any, path: str) -> list[str]:
        found = client(who).get_effective_permissions_for_path(ResourceArn=path)["Permissions"]
        return [next(iter(entry["Resource"])) for entry in found]

    assert at(ADMIN, place) == at(ADMIN, f"{place}/events") == ["Table", "DataLocation"]
    assert at(ADMIN, f"{place}/clicks") == ["DataLocation"]
    assert at(ANA, place) == ["Table"]
    hidden = refusal(client(ANA).get_effective_permissions_for_path, ResourceArn=f"{place}/clicks")
    absent = refusal(
        client(ANA).get_effective_permissions_for_path, ResourceArn="arn:aws:s3:::none/x"
    )
    assert hidden == absent
    assert hidden[0] == "EntityNotFoundException"
