"""Sessions' keys are on record before they open the store, and closed again whatever goes wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from lakeveil.adapters.clock import ManualClock, SystemClock
from lakeveil.adapters.store_keys import SeaweedStoreKeys
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.core.store_rights import StoreRight
from lakeveil.errors import LakeveilError, Refused, Unavailable, UsageError
from lakeveil.flows.sign_in import Caller, Opened, Wanted, assume_role, get_session_token
from lakeveil.flows.sync_store_keys import keys_on_record
from lakeveil.ports.identity import KeyMint
from lakeveil.ports.store_keys import StoreCredential, StoreKeys
from lakeveil.settings import load_settings
from lakeveil.wiring.store_keys import (
    LONGEST_REST_S,
    SYNC_EVERY_S,
    StoreKeysFollower,
    key_mint,
    run_store_keys,
)
from tests.adapters.store_keys_bench import adapter, client, documents_of, read, refused, right
from tests.identity_parts import ACCOUNT, Identity, allow, identity_in, policy, trusting
from tests.stack.unit_lake import minting
from tests.stack_fixture import Weed, store_ports

ANA = arns.user_arn(ACCOUNT, "ana")
BU_A = arns.role_arn(ACCOUNT, "bu-a")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A role with a folder at the store, and a user who may become it."""

    weed: Weed
    identity: Identity
    bucket: str

    def become(self, mint: KeyMint) -> Opened:
        (key,) = self.identity.store.keys.of_user(ACCOUNT, "ana")
        return assume_role(
            Caller(principal=self.identity.store.principal_of(key.id), access_key_id=key.id),
            Wanted(role_arn=BU_A, session_name="ana"),
            roles=self.identity.store.directory,
            sessions=self.identity.store.sessions,
            mint=mint,
            audit=self.identity.audit,
            clock=self.identity.clock,
        )

    def reads(self, key: IssuedKey, name: str = "bu-a/x") -> bool:
        strings = StoreCredential(
            access_key_id=key.access_key_id,
            secret_access_key=key.secret_access_key,
            session_token=key.session_token or None,
        )
        return not refused(partial(read, b=self.bucket, k=name), client(self.weed, strings))

    def narrow(self) -> None:
        """The role loses its folder but for one within."""
        narrower = allow("s3:*", f"arn:aws:s3:::{self.bucket}/bu-a/new/*")
        self.identity.store.directory.put_role_policy(ACCOUNT, "bu-a", policy(narrower))


@pytest.fixture
def unit(weed: Weed, tmp_path: Path) -> Iterator[Unit]:
    bucket = weed.new_bucket("mint")
    for name in ("bu-a/x", "bu-a/new/x"):
        weed.s3().put_object(Bucket=bucket, Key=name, Body=b"rows")
    with identity_in(tmp_path / "home") as identity:
        identity.user("ana", allow("sts:AssumeRole"))
        identity.role("bu-a", trusting(ANA), allow("s3:*", f"arn:aws:s3:::{bucket}/bu-a/*"))
        yield Unit(weed=weed, identity=identity, bucket=bucket)


class Meanwhile:
    """The store, with something that happens just before or after it lets a key in."""

    takes_keys = True
    lingers_s = 0.0

    def __init__(self, store: StoreKeys) -> None:
        self._store = store
        self.before: Callable[[StoreCredential], None] = lambda _key: None
        self.after: Callable[[StoreCredential], None] = lambda _key: None

    def mint_session(
        self, name: str, rights: Sequence[StoreRight], *, expires_at: float
    ) -> StoreCredential:
        return self._store.mint_session(name, rights, expires_at=expires_at)

    def allow(
        self, key: StoreCredential, rights: Sequence[StoreRight], *, expires_at: float | None
    ) -> None:
        self.before(key)
        self._store.allow(key, rights, expires_at=expires_at)
        self.after(key)

    def withdraw(self, access_key_id: str) -> None:
        self._store.withdraw(access_key_id)

    def known(self) -> frozenset[str]:
        return self._store.known()


# --- the order -------------------------------------------------------------------------------


def test_a_key_opens_the_store_once_it_is_on_record_and_let_in_and_not_before(unit: Unit) -> None:
    seen: list[bool] = []
    store = Meanwhile(adapter(unit.weed))

    def look(key: StoreCredential) -> None:
        # On record already, so that a revocation is found there.
        unit.identity.store.principal_of(key.access_key_id)
        seen.append(unit.reads(issued(key)))

    store.before = store.after = look
    opened = unit.become(minting(unit.identity, store))
    assert seen == [False, True]
    assert unit.identity.store.secret_of(opened.key.access_key_id, opened.key.session_token)


