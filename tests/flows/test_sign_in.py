"""Sessions come into being on record or not at all, with keys of whoever makes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey, Session
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, NotFound, Unavailable, UsageError
from lakeveil.flows.change_identity import change_identity
from lakeveil.flows.sign_in import Caller, Opened, Wanted, assume_role
from lakeveil.ports.identity import KeyMint
from tests.identity_parts import ACCOUNT, Identity, allow, identity_in, trusting

ANA = arns.user_arn(ACCOUNT, "ana")
STORES = "ASIASTORE0000000001X"
BU_A = arns.role_arn(ACCOUNT, "bu-a")


@pytest.fixture
def identity(tmp_path: Path) -> Iterator[Identity]:
    with identity_in(tmp_path / "home") as identity:
        identity.store.directory.create_group(ACCOUNT, "analysts")
        identity.user("ana", allow("sts:AssumeRole"))
        identity.role("bu-a", trusting(ANA), allow("s3:*", "arn:aws:s3:::results/bu-a/*"))
        yield identity


def become(identity: Identity, mint: KeyMint) -> Opened:
    (key,) = identity.store.keys.of_user(ACCOUNT, "ana")
    return assume_role(
        Caller(principal=identity.store.principal_of(key.id), access_key_id=key.id),
        Wanted(role_arn=BU_A, session_name="ana"),
        roles=identity.store.directory,
        sessions=identity.store.sessions,
        mint=mint,
        audit=identity.audit,
        clock=identity.clock,
    )


class StoreMint:
    """A store of objects that makes the keys itself, or fails to."""

    def __init__(self, identity: Identity, *, fails_to: str = "", lasts_s: float = 3600) -> None:
        self.identity = identity
        self.fails_to = fails_to
        self.lasts_s = lasts_s
        self.let: list[str] = []

    def mint(self, session: Session, who: Principal) -> IssuedKey:
        assert who.session_arn == arns.assumed_role_arn(ACCOUNT, "bu-a", session.name)
        assert who.rights.allows("s3:GetObject", "arn:aws:s3:::results/bu-a/x")
        if self.fails_to == "mint":
            raise Unavailable("the store did not answer")
        return IssuedKey(
            access_key_id=STORES,
            secret_access_key="s" * 40,
            session_token="t" * 900,
            expires_at=self.identity.clock.now() + self.lasts_s,
        )

    def let_in(self, key: IssuedKey, who: Principal) -> None:
        # On record first: what is revoked meanwhile is found there.
        assert self.identity.store.principal_of(key.access_key_id) == who
        if self.fails_to == "let in":
            raise Unavailable("the store did not answer")
        self.let.append(key.access_key_id)


def test_a_store_of_objects_may_make_the_keys_so_that_they_are_good_there_too(
    identity: Identity,
) -> None:
    mint = StoreMint(identity)
    become(identity, mint)
    assert identity.store.secret_of(STORES, "t" * 900) == "s" * 40
    assert identity.store.secret_of(STORES, "t" * 899) is None
    assert mint.let == [STORES]


def test_a_session_ends_with_its_key_where_that_ends_first(identity: Identity) -> None:
    opened = become(identity, StoreMint(identity, lasts_s=600))
    assert opened.session.expires_at == identity.clock.now() + 600
    identity.clock.sleep(600)
    assert identity.store.secret_of(STORES, "t" * 900) is None


@pytest.mark.parametrize("step", ["mint", "let in"])
def test_a_key_that_is_not_good_everywhere_is_good_nowhere_and_on_record_as_failed(
    identity: Identity, step: str
) -> None:
    with pytest.raises(Unavailable):
        become(identity, StoreMint(identity, fails_to=step))
    assert identity.on_record() == [
        ("sts:AssumeRole", "allowed", ""), ("sts:AssumeRole", "failed", "unavailable"),
    ]  # fmt: skip
    assert identity.store.secret_of(STORES, "t" * 900) is None
    assert list(identity.store.sessions.of(ACCOUNT, role="bu-a")) == []


def test_nothing_is_changed_when_it_cannot_be_put_on_record(identity: Identity) -> None:
    with identity.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_heads RENAME TO away")
    with (
        pytest.raises(Unavailable),
        change_identity(by="local:me", action="iam:CreateUser", resource="x", audit=identity.audit),
    ):
        identity.store.directory.create_user(ACCOUNT, "bob")
    with pytest.raises(NotFound):
        identity.store.directory.user(ACCOUNT, "bob")


def test_a_change_that_fails_is_on_record_with_its_reason(identity: Identity) -> None:
    with (
        pytest.raises(Conflict),
        change_identity(by="local:me", action="iam:CreateUser", resource=ANA, audit=identity.audit),
    ):
        identity.store.directory.create_user(ACCOUNT, "ana")
    assert identity.on_record()[-1] == ("iam:CreateUser", "failed", "conflict")


def test_a_change_by_nobody_is_refused(identity: Identity) -> None:
    with (
        pytest.raises(UsageError),
        change_identity(by="", action="iam:CreateUser", resource="x", audit=identity.audit),
    ):
        identity.store.directory.create_user(ACCOUNT, "bob")
    assert len(identity.store.directory.users(ACCOUNT)) == 1
