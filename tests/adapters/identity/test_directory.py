"""Accounts, users, groups, roles and issuers, kept as they were given."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata
from lakeveil.core.identity.directory import Account, Issuer, Role
from lakeveil.errors import Conflict, NotFound, UsageError
from tests.adapters.identity.sessions import NOBODY
from tests.identity_parts import ACCOUNT, OTHER, Identity, allow, policy, trusting


def test_names_are_given_once_in_each_account(identity: Identity) -> None:
    directory = identity.store.directory
    directory.create_user(ACCOUNT, "ana")
    directory.create_user(OTHER, "ana")
    directory.create_group(ACCOUNT, "ana")
    identity.role("ana", NOBODY)
    with pytest.raises(Conflict):
        directory.create_user(ACCOUNT, "ana")
    with pytest.raises(Conflict):
        directory.create_group(ACCOUNT, "ana")
    with pytest.raises(Conflict):
        identity.role("ana", NOBODY)
    with pytest.raises(Conflict):
        directory.create_account(Account(id=ACCOUNT, name="again"))


def test_what_is_not_there_is_not_found(identity: Identity) -> None:
    directory = identity.store.directory
    for wrong in (
        lambda: directory.account("000000000000"),
        lambda: directory.user(ACCOUNT, "ana"),
        lambda: directory.group(ACCOUNT, "ana"),
        lambda: directory.role(ACCOUNT, "ana"),
        lambda: directory.members(ACCOUNT, "ana"),
        lambda: directory.groups_of(ACCOUNT, "ana"),
        lambda: directory.create_user("000000000000", "ana"),
        lambda: directory.add_member(ACCOUNT, "ana", "ana"),
        lambda: directory.remove_member(ACCOUNT, "ana", "ana"),
        lambda: directory.put_user_policy(ACCOUNT, "ana", policy(allow())),
        lambda: directory.put_group_policy(ACCOUNT, "ana", policy(allow())),
        lambda: directory.put_role_policy(ACCOUNT, "ana", policy(allow())),
        lambda: directory.put_role_trust(ACCOUNT, "ana", NOBODY),
        lambda: directory.delete_user(ACCOUNT, "ana"),
        lambda: directory.delete_group(ACCOUNT, "ana"),
        lambda: directory.delete_role(ACCOUNT, "ana"),
        lambda: directory.delete_account("000000000000"),
        lambda: identity.store.keys.create(ACCOUNT, "ana"),
        lambda: identity.store.keys.find("LVIA" + "A" * 16),
        lambda: identity.store.keys.set_active("LVIA" + "A" * 16, active=True),
        lambda: identity.store.keys.delete("LVIA" + "A" * 16),
        lambda: identity.store.sessions.revoke("ASIA" + "A" * 16),
        lambda: identity.store.issuers.remove(ACCOUNT, "okta"),
        lambda: identity.store.issuers.add(replace(_issuer(), account="000000000000")),
    ):
        with pytest.raises(NotFound):
            wrong()


def test_a_policy_that_is_not_judged_here_never_gets_in(identity: Identity) -> None:
    bad = policy({**allow(), "Condition": {}})
    directory = identity.store.directory
    directory.create_user(ACCOUNT, "ana")
    directory.create_group(ACCOUNT, "analysts")
    identity.role("bu-a", NOBODY)
    for wrong in (
        lambda: directory.create_user(ACCOUNT, "bob", policy=bad),
        lambda: directory.put_user_policy(ACCOUNT, "ana", bad),
        lambda: directory.create_group(ACCOUNT, "others", policy=bad),
        lambda: directory.put_group_policy(ACCOUNT, "analysts", bad),
        lambda: directory.create_role(Role(account=ACCOUNT, name="bu-b", trust=NOBODY, policy=bad)),
        lambda: directory.create_role(Role(account=ACCOUNT, name="bu-b", trust=policy(allow()))),
        lambda: directory.put_role_policy(ACCOUNT, "bu-a", bad),
        lambda: directory.put_role_trust(ACCOUNT, "bu-a", trusting("*")),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_an_account_goes_only_when_nothing_is_in_it(identity: Identity) -> None:
    identity.store.directory.create_user(OTHER, "ana")
    with pytest.raises(Conflict):
        identity.store.directory.delete_account(OTHER)
    identity.store.directory.delete_user(OTHER, "ana")
    identity.store.directory.delete_account(OTHER)
    assert [a.id for a in identity.store.directory.accounts()] == [ACCOUNT]


def test_what_was_kept_comes_back_as_it_was(identity: Identity) -> None:
    directory = identity.store.directory
    kept = directory.create_account(
        Account(
            id="111111111111",
            name="Ünïted",
            organisation=f"arn:aws:organizations::{ACCOUNT}:organization/o-a1b2c3d4e5",
            units=(f"arn:aws:organizations::{ACCOUNT}:ou/o-a1b2c3d4e5/ou-ab12-a1b2c3d4",),
        )
    )
    assert directory.account("111111111111") == kept
    role = identity.role("bu-a", NOBODY, allow("athena:*"), max_session_s=43_200)
    assert directory.role(ACCOUNT, "bu-a") == role
    assert list(directory.roles(ACCOUNT)) == [role]
    assert list(directory.roles(OTHER)) == []
    issuer = identity.store.issuers.add(_issuer())
    assert identity.store.issuers.issuer_of(ACCOUNT, issuer.url) == issuer
    assert identity.store.issuers.issuer_of(OTHER, issuer.url) is None
    assert list(identity.store.issuers.issuers(ACCOUNT)) == [issuer]


def test_one_url_is_one_issuer_in_an_account(identity: Identity) -> None:
    identity.store.issuers.add(_issuer())
    with pytest.raises(Conflict):
        identity.store.issuers.add(replace(_issuer(), name="again"))
    with pytest.raises(Conflict):
        identity.store.issuers.add(replace(_issuer(), url="https://other.example"))
    identity.store.issuers.add(replace(_issuer(), account=OTHER))


def _issuer() -> Issuer:
    return Issuer(
        account=ACCOUNT, name="okta", url="https://login.example.com", audiences=("lake", "x")
    )


def test_the_migration_leaves_the_tables_as_they_are_declared(identity: Identity) -> None:
    found = sa.inspect(identity.engine)
    declared = [t for name, t in metadata.tables.items() if name.startswith("identity_")]
    assert len(declared) == 9
    for table in declared:
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: bool(c.nullable) for c in table.columns}
        foreign = {tuple(k["constrained_columns"]) for k in found.get_foreign_keys(table.name)}
        assert foreign == {tuple(k.column_keys) for k in table.foreign_key_constraints}
        indexes = {i["name"] for i in found.get_indexes(table.name)}
        assert {i.name for i in table.indexes} <= indexes


def test_a_name_is_given_once_whatever_its_case(identity: Identity) -> None:
    directory = identity.store.directory
    directory.create_user(ACCOUNT, "ana")
    directory.create_group(ACCOUNT, "Analysts")

    with pytest.raises(Conflict, match="user `ana` exists"):
        directory.create_user(ACCOUNT, "Ana")
    with pytest.raises(Conflict, match="group `Analysts` exists"):
        directory.create_group(ACCOUNT, "analysts")
    directory.create_group(ACCOUNT, "ana")
    directory.create_user(OTHER, "Ana")