def test_a_role_without_a_folder_gets_a_key_for_our_doors_and_the_store_is_not_asked(
    unit: Unit,
) -> None:
    unit.identity.store.directory.put_role_policy(ACCOUNT, "bu-a", policy(allow("athena:*")))
    gone = adapter(replace(unit.weed, ports=store_ports()), patience_s=0.5)
    opened = unit.become(minting(unit.identity, gone))
    assert unit.identity.store.principal_of(opened.key.access_key_id).arn == BU_A
    assert not unit.reads(opened.key)


def test_a_user_of_one_letter_gets_a_session_too(unit: Unit) -> None:
    key = unit.identity.user("x", allow("s3:GetObject", f"arn:aws:s3:::{unit.bucket}/bu-a/*"))
    who = unit.identity.store.principal_of(key.access_key_id)
    opened = get_session_token(
        Caller(principal=who, access_key_id=key.access_key_id),
        duration_s=None,
        sessions=unit.identity.store.sessions,
        mint=minting(unit.identity, adapter(unit.weed)),
        audit=unit.identity.audit,
        clock=unit.identity.clock,
    )
    assert unit.reads(opened.key)


def test_what_the_store_will_not_enforce_is_for_our_doors_alone_and_in_the_log(
    unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    class Choosy(Meanwhile):
        def mint_session(
            self, name: str, rights: Sequence[StoreRight], *, expires_at: float
        ) -> StoreCredential:
            del name, rights, expires_at
            raise UsageError("no such policy", why="it is too long", fix="ask for less")

    opened = unit.become(minting(unit.identity, Choosy(adapter(unit.weed))))
    assert not unit.reads(opened.key)
    assert "it is too long" in caplog.text
    assert opened.key.secret_access_key not in caplog.text


# --- what goes wrong on the way --------------------------------------------------------------


def test_while_the_store_is_away_there_is_no_session_at_all(unit: Unit) -> None:
    gone = adapter(replace(unit.weed, ports=store_ports()), patience_s=0.5)
    with pytest.raises(Unavailable):
        unit.become(minting(unit.identity, gone))
    assert list(unit.identity.store.sessions.of(ACCOUNT, role="bu-a")) == []
    assert unit.identity.on_record()[-1][1] == "failed"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_session_that_is_revoked_while_it_is_let_in_does_not_stay_open(
    unit: Unit, when: str
) -> None:
    let: list[StoreCredential] = []

    def revoke(key: StoreCredential) -> None:
        let.append(key)
        unit.identity.store.sessions.revoke(key.access_key_id)

    store = Meanwhile(adapter(unit.weed))
    setattr(store, when, revoke)
    with pytest.raises(LakeveilError):
        unit.become(minting(unit.identity, store))
    assert not unit.reads(issued(let[0]))
    assert let[0].access_key_id not in store.known()


def test_letting_in_a_revoked_session_is_refused(unit: Unit) -> None:
    mint = minting(unit.identity, adapter(unit.weed))
    opened = unit.become(mint)
    who = unit.identity.store.principal_of(opened.key.access_key_id)
    unit.identity.store.sessions.revoke(opened.key.access_key_id)
    with pytest.raises(Refused):
        mint.let_in(opened.key, who)
    assert not unit.reads(opened.key)


def test_rights_that_change_while_a_session_is_let_in_are_the_new_ones(unit: Unit) -> None:
    store = Meanwhile(adapter(unit.weed))
    store.after = lambda _key: unit.narrow()
    opened = unit.become(minting(unit.identity, store))
    assert not unit.reads(opened.key)
    assert unit.reads(opened.key, "bu-a/new/x")


def test_a_session_that_cannot_be_taken_back_is_none_if_rights_change_meanwhile(
    unit: Unit,
) -> None:
    store = Meanwhile(adapter(unit.weed))
    store.lingers_s = 3600.0
    store.before = lambda _key: unit.narrow()
    with pytest.raises(Unavailable):
        unit.become(minting(unit.identity, store))
    assert list(unit.identity.store.sessions.of(ACCOUNT, role="bu-a")) == []


def test_rights_that_never_come_to_rest_open_nothing(unit: Unit) -> None:
    folders = iter(range(100))

    def change(_key: StoreCredential) -> None:
        other = allow("s3:*", f"arn:aws:s3:::{unit.bucket}/bu-a/{next(folders)}/*")
        unit.identity.store.directory.put_role_policy(ACCOUNT, "bu-a", policy(other))

    store = Meanwhile(adapter(unit.weed))
    store.after = change
    with pytest.raises(Unavailable):
        unit.become(minting(unit.identity, store))
    assert list(unit.identity.store.sessions.of(ACCOUNT, role="bu-a")) == []


def test_what_two_wrote_at_once_is_written_again(unit: Unit) -> None:
    """The policy of one beside the identity of the other, as two writers may leave them."""
    keys, documents = adapter(unit.weed), documents_of(unit.weed)
    narrow, wide = right(unit.bucket, "bu-a/new/"), right(unit.bucket, "bu-a/")
    key = keys.mint_session("ana", [narrow], expires_at=time.time() + 60)
    name = f"lakeveil-{key.access_key_id}.json"
    keys.allow(key, [wide], expires_at=time.time() + 60)
    policy_of_wide = documents.read("policies", name)
    keys.allow(key, [narrow], expires_at=time.time() + 60)
    documents.write("policies", name, policy_of_wide or {})
    keys.allow(key, [narrow], expires_at=time.time() + 60)
    assert documents.read("policies", name) != policy_of_wide
    assert not unit.reads(issued(key))
    keys.withdraw(key.access_key_id)


# --- both in step ----------------------------------------------------------------------------


def follower(
    unit: Unit, store_keys: SeaweedStoreKeys, monotonic: ManualClock, started: list[float]
) -> StoreKeysFollower:
    ring = unit.identity.store.callers
    return StoreKeysFollower(
        ring,
        partial(keys_on_record, ring),
        store_keys=store_keys,
        store_started=lambda: started[-1],
        clock=SystemClock(),
        monotonic=monotonic.now,
    )


def test_a_revocation_counts_though_nobody_lived_to_follow_it(unit: Unit) -> None:
    keys = adapter(unit.weed)
    opened = unit.become(minting(unit.identity, keys))
    unit.identity.store.sessions.revoke(opened.key.access_key_id)
    assert unit.reads(opened.key)
    follower(unit, keys, ManualClock(), [1.0]).look()
    assert not unit.reads(opened.key)
    assert opened.key.access_key_id not in keys.known()


def test_a_session_that_came_and_went_between_two_looks_is_closed(unit: Unit) -> None:
    keys = adapter(unit.weed)
    looks = follower(unit, keys, ManualClock(), [1.0])
    looks.look()
    opened = unit.become(minting(unit.identity, keys))
    unit.narrow()
    unit.identity.store.sessions.revoke(opened.key.access_key_id)
    assert unit.reads(opened.key)
    looks.look()
    assert not unit.reads(opened.key)


def test_everything_is_looked_through_now_and_then_and_when_the_store_started_anew(
    unit: Unit,
) -> None:
    keys, monotonic, started = adapter(unit.weed), ManualClock(), [1.0]
    looks = follower(unit, keys, monotonic, started)
    looks.look()
    opened = unit.become(minting(unit.identity, keys))
    looks.look()
    keys.withdraw(opened.key.access_key_id)
    looks.look()
    assert not unit.reads(opened.key)
    monotonic.sleep(SYNC_EVERY_S)
    looks.look()
    assert unit.reads(opened.key)
    keys.withdraw(opened.key.access_key_id)
    started.append(2.0)
    looks.look()
    assert unit.reads(opened.key)


def test_trouble_is_in_the_log_and_everything_is_looked_through_after_it(
    unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    good, away = unit.weed, replace(unit.weed, ports=store_ports())
    keys = adapter(good)
    opened = unit.become(minting(unit.identity, keys))
    unit.identity.store.sessions.revoke(opened.key.access_key_id)
    monotonic = ManualClock()
    looks = follower(unit, adapter(away, patience_s=0.5), monotonic, [1.0])
    looks.look()
    assert "not in step" in caplog.text
    secrets = (opened.key.secret_access_key, opened.key.session_token)
    assert not [secret for secret in secrets if secret in caplog.text]
    looks._store_keys = keys
    looks.look()
    assert unit.reads(opened.key)
    monotonic.sleep(LONGEST_REST_S)
    looks.look()
    assert not unit.reads(opened.key)


def test_state_that_cannot_be_read_opens_and_closes_nothing(
    unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    keys, monotonic = adapter(unit.weed), ManualClock()
    looks = follower(unit, keys, monotonic, [1.0])
    opened = unit.become(minting(unit.identity, keys))
    looks.look()
    with unit.identity.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE identity_version RENAME TO away")
    looks.look()
    assert "not in step" in caplog.text
    assert unit.reads(opened.key)


def test_the_one_that_is_composed_for_another_store_makes_keys_for_our_doors(
    unit: Unit, tmp_path: Path
) -> None:
    file = tmp_path / "lakeveil.toml"
    file.write_text('[store]\nendpoint = "https://s3.example.org"\n')
    settings = load_settings(file)[0]
    opened = unit.become(key_mint(settings, unit.identity.store, environ=os.environ))
    assert not unit.reads(opened.key)
    with pytest.raises(UsageError):
        run_store_keys(settings, environ=os.environ, stopping=threading.Event(), ready=lambda: None)


def issued(key: StoreCredential) -> IssuedKey:
    return IssuedKey(
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
        session_token=key.session_token or "",
        expires_at=key.expires_at,
    )
