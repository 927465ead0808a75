"""Granting: who may pass on what, and what cannot be granted."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import (
    DataCellsFilter,
    OnCatalog,
    OnDatabase,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TagPolicy,
)
from lakeveil.core.access.tags import Expression
from lakeveil.core.identity.arns import iam_principals
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.flows import change_grants
from lakeveil.flows.change_filters import create_filter
from tests.flows.lakes import (
    ADMIN,
    ANA,
    ANALYSTS,
    BOB,
    CARL,
    DATABASE,
    EVENTS,
    HOME,
    OWNER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    columns,
    on_table,
)

ALL = frozenset({"*"})
NOT_YOURS = "requester is not authorized"
PUBLIC = Expression.of({"class": ["public"]})


# Who may grant


def test_an_administrator_grants_anything_to_anybody_itself_included(lake: World) -> None:
    lake.grant(ADMIN, ADMIN.arn, on_table(), P.SELECT)

    assert len(lake.sees(ADMIN)) == 4


@pytest.mark.parametrize("who", [READER, ANA, CARL, THEIR_ADMIN], ids=lambda one: one.arn)
def test_nobody_else_grants_what_they_do_not_hold(lake: World, who: Principal) -> None:
    with pytest.raises((Refused, NotFound)):
        lake.grant(who, who.arn, on_table(), P.SELECT)

    assert lake.sees(ANA) == []


def test_the_owner_grants_all_of_its_table_and_none_of_what_others_made(lake: World) -> None:
    lake.grant(OWNER, ANA.arn, on_table(), P.ALL, option=(P.ALL,))

    assert lake.decision(ANA).full_read
    with pytest.raises(Refused, match=NOT_YOURS):
        # Every table of the database, future ones of other people too.
        lake.grant(OWNER, ANA.arn, OnTable(HOME, "ads", None), P.SELECT)


def test_a_holder_passes_on_what_it_has_the_option_for(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT, P.INSERT, option=(P.SELECT,))

    lake.grant(ANA, BOB.arn, on_table(), P.SELECT)

    assert lake.decision(BOB).full_read
    with pytest.raises(Refused, match=NOT_YOURS):
        lake.grant(ANA, BOB.arn, on_table(), P.INSERT)
    with pytest.raises(Refused, match=NOT_YOURS):
        lake.grant(BOB, ANALYSTS, on_table(), P.SELECT)


def test_who_holds_some_columns_passes_on_those_and_no_others(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, columns("id", "ts"), P.SELECT, option=(P.SELECT,))

    lake.grant(ANA, BOB.arn, columns("id"), P.SELECT)

    assert lake.sees(BOB) == ["id"]
    with pytest.raises(UsageError, match="non-existent column"):
        lake.grant(ANA, BOB.arn, columns("id", "spend"), P.SELECT)
    for more in (columns("id", excluding=True), on_table()):
        with pytest.raises(Refused, match=NOT_YOURS):
            lake.grant(ANA, BOB.arn, more, P.SELECT)


def test_what_is_hidden_and_what_is_absent_are_answered_alike(lake: World) -> None:
    def answer(resource: Resource) -> str:
        with pytest.raises((NotFound, UsageError)) as refused:
            lake.grant(ANA, BOB.arn, resource, P.SELECT)
        return f"{type(refused.value).__name__} {refused.value}"

    assert answer(on_table()) == answer(OnTable(HOME, "ads", "nowhere"))
    assert answer(OnTable(HOME, "ads", None)) == answer(OnTable(HOME, "nowhere", None))
    lake.grant(ADMIN, ANA.arn, columns("id"), P.SELECT)
    hidden, absent = answer(columns("ip_address")), answer(columns("nowhere"))
    assert hidden.replace("ip_address", "X") == absent.replace("nowhere", "X")


def test_a_right_that_was_revoked_meanwhile_no_longer_grants(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT, option=(P.SELECT,))
    lake.revoke(ADMIN, ANA.arn, on_table(), P.SELECT)

    with pytest.raises(NotFound):
        lake.grant(ANA, BOB.arn, on_table(), P.SELECT)


def test_grants_on_databases_catalogs_and_locations_take_the_option_too(lake: World) -> None:
    place = OnLocation(HOME, "s3://lake/ads")
    lake.grant(ADMIN, ANA.arn, DATABASE, P.DESCRIBE, P.CREATE_TABLE, option=(P.DESCRIBE,))
    lake.grant(
        ADMIN,
        ANA.arn,
        OnCatalog(HOME),
        P.CREATE_DATABASE,
        P.CREATE_LF_TAG,
        option=(P.CREATE_LF_TAG,),
    )
    lake.grant(ADMIN, ANA.arn, place, P.DATA_LOCATION_ACCESS, option=(P.DATA_LOCATION_ACCESS,))

    lake.grant(ANA, BOB.arn, DATABASE, P.DESCRIBE)
    lake.grant(ANA, BOB.arn, OnCatalog(HOME), P.CREATE_LF_TAG)
    lake.grant(ANA, BOB.arn, place, P.DATA_LOCATION_ACCESS)

    for resource, permission in (
        (DATABASE, P.CREATE_TABLE),
        (OnCatalog(HOME), P.CREATE_DATABASE),
    ):
        with pytest.raises(Refused, match=NOT_YOURS):
            lake.grant(ANA, BOB.arn, resource, permission)
    with pytest.raises(Refused, match=NOT_YOURS):
        lake.grant(BOB, ANALYSTS, place, P.DATA_LOCATION_ACCESS)


def test_what_lies_under_no_registered_location_cannot_be_granted(lake: World) -> None:
    for place in ("s3://elsewhere/x", "s3://lake", "s3://lake/adsense"):
        with pytest.raises(NotFound, match="Location"):
            lake.grant(ADMIN, ANA.arn, OnLocation(HOME, place), P.DATA_LOCATION_ACCESS)
    lake.grant(ADMIN, ANA.arn, OnLocation(HOME, "s3://lake/ads/2026"), P.DATA_LOCATION_ACCESS)


def test_filters_are_granted_by_whom_all_of_the_table_is_to_pass_on(lake: World) -> None:
    us = OnFilter(HOME, "ads", "events", "us")
    create_filter(
        DataCellsFilter(table=EVENTS, name="us", named=frozenset({"id"}), rows="spend > 10"),
        call=lake.call(OWNER),
        desk=lake.desk,
    )

    lake.grant(OWNER, ANA.arn, us, P.SELECT)

    [column] = lake.decision(ANA).shown()
    assert (column.name, column.visible.text()) == ("id", "(spend > 10)")
    with pytest.raises(Refused, match=NOT_YOURS):
        lake.grant(ANA, BOB.arn, us, P.SELECT)


# Tag policies


def test_a_policy_is_passed_on_only_as_the_same_expression(public_lake: World) -> None:
    policy = TagPolicy(HOME, PolicyKind.TABLE, PUBLIC)
    public_lake.grant(ADMIN, ANA.arn, policy, P.SELECT, option=(P.SELECT,))

    public_lake.grant(ANA, BOB.arn, policy, P.SELECT)

    assert len(public_lake.sees(BOB)) == 4
    public_lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)
    narrower = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["private"]}))
    for other in (narrower, TagPolicy(HOME, PolicyKind.DATABASE, PUBLIC)):
        with pytest.raises(Refused, match=NOT_YOURS):
            public_lake.grant(ANA, BOB.arn, other, P.DESCRIBE)


def test_who_may_grant_with_each_tag_grants_with_an_expression_of_them(public_lake: World) -> None:
    policy = TagPolicy(HOME, PolicyKind.TABLE, PUBLIC)
    values = frozenset({"public"})
    with pytest.raises(NotFound, match="Tag or tag value"):
        public_lake.grant(ANA, BOB.arn, policy, P.SELECT)
    public_lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", values), P.GRANT_WITH_LF_TAG_EXPRESSION)

    public_lake.grant(ANA, BOB.arn, policy, P.SELECT)

    assert len(public_lake.sees(BOB)) == 4
    wider = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["*"]}))
    with pytest.raises(Refused, match=NOT_YOURS):
        public_lake.grant(ANA, BOB.arn, wider, P.SELECT)


def test_an_expression_over_tags_that_are_not_there_is_refused(public_lake: World) -> None:
    for terms in ({"nothing": ["a"]}, {"class": ["secret"]}):
        policy = TagPolicy(HOME, PolicyKind.TABLE, Expression.of(terms))
        with pytest.raises(NotFound, match="Tag or tag value"):
            public_lake.grant(ADMIN, ANA.arn, policy, P.SELECT)


def test_limits_of_grants_hold(public_lake: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_grants, "MAX_POLICIES", 1)
    long = Expression.of({"class": [f"{n:0>256}" for n in range(4)]})
    public_lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, PUBLIC), P.SELECT)

    with pytest.raises(UsageError, match="at most 900"):
        public_lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, long), P.SELECT)
    with pytest.raises(UsageError, match="at most 1 grants by tag expression"):
        public_lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.DATABASE, PUBLIC), P.DESCRIBE)
    # More on the one it has is no new grant.
    public_lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, PUBLIC), P.INSERT)


# What cannot be granted


@pytest.mark.parametrize(
    ("principal", "why"),
    [
        ("IAM_ALLOWED_PRINCIPALS", "nothing here is open to everybody"),
        ("ALLIAMPRINCIPALS", "is not there"),
        (f"arn:aws:iam::{HOME}:user/nobody", "is not there"),
        ("999999999999", "is not there"),
        (HOME, "own principals are named"),
        ("nonsense", "is not there"),
    ],
)
def test_principals_that_are_nobody_are_granted_nothing(
    lake: World, principal: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        lake.grant(ADMIN, principal, on_table(), P.SELECT)

    assert lake.desk.lake.policy().grants == ()


def test_everybody_in_an_account_can_be_granted_something(lake: World) -> None:
    lake.grant(ADMIN, iam_principals(HOME), columns("id"), P.SELECT)

    assert (lake.sees(ANA), lake.sees(CARL)) == (["id"], [])


@pytest.mark.parametrize(
    ("resource", "permissions", "option", "why"),
    [
        (DATABASE, (P.SELECT,), (), "SELECT cannot be granted"),
        (on_table(), (P.CREATE_TABLE,), (), "CREATE_TABLE cannot be granted"),
        (columns("id"), (P.SELECT, P.INSERT), (), "INSERT cannot be granted"),
        (columns("id"), (P.ALL,), (), "ALL cannot be granted"),
        (on_table(), (), (), "names no permission"),
        (on_table(), (P.SELECT,), (P.INSERT,), "the grant option is for"),
        (columns("id", excluding=True), (P.SELECT,), (P.SELECT,), "columns to include"),
        (columns(), (P.SELECT,), (), "names no column"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(
    lake: World,
    resource: Resource,
    permissions: tuple[P, ...],
    option: tuple[P, ...],
    why: str,
) -> None:
    with pytest.raises(UsageError, match=why):
        lake.grant(ADMIN, ANA.arn, resource, *permissions, option=option)


def test_who_selects_some_columns_cannot_write_whichever_came_first(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, columns("id"), P.SELECT)
    with pytest.raises(UsageError, match="only some columns"):
        lake.grant(ADMIN, ANA.arn, on_table(), P.INSERT)
    lake.grant(ADMIN, ANA.arn, on_table(), P.INSERT, P.SELECT)

    lake.grant(ADMIN, BOB.arn, OnTable(HOME, "ads", None), P.DELETE)
    with pytest.raises(UsageError, match="only some columns"):
        lake.grant(ADMIN, BOB.arn, columns("id", excluding=True), P.SELECT)


def test_a_database_a_table_or_a_filter_that_is_not_there_is_not_granted(lake: World) -> None:
    for resource, permission in (
        (OnDatabase(HOME, "nowhere"), P.DESCRIBE),
        (OnTable(HOME, "ads", "nowhere"), P.SELECT),
        (OnFilter(HOME, "ads", "events", "nowhere"), P.SELECT),
        (OnTag(HOME, "nothing", ALL), P.DESCRIBE),
        (TagPolicy(HOME, PolicyKind.TABLE, name="nothing"), P.SELECT),
    ):
        with pytest.raises(NotFound):
            lake.grant(ADMIN, ANA.arn, resource, permission)
