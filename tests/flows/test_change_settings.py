"""Administrators and registered locations."""

from __future__ import annotations

import pytest

from lakeveil.core.access.lake import LakeSettings
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, NotFound, Refused, UsageError
from lakeveil.flows.change_settings import (
    deregister,
    put_settings,
    register,
    update_location,
)
from tests.flows.lakes import (
    ADMIN,
    ANA,
    CARL,
    HOME,
    ORGANISATION,
    OTHER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    on_table,
)

ROLE = f"arn:aws:iam::{HOME}:role/lake"


def appoint(lake: World, by: Principal, *arns: str, account: str = HOME) -> None:
    put_settings(
        account,
        administrators=arns,
        read_only_administrators=(),
        call=lake.call(by),
        desk=lake.desk,
    )


def test_an_administrator_appoints_others_and_is_none_any_more(lake: World) -> None:
    appoint(lake, ADMIN, ANA.arn)

    lake.grant(ANA, ANA.arn, on_table(), P.SELECT)
    with pytest.raises(NotFound):
        lake.grant(ADMIN, ADMIN.arn, on_table(), P.SELECT)


@pytest.mark.parametrize("who", [ANA, READER, THEIR_ADMIN], ids=["user", "reader", "foreign"])
def test_nobody_else_appoints(lake: World, who: Principal) -> None:
    with pytest.raises(Refused, match="data lake administrator"):
        appoint(lake, who, ANA.arn)


def test_where_nobody_administers_somebody_of_the_account_has_to_be_first(lake: World) -> None:
    appoint(lake, ADMIN)

    with pytest.raises(Refused):
        appoint(lake, CARL, ANA.arn)
    appoint(lake, ANA, ANA.arn)
    with pytest.raises(Refused):
        appoint(lake, ADMIN, ADMIN.arn)


@pytest.mark.parametrize(
    "arn", [CARL.arn, f"arn:aws:iam::{HOME}:user/nobody", HOME, "IAM_ALLOWED_PRINCIPALS"]
)
def test_administrators_are_there_and_of_the_account(lake: World, arn: str) -> None:
    with pytest.raises(UsageError, match="Invalid principal"):
        appoint(lake, ADMIN, ADMIN.arn, arn)


def test_there_are_so_many_administrators(lake: World) -> None:
    with pytest.raises(UsageError, match="at most 30"):
        appoint(lake, ADMIN, *(f"{ADMIN.arn}{n}" for n in range(31)))


def test_the_accounts_organisations_stay(lake: World) -> None:
    appoint(lake, THEIR_ADMIN, CARL.arn, account=OTHER)

    assert lake.desk.lake.policy().settings_of(OTHER) == LakeSettings(
        administrators=frozenset({CARL.arn}), organisations=frozenset({ORGANISATION})
    )


def test_what_lies_under_no_registered_location_is_closed(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)

    deregister("s3://lake/ads/", call=lake.call(ADMIN), desk=lake.desk)
    assert lake.sees(ANA) == []

    register("arn:aws:s3:::lake/ads", ROLE, call=lake.call(ADMIN), desk=lake.desk)
    assert len(lake.sees(ANA)) == 4


def test_a_location_is_registered_once_and_reaches_into_no_other_accounts(lake: World) -> None:
    with pytest.raises(Conflict, match="already registered"):
        register("s3://lake/ads", ROLE, call=lake.call(ADMIN), desk=lake.desk)
    register("s3://lake/ads/2026", ROLE, call=lake.call(ADMIN), desk=lake.desk)
    for theirs in ("s3://lake", "s3://lake/ads", "s3://lake/ads/events"):
        with pytest.raises(UsageError, match="cannot be registered by this account"):
            register(theirs, ROLE, call=lake.call(THEIR_ADMIN), desk=lake.desk)
    register("s3://lake/adsense", ROLE, call=lake.call(THEIR_ADMIN), desk=lake.desk)


def test_only_administrators_change_locations(lake: World) -> None:
    for change in (
        lambda: register("s3://new/x", ROLE, call=lake.call(ANA), desk=lake.desk),
        lambda: update_location("s3://lake/ads", ROLE, call=lake.call(ANA), desk=lake.desk),
        lambda: deregister("s3://lake/ads", call=lake.call(ANA), desk=lake.desk),
    ):
        with pytest.raises(Refused, match="data lake administrator"):
            change()


def test_what_is_not_registered_is_neither_updated_nor_deregistered(lake: World) -> None:
    update_location("s3://lake/ads", ROLE, call=lake.call(ADMIN), desk=lake.desk)
    assert lake.desk.lake.locations(HOME)[0].role == ROLE

    for who in (ADMIN, THEIR_ADMIN):
        place = "s3://lake/ads" if who is THEIR_ADMIN else "s3://lake"
        with pytest.raises(NotFound):
            update_location(place, ROLE, call=lake.call(who), desk=lake.desk)
        with pytest.raises(NotFound):
            deregister(place, call=lake.call(who), desk=lake.desk)


@pytest.mark.parametrize("place", ["", "lake/ads", "s3://lake/../x", "https://lake"])
def test_what_is_no_location_is_not_registered(lake: World, place: str) -> None:
    with pytest.raises(UsageError, match="is no location"):
        register(place, ROLE, call=lake.call(ADMIN), desk=lake.desk)
