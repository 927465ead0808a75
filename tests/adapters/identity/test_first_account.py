"""The first account of an installation, made once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.core.identity import arns
from lakeveil.flows.first_account import ADMINISTRATOR, ensure_first_account
from tests.identity_parts import ACCOUNT, OTHER, Identity, identity_in


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Identity]:
    with identity_in(tmp_path / "home") as identity:
        for number in (ACCOUNT, OTHER):
            identity.store.directory.delete_account(number)
        yield identity


def test_the_first_account_has_an_administrator_whose_key_is_told_once(empty: Identity) -> None:
    first = ensure_first_account(empty.store.founder, audit=empty.audit)
    assert first.key is not None
    who = empty.store.principal_of(first.key.access_key_id)
    assert who.arn == first.administrator == arns.user_arn(first.account, ADMINISTRATOR)
    assert who.rights.allows("lakeformation:PutDataLakeSettings", "*")
    again = ensure_first_account(empty.store.founder, audit=empty.audit)
    assert (again.account, again.administrator, again.key) == (
        first.account, first.administrator, None,
    )  # fmt: skip
    assert empty.on_record() == [
        ("iam:CreateAccount", "allowed", ""), ("iam:CreateAccount", "done", ""),
    ]  # fmt: skip


def test_an_administrator_whose_key_was_deleted_is_not_given_another(empty: Identity) -> None:
    first = ensure_first_account(empty.store.founder, audit=empty.audit)
    assert first.key is not None
    empty.store.keys.delete(first.key.access_key_id)
    assert ensure_first_account(empty.store.founder, audit=empty.audit).key is None


def test_of_several_that_start_at_once_one_makes_the_first_account(empty: Identity) -> None:
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                ensure_first_account(empty.store.founder, audit=empty.audit)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.account for one in found}) == 1
    assert len([one for one in found if one.key is not None]) == 1
    assert len(empty.store.directory.accounts()) == 1
