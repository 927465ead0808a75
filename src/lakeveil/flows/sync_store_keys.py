"""Our records and the store agree again on whose keys open it: after a crash, and now and then.

The records are the truth: what they do not have is withdrawn, what the store lacks is allowed.
Withdrawing comes first, and unless all of it worked nothing is allowed: an error never widens.
Whoever issues records first and allows then; whoever revokes records first and withdraws then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lakeveil.errors import LakeveilError, Unavailable
from lakeveil.ports.store_keys import SESSION_PREFIX, KeyOnRecord, StoreKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKeysSynced:
    """What was found: access key ids withdrawn, those the store had lacked, those not possible."""

    withdrawn: frozenset[str]
    allowed: frozenset[str]
    failed: frozenset[str]


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
    failed = set()
    for access_key_id, record in on_record.items():
        try:
            # Also where it is known: its rights may have changed while the store was away.
            store_keys.allow(record.credential, record.rights, expires_at=record.expires_at)
        except LakeveilError:
            failed.add(access_key_id)
    # Revoked since we looked: our `allow` may have come after their `withdraw`.
    revoked = on_record.keys() - _current(issued(), store_keys=store_keys, now=now).keys()
    # One that could not be allowed as recorded may still be open as it was.
    _withdraw(revoked | failed, store_keys=store_keys)
    return StoreKeysSynced(
        withdrawn=frozenset(withdrawn | revoked),
        allowed=frozenset(on_record.keys() - known - revoked - failed),
        failed=frozenset(failed),
    )


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
