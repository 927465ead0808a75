"""Issued keys reach the embedded store by themselves, and leave it: the parts, and the process.

The process follows the records. A change there is at the store within half a second, what closes
first; what was let in and revoked before it was seen is found within another. Everything is looked
through when it starts, when the store has started anew, after any trouble, and every few minutes:
so a revocation counts though we died in its midst. While that lasts, some 50 ms for each key, a
change waits.

Where AWS makes the sessions (`store.keys`), they open the store from the start and end by
themselves: there is nothing to follow. Elsewhere keys are for our own doors alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.credentials import load_credentials
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity import IdentityStore, open_identity_store
from lakeveil.adapters.identity.key_ids import DoorKeys
from lakeveil.adapters.seaweedfs import StorePorts, started_at
from lakeveil.adapters.store_keys import SeaweedStoreKeys
from lakeveil.adapters.store_keys_aws import SHORTEST_S, AwsStoreKeys
from lakeveil.adapters.store_mint import StoreMint
from lakeveil.errors import LakeveilError, UsageError
from lakeveil.flows.sync_store_keys import (
    StoreKeysSynced,
    follow_store_keys,
    keys_on_record,
    sync_store_keys,
    withdraw_unrecorded,
)
from lakeveil.ports import Clock
from lakeveil.ports.identity import KeyMint, KeyRing
from lakeveil.ports.store_keys import KeyOnRecord, StoreKeys
from lakeveil.settings import Settings

LOOK_EVERY_S = 0.25
SYNC_EVERY_S = 300.0
FIRST_REST_S, LONGEST_REST_S = 0.5, 5.0
"""After trouble; it doubles."""

_log = logging.getLogger(__name__)


def store_ports(settings: Settings) -> StorePorts:
    """Where the parts of the embedded store listen."""
    ports = settings.ports
    return StorePorts(
        s3=ports.s3,
        s3_grpc=ports.s3_grpc,
        filer=ports.filer,
        filer_grpc=ports.filer_grpc,
        master=ports.master,
        master_grpc=ports.master_grpc,
        volume=ports.volume,
        volume_grpc=ports.volume_grpc,
        admin=ports.admin,
        admin_grpc=ports.admin_grpc,
    )


def key_mint(settings: Settings, store: IdentityStore, *, environ: Mapping[str, str]) -> KeyMint:
    """Who makes temporary keys: they open the store, too, as far as `store.keys` says so.

    Raises:
        SetupError: the embedded store never started here, so there are no credentials.
    """
    kind = settings.store_keys()
    if kind == "none":
        return DoorKeys()
    return StoreMint(
        _aws_sessions(settings) if kind == "aws" else _store_keys(settings, environ),
        doors=DoorKeys(),
        callers=store.callers,
        sessions=store.sessions,
        user_keys=store.keys,
        closed_buckets=_originals(settings),
        one_case=kind == "seaweedfs",
    )


def try_store_keys(settings: Settings) -> str:
    """Whether issued keys can be let into the store, in a sentence; AWS is asked for a session.

    It denies everything, and is thrown away.

    Raises:
        Unavailable: AWS made none.
    """
    kind = settings.store_keys()
    if kind == "none":
        return "issued keys open our own doors alone"
    if kind == "seaweedfs":
        return "issued keys and sessions open the embedded store"
    sessions = _aws_sessions(settings)
    sessions.mint_session("lakeveil-doctor", [], expires_at=time.time() + SHORTEST_S)
    return (
        f"sessions are made of {settings.store.role_arn}, for {sessions.lingers_s:.0f} s at most; "
        "long-lived keys open our own doors alone"
    )


def run_store_keys(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    stopping: threading.Event,
    ready: Callable[[], None],
) -> None:
    """Keep the embedded store in step with the records until `stopping` is set.

    Ready means that it was tried: while the store or the state is away it is tried again, and
    the log says why.

    Raises:
        UsageError: the store is not the embedded one.
        SetupError: there are no credentials, or the database cannot be opened.
    """
    if not settings.embedded_store:
        raise UsageError(
            "there are no keys to keep in step",
            why=f"the store is `{settings.store.endpoint}`, which takes no keys of ours, or makes "
            "and ends sessions by itself",
            fix="do not run it",
        )
    clock = SystemClock()
    engine = open_database(settings.database_url)
    try:
        ring = open_identity_store(engine, settings.home_path, clock).callers
        follower = StoreKeysFollower(
            ring,
            partial(keys_on_record, ring, closed_buckets=_originals(settings)),
            store_keys=_store_keys(settings, environ),
            store_started=partial(started_at, settings.home_path),
            clock=clock,
        )
        follower.look()
        ready()
        while not stopping.wait(LOOK_EVERY_S):
            follower.look()
    finally:
        engine.dispose()


class StoreKeysFollower:
    """Looks at the records, and does at the store what changed. For one thread."""

    def __init__(
        self,
        ring: KeyRing,
        issued: Callable[[], Iterable[KeyOnRecord]],
        *,
        store_keys: StoreKeys,
        store_started: Callable[[], float],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ring = ring
        self._issued = issued
        self._store_keys = store_keys
        self._store_started = store_started
        self._clock = clock
        self._monotonic = monotonic
        self._version = (-1, -1)
        self._started = -1.0
        self._in_force: Mapping[str, KeyOnRecord] | None = None
        """None: not known, so that everything is to be looked through."""
        self._sync_at = monotonic()
        self._rest_s = FIRST_REST_S

    def look(self) -> None:
        """Look once. Trouble is in the log, and another look follows after a rest."""
        started = self._store_started()
        everything = self._monotonic() >= self._sync_at or started != self._started
        if self._in_force is None and not everything:
            return
        try:
            # Before the records: what changes while they are read is found at the next look.
            version = self._ring.version()
            if not everything and version == self._version:
                return
            done = self._catch_up(version, everything=everything)
        except LakeveilError as error:
            _log.warning(
                "keys at the store are not in step: %s, %s; tried again in %g s",
                error.what,
                error.why,
                self._rest_s,
            )
            self._in_force, self._started = None, started
            self._sync_at = self._monotonic() + self._rest_s
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            return
        self._tell(done, first=self._in_force is None)
        self._in_force, self._version, self._started = done.in_force, version, started
        self._rest_s = FIRST_REST_S
        if everything:
            self._sync_at = self._monotonic() + SYNC_EVERY_S

    def _catch_up(self, version: tuple[int, int], *, everything: bool) -> StoreKeysSynced:
        now, store_keys = self._clock.now(), self._store_keys
        if everything or self._in_force is None:
            return sync_store_keys(self._issued, store_keys=store_keys, now=now)
        done = follow_store_keys(self._in_force, self._issued, store_keys=store_keys, now=now)
        if version[0] == self._version[0]:
            return done
        # A session may have been let in by whoever opened it, and revoked before we saw it.
        unseen = withdraw_unrecorded(self._issued, store_keys=store_keys, now=now)
        return replace(
            done,
            withdrawn=done.withdrawn | unseen,
            in_force={k: record for k, record in done.in_force.items() if k not in unseen},
        )

    def _tell(self, done: StoreKeysSynced, *, first: bool) -> None:
        if done.failed:
            # They were closed; the next change or round tries them again.
            _log.warning(
                "keys that cannot be let into the store: %s", ", ".join(sorted(done.failed))
            )
        level = logging.INFO if first or done.withdrawn or done.allowed else logging.DEBUG
        _log.log(
            level,
            "keys at the store: %d open, %d of them new; %d closed",
            len(done.in_force),
            len(done.allowed),
            len(done.withdrawn),
        )


def _store_keys(settings: Settings, environ: Mapping[str, str]) -> SeaweedStoreKeys:
    return SeaweedStoreKeys(
        settings.home_path,
        ports=store_ports(settings),
        credentials=load_credentials(settings.home_path),
        environ=environ,
        now=time.time,
    )


def _aws_sessions(settings: Settings) -> AwsStoreKeys:
    return AwsStoreKeys(
        settings.store.role_arn,
        region=settings.store.region,
        now=time.time,
        longest_s=settings.store.session_longest_s,
        endpoint=settings.store.sts_endpoint or None,
    )


def _originals(settings: Settings) -> frozenset[str]:
    """Buckets with faces in them: for those there are the installation's own keys."""
    return frozenset(c.source_bucket for c in settings.photo_collections())
