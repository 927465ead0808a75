"""Our records and the store agree again, and no error on the way opens anything."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence

import pytest

from lakeveil.adapters.store_keys import SeaweedStoreKeys
from lakeveil.core.store_rights import StoreAction, StoreRight
from lakeveil.errors import Unavailable, UsageError
from lakeveil.flows.sync_store_keys import sync_store_keys
from lakeveil.ports.store_keys import KeyOnRecord, StoreCredential
from tests.stack_fixture import Weed, running_weed

RIGHT = StoreRight(bucket="photos", prefix="bu-a/", actions=frozenset({StoreAction.READ}))
NOW = 1_000_000.0


class RecordingStore:
    """A store that remembers, and fails where a test wants it to."""

    def __init__(self, *opened: str, takes_keys: bool = True) -> None:
        self.opened: dict[str, Sequence[StoreRight]] = dict.fromkeys(opened, ())
        self.takes_keys = takes_keys
        self.lingers_s = 0.0
        self.fails: set[str] = set()
        self.on_allow: Callable[[], None] = lambda: None

    def mint_session(
        self, name: str, rights: Sequence[StoreRight], *, expires_at: float
    ) -> StoreCredential:
        raise AssertionError(f"nobody asked for a session of {name}, {rights}, {expires_at}")

    def allow(
        self, key: StoreCredential, rights: Sequence[StoreRight], *, expires_at: float | None
    ) -> None:
        del expires_at
        self.on_allow()
        if f"allow {key.access_key_id}" in self.fails:
            raise UsageError("no")
        self.opened[key.access_key_id] = rights

    def withdraw(self, access_key_id: str) -> None:
        if f"withdraw {access_key_id}" in self.fails:
            raise Unavailable("no")
        self.opened.pop(access_key_id, None)

    def known(self) -> frozenset[str]:
        if "known" in self.fails:
            raise Unavailable("no")
        return frozenset(self.opened)


def record(access_key_id: str, expires_at: float | None = None) -> KeyOnRecord:
    return KeyOnRecord(
        credential=StoreCredential(access_key_id=access_key_id, secret_access_key="secret" * 6),
        rights=[RIGHT],
        expires_at=expires_at,
    )


def test_what_we_did_not_issue_goes_and_what_is_missing_comes() -> None:
    store = RecordingStore("STRAY", "KEPT")
    done = sync_store_keys(lambda: [record("KEPT"), record("NEW")], store_keys=store, now=NOW)
    assert store.opened == {"KEPT": [RIGHT], "NEW": [RIGHT]}
    assert done.withdrawn == {"STRAY"}
    assert done.allowed == {"NEW"}
    assert not done.failed


def test_what_has_expired_on_record_goes() -> None:
    store = RecordingStore("OLD", "KEPT")
    records = [record("OLD", NOW), record("KEPT", NOW + 60), record("OLDER", NOW - 60)]
    sync_store_keys(lambda: records, store_keys=store, now=NOW)
    assert set(store.opened) == {"KEPT"}


@pytest.mark.parametrize("failure", ["known", "withdraw STRAY"])
def test_nothing_is_opened_where_the_store_cannot_say_or_close(failure: str) -> None:
    store = RecordingStore("STRAY", "ANOTHER")
    store.fails = {failure}
    with pytest.raises(Unavailable):
        sync_store_keys(lambda: [record("NEW")], store_keys=store, now=NOW)
    assert "NEW" not in store.opened
    # One that cannot be closed keeps no other open.
    assert ("ANOTHER" in store.opened) == (failure == "known")


def test_records_that_cannot_be_read_change_nothing() -> None:
    store = RecordingStore("KEPT")

    def issued() -> list[KeyOnRecord]:
        raise Unavailable("the database is away")

    with pytest.raises(Unavailable):
        sync_store_keys(issued, store_keys=store, now=NOW)
    assert set(store.opened) == {"KEPT"}


def test_a_key_that_cannot_be_limited_as_recorded_is_closed() -> None:
    store = RecordingStore("WIDE")
    store.fails = {"allow WIDE"}
    done = sync_store_keys(lambda: [record("WIDE"), record("NEW")], store_keys=store, now=NOW)
    assert set(store.opened) == {"NEW"}
    assert done.failed == {"WIDE"}


def test_a_key_revoked_meanwhile_does_not_come_back() -> None:
    store = RecordingStore("KEPT", "REVOKED")
    records = {"KEPT": record("KEPT"), "REVOKED": record("REVOKED")}

    def revoke() -> None:
        records.pop("REVOKED", None)
        store.opened.pop("REVOKED", None)

    store.on_allow = revoke
    done = sync_store_keys(lambda: list(records.values()), store_keys=store, now=NOW)
    assert set(store.opened) == {"KEPT"}
    assert "REVOKED" in done.withdrawn


def test_a_key_issued_meanwhile_stays() -> None:
    records: list[KeyOnRecord] = []

    class Busy(RecordingStore):
        def known(self) -> frozenset[str]:
            found = super().known()
            records.append(record("NEW"))
            self.opened["NEW"] = [RIGHT]
            return found

    store = Busy()
    sync_store_keys(lambda: list(records), store_keys=store, now=NOW)
    assert set(store.opened) == {"NEW"}


def test_a_store_that_takes_no_keys_is_asked_about_sessions_only() -> None:
    store = RecordingStore(takes_keys=False)
    store.fails = {"allow LVIAKEY"}
    records = [record("LVIAKEY"), record("ASIASESSION", NOW + 60)]
    done = sync_store_keys(lambda: records, store_keys=store, now=NOW)
    assert set(store.opened) == {"ASIASESSION"}
    assert not done.failed


def test_the_embedded_store_agrees_after_half_a_revocation_and_half_an_issue() -> None:
    with running_weed() as weed:
        keys = embedded(weed)
        stray, kept, lost = (real_key() for _ in range(3))
        session = keys.mint_session("alice", [RIGHT], expires_at=time.time() + 60)
        for key in (stray, kept):
            keys.allow(key, [RIGHT], expires_at=None)
        records = [
            KeyOnRecord(credential=key, rights=[RIGHT], expires_at=end)
            for key, end in ((kept, None), (lost, None), (session, time.time() + 60))
        ]
        done = sync_store_keys(lambda: records, store_keys=keys, now=time.time())
        wanted = {key.access_key_id for key in (kept, lost, session)}
        assert keys.known() == wanted
        assert done.withdrawn == {stray.access_key_id}
        assert done.allowed == wanted - {kept.access_key_id}
        again = sync_store_keys(lambda: records, store_keys=keys, now=time.time())
        assert not again.withdrawn | again.allowed | again.failed


def embedded(weed: Weed) -> SeaweedStoreKeys:
    return SeaweedStoreKeys(
        weed.home,
        ports=weed.ports,
        credentials=weed.credentials,
        environ=os.environ,
        now=time.time,
    )


def real_key() -> StoreCredential:
    return StoreCredential(
        access_key_id=f"LVIA{uuid.uuid4().hex[:16].upper()}", secret_access_key=uuid.uuid4().hex
    )
