"""Becoming a role with a token takes an issuer that the role trusts for its claims."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.core.identity import arns
from lakeveil.flows.refusals import MOST_A_MINUTE
from tests.doors.sts.running_sts import ANA, BU_A, ISSUER, MAY_ASSUME, Sts, code, refusal
from tests.identity_parts import (
    ACCOUNT,
    OTHER,
    trusting,
    trusting_issuer,
)
from tests.oidc_issuer import rsa_key


def test_the_bearer_of_a_trusted_token_becomes_the_role_and_keeps_its_groups(lake: Sts) -> None:
    role = lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", groups=["analysts"]))
    answer = lake.stranger().assume_role_with_web_identity(
        RoleArn=BU_A, RoleSessionName="ana", WebIdentityToken=lake.token()
    )
    assert answer["SubjectFromWebIdentityToken"] == "ana-1"
    assert answer["Audience"] == "lake"
    assert answer["Provider"] == ISSUER
    assert answer["AssumedRoleUser"]["AssumedRoleId"] == f"{role.id}:ana"
    lake.client(answer["Credentials"]).get_caller_identity()
    who = lake.identity.store.principal_of(answer["Credentials"]["AccessKeyId"])
    assert who.identities == {
        BU_A,
        arns.iam_principals(ACCOUNT),
        arns.federated_user_arn(ACCOUNT, "dev", "ana-1"),
        arns.federated_group_arn(ACCOUNT, "dev", "analysts"),
    }
    assert lake.identity.on_record() == [
        ("sts:AssumeRoleWithWebIdentity", "allowed", ""),
        ("sts:AssumeRoleWithWebIdentity", "done", ""),
    ]


def test_a_group_that_the_role_does_not_trust_is_refused_as_if_there_were_no_role(
    lake: Sts,
) -> None:
    lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", groups=["analysts"]))
    call = lake.stranger().assume_role_with_web_identity
    token = lake.token(groups=["others"])
    told = refusal(call, RoleArn=BU_A, RoleSessionName="ana", WebIdentityToken=token)
    assert told == (
        "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403,
    )  # fmt: skip
    absent = arns.role_arn(ACCOUNT, "none")
    assert told == refusal(call, RoleArn=absent, RoleSessionName="ana", WebIdentityToken=token)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "another"}, ("InvalidIdentityToken", 400)),
        ({"exp": 1}, ("ExpiredTokenException", 400)),
        ({"iss": "https://elsewhere.example"}, ("InvalidIdentityToken", 400)),
    ],
)
def test_a_token_that_is_not_good_is_refused_in_the_services_words_and_never_quoted(
    lake: Sts, claims: dict[str, Any], expected: tuple[str, int]
) -> None:
    lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    token = lake.token(**claims)
    told = refusal(
        lake.stranger().assume_role_with_web_identity,
        RoleArn=BU_A, RoleSessionName="ana", WebIdentityToken=token,
    )  # fmt: skip
    assert (told[0], told[2]) == expected
    assert not [part for part in token.split(".") if part in told[1]]
    assert token not in lake.identity.record_text()


def test_an_issuer_that_does_not_answer_is_told_so_that_clients_try_again(lake: Sts) -> None:
    lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    lake.issuer.behaviour = "down"
    try:
        assert code(
            lake.stranger().assume_role_with_web_identity,
            RoleArn=BU_A, RoleSessionName="ana", WebIdentityToken=lake.token(),
        ) == "IDPCommunicationError"  # fmt: skip
    finally:
        lake.issuer.behaviour = ""


def test_a_role_for_users_is_not_for_tokens_nor_the_other_way_round(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA, ACCOUNT))
    lake.identity.role("bu-b", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    bu_b = arns.role_arn(ACCOUNT, "bu-b")
    assert code(
        lake.stranger().assume_role_with_web_identity,
        RoleArn=BU_A, RoleSessionName="ana", WebIdentityToken=lake.token(),
    ) == "AccessDenied"  # fmt: skip
    assert code(lake.client(ana).assume_role, RoleArn=bu_b, RoleSessionName="ana") == "AccessDenied"


def test_an_issuer_of_one_account_opens_no_role_of_another(lake: Sts) -> None:
    # Its trust even names the issuer, but the account does not believe it.
    trusted = trusting_issuer(ISSUER, aud="lake", sub="ana-1")
    lake.identity.role("bu-a", trusted, account=OTHER)
    assert code(
        lake.stranger().assume_role_with_web_identity,
        RoleArn=arns.role_arn(OTHER, "bu-a"), RoleSessionName="ana", WebIdentityToken=lake.token(),
    ) == "InvalidIdentityToken"  # fmt: skip


def test_a_key_rotated_at_the_issuer_opens_sessions_at_once(lake: Sts) -> None:
    lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    call = lake.stranger().assume_role_with_web_identity
    wanted = {"RoleArn": BU_A, "RoleSessionName": "ana"}
    call(**wanted, WebIdentityToken=lake.token())
    kept = lake.issuer.keys
    lake.issuer.keys = [rsa_key("second")]
    try:
        lake.identity.clock.sleep(10)
        call(**wanted, WebIdentityToken=lake.token())
    finally:
        lake.issuer.keys = kept


def test_boto3_signs_in_with_a_token_file_by_itself(
    lake: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    (tmp_path / "token").write_text(lake.token())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": BU_A,
        "AWS_ROLE_SESSION_NAME": "ana",
        "AWS_ENDPOINT_URL": lake.door.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    found = boto3.session.Session().client("sts").get_caller_identity()
    assert found["Arn"] == arns.assumed_role_arn(ACCOUNT, "bu-a", "ana")


def test_strangers_with_bad_tokens_fill_no_log_and_hide_nobody(lake: Sts) -> None:
    lake.identity.role("bu-a", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    call = lake.stranger().assume_role_with_web_identity
    wanted = {"RoleArn": BU_A, "RoleSessionName": "ana"}
    for _ in range(MOST_A_MINUTE + 15):
        assert code(call, **wanted, WebIdentityToken=lake.token(aud="no")) == "InvalidIdentityToken"
    refused = ("sts:AssumeRoleWithWebIdentity", "refused", "invalid_token")
    assert lake.identity.on_record() == [refused] * (MOST_A_MINUTE + 2)
    # A good token that the role does not trust has a count of its own, and a good one none.
    assert code(call, **wanted, WebIdentityToken=lake.token(sub="eve")) == "AccessDenied"
    call(**wanted, WebIdentityToken=lake.token())
    assert [code for _, _, code in lake.identity.on_record()[-3:]] == ["access_denied", "", ""]


def test_where_a_call_came_from_is_on_record_and_not_what_a_header_says(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    told = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}

    def spoof(request: Any, **_: Any) -> None:
        request.headers.update(told)

    for client in (lake.client(ana), lake.stranger()):
        client.meta.events.register("before-send.sts.*", spoof)
        with suppress(ClientError):
            client.assume_role(RoleArn=BU_A, RoleSessionName="ana")
        with suppress(ClientError):
            client.assume_role_with_web_identity(
                RoleArn=BU_A, RoleSessionName="ana", WebIdentityToken=lake.token()
            )
    found = [
        (entry.record.event.principal, entry.record.event.source_ip)
        for entry in AuditTrail(lake.identity.engine, lake.identity.audit.keys).entries()
        if entry.record and entry.record.event.action.startswith("sts:")
    ]
    assert {ANA, arns.federated_user_arn(ACCOUNT, "dev", "ana-1")} == {who for who, _ in found}
    assert {address for _, address in found} == {"127.0.0.1"}
