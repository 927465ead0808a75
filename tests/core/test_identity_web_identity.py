"""The claims of a token, once its signature is good."""

from __future__ import annotations

from typing import Any

import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account, Issuer, Role, User
from lakeveil.core.identity.web_identity import LEEWAY_S, web_identity
from lakeveil.errors import Refused, UsageError

A = "123456789012"
NOW = 1_700_000_000.0
ISSUER = Issuer(
    account=A, name="okta", url="https://login.example.com", audiences=("lake", "console")
)
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example.com",
    "aud": "lake",
    "sub": "ana",
    "iat": NOW - 10,
    "exp": NOW + 300,
    "groups": ["analysts", "staff"],
}


def test_the_bearer_speaks_as_person_and_as_each_group() -> None:
    found = web_identity(CLAIMS, ISSUER, now=NOW)
    assert found.subject == "ana"
    assert set(found.identities) == {
        arns.federated_user_arn(A, "okta", "ana"),
        arns.federated_group_arn(A, "okta", "analysts"),
        arns.federated_group_arn(A, "okta", "staff"),
    }
    assert found.claims["groups"] == ("analysts", "staff")


def test_of_several_audiences_only_ours_count() -> None:
    found = web_identity({**CLAIMS, "aud": ["other", "console"]}, ISSUER, now=NOW)
    assert (found.audience, found.claims["aud"]) == ("console", ("console",))


def test_groups_that_no_grant_could_name_are_left_out() -> None:
    claims = {**CLAIMS, "groups": ["a\nb", "", "x" * 300, 7, None, "good"]}
    groups = [i for i in web_identity(claims, ISSUER, now=NOW).identities if ":group/" in i]
    assert groups == [arns.federated_group_arn(A, "okta", "good")]


def test_clocks_may_differ_a_little() -> None:
    web_identity({**CLAIMS, "exp": NOW - LEEWAY_S + 1}, ISSUER, now=NOW)
    web_identity({**CLAIMS, "iat": NOW + LEEWAY_S}, ISSUER, now=NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iss": "https://login.example.com/"}, "invalid_token"),
        ({"iss": None}, "invalid_token"),
        ({"aud": "other"}, "invalid_token"),
        ({"aud": []}, "invalid_token"),
        ({"aud": {"lake": 1}}, "invalid_token"),
        ({"aud": None}, "invalid_token"),
        ({"exp": NOW - LEEWAY_S}, "token_expired"),
        ({"exp": str(NOW + 300)}, "invalid_token"),
        ({"exp": True}, "invalid_token"),
        ({"exp": None}, "invalid_token"),
        ({"exp": 10**400}, "invalid_token"),
        ({"exp": float("nan")}, "invalid_token"),
        ({"iat": NOW + LEEWAY_S + 1}, "invalid_token"),
        ({"iat": None}, "invalid_token"),
        ({"nbf": NOW + LEEWAY_S + 1}, "invalid_token"),
        ({"nbf": "now"}, "invalid_token"),
        ({"sub": ""}, "invalid_token"),
        ({"sub": ["ana"]}, "invalid_token"),
    ],
)
def test_a_claim_that_is_missing_or_wrong_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        web_identity({**CLAIMS, **change}, ISSUER, now=NOW)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://login.example.com"},
        {"url": "ftp://login.example.com"},
        {"url": "https://"},
        {"url": "https://user:pw@login.example.com"},
        {"url": "https://login.example.com?x=1"},
        {"url": "https://login.example.com#x"},
        {"url": "https://[broken"},
        {"url": "login.example.com"},
        {"audiences": ()},
        {"audiences": ("",)},
        {"name": "ok:ta"},
        {"name": ""},
        {"name": "okta/"},
        {"groups_claim": ""},
    ],
)
def test_an_issuer_that_could_not_be_trusted_is_refused(change: dict[str, Any]) -> None:
    parts = {"account": A, "name": "okta", "url": "https://x.example", "audiences": ("lake",)}
    with pytest.raises(UsageError):
        Issuer(**{**parts, **change})


def test_plain_http_is_for_this_machine() -> None:
    Issuer(account=A, name="dev", url="http://127.0.0.1:8080/realms/x", audiences=("lake",))


@pytest.mark.parametrize("name", ["", "a/b", "a b", "*", "x" * 65, "ä", "a\n"])
def test_names_are_as_iam_has_them(name: str) -> None:
    with pytest.raises(UsageError):
        User(account=A, name=name)


@pytest.mark.parametrize("seconds", [899, 3599, 43_201])
def test_a_roles_longest_session_is_one_hour_to_twelve(seconds: int) -> None:
    with pytest.raises(UsageError):
        Role(account=A, name="r", trust="", max_session_s=seconds)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"},
        {"id": "12345678901x"},
        {"name": ""},
        {"organisation": A},
        {"units": (f"arn:aws:organizations::{A}:organization/o-a1b2c3d4e5",)},
    ],
)
def test_an_account_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Account(**{"id": A, "name": "main", **change})
