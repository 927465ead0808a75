"""Everybody in a real directory, as decisions see them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.people import DirectoryPeople
from lakeveil.core.access.deciding.data_access import DATA_ACCESS
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account, Role
from tests.new_database import new_database

HOME, OTHER = "111111111111", "222222222222"
READS = json.dumps({"Statement": [{"Effect": "Allow", "Action": DATA_ACCESS, "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": arns.user_arn(HOME, "ana")},
                "Action": "sts:AssumeRole",
            }
        ]
    }
)


@pytest.fixture
def people(tmp_path: Path) -> Iterator[DirectoryPeople]:
    engine = new_database(tmp_path / "state.db")
    directory = Directory(engine, ManualClock())
    for account in (HOME, OTHER):
        directory.create_account(Account(id=account, name="it"))
    directory.create_user(HOME, "ana")
    directory.create_user(OTHER, "ana")
    directory.create_group(HOME, "analysts", policy=READS)
    directory.add_member(HOME, "analysts", "ana")
    directory.create_role(Role(account=HOME, name="bu-a", trust=TRUST, policy=READS))
    yield DirectoryPeople(directory)
    engine.dispose()


def test_a_user_speaks_for_itself_its_groups_and_its_account(people: DirectoryPeople) -> None:
    ana = people.principal(arns.user_arn(HOME, "ana"))
    assert ana is not None
    assert ana.identities == {
        arns.user_arn(HOME, "ana"),
        arns.group_arn(HOME, "analysts"),
        arns.iam_principals(HOME),
    }
    assert ana.rights.allows(DATA_ACCESS, "*")


def test_a_role_speaks_for_itself(people: DirectoryPeople) -> None:
    role = people.principal(arns.role_arn(HOME, "bu-a"))
    assert role is not None
    assert role.identities == {arns.role_arn(HOME, "bu-a"), arns.iam_principals(HOME)}


def test_everybody_is_listed_once_just_as_they_are_found(people: DirectoryPeople) -> None:
    every = people.principals()
    assert [one.arn for one in every] == [
        arns.role_arn(HOME, "bu-a"),
        arns.user_arn(HOME, "ana"),
        arns.user_arn(OTHER, "ana"),
    ]
    assert [people.principal(one.arn) for one in every] == list(every)
    assert people.accounts() == [HOME, OTHER]


@pytest.mark.parametrize(
    "identifier",
    [arns.user_arn(HOME, "bob"), arns.role_arn(HOME, "none"), arns.user_arn("333333333333", "ana"),
     "ana", "", arns.assumed_role_arn(HOME, "bu-a", "s"), arns.issuer_arn(HOME, "okta")],
)  # fmt: skip
def test_who_is_not_there_is_nobody(people: DirectoryPeople, identifier: str) -> None:
    assert people.principal(identifier) is None


def test_people_of_an_issuer_are_what_their_identifier_says(people: DirectoryPeople) -> None:
    zoe = arns.federated_user_arn(HOME, "okta", "zoe@a.example")
    found = people.principal(zoe)
    assert found is not None
    assert found.identities == {zoe, arns.iam_principals(HOME)}
    assert not found.rights.allows(DATA_ACCESS, "*")


@pytest.mark.parametrize(
    "identifier",
    [arns.federated_group_arn(HOME, "okta", "finance"), arns.group_arn(HOME, "analysts"), OTHER,
     arns.iam_principals(HOME)],
)  # fmt: skip
def test_what_stands_for_several_speaks_for_nothing_else(
    people: DirectoryPeople, identifier: str
) -> None:
    found = people.principal(identifier)
    assert found is not None
    assert found.identities == {identifier}
