"""Granting and revoking: who may, what is merged, what is refused."""

from __future__ import annotations

import math
import threading

import pytest

from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TagPolicy,
)
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.tags import Expression
from lakeveil.core.identity.arns import iam_principals
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.flows import change_grants
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.assign_tags import add_tags
from lakeveil.flows.change_filters import create_filter
from lakeveil.flows.change_grants import grant_masked, grant_until
from lakeveil.flows.change_tags import create_tag
from tests.flows.lakes import (
    ADMIN,
    ANA,
    ANALYSTS,
    BOB,
    CARL,
    CLICKS,
    EVENTS,
    HOME,
    ORGANISATION,
    OTHER,
    OWNER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    on_table,
)

ALL = frozenset({"*"})
DATABASE = OnDatabase(HOME, "ads")
NOT_YOURS = "requester is not authorized"
PUBLIC = Expression.of({"class": ["public"]})


def columns(*names: str, excluding: bool = False) -> OnColumns:
    return OnColumns(HOME, "ads", "events", frozenset(names), excluding=excluding)


@pytest.fixture
def tagged(lake: World) -> World:
    """Everything in `ads` is public."""
    create_tag(HOME, "class", ["private", "public"], call=lake.call(ADMIN), desk=lake.desk)
    add_tags(DATABASE, [("class", "public")], call=lake.call(ADMIN), desk=lake.desk)
    return lake


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


# Tag policies


def test_a_policy_is_passed_on_only_as_the_same_expression(tagged: World) -> None:
    policy = TagPolicy(HOME, PolicyKind.TABLE, PUBLIC)
    tagged.grant(ADMIN, ANA.arn, policy, P.SELECT, option=(P.SELECT,))

    tagged.grant(ANA, BOB.arn, policy, P.SELECT)

    assert len(tagged.sees(BOB)) == 4
    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)
    narrower = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["private"]}))
    for other in (narrower, TagPolicy(HOME, PolicyKind.DATABASE, PUBLIC)):
        with pytest.raises(Refused, match=NOT_YOURS):
            tagged.grant(ANA, BOB.arn, other, P.DESCRIBE)


def test_who_may_grant_with_each_tag_grants_with_an_expression_of_them(tagged: World) -> None:
    policy = TagPolicy(HOME, PolicyKind.TABLE, PUBLIC)
    values = frozenset({"public"})
    with pytest.raises(NotFound, match="Tag or tag value"):
        tagged.grant(ANA, BOB.arn, policy, P.SELECT)
    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", values), P.GRANT_WITH_LF_TAG_EXPRESSION)

    tagged.grant(ANA, BOB.arn, policy, P.SELECT)

    assert len(tagged.sees(BOB)) == 4
    wider = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["*"]}))
    with pytest.raises(Refused, match=NOT_YOURS):
        tagged.grant(ANA, BOB.arn, wider, P.SELECT)


def test_an_expression_over_tags_that_are_not_there_is_refused(tagged: World) -> None:
    for terms in ({"nothing": ["a"]}, {"class": ["secret"]}):
        policy = TagPolicy(HOME, PolicyKind.TABLE, Expression.of(terms))
        with pytest.raises(NotFound, match="Tag or tag value"):
            tagged.grant(ADMIN, ANA.arn, policy, P.SELECT)


def test_limits_of_grants_hold(tagged: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_grants, "MAX_POLICIES", 1)
    long = Expression.of({"class": [f"{n:0>256}" for n in range(4)]})
    tagged.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, PUBLIC), P.SELECT)

    with pytest.raises(UsageError, match="at most 900"):
        tagged.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, long), P.SELECT)
    with pytest.raises(UsageError, match="at most 1 grants by tag expression"):
        tagged.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.DATABASE, PUBLIC), P.DESCRIBE)
    # More on the one it has is no new grant.
    tagged.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, PUBLIC), P.INSERT)


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


# Merging and revoking


def test_grants_of_one_principal_on_one_resource_are_one(lake: World) -> None:
    [first] = lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    lake.grant(ADMIN, ANA.arn, on_table(), P.INSERT, option=(P.INSERT,))

    [found] = lake.grants_to(ANA.arn)
    assert found.id == first.id
    assert found.permissions == {P.SELECT, P.INSERT}
    assert found.grantable == {P.INSERT}


