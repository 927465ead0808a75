"""Identifiers of principals are taken apart exactly, or refused."""

from __future__ import annotations

import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.arns import Kind
from lakeveil.errors import UsageError

A = "123456789012"


@pytest.mark.parametrize(
    ("identifier", "kind", "name"),
    [
        (A, Kind.ACCOUNT, ""),
        (f"arn:aws:iam::{A}:root", Kind.ACCOUNT, ""),
        (f"{A}:IAMPrincipals", Kind.IAM_PRINCIPALS, ""),
        (f"arn:aws:iam::{A}:user/ana", Kind.USER, "ana"),
        (f"arn:aws:iam::{A}:user/team/ana", Kind.USER, "team/ana"),
        (f"arn:aws:iam::{A}:role/bu-a", Kind.ROLE, "bu-a"),
        (f"arn:aws:iam::{A}:group/analysts", Kind.GROUP, "analysts"),
        (f"arn:aws:iam::{A}:saml-provider/okta:user/a@b.io", Kind.FEDERATED_USER, "a@b.io"),
        (f"arn:aws:iam::{A}:saml-provider/okta:group/All Of Us", Kind.FEDERATED_GROUP, "All Of Us"),
        (f"arn:aws:iam::{A}:oidc-provider/login.example.com/x", Kind.ISSUER, ""),
        (f"arn:aws:sts::{A}:assumed-role/bu-a/ana", Kind.ASSUMED_ROLE, "bu-a"),
        (
            f"arn:aws:organizations::{A}:organization/o-a1b2c3d4e5",
            Kind.ORGANISATION,
            "o-a1b2c3d4e5",
        ),
        (
            f"arn:aws:organizations::{A}:ou/o-a1b2c3d4e5/ou-ab12-a1b2c3d4",
            Kind.ORGANISATIONAL_UNIT,
            "o-a1b2c3d4e5/ou-ab12-a1b2c3d4",
        ),
    ],
)  # fmt: skip
def test_each_kind_is_known_by_its_form(identifier: str, kind: Kind, name: str) -> None:
    parsed = arns.parse(identifier)
    assert (parsed.kind, parsed.account, parsed.name) == (kind, A, name)
    assert arns.account_of(identifier) == A


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "12345678901",
        "1234567890123",
        "\u0661" * 12,  # digits to Python, not to us
        f"{A}\n",
        f"{A}:iamprincipals",
        "*",
        f"arn:aws:iam::{A}:user/",
        f"arn:aws:iam::{A}:user/*",
        f"arn:aws:iam::{A}:role/bu-a ",
        f"arn:aws:iam::*:role/bu-a",  # noqa: F541 - like its neighbours
        f"arn:aws:iam:eu-central-1:{A}:role/bu-a",
        f"arn:aws:s3:::{A}",
        f"arn:aws:iam::{A}:saml-provider/okta:group/",
        f"arn:aws:iam::{A}:saml-provider/okta:group/a\nb",
        f"arn:aws:iam::{A}:role/" + "x" * 255,
        "IAM_ALLOWED_PRINCIPALS",
    ],
)
def test_anything_else_is_refused(identifier: str) -> None:
    with pytest.raises(UsageError) as refusal:
        arns.parse(identifier)
    assert refusal.value.code == "invalid_principal"
    assert not arns.is_valid_principal(identifier)


def test_a_grant_may_name_whoever_can_speak_as_it() -> None:
    assert arns.is_valid_principal(arns.user_arn(A, "ana"))
    assert arns.is_valid_principal(arns.role_arn(A, "bu-a"))
    assert arns.is_valid_principal(arns.group_arn(A, "analysts"))
    assert arns.is_valid_principal(arns.federated_group_arn(A, "okta", "analysts"))
    assert arns.is_valid_principal(arns.iam_principals(A))
    assert arns.is_valid_principal(A)


def test_a_grant_cannot_name_a_session_whose_name_anybody_chooses() -> None:
    assert not arns.is_valid_principal(arns.assumed_role_arn(A, "bu-a", "ana"))
    assert not arns.is_valid_principal(arns.issuer_arn(A, "okta"))


def test_a_group_of_one_issuer_is_no_group_of_another() -> None:
    # Names come from the issuer: none may look like another issuer's group, or one of IAM's.
    sly = arns.parse(arns.federated_group_arn(A, "okta", "x:group/analysts"))
    assert (sly.provider, sly.name) == ("okta", "x:group/analysts")
