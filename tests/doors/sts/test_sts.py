"""STS by real clients: who am I, and a temporary key of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from tests.doors.sts.running_sts import ANA, BU_A, ISSUER, MAY_ASSUME, Sts, code, refusal
from tests.doors.test_clients import aws
from tests.identity_parts import (
    ACCOUNT,
    allow,
    trusting,
    trusting_issuer,
)


def test_a_user_is_told_who_it_is(lake: Sts) -> None:
    found = lake.client(lake.identity.user("ana")).get_caller_identity()
    user_id = lake.identity.store.directory.user(ACCOUNT, "ana").id
    assert (found["Account"], found["Arn"], found["UserId"]) == (ACCOUNT, ANA, user_id)


def test_a_key_that_is_unknown_disabled_or_wrong_is_told_as_sts_does(lake: Sts) -> None:
    key = lake.identity.user("ana")
    unknown = IssuedKey(access_key_id="LVIA" + "A" * 16, secret_access_key="x")
    assert code(lake.client(unknown).get_caller_identity) == "InvalidClientTokenId"
    wrong = IssuedKey(access_key_id=key.access_key_id, secret_access_key="x")
    assert code(lake.client(wrong).get_caller_identity) == "SignatureDoesNotMatch"
    lake.identity.store.keys.set_active(key.access_key_id, active=False)
    assert code(lake.client(key).get_caller_identity) == "InvalidClientTokenId"


def test_a_user_gets_a_temporary_key_with_its_own_rights(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    credentials = lake.client(ana).get_session_token(DurationSeconds=900)["Credentials"]
    client = lake.client(credentials)
    assert client.get_caller_identity()["Arn"] == ANA
    client.assume_role(RoleArn=BU_A, RoleSessionName="ana")
    lake.identity.store.keys.set_active(ana.access_key_id, active=False)
    assert code(client.get_caller_identity) == "InvalidClientTokenId"


def test_a_session_cannot_prolong_itself(lake: Sts) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    own = lake.client(ana).get_session_token()["Credentials"]
    role = lake.client(ana).assume_role(RoleArn=BU_A, RoleSessionName="ana")["Credentials"]
    for credentials in (own, role):
        told = refusal(lake.client(credentials).get_session_token)
        assert told == (
            "AccessDenied", "Cannot call GetSessionToken with session credentials", 403,
        )  # fmt: skip


@pytest.mark.parametrize("action", ["GetCallerIdentity", "AssumeRole", "GetSessionToken"])
def test_only_a_token_replaces_a_signature(lake: Sts, action: str) -> None:
    form = {"Action": action, "Version": "2011-06-15"}
    if action == "AssumeRole":
        form |= {"RoleArn": BU_A, "RoleSessionName": "ana"}
    answer = httpx.post(lake.door.url, data=form)
    assert answer.status_code in {400, 403}
    assert "MissingAuthenticationToken" in answer.text


def test_an_operation_that_is_not_served_is_named(lake: Sts) -> None:
    ana = lake.identity.user("ana", allow())
    told = refusal(lake.client(ana).get_federation_token, Name="ana")
    assert "GetFederationToken" in told[1]


def test_the_aws_cli_does_all_four(lake: Sts, tmp_path: Path) -> None:
    ana = lake.identity.user("ana", MAY_ASSUME)
    lake.identity.role("bu-a", trusting(ANA))
    lake.identity.role("bu-b", trusting_issuer(ISSUER, aud="lake", sub="ana-1"))
    role = ("--role-session-name", "ana", "--role-arn")
    keys = {
        "AWS_ACCESS_KEY_ID": ana.access_key_id,
        "AWS_SECRET_ACCESS_KEY": ana.secret_access_key,
        "AWS_ENDPOINT_URL_STS": lake.door.url,
    }

    def call(*words: str) -> Any:
        done = aws(tmp_path, "sts", *words, **keys)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert call("get-caller-identity")["Arn"] == ANA
    assert call("get-session-token")["Credentials"]["SessionToken"]
    found = call("assume-role", *role, BU_A)
    assert found["AssumedRoleUser"]["Arn"] == arns.assumed_role_arn(ACCOUNT, "bu-a", "ana")
    (tmp_path / "token").write_text(lake.token())
    token = ("--web-identity-token", f"file://{tmp_path / 'token'}")
    bu_b = arns.role_arn(ACCOUNT, "bu-b")
    found = call("assume-role-with-web-identity", *role, bu_b, *token)
    assert found["SubjectFromWebIdentityToken"] == "ana-1"