def test_columns_are_added_to_and_taken_from_a_grant(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, columns("id"), P.SELECT)
    lake.grant(ADMIN, ANA.arn, columns("ts", "spend"), P.SELECT)
    assert [g.resource for g in lake.grants_to(ANA.arn)] == [columns("id", "ts", "spend")]

    lake.revoke(ADMIN, ANA.arn, columns("id", "spend"), P.SELECT)

    assert lake.sees(ANA) == ["ts"]


def test_revoking_part_keeps_the_rest(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.ALL, option=(P.ALL,))

    lake.revoke(ADMIN, ANA.arn, on_table(), P.SELECT)
    [found] = lake.grants_to(ANA.arn)
    assert found.permissions == {P.ALTER, P.DELETE, P.DESCRIBE, P.DROP, P.INSERT}
    assert found.grantable == found.permissions

    lake.revoke(ADMIN, ANA.arn, on_table(), option=(P.INSERT,))
    [found] = lake.grants_to(ANA.arn)
    assert (P.INSERT in found.permissions, P.INSERT in found.grantable) == (True, False)

    lake.revoke(ADMIN, ANA.arn, on_table(), P.ALL)
    assert lake.grants_to(ANA.arn) == []


def test_revoking_what_is_not_held_changes_nothing(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)

    for permissions, option, why in (
        ((P.SELECT, P.INSERT), (), r"Grantee does not have:\[INSERT\]"),
        ((), (P.SELECT,), r"Grantee does not have:\[SELECT\]"),
    ):
        with pytest.raises(UsageError, match=f"No permissions revoked. {why}"):
            lake.revoke(ADMIN, ANA.arn, on_table(), *permissions, option=option)
    with pytest.raises(UsageError, match="Grantee has no permissions and no grantable"):
        lake.revoke(ADMIN, BOB.arn, on_table(), P.SELECT)
    with pytest.raises(UsageError, match="Grantee has no permissions and no grantable"):
        lake.revoke(ADMIN, "IAM_ALLOWED_PRINCIPALS", DATABASE, P.ALL)
    assert lake.decision(ANA).full_read


def test_tags_are_revoked_value_by_value_and_a_star_as_a_star(tagged: World) -> None:
    some, one = frozenset({"public", "private"}), frozenset({"public"})
    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", some), P.DESCRIBE)
    tagged.grant(ADMIN, BOB.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)

    tagged.revoke(ADMIN, ANA.arn, OnTag(HOME, "class", one), P.DESCRIBE)
    assert [g.resource for g in tagged.grants_to(ANA.arn)] == [
        OnTag(HOME, "class", frozenset({"private"}))
    ]
    with pytest.raises(UsageError, match="Revoking Tag permissions on Tags that grantee"):
        tagged.revoke(ADMIN, BOB.arn, OnTag(HOME, "class", one), P.DESCRIBE)
    for who in (ANA, BOB):
        tagged.revoke(ADMIN, who.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)
        assert tagged.grants_to(who.arn) == []


def test_who_may_not_grant_may_not_revoke(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)

    with pytest.raises(NotFound):
        lake.revoke(BOB, ANA.arn, on_table(), P.SELECT)
    lake.grant(ADMIN, BOB.arn, on_table(), P.DESCRIBE)
    with pytest.raises(Refused):
        lake.revoke(BOB, ANA.arn, on_table(), P.SELECT)
    lake.revoke(OWNER, ANA.arn, on_table(), P.SELECT)
    assert lake.sees(ANA) == []


def test_somebody_who_is_gone_can_still_be_revoked_from(lake: World) -> None:
    gone = f"arn:aws:iam::{HOME}:user/gone"
    with lake.desk.lake.changing() as change:
        change.put_grant(
            Grant(
                id="",
                account=HOME,
                principal=gone,
                resource=on_table(),
                permissions=frozenset({P.SELECT}),
            )
        )

    lake.revoke(ADMIN, gone, on_table(), P.SELECT)

    assert lake.grants_to(gone) == []


