"""Grants may name those who are there, and nobody else."""

from __future__ import annotations

import pytest

from lakeveil.adapters.identity.registry import Registry
from lakeveil.core.identity.directory import Account, Issuer
from tests.identity_parts import ACCOUNT, OTHER, Identity, trusting

UNIT = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678"
THIRD = "333333333333"
IAM = f"arn:aws:iam::{ACCOUNT}"


@pytest.fixture
def registry(identity: Identity) -> Registry:
    directory = identity.store.directory
    identity.user("ana")
    identity.role("bu-a", trusting(ACCOUNT))
    directory.create_group(ACCOUNT, "analysts")
    directory.add_member(ACCOUNT, "analysts", "ana")
    directory.create_account(Account(id=THIRD, name="third", units=(UNIT,)))
    identity.store.issuers.add(
        Issuer(account=ACCOUNT, name="okta", url="https://id.example.com", audiences=("lake",))
    )
    return Registry(directory, identity.store.issuers)


@pytest.mark.parametrize(
    "identifier",
    [
        f"{IAM}:user/ana",
        f"{IAM}:role/bu-a",
        f"{IAM}:group/analysts",
        f"{IAM}:saml-provider/okta:group/anybody",
        f"{IAM}:saml-provider/okta:user/anybody",
        OTHER,
        f"{ACCOUNT}:IAMPrincipals",
        UNIT,
    ],
)
def test_whoever_is_there_is_known(registry: Registry, identifier: str) -> None:
    assert registry.knows(identifier)


@pytest.mark.parametrize(
    "identifier",
    [
        f"{IAM}:user/bob",
        f"{IAM}:user/bu-a",
        f"{IAM}:role/ana",
        f"{IAM}:group/ana",
        f"{IAM}:saml-provider/entra:group/anybody",
        f"arn:aws:iam::{OTHER}:user/ana",
        f"arn:aws:iam::{OTHER}:saml-provider/okta:group/anybody",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/bu-a/ana",
        "444444444444",
        "444444444444:IAMPrincipals",
        UNIT.replace("12345678", "87654321"),
        "IAM_ALLOWED_PRINCIPALS",
        "ana",
        "*",
        "",
    ],
)
def test_whoever_is_not_there_is_unknown(registry: Registry, identifier: str) -> None:
    assert not registry.knows(identifier)


def test_a_users_groups_speak_for_it_and_a_strangers_do_not(registry: Registry) -> None:
    everybody = f"{ACCOUNT}:IAMPrincipals"
    ana, role = f"{IAM}:user/ana", f"{IAM}:role/bu-a"

    assert registry.identities_of(ana) == {ana, f"{IAM}:group/analysts", everybody}
    assert registry.identities_of(role) == {role, everybody}
    assert registry.identities_of(f"{IAM}:user/bob") == {f"{IAM}:user/bob"}
    assert registry.identities_of("nonsense") == {"nonsense"}
