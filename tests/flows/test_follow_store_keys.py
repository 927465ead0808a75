"""The store follows what changed on record: what closes first, and nothing that did not change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lakeveil.core.store_rights import StoreAction, StoreRight
from lakeveil.errors import Unavailable, UsageError
from lakeveil.flows.sync_store_keys import (
    follow_store_keys,
    keys_on_record,
    sync_store_keys,
    withdraw_unrecorded,
)
from lakeveil.ports.store_keys import KeyOnRecord, StoreCredential
from tests.identity_parts import allow, identity_in

NOW = 1_000_000.0
WIDE, NARROW = (
    StoreRight(bucket="results", prefix=prefix, actions=frozenset({StoreAction.READ}))
    for prefix in ("bu-a/", "bu-a/2026/")
)


class WatchedStore:
    """A store that notes in which order it was told, and fails where a test wants it to."""

    takes_keys = True
    lingers_s = 0.0

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fails: set[str] = set()
        self.knows: frozenset[str] = frozenset()

    def mint_session(
        self, name: str, rights: Sequence[StoreRight], *, expires_at: float
    ) -> StoreCredential:
        raise AssertionError(f"nobody asked for a session of {name}, {rights}, {expires_at}")

    def allow(
        self, key: StoreCredential, rights: Sequence[StoreRight], *, expires_at: float | None
    ) -> None:
        del rights, expires_at
        self._tell(f"allow {key.access_key_id}", UsageError("no"))

    def withdraw(self, access_key_id: str) -> None:
        self._tell(f"withdraw {access_key_id}", Unavailable("no"))

    def known(self) -> frozenset[str]:
        self._tell("known", Unavailable("no"))
        return self.knows

    def _tell(self, what: str, failure: Exception) -> None:
        self.told.append(what)
        if what in self.fails:
            raise failure


def record(key_id: str, right: StoreRight = WIDE, expires_at: float | None = None) -> KeyOnRecord:
    credential = StoreCredential(access_key_id=key_id, secret_access_key="secret" * 6)
    return KeyOnRecord(credential=credential, rights=(right,), expires_at=expires_at)


def by_id(*records: KeyOnRecord) -> dict[str, KeyOnRecord]:
    return {one.credential.access_key_id: one for one in records}


def test_what_was_revoked_closes_first_then_what_was_narrowed_and_only_then_others_open() -> None:
    store = WatchedStore()
    before = by_id(record("REVOKED"), record("CHANGED"), record("SAME"))
    after = [record("NEW"), record("SAME"), record("CHANGED", NARROW)]
    done = follow_store_keys(before, lambda: after, store_keys=store, now=NOW)
    assert store.told == ["withdraw REVOKED", "allow CHANGED", "allow NEW"]
    assert done.in_force == by_id(*after)
    assert done.withdrawn == {"REVOKED"}
    assert done.allowed == {"NEW"}
    assert not done.failed


def test_nothing_is_asked_of_the_store_where_nothing_changed() -> None:
    store = WatchedStore()
    before = by_id(record("SAME"))
    follow_store_keys(before, lambda: [record("SAME")], store_keys=store, now=NOW)
    assert store.told == []


def test_nothing_opens_while_something_could_not_be_closed() -> None:
    store = WatchedStore()
    store.fails = {"withdraw A"}
    with pytest.raises(Unavailable):
        follow_store_keys(
            by_id(record("A"), record("B")), lambda: [record("NEW")], store_keys=store, now=NOW
        )
    assert store.told == ["withdraw A", "withdraw B"]


def test_a_key_that_cannot_be_narrowed_is_closed_and_tried_at_the_next_change() -> None:
    store = WatchedStore()
    store.fails = {"allow CHANGED"}
    before, after = by_id(record("CHANGED")), [record("CHANGED", NARROW)]
    done = follow_store_keys(before, lambda: after, store_keys=store, now=NOW)
    assert store.told == ["allow CHANGED", "withdraw CHANGED"]
    assert done.failed == {"CHANGED"}
    assert done.in_force == {}
    store.fails = set()
    again = follow_store_keys(done.in_force, lambda: after, store_keys=store, now=NOW)
    assert again.allowed == {"CHANGED"}


def test_what_has_expired_is_cleared_away() -> None:
    store = WatchedStore()
    old = record("OLD", expires_at=NOW)
    done = follow_store_keys(by_id(old), lambda: [old], store_keys=store, now=NOW)
    assert store.told == ["withdraw OLD"]
    assert done.in_force == {}


def test_after_a_look_through_it_is_known_what_is_in_force() -> None:
    store = WatchedStore()
    store.fails = {"allow BAD"}
    answers = [[record("KEPT"), record("BAD"), record("REVOKED")], [record("KEPT"), record("BAD")]]
    done = sync_store_keys(lambda: answers.pop(0), store_keys=store, now=NOW)
    assert done.in_force == by_id(record("KEPT"))


def test_what_came_and_went_unseen_is_closed_and_nothing_else() -> None:
    store = WatchedStore()
    store.knows = frozenset({"UNSEEN", "KEPT"})
    found = withdraw_unrecorded(lambda: [record("KEPT")], store_keys=store, now=NOW)
    assert found == {"UNSEEN"}
    assert store.told == ["known", "withdraw UNSEEN"]


@pytest.mark.parametrize("failure", ["known", "withdraw UNSEEN"])
def test_a_store_that_cannot_say_or_close_is_no_empty_answer(failure: str) -> None:
    store = WatchedStore()
    store.knows, store.fails = frozenset({"UNSEEN"}), {failure}
    with pytest.raises(Unavailable):
        withdraw_unrecorded(list, store_keys=store, now=NOW)


def test_only_keys_that_open_something_are_on_record_for_the_store(tmp_path: Path) -> None:
    with identity_in(tmp_path / "home") as identity:
        unit = identity.user("ana", allow("s3:GetObject", "arn:aws:s3:::results/bu-a/*"))
        identity.user("bob", allow("s3:*"))
        identity.user("eve", allow("s3:*", "arn:aws:s3:::photos/all/*"))
        found = keys_on_record(identity.store.callers, closed_buckets={"photos"})
        assert [(one.credential.access_key_id, one.rights) for one in found] == [
            (unit.access_key_id, (WIDE,))
        ]
        assert found[0].credential.secret_access_key == unit.secret_access_key
        identity.store.keys.set_active(unit.access_key_id, active=False)
        assert keys_on_record(identity.store.callers) != found
