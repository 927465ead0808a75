"""Our records and the store agree on whose keys open it: after a crash, and at each change.

The records are the truth: what they do not have is withdrawn, what the store lacks is allowed.
Withdrawing comes first, and unless all of it worked nothing is allowed: an error never widens.
Whoever issues records first and allows then; whoever revokes records first and withdraws then.

`sync_store_keys` looks through everything. `follow_store_keys` does what changed since, and asks
the store about nothing else, so that a key is closed as quickly when there are many. What came
and went in between it cannot know: that is for `withdraw_unrecorded`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from lakeveil.core.identity.store_access import rights_at_store
from lakeveil.errors import LakeveilError, Unavailable
from lakeveil.ports.identity import KeyRing
from lakeveil.ports.store_keys import SESSION_PREFIX, KeyOnRecord, StoreCredential, StoreKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKeysSynced:
    """What was done: access key ids withdrawn, those newly allowed, those not possible.

    `in_force` is what the store allows now, by access key id, as far as we know.
    """

    withdrawn: frozenset[str]
    allowed: frozenset[str]
    failed: frozenset[str]
    in_force: Mapping[str, KeyOnRecord]


def keys_on_record(ring: KeyRing, *, closed_buckets: Collection[str] = ()) -> list[KeyOnRecord]:
    """Every key that is good now and opens something at the store; none does at closed buckets.

    Raises:
        Unavailable: the records cannot be read.
    """
    found = []
    for key in ring.live_keys():
        rights = rights_at_store(
            key.principal.rights, temporary=key.temporary, closed_buckets=closed_buckets
        )
        if rights:
            credential = StoreCredential(
                access_key_id=key.access_key_id, secret_access_key=key.secret_access_key
            )
            found.append(
                KeyOnRecord(credential=credential, rights=rights, expires_at=key.expires_at)
            )
    return found


def sync_store_keys(
    issued: Callable[[], Iterable[KeyOnRecord]], *, store_keys: StoreKeys, now: float
) -> StoreKeysSynced:
    """Make the store agree with `issued`, which is asked twice; expired records do not count.

    Raises:
        Unavailable: the store cannot say what it knows, or did not withdraw everything.
    """
    # The store first: a key made in between is on record by the time we ask for those.
    known = store_keys.known()
    on_record = _current(issued(), store_keys=store_keys, now=now)
    withdrawn = known - on_record.keys()
    _withdraw(withdrawn, store_keys=store_keys)
    # Also where they are known: their rights may have changed while the store was away.
    failed = _allow(on_record.values(), store_keys=store_keys)
    # Revoked since we looked: our `allow` may have come after their `withdraw`.
    revoked = on_record.keys() - _current(issued(), store_keys=store_keys, now=now).keys()
    # One that could not be allowed as recorded may still be open as it was.
    _withdraw(revoked | failed, store_keys=store_keys)
    return StoreKeysSynced(
        withdrawn=frozenset(withdrawn | revoked),
        allowed=frozenset(on_record.keys() - known - revoked - failed),
        failed=failed,
        in_force=_without(on_record, revoked | failed),
    )


def follow_store_keys(
    in_force: Mapping[str, KeyOnRecord],
    issued: Callable[[], Iterable[KeyOnRecord]],
    *,
    store_keys: StoreKeys,
    now: float,
) -> StoreKeysSynced:
    """Make the store follow what changed on record since `in_force`; what closes comes first.

    Whoever calls it looks at the records again when they changed meanwhile.

    Raises:
        Unavailable: the store did not withdraw everything; what is in force is not known then.
    """
    on_record = _current(issued(), store_keys=store_keys, now=now)
    withdrawn = in_force.keys() - on_record.keys()
    _withdraw(withdrawn, store_keys=store_keys)
    changed = [key_id for key_id, record in on_record.items() if in_force.get(key_id) != record]
    # Those that are open first: they may be open too wide.
    changed.sort(key=lambda key_id: key_id not in in_force)
    failed = _allow([on_record[key_id] for key_id in changed], store_keys=store_keys)
    _withdraw(failed, store_keys=store_keys)
    return StoreKeysSynced(
        withdrawn=frozenset(withdrawn),
        allowed=frozenset(on_record.keys() - in_force.keys() - failed),
        failed=failed,
        in_force=_without(on_record, failed),
    )


def withdraw_unrecorded(
    issued: Callable[[], Iterable[KeyOnRecord]], *, store_keys: StoreKeys, now: float
) -> frozenset[str]:
    """Close the store to whatever it knows and the records do not have; returns what it was.

    Raises:
        Unavailable: the store cannot say what it knows, or did not withdraw everything.
    """
    # The store first, as above.
    known = store_keys.known()
    unrecorded = known - _current(issued(), store_keys=store_keys, now=now).keys()
    _withdraw(unrecorded, store_keys=store_keys)
    return frozenset(unrecorded)


def _current(
    records: Iterable[KeyOnRecord], *, store_keys: StoreKeys, now: float
) -> dict[str, KeyOnRecord]:
    return {
        record.credential.access_key_id: record
        for record in records
        if (record.expires_at is None or record.expires_at > now + 1)
        and (store_keys.takes_keys or _is_session(record))
    }


def _is_session(record: KeyOnRecord) -> bool:
    return record.credential.access_key_id.startswith(SESSION_PREFIX)


def _allow(records: Iterable[KeyOnRecord], *, store_keys: StoreKeys) -> frozenset[str]:
    """Allow each as it is on record; returns those where that was not possible."""
    failed = set()
    for record in records:
        try:
            store_keys.allow(record.credential, record.rights, expires_at=record.expires_at)
        except LakeveilError:
            failed.add(record.credential.access_key_id)
    return frozenset(failed)


def _without(
    records: Mapping[str, KeyOnRecord], access_key_ids: Collection[str]
) -> Mapping[str, KeyOnRecord]:
    return {key_id: record for key_id, record in records.items() if key_id not in access_key_ids}


def _withdraw(access_key_ids: Iterable[str], *, store_keys: StoreKeys) -> None:
    failures = []
    for access_key_id in sorted(access_key_ids):
        try:
            store_keys.withdraw(access_key_id)
        except LakeveilError as error:
            failures.append(error)
    if failures:
        raise Unavailable(
            f"{len(failures)} keys could not be withdrawn from the store",
            why=failures[0].what,
            fix=failures[0].fix or "it is tried again at the next reconciliation",
            code="store_keys_not_withdrawn",
        ) from failures[0]