def test_racing_grants_merge(lake: World) -> None:
    wanted = [P.SELECT, P.INSERT, P.DELETE, P.ALTER, P.DROP, P.DESCRIBE]
    failed: list[BaseException] = []
    start = threading.Barrier(len(wanted))

    def give(permission: P) -> None:
        try:
            start.wait()
            lake.grant(ADMIN, ANA.arn, on_table(), permission)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=give, args=(permission,)) for permission in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    [found] = lake.grants_to(ANA.arn)
    assert found.permissions == set(wanted)


# Masks and expiry


def test_a_masked_grant_shows_a_mask_and_never_more(lake: World) -> None:
    mask = Mask(MaskKind.LAST_FOUR)
    asked = Asked(
        principal=ANA.arn, resource=columns("ip_address"), permissions=frozenset({P.SELECT})
    )
    grant_masked(asked, mask, call=lake.call(ADMIN), desk=lake.desk)

    [column] = lake.decision(ANA).shown()
    assert (column.name, column.visible.text(), column.masked[0][0]) == (
        "ip_address",
        "FALSE",
        mask,
    )
    # A plain grant is another one, and revoking takes both.
    lake.grant(ADMIN, ANA.arn, columns("ip_address"), P.SELECT)
    assert len(lake.grants_to(ANA.arn)) == 2
    lake.revoke(ADMIN, ANA.arn, columns("ip_address"), P.SELECT)
    assert lake.sees(ANA) == []


@pytest.mark.parametrize(
    ("resource", "permissions", "option"),
    [
        (DATABASE, {P.DESCRIBE}, set()),
        (on_table(), {P.SELECT, P.INSERT}, set()),
        (on_table(), {P.SELECT}, {P.SELECT}),
    ],
)
def test_only_select_on_data_goes_through_a_mask(
    lake: World, resource: Resource, permissions: set[P], option: set[P]
) -> None:
    asked = Asked(
        principal=ANA.arn,
        resource=resource,
        permissions=frozenset(permissions),
        grantable=frozenset(option),
    )
    with pytest.raises(UsageError, match="through a mask"):
        grant_masked(asked, Mask(MaskKind.NULL), call=lake.call(ADMIN), desk=lake.desk)


def test_who_sees_a_mask_passes_nothing_on(lake: World) -> None:
    asked = Asked(principal=ANA.arn, resource=on_table(), permissions=frozenset({P.SELECT}))
    grant_masked(asked, Mask(MaskKind.HASH), call=lake.call(ADMIN), desk=lake.desk)

    with pytest.raises(Refused):
        lake.grant(ANA, BOB.arn, columns("id"), P.SELECT)


def test_a_grant_ends_when_it_was_to(lake: World) -> None:
    asked = Asked(principal=ANA.arn, resource=on_table(), permissions=frozenset({P.SELECT}))
    until = lake.clock.now() + 60
    grant_until(asked, until, call=lake.call(ADMIN), desk=lake.desk)
    assert lake.decision(ANA).full_read

    lake.clock.sleep(60)

    assert lake.sees(ANA) == []
    for past, why in ((until, "expired already"), (math.inf, "no time"), (math.nan, "no time")):
        with pytest.raises(UsageError, match=why):
            grant_until(asked, past, call=lake.call(ADMIN), desk=lake.desk)


# Across accounts


def test_a_share_reaches_the_consumers_principals_through_its_administrator(lake: World) -> None:
    lake.grant(ADMIN, OTHER, on_table(), P.SELECT, option=(P.SELECT,))
    assert (lake.sees(CARL), len(lake.sees(THEIR_ADMIN))) == ([], 4)

    lake.grant(THEIR_ADMIN, CARL.arn, columns("id", "ts"), P.SELECT)

    assert lake.sees(CARL) == ["id", "ts"]
    [passed_on] = lake.grants_to(CARL.arn)
    assert passed_on.account == OTHER
    lake.revoke(ADMIN, OTHER, on_table(), P.SELECT)
    assert lake.sees(CARL) == []
    # What it recorded itself a consumer can still tidy up.
    lake.revoke(THEIR_ADMIN, CARL.arn, columns("id", "ts"), P.SELECT)
    assert lake.grants_to(CARL.arn) == []


