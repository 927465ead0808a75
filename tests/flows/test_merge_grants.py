"""Grants of one principal on one resource are one: merged, taken from, masked, and ended."""

from __future__ import annotations

import math
import threading

import pytest

from lakeveil.core.access.grants import (
    Grant,
    OnTag,
    Resource,
)
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_grants import grant_masked, grant_until
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    DATABASE,
    HOME,
    OWNER,
    P,
    World,
    columns,
    on_table,
)

ALL = frozenset({"*"})


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


def test_tags_are_revoked_value_by_value_and_a_star_as_a_star(public_lake: World) -> None:
    some, one = frozenset({"public", "private"}), frozenset({"public"})
    public_lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", some), P.DESCRIBE)
    public_lake.grant(ADMIN, BOB.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)

    public_lake.revoke(ADMIN, ANA.arn, OnTag(HOME, "class", one), P.DESCRIBE)
    assert [g.resource for g in public_lake.grants_to(ANA.arn)] == [
        OnTag(HOME, "class", frozenset({"private"}))
    ]
    with pytest.raises(UsageError, match="Revoking Tag permissions on Tags that grantee"):
        public_lake.revoke(ADMIN, BOB.arn, OnTag(HOME, "class", one), P.DESCRIBE)
    for who in (ANA, BOB):
        public_lake.revoke(ADMIN, who.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)
        assert public_lake.grants_to(who.arn) == []


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
