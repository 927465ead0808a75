"""Granting across accounts: what a share reaches, and what its consumer may pass on."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import (
    OnCatalog,
    OnTag,
    PolicyKind,
    TagPolicy,
)
from lakeveil.core.access.tags import Expression
from lakeveil.errors import NotFound, Refused, UsageError
from tests.flows.lakes import (
    ADMIN,
    ANA,
    CARL,
    CLICKS,
    DATABASE,
    HOME,
    ORGANISATION,
    OTHER,
    THEIR_ADMIN,
    P,
    World,
    columns,
    on_table,
)

ALL = frozenset({"*"})
NOT_YOURS = "requester is not authorized"
PUBLIC = Expression.of({"class": ["public"]})


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


def test_a_policy_cascades_by_the_same_policy_or_by_its_tags(public_lake: World) -> None:
    policy = TagPolicy(HOME, PolicyKind.TABLE, PUBLIC)
    public_lake.grant(ADMIN, OTHER, policy, P.SELECT, option=(P.SELECT,))
    public_lake.grant(THEIR_ADMIN, CARL.arn, policy, P.SELECT)
    assert len(public_lake.sees(CARL)) == 4

    wider = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["public", "private"]}))
    with pytest.raises(NotFound):
        public_lake.grant(THEIR_ADMIN, CARL.arn, wider, P.SELECT)
    describe = (P.DESCRIBE,)
    public_lake.grant(ADMIN, OTHER, OnTag(HOME, "class", ALL), *describe, option=describe)
    public_lake.grant(THEIR_ADMIN, CARL.arn, wider, P.SELECT)


def test_other_accounts_get_only_what_may_leave(public_lake: World) -> None:
    for resource, permissions, option, why in (
        (OnCatalog(HOME), (P.CREATE_LF_TAG,), (), "cannot be granted to other accounts"),
        (OnTag(HOME, "class", ALL), (P.ALTER,), (P.ALTER,), "only DESCRIBE and ASSOCIATE"),
        (OnTag(HOME, "class", ALL), (P.DESCRIBE,), (), "with the grant option"),
    ):
        with pytest.raises(UsageError, match=why):
            public_lake.grant(ADMIN, OTHER, resource, *permissions, option=option)
    public_lake.grant(ADMIN, CARL.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)


def test_the_root_of_an_account_is_the_account(lake: World) -> None:
    lake.grant(ADMIN, f"arn:aws:iam::{OTHER}:root", on_table(), P.SELECT)

    assert len(lake.grants_to(OTHER)) == 1
