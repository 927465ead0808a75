"""Becoming a role takes the role's trust and one's own right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import DEEPEST_CHAIN, IssuedKey
from tests.doors.sts.running_sts import ANA, BU_A, MAY_ASSUME, Sts, code, refusal
from tests.identity_parts import (
    ACCOUNT,
    OTHER,
    allow,
    policy,
    trusting,
)


def test_a_trusted_user_with_the_right_becomes_the_role(lake: Sts) -> None:
    ana = lake.identity.user("ana", allow("sts:AssumeRole", BU_A))
    role = lake.identity.role("bu-a", trusting(ANA), allow("athena:*"))
    answer = lake.client(ana).assume_role(RoleArn=BU_A, RoleSessionName="ana")
    session_arn = arns.assumed_role_arn(ACCOUNT, "bu-a", "ana")
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role.id}:ana", "Arn": session_arn,
    }  # fmt: skip
    expires = datetime.fromtimestamp(lake.identity.clock.now() + 3600, UTC)
    assert answer["Credentials"]["Expiration"] == expires
    found = lake.client(answer["Credentials"]).get_caller_identity()
    assert found["Arn"] == session_arn
    assert found["UserId"] == f"{role.id}:ana"
    assert lake.identity.on_record() == [
        ("sts:AssumeRole", "allowed", ""), ("sts:AssumeRole", "done", ""),
    ]  # fmt: skip


def test_a_session_is_refused_without_its_token_or_with_anothers(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    client = lake.client(ana)
    first, second = (
        client.assume_role(RoleArn=BU_A, RoleSessionName=name)["Credentials"]
        for name in ("one", "two")
    )
    swapped = {**first, "SessionToken": second["SessionToken"]}
    assert code(lake.client(swapped).get_caller_identity) == "InvalidClientTokenId"
    bare = IssuedKey(access_key_id=first["AccessKeyId"], secret_access_key=first["SecretAccessKey"])
    assert code(lake.client(bare).get_caller_identity) == "InvalidClientTokenId"


def test_a_session_that_has_expired_is_refused(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    credentials = lake.client(ana).assume_role(
        RoleArn=BU_A, RoleSessionName="ana", DurationSeconds=900
    )["Credentials"]
    lake.identity.clock.sleep(899)
    lake.client(credentials).get_caller_identity()
    lake.identity.clock.sleep(1)
    assert code(lake.client(credentials).get_caller_identity) == "ExpiredToken"
    # But only whoever has the token is told that there was a session.
    guessed = {**credentials, "SessionToken": "x" * 128}
    assert code(lake.client(guessed).get_caller_identity) == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("rights", "trusted"),
    [
        ([], [ANA]),
        ([allow("sts:AssumeRole", arns.role_arn(ACCOUNT, "bu-b"))], [ANA]),
        ([MAY_ASSUME, {**MAY_ASSUME, "Effect": "Deny"}], [ANA]),
        ([MAY_ASSUME], [arns.user_arn(ACCOUNT, "bob")]),
        ([MAY_ASSUME], [arns.user_arn(OTHER, "ana"), OTHER]),
    ],
)
def test_who_lacks_the_right_or_the_trust_does_not_become_the_role(
    lake: Sts, rights: list[Any], trusted: list[str]
) -> None:
    ana = lake.identity.user("ana", *rights)
    lake.identity.role("bu-a", trusting(*trusted))
    call = lake.client(ana).assume_role
    assert refusal(call, RoleArn=BU_A, RoleSessionName="ana") == (
        "AccessDenied",
        f"User: {ANA} is not authorized to perform: sts:AssumeRole on resource: {BU_A}",
        403,
    )
    assert lake.identity.on_record() == [("sts:AssumeRole", "refused", "access_denied")]


def test_a_role_that_does_not_exist_is_refused_as_one_that_trusts_nobody(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(OTHER))
    call = lake.client(ana).assume_role
    closed = refusal(call, RoleArn=BU_A, RoleSessionName="ana")
    absent = refusal(call, RoleArn=arns.role_arn(ACCOUNT, "none"), RoleSessionName="ana")
    assert absent == (closed[0], closed[1].replace("bu-a", "none"), closed[2])


def test_an_account_that_is_trusted_still_says_who_of_it_may(lake: Sts) -> None:
    may, may_not = lake.identity.user("ana", MAY_ASSUME), lake.identity.user("bob")
    lake.identity.role("bu-a", trusting(f"arn:aws:iam::{ACCOUNT}:root"))
    lake.client(may).assume_role(RoleArn=BU_A, RoleSessionName="ana")
    assert code(
        lake.client(may_not).assume_role, RoleArn=BU_A, RoleSessionName="bob"
    ) == "AccessDenied"  # fmt: skip


def test_a_user_of_another_account_becomes_the_role_where_both_say_so(lake: Sts) -> None:
    eve = lake.identity.user("eve", MAY_ASSUME, account=OTHER)
    lake.identity.role("bu-a", trusting(arns.user_arn(OTHER, "eve")))
    answer = lake.client(eve).assume_role(RoleArn=BU_A, RoleSessionName="eve")
    assert lake.client(answer["Credentials"]).get_caller_identity()["Account"] == ACCOUNT


def test_a_session_policy_only_takes_away(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA), allow("athena:*"))
    answer = lake.client(ana).assume_role(
        RoleArn=BU_A, RoleSessionName="ana", Policy=policy(allow("athena:Get*"), allow("s3:*"))
    )
    assert 1 <= answer["PackedPolicySize"] <= 100
    rights = lake.identity.store.principal_of(answer["Credentials"]["AccessKeyId"]).rights
    assert rights.allows("athena:GetWorkGroup", "*")
    assert not rights.allows("athena:StopQueryExecution", "*")
    assert not rights.allows("s3:GetObject", "*")


def test_session_tags_take_a_trust_and_a_right_of_their_own(lake: Sts) -> None:
    both = ["sts:AssumeRole", "sts:TagSession"]
    tags = [{"Key": "team", "Value": "x"}]
    ana, bob = lake.identity.user("ana", allow(both)), lake.identity.user("bob", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    lake.identity.role("bu-b", trusting(ACCOUNT, action=both))
    bu_b = arns.role_arn(ACCOUNT, "bu-b")
    name = {"RoleSessionName": "me"}
    assert "sts:TagSession" in refusal(
        lake.client(ana).assume_role, RoleArn=BU_A, Tags=tags, **name
    )[1]  # fmt: skip
    assert "sts:TagSession" in refusal(
        lake.client(bob).assume_role, RoleArn=bu_b, Tags=tags, **name
    )[1]  # fmt: skip
    answer = lake.client(ana).assume_role(RoleArn=bu_b, Tags=tags, **name)
    found = lake.identity.store.principal_of(answer["Credentials"]["AccessKeyId"])
    assert found.session_tags == {"team": "x"}
    twice = [*tags, {"Key": "TEAM", "Value": "y"}]
    assert code(lake.client(ana).assume_role, RoleArn=bu_b, Tags=twice, **name) == (
        "ValidationError"
    )


def test_a_session_lasts_no_longer_than_the_role_allows(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA), max_session_s=7200)
    call = lake.client(ana).assume_role
    call(RoleArn=BU_A, RoleSessionName="ana", DurationSeconds=7200)
    told = refusal(call, RoleArn=BU_A, RoleSessionName="ana", DurationSeconds=7201)
    assert told[0] == "ValidationError"
    assert "MaxSessionDuration" in told[1]


def test_a_role_that_became_another_one_is_it_for_an_hour_at_most(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA), MAY_ASSUME)
    lake.identity.role("bu-b", trusting(BU_A), max_session_s=43_200)
    first = lake.client(ana).assume_role(RoleArn=BU_A, RoleSessionName="ana")["Credentials"]
    wanted = {"RoleArn": arns.role_arn(ACCOUNT, "bu-b"), "RoleSessionName": "ana"}
    told = refusal(lake.client(first).assume_role, **wanted, DurationSeconds=3601)
    assert told[0] == "ValidationError"
    assert "role chaining" in told[1]
    second = lake.client(first).assume_role(**wanted)["Credentials"]
    lake.client(second).get_caller_identity()
    lake.identity.store.directory.delete_user(ACCOUNT, "ana")
    for ended in (first, second):
        assert code(lake.client(ended).get_caller_identity) == "InvalidClientTokenId"


def test_a_namesake_of_a_trusted_user_is_refused(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    wanted = {"RoleArn": BU_A, "RoleSessionName": "ana"}
    lake.client(ana).assume_role(**wanted)
    lake.identity.store.directory.delete_user(ACCOUNT, "ana")
    again = lake.identity.user("ana", MAY_ASSUME)
    assert code(lake.client(again).assume_role, **wanted) == "AccessDenied"


def test_sessions_stand_on_each_other_only_so_deep(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA, BU_A), MAY_ASSUME)
    key: Any = ana
    for _ in range(DEEPEST_CHAIN):
        key = lake.client(key).assume_role(RoleArn=BU_A, RoleSessionName="me")["Credentials"]
    assert code(lake.client(key).assume_role, RoleArn=BU_A, RoleSessionName="me") == "AccessDenied"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"RoleArn": ANA}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::1:role/bu-a"}, "ValidationError"),
        ({"RoleSessionName": "näme"}, "ValidationError"),
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        ({"Policy": policy({**allow(), "Condition": {}})}, "MalformedPolicyDocument"),
        ({"Policy": policy(allow(resource="arn:aws:s3:::" + "x" * 2100))}, "PackedPolicyTooLarge"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, "ValidationError"),
        ({"ExternalId": "12345"}, "ValidationError"),
        ({"SourceIdentity": "ana"}, "ValidationError"),
        ({"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456"}, "ValidationError"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "ValidationError"),
    ],
)
def test_what_is_not_valid_or_not_served_is_refused_and_never_left_out(
    lake: Sts, params: dict[str, Any], expected: str
) -> None:
    ana = lake.identity.user("ana", allow())
    lake.identity.role("bu-a", trusting(ANA, action=["sts:AssumeRole", "sts:TagSession"]))
    wanted = {"RoleArn": BU_A, "RoleSessionName": "ana", **params}
    assert code(lake.client(ana).assume_role, **wanted) == expected
    assert list(lake.identity.store.sessions.of(ACCOUNT, role="bu-a")) == []


def test_nobody_becomes_a_role_when_it_cannot_be_put_on_record(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    with lake.identity.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_heads RENAME TO away")
    told = refusal(lake.client(ana).assume_role, RoleArn=BU_A, RoleSessionName="ana")
    assert (told[0], told[2]) == ("InternalFailure", 500)
    assert list(lake.identity.store.sessions.of(ACCOUNT, role="bu-a")) == []
