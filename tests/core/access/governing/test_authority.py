"""Who may know of, tag and pass on what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.governing.granting import Facts, is_column_limited, passable_on
from lakeveil.core.access.governing.tag_rights import TagRights, covers, shared, tag_rights
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
    valid_permissions,
)
from lakeveil.core.access.lake import Column, Database, LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import NOTHING, ON_TABLE, Permission
from lakeveil.core.access.tags import ANY, Expression, LFTag, SavedExpression
from lakeveil.core.identity.principal import Principal

A, B, C = "123456789012", "210987654321", "345678901234"
P = Permission
SELECT = frozenset({P.SELECT})
NAME = TableName(A, "d", "t")
TABLE = Table(name=NAME, columns=(Column("x"), Column("y")), owner=f"arn:aws:iam::{A}:user/owner")
DATABASE = Database(account=A, name="d", owner=f"arn:aws:iam::{A}:user/owner")
BODY = Expression.of({"k": ["v"]})


def person(name: str, account: str = A) -> Principal:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Principal(arn=arn, account=account, identities=frozenset({arn}))


ADMIN, READER, OWNER, ANA = (person(n) for n in ("admin", "reader", "owner", "ana"))
THEIRS, CARL = person("boss", B), person("carl", B)
SETTINGS = {
    A: LakeSettings(administrators=ADMIN.identities, read_only_administrators=READER.identities),
    B: LakeSettings(administrators=THEIRS.identities),
}
TAGS = {(A, "k"): LFTag(account=A, key="k", values=frozenset({"v", "w"}), created_by=OWNER.arn)}


def grant(
    to: Principal | str,
    resource: Resource,
    *permissions: P,
    option: tuple[P, ...] = (),
    account: str = A,
    mask: Mask | None = None,
    expires_at: float | None = None,
) -> Grant:
    return Grant(
        id="g",
        account=account,
        principal=to if isinstance(to, str) else to.arn,
        resource=resource,
        permissions=frozenset(permissions),
        grantable=frozenset(option),
        mask=mask,
        expires_at=expires_at,
    )


def authority(who: Principal, *grants: Grant, **more: object) -> Authority:
    policy = Policy(tags=TAGS, grants=grants, settings=SETTINGS, **more)  # type: ignore[arg-type]
    return Authority(who=who, policy=policy, now=100.0)


RESOURCES: list[Resource] = [
    OnCatalog(A),
    OnDatabase(A, "d"),
    OnTable(A, "d", "t"),
    OnTable(A, "d", None),
    OnColumns(A, "d", "t", frozenset({"x"})),
    OnFilter(A, "d", "t", "f"),
    OnLocation(A, "s3://b/x"),
    OnTag(A, "k", frozenset({"v"})),
    OnExpression(A, "e"),
    TagPolicy(A, PolicyKind.TABLE, BODY),
    TagPolicy(A, PolicyKind.DATABASE, name="e"),
]


def facts(resource: Resource) -> Facts:
    if isinstance(resource, OnTable | OnColumns | OnFilter) and resource.table is not None:
        return Facts(table=TABLE)
    return Facts(database=DATABASE) if isinstance(resource, OnDatabase | OnTable) else Facts()


@pytest.mark.parametrize("resource", RESOURCES, ids=repr)
def test_administrators_pass_on_everything_of_their_account_and_nobody_anything(
    resource: Resource,
) -> None:
    def passes(who: Principal) -> frozenset[P]:
        return passable_on(resource, facts(resource), authority(who))

    assert passes(ADMIN) == valid_permissions(resource)
    for who in (READER, ANA, THEIRS, CARL):
        assert passes(who) == NOTHING


@pytest.mark.parametrize("resource", RESOURCES, ids=repr)
def test_a_masked_expired_or_foreign_grant_passes_nothing_on(resource: Resource) -> None:
    every = tuple(valid_permissions(resource))
    for bad in (
        grant(ANA, resource, *every, option=every, expires_at=100.0),
        grant(ANA, resource, *every, option=every, account=C),
        grant(ANA, resource, *every, option=every, mask=Mask(MaskKind.NULL)),
        grant(ANA, resource, *every),
    ):
        if bad.mask and not valid_permissions(resource) & SELECT:
            continue
        passed = passable_on(resource, facts(resource), authority(ANA, bad))
        assert passed == NOTHING, bad


@pytest.mark.parametrize(
    "resource",
    [r for r in RESOURCES if not isinstance(r, TagPolicy | OnExpression)],
    ids=repr,
)
def test_a_grant_with_the_option_passes_on_what_it_says(resource: Resource) -> None:
    every = tuple(valid_permissions(resource))
    live = grant(ANA, resource, *every, option=every)
    filters = {
        (NAME, "f"): DataCellsFilter(table=NAME, name="f", named=frozenset({"x"}), rows="x = 'a'")
    }

    assert passable_on(resource, facts(resource), authority(ANA, live, filters=filters)) == set(
        every
    )


def test_rows_cut_off_are_not_passed_on_as_whole_columns() -> None:
    on = OnFilter(A, "d", "t", "f")
    filters = {
        (NAME, "f"): DataCellsFilter(table=NAME, name="f", named=frozenset({"x"}), rows="x = 'a'")
    }
    who = authority(ANA, grant(ANA, on, P.SELECT, option=(P.SELECT,)), filters=filters)

    assert not who.selects_to_pass_on(TABLE, frozenset({"x"}))
    assert passable_on(OnTable(A, "d", "t"), Facts(table=TABLE), who) & SELECT == NOTHING


def test_the_owner_of_a_database_has_no_say_over_tables_others_made() -> None:
    others = replace(TABLE, owner=f"arn:aws:iam::{A}:user/other")
    owner = authority(OWNER)

    assert passable_on(OnDatabase(A, "d"), Facts(database=DATABASE), owner)
    for resource, known in (
        (OnTable(A, "d", "t"), Facts(table=others)),
        (OnTable(A, "d", None), Facts(database=DATABASE)),
    ):
        assert passable_on(resource, known, owner) == NOTHING


def test_everything_with_option_but_one_is_not_enough_to_tag() -> None:
    for missing in ON_TABLE:
        # DESCRIBE comes with any other permission.
        held = tuple(ON_TABLE - {missing})
        who = authority(ANA, grant(ANA, OnTable(A, "d", "t"), *held, option=held))
        assert who.may_tag_table(TABLE) == (missing is P.DESCRIBE)
    assert authority(OWNER).may_tag_table(TABLE)
    assert authority(OWNER).may_tag_database(DATABASE)
    assert not authority(READER).may_tag_table(TABLE)


def test_administrators_know_every_column_and_others_those_they_see() -> None:
    some = grant(ANA, OnColumns(A, "d", "t", frozenset({"y"})), P.SELECT)

    assert authority(ADMIN).known_columns(TABLE) == ("x", "y")
    assert authority(READER).known_columns(TABLE) == ("x", "y")
    assert authority(ANA, some).known_columns(TABLE) == ("y",)
    assert authority(CARL, some).known_columns(TABLE) == ()


def test_a_reader_is_no_administrator() -> None:
    reader = authority(READER)

    assert (reader.views(A), reader.administers(A), reader.may_appoint(A)) == (True, False, False)
    assert not authority(THEIRS).views(A)
    assert authority(person("first", C)).may_appoint(C)
    assert not authority(person("first", C)).may_appoint(B)


def test_a_location_is_passed_on_with_what_lies_below_it() -> None:
    held = grant(
        ANA,
        OnLocation(A, "s3://b/x"),
        P.DATA_LOCATION_ACCESS,
        option=(P.DATA_LOCATION_ACCESS,),
    )

    assert authority(ANA, held).location(A, "s3://b/x/y") == (True, True)
    assert authority(ANA, held).location(A, "s3://b/xy") == (False, False)
    assert authority(ANA, replace(held, grantable=NOTHING)).location(A, "s3://b/x") == (True, False)


def test_a_named_expression_is_granted_with_by_whom_that_was_given() -> None:
    saved = {(A, "e"): SavedExpression(account=A, name="e", body=BODY)}
    policy = TagPolicy(A, PolicyKind.TABLE, name="e")
    may = grant(ANA, OnExpression(A, "e"), P.GRANT_WITH_LF_TAG_EXPRESSION)
    describes = grant(ANA, OnExpression(A, "e"), P.DESCRIBE)

    assert passable_on(policy, Facts(), authority(ANA, may, expressions=saved)) == ON_TABLE
    assert passable_on(policy, Facts(), authority(ANA, describes, expressions=saved)) == NOTHING
    assert passable_on(policy, Facts(), authority(ANA, may)) == NOTHING


def test_a_consumer_hands_on_a_tag_as_far_as_its_account_still_has_it() -> None:
    both = frozenset({"v", "w"})
    shared_one = grant(B, OnTag(A, "k", frozenset({"v"})), P.DESCRIBE, option=(P.DESCRIBE,))
    handed_on = grant(CARL, OnTag(A, "k", both), P.DESCRIBE, account=B)

    assert authority(CARL, shared_one, handed_on).tag(A, "k").known(both) == {"v"}
    assert authority(CARL, handed_on).tag(A, "k").known(both) == frozenset()
    not_to_pass_on = replace(shared_one, grantable=NOTHING)
    assert authority(CARL, not_to_pass_on, handed_on).tag(A, "k").known(both) == frozenset()
    # Nor can it make up more than what leaves an account.
    alter = replace(handed_on, permissions=frozenset({P.ALTER}))
    assert authority(CARL, shared_one, alter).tag(A, "k") == TagRights()


def test_rights_on_a_tag_are_those_of_creator_and_administrator() -> None:
    def allowed(who: Principal) -> set[P]:
        rights = authority(who).tag(A, "k")
        return {p for p in P if rights.allow(p, {ANY})}

    every = valid_permissions(OnTag(A, "k", frozenset()))
    assert allowed(OWNER) == every
    assert allowed(ADMIN) == every - {P.ASSOCIATE}
    assert allowed(READER) == {P.DESCRIBE}
    assert allowed(ANA) == allowed(THEIRS) == set()
    assert P.ASSOCIATE in authority(ADMIN).tag(A, "k").passable({ANY})


def test_a_tag_that_is_gone_gives_no_rights() -> None:
    held = grant(ANA, OnTag(A, "gone", frozenset({ANY})), P.DESCRIBE)
    policy = Policy(tags=TAGS, grants=(held,), settings=SETTINGS)

    assert tag_rights(ANA, A, "gone", policy, now=0.0) == TagRights()


values = st.frozensets(st.sampled_from(["a", "b", ANY]))


@given(values, values)
def test_what_two_cover_each_covers(one: frozenset[str], other: frozenset[str]) -> None:
    both = shared(one, other)

    assert covers(one, both)
    assert covers(other, both)
    assert shared(other, one) == both or ANY in one & other


def test_who_selects_some_columns_and_not_all_is_limited() -> None:
    some = grant(ANA, OnColumns(A, "d", "t", frozenset({"x"})), P.SELECT)
    whole = grant(ANA, OnTable(A, "d", None), P.ALL)

    assert is_column_limited(ANA.arn, TABLE, [some], 0.0)
    assert not is_column_limited(ANA.arn, TABLE, [some, whole], 0.0)
    assert not is_column_limited(ADMIN.arn, TABLE, [some], 0.0)
    assert not is_column_limited(ANA.arn, TABLE, [replace(some, expires_at=0.0)], 0.0)
