"""The store, the state and the ledger that the settings ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.credentials import load_credentials
from lakeveil.adapters.database import open_database
from lakeveil.adapters.ledger import SqlLedger
from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from lakeveil.settings import Settings


def open_store(settings: Settings, identity: str = "service") -> S3ObjectStore:
    """The object store, with a key of the embedded one or with what boto3 finds.

    `identity` names a key of the embedded store (`service`, `admin`, `reader`, `uploader`).

    Raises:
        SetupError: the embedded store never started here, so there is no key.
    """
    return S3ObjectStore(
        settings.s3_endpoint,
        key=store_key(settings, identity),
        region=settings.store.region,
        timeout_s=settings.store.timeout_s,
    )


def store_key(settings: Settings, identity: str = "service") -> StoreKey | None:
    """A key of the embedded store; None for another store, where boto3 finds one.

    Raises:
        SetupError: the embedded store never started here, so there is no key.
    """
    if not settings.embedded_store:
        return None
    found = load_credentials(settings.home_path).s3[identity]
    return StoreKey(found.access_key_id, found.secret_access_key)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[SqlLedger]:
    """The ledger over our state database.

    Raises:
        SetupError: the database cannot be opened.
    """
    engine = open_database(settings.database_url)
    try:
        yield SqlLedger(engine, SystemClock())
    finally:
        engine.dispose()