def test_a_share_without_grant_option_is_not_passed_on(lake: World) -> None:
    lake.grant(ADMIN, OTHER, on_table(), P.SELECT)

    with pytest.raises(Refused, match=NOT_YOURS):
        lake.grant(THEIR_ADMIN, CARL.arn, on_table(), P.SELECT)


def test_a_consumer_passes_on_within_its_account_without_option_and_no_databases(
    lake: World,
) -> None:
    lake.grant(ADMIN, OTHER, on_table(), P.SELECT, option=(P.SELECT,))
    lake.grant(ADMIN, OTHER, DATABASE, P.DESCRIBE, option=(P.DESCRIBE,))

    with pytest.raises(UsageError, match="within one's own account"):
        lake.grant(THEIR_ADMIN, ANA.arn, on_table(), P.SELECT)
    with pytest.raises(UsageError, match="within one's own account"):
        lake.grant(THEIR_ADMIN, OTHER, on_table(), P.SELECT)
    with pytest.raises(UsageError, match="without the grant option"):
        lake.grant(THEIR_ADMIN, CARL.arn, on_table(), P.SELECT, option=(P.SELECT,))
    with pytest.raises(UsageError, match="grants this to your principals itself"):
        lake.grant(THEIR_ADMIN, CARL.arn, DATABASE, P.DESCRIBE)
    with pytest.raises(NotFound):
        lake.grant(THEIR_ADMIN, CARL.arn, on_table(CLICKS), P.SELECT)
    with pytest.raises(NotFound):
        lake.grant(CARL, CARL.arn, on_table(), P.SELECT)


def test_a_principal_of_another_account_can_be_granted_something_directly(lake: World) -> None:
    lake.grant(ADMIN, CARL.arn, columns("id"), P.SELECT)

    assert lake.sees(CARL) == ["id"]


def test_an_organisation_shares_with_each_of_its_accounts(lake: World) -> None:
    lake.grant(ADMIN, ORGANISATION, on_table(), P.SELECT, option=(P.SELECT,))

    lake.grant(THEIR_ADMIN, CARL.arn, on_table(), P.SELECT)

    assert lake.decision(CARL).full_read


def test_a_policy_cascades_by_the_same_policy_or_by_its_tags(tagged: World) -> None:
    policy = TagPolicy(HOME, PolicyKind.TABLE, PUBLIC)
    tagged.grant(ADMIN, OTHER, policy, P.SELECT, option=(P.SELECT,))
    tagged.grant(THEIR_ADMIN, CARL.arn, policy, P.SELECT)
    assert len(tagged.sees(CARL)) == 4

    wider = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["public", "private"]}))
    with pytest.raises(NotFound):
        tagged.grant(THEIR_ADMIN, CARL.arn, wider, P.SELECT)
    describe = (P.DESCRIBE,)
    tagged.grant(ADMIN, OTHER, OnTag(HOME, "class", ALL), *describe, option=describe)
    tagged.grant(THEIR_ADMIN, CARL.arn, wider, P.SELECT)


def test_other_accounts_get_only_what_may_leave(tagged: World) -> None:
    for resource, permissions, option, why in (
        (OnCatalog(HOME), (P.CREATE_LF_TAG,), (), "cannot be granted to other accounts"),
        (OnTag(HOME, "class", ALL), (P.ALTER,), (P.ALTER,), "only DESCRIBE and ASSOCIATE"),
        (OnTag(HOME, "class", ALL), (P.DESCRIBE,), (), "with the grant option"),
    ):
        with pytest.raises(UsageError, match=why):
            tagged.grant(ADMIN, OTHER, resource, *permissions, option=option)
    tagged.grant(ADMIN, CARL.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)


def test_the_root_of_an_account_is_the_account(lake: World) -> None:
    lake.grant(ADMIN, f"arn:aws:iam::{OTHER}:root", on_table(), P.SELECT)

    assert len(lake.grants_to(OTHER)) == 1


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
