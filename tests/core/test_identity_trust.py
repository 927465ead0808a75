"""Who may become a role: everybody who is named, and nobody by omission."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import leaver
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.trust import MAX_DOCUMENT, Trust, from_trust_document, without
from lakeveil.errors import UsageError

A, B = "123456789012", "210987654321"
OKTA = arns.issuer_arn(A, "okta")
GOOD = {
    "StringEquals": {"okta:aud": "lake"},
    "ForAnyValue:StringEquals": {"okta:groups": ["bu-a", "bu-b"]},
}


def trust(*statements: dict[str, Any]) -> Trust:
    return from_trust_document(json.dumps({"Version": "2012-10-17", "Statement": statements}))


def by(aws: Any, action: Any = "sts:AssumeRole") -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": aws}, "Action": action}


def token(condition: Any = GOOD, issuer: str = OKTA) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": issuer},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }


def who(arn: str) -> Principal:
    return Principal(arn=arn, account=arns.account_of(arn), identities=frozenset({arn}))


def test_whoever_is_named_is_let_in_and_nobody_else() -> None:
    found = trust(by([arns.user_arn(A, "ana"), arns.role_arn(B, "etl")]))
    assert found.admits(who(arns.user_arn(A, "ana")))
    assert found.admits(who(arns.role_arn(B, "etl")))
    assert not found.admits(who(arns.user_arn(A, "bob")))
    assert not found.admits(who(arns.user_arn(B, "ana")))
    assert not found.admits(who(arns.role_arn(A, "ana")))


@pytest.mark.parametrize("written", [A, f"arn:aws:iam::{A}:root"])
def test_an_account_is_everybody_in_it(written: str) -> None:
    found = trust(by(written))
    assert found.admits(who(arns.user_arn(A, "ana")))
    assert not found.admits(who(arns.user_arn(B, "ana")))


def test_an_empty_trust_lets_nobody_in() -> None:
    assert not Trust().admits(who(arns.user_arn(A, "ana")))
    assert not Trust().admits_token(OKTA, {"aud": ("lake",)})


def test_session_tags_are_for_those_who_are_trusted_with_them() -> None:
    ana = who(arns.user_arn(A, "ana"))
    assert not trust(by(ana.arn)).admits(ana, tagging=True)
    assert trust(by(ana.arn, ["sts:AssumeRole", "sts:TagSession"])).admits(ana, tagging=True)
    assert not trust(by(ana.arn, "sts:TagSession")).admits(ana)


def test_a_token_must_have_every_claim_and_one_value_of_each() -> None:
    found = trust(token())
    assert found.admits_token(OKTA, {"aud": ("lake",), "groups": ("x", "bu-b")})
    assert not found.admits_token(OKTA, {"aud": ("lake",), "groups": ("bu-c",)})
    assert not found.admits_token(OKTA, {"aud": ("lake",)})
    assert not found.admits_token(OKTA, {"aud": ("other",), "groups": ("bu-a",)})
    other = arns.issuer_arn(A, "entra")
    assert not found.admits_token(other, {"aud": ("lake",), "groups": ("bu-a",)})


def test_only_a_star_is_a_wildcard_in_like() -> None:
    condition = {
        "StringEquals": {"okta:aud": "lake"},
        "StringLike": {"okta:sub": "repo:acme/*:main"},
    }
    found = trust(token(condition))
    assert found.admits_token(OKTA, {"aud": ("lake",), "sub": ("repo:acme/lake:main",)})
    assert not found.admits_token(OKTA, {"aud": ("lake",), "sub": ("repo:evil/lake:main",)})


def test_a_star_in_equals_is_a_star() -> None:
    condition = {"StringEquals": {"okta:aud": "lake", "okta:sub": "*"}}
    assert not trust(token(condition)).admits_token(OKTA, {"aud": ("lake",), "sub": ("ana",)})


def test_people_of_an_issuer_do_not_come_in_as_callers() -> None:
    assert not trust(token()).admits(who(arns.user_arn(A, "ana")))
    assert not trust(by(A)).admits_token(OKTA, {"aud": ("lake",)})


def test_issuers_may_be_named_by_address_as_iam_does() -> None:
    issuer = arns.issuer_arn(A, "token.example.com/x")
    condition = {
        "StringEquals": {"token.example.com/x:aud": "lake"},
        "StringLike": {"token.example.com/x:sub": "*"},
    }
    found = trust(token(condition, issuer))
    assert found.admits_token(issuer, {"aud": ("lake",), "sub": ("ana",)})


@pytest.mark.parametrize(
    "statement",
    [
        by("*"),
        {**by(A), "Principal": "*"},
        by(arns.group_arn(A, "analysts")),
        by(arns.assumed_role_arn(A, "bu-a", "ana")),
        by(f"arn:aws:iam::{A}:user/*"),
        by(A, "*"),
        by(A, "sts:*"),
        by(A, "sts:AssumeRoleWithWebIdentity"),
        by([]),
        {**by(A), "Effect": "Deny"},
        {**by(A), "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {**by(A), "Resource": "*"},
        {**by(A), "NotPrincipal": {"AWS": B}},
        {**by(A), "Principal": {"AWS": A, "Federated": OKTA}},
        {**by(A), "Principal": {"Service": "glue.amazonaws.com"}},
        {k: v for k, v in token().items() if k != "Condition"},
        token({}),
        token({"StringEquals": {"okta:aud": "lake"}}),
        token({"StringEquals": {"okta:sub": "ana"}}),
        token({"StringLike": {"okta:aud": "*", "okta:sub": "*"}}),
        token({**GOOD, "StringNotEquals": {"okta:sub": "bob"}}),
        token({**GOOD, "StringEqualsIfExists": {"okta:sub": "bob"}}),
        token({"StringEquals": {"okta:aud": "lake", "entra:sub": "ana"}}),
        token({"StringEquals": {"okta:aud": "lake", "sub": "ana"}}),
        token({"StringEquals": {"okta:aud": "lake", "okta:sub": []}}),
        token({**GOOD, "StringLike": {"okta:sub": "an?"}}),
        token({**GOOD, "Null": {"okta:sub": "false"}}),
        token(GOOD, arns.user_arn(A, "ana")),
        token(GOOD, f"arn:aws:iam::{A}:saml-provider/okta"),
    ],
)
def test_what_is_not_judged_here_is_refused_when_it_is_written(statement: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        trust(by(A), statement)


GONE = "AIDA" + "Q" * 17


def test_a_unique_id_takes_the_place_of_whoever_goes_and_lets_nobody_in() -> None:
    ana, bob = arns.user_arn(A, "ana"), arns.user_arn(A, "bob")
    before = json.dumps({"Statement": [by([ana, bob]), by(ana), token()]})
    after = without(before, leaver(ana, GONE))
    named = [entry["Principal"] for entry in json.loads(after)["Statement"]]
    assert named == [{"AWS": [GONE, bob]}, {"AWS": GONE}, {"Federated": OKTA}]
    found = from_trust_document(after)
    assert not found.admits(who(ana))
    assert found.admits(who(bob))
    somebody = Principal(arn=ana, account=A, identities=frozenset({ana}), user_id=GONE)
    assert not found.admits(somebody)


def test_a_unique_id_takes_the_place_of_an_issuer_that_goes() -> None:
    before = json.dumps({"Statement": [token(), by(arns.user_arn(A, "ana"))]})
    after = without(before, leaver(OKTA, GONE))
    claims = {"aud": ("lake",), "groups": ("bu-a",)}
    assert from_trust_document(before).admits_token(OKTA, claims)
    assert not from_trust_document(after).admits_token(OKTA, claims)
    assert not from_trust_document(after).admits_token(GONE, {})
    assert from_trust_document(after).admits(who(arns.user_arn(A, "ana")))


def test_with_an_account_everybody_in_it_goes() -> None:
    ana, eve = arns.user_arn(A, "ana"), arns.user_arn(B, "eve")
    before = json.dumps({"Statement": by([B, f"arn:aws:iam::{B}:root", eve, ana])})
    after = without(before, leaver(B, GONE))
    assert json.loads(after)["Statement"][0]["Principal"] == {"AWS": [GONE, GONE, GONE, ana]}
    assert not from_trust_document(after).admits(who(eve))


def test_a_trust_that_names_somebody_else_is_left_as_it_was_written() -> None:
    before = json.dumps({"Statement": by(arns.user_arn(A, "ana2"))}, indent=7)
    assert without(before, leaver(arns.user_arn(A, "ana"), GONE)) == before


def test_a_trust_at_its_longest_can_still_be_read_when_somebody_goes() -> None:
    ana = arns.user_arn(A, "ana")
    others = [arns.user_arn(A, f"u{number}") for number in range(10)]
    # Whatever JSON can escape, in the longest way there is.
    before = json.dumps({"Id": "é\t\ud800", "Statement": by([ana, *others])}).replace(
        "\\t", "\\u0009"
    )
    before = before.replace('"Id": "', '"Id": "' + "x" * (MAX_DOCUMENT - len(before)))
    assert len(before) == MAX_DOCUMENT
    after = without(before, leaver(ana, GONE))
    assert len(after) <= len(before)
    assert from_trust_document(after).admits(who(others[-1]))


@pytest.mark.parametrize("unlike", ["AIDA", "aida" + "Q" * 17, "AIDA" + "1" * 17, GONE + "Q"])
def test_what_is_no_unique_id_is_no_principal(unlike: str) -> None:
    with pytest.raises(UsageError):
        trust(by(unlike))
    with pytest.raises(UsageError):
        trust(token(issuer=unlike))
