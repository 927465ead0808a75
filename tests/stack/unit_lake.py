"""A lake with business units: real STS over HTTP, a real store, and who keeps both in step."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.identity import DoorKeys
from lakeveil.adapters.oidc import OidcVerifier
from lakeveil.adapters.store_mint import StoreMint
from lakeveil.aws.sts import key_lookup, sts
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.core.identity.rights import business_unit_role
from lakeveil.flows.sync_store_keys import keys_on_record
from lakeveil.ports.store_keys import StoreCredential, StoreKeys
from lakeveil.wiring.store_keys import StoreKeysFollower
from tests.adapters.store_keys_bench import adapter, client, read, refused
from tests.doors.running import Door, doors, serving
from tests.identity_parts import ACCOUNT, Identity, allow, identity_in, trusting
from tests.stack_fixture import SOURCES, Weed

ANA = arns.user_arn(ACCOUNT, "ana")
OWN, OTHERS = "bu-a/x.csv", "bu-b/x.csv"


@dataclass(frozen=True, kw_only=True)
class UnitLake:
    """What a test works with. `results` has an object of BU-A and one of BU-B."""

    weed: Weed
    identity: Identity
    door: Door
    results: str

    def arn(self, folder: str) -> str:
        """What a policy calls a folder of `results`."""
        return f"arn:aws:s3:::{self.results}/{folder}*"

    def unit(self, name: str, *trusted: str) -> None:
        """The role of a business unit, with its three rights."""
        document = business_unit_role(
            region="eu-central-1",
            account=ACCOUNT,
            workgroup=name,
            output=f"s3://{self.results}/{name}/",
        )
        self.identity.role(name, trusting(*trusted), *document["Statement"])

    def sts(self, key: StoreCredential | IssuedKey) -> Any:
        """A client of our own door; it tries again where two equal calls are signed at once."""
        return self.door.boto3(
            key.access_key_id,
            key.secret_access_key,
            service="sts",
            token=key.session_token or None,
            attempts=6,
        )

    def assume(self, key: StoreCredential | IssuedKey, role: str, **more: Any) -> StoreCredential:
        """Become a role, as any AWS client does it."""
        answer = self.sts(key).assume_role(
            RoleArn=arns.role_arn(ACCOUNT, role), RoleSessionName="ana", **more
        )
        return credential(answer["Credentials"])

    def session_of(self, key: IssuedKey) -> StoreCredential:
        """A session of the user's own."""
        return credential(self.sts(key).get_session_token(DurationSeconds=3600)["Credentials"])

    def who(self, key: StoreCredential | IssuedKey) -> str:
        """What our own door says of whoever has these strings."""
        arn: str = self.sts(key).get_caller_identity()["Arn"]
        return arn

    def s3(self, key: StoreCredential | IssuedKey) -> Any:
        """A client of the store with the same strings."""
        if isinstance(key, IssuedKey):
            key = StoreCredential(
                access_key_id=key.access_key_id, secret_access_key=key.secret_access_key
            )
        return client(self.weed, key)

    def reads(self, key: StoreCredential | IssuedKey, name: str = OWN) -> bool:
        """Whether the store lets a key read an object of `results`."""
        return not refused(partial(read, b=self.results, k=name), self.s3(key))

    def writes(self, key: StoreCredential | IssuedKey, name: str = OWN) -> bool:
        """Whether the store lets a key write there."""
        return not refused(
            lambda s3: s3.put_object(Bucket=self.results, Key=name, Body=b"new"), self.s3(key)
        )

    def lists(self, key: StoreCredential | IssuedKey, prefix: str = "bu-a/") -> bool:
        """Whether the store lets a key list there."""
        return not refused(
            lambda s3: s3.list_objects_v2(Bucket=self.results, Prefix=prefix), self.s3(key)
        )

    def follower(self) -> StoreKeysFollower:
        """What `lakeveil run keys` runs, without its process."""
        ring = self.identity.store.callers
        return StoreKeysFollower(
            ring,
            partial(keys_on_record, ring, closed_buckets=SOURCES),
            store_keys=adapter(self.weed),
            store_started=lambda: 1.0,
            clock=SystemClock(),
        )


def minting(identity: Identity, store_keys: StoreKeys) -> StoreMint:
    """The mint of an installation, over this store."""
    store = identity.store
    return StoreMint(
        store_keys,
        doors=DoorKeys(),
        callers=store.callers,
        sessions=store.sessions,
        user_keys=store.keys,
        closed_buckets=SOURCES,
    )


def credential(answer: dict[str, Any]) -> StoreCredential:
    """The three strings of an answer."""
    return StoreCredential(
        access_key_id=answer["AccessKeyId"],
        secret_access_key=answer["SecretAccessKey"],
        session_token=answer["SessionToken"],
        expires_at=answer["Expiration"].timestamp(),
    )


@contextmanager
def unit_lake(weed: Weed, home: Path) -> Iterator[UnitLake]:
    """A bucket for results, identities of its own, and a door."""
    results = weed.new_bucket("results")
    for name in (OWN, OTHERS):
        weed.s3().put_object(Bucket=results, Key=name, Body=b"rows")
    with identity_in(home) as identity:
        store = identity.store
        service = sts(
            callers=store.callers,
            roles=store.directory,
            sessions=store.sessions,
            tokens=OidcVerifier(store.issuers, identity.clock),
            mint=minting(identity, adapter(weed)),
            audit=identity.audit,
            clock=identity.clock,
        )
        app = doors(services=(service,), secret_of=key_lookup(store.callers))
        with serving(app) as door:
            yield UnitLake(weed=weed, identity=identity, door=door, results=results)


def may_assume() -> Any:
    """A statement: to become any role."""
    return allow("sts:AssumeRole")


def policy_text(*statements: Any) -> str:
    """A session policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def eventually(what: Any, *, seconds: float) -> float:
    """Wait until it holds; returns how long it took (seconds)."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - started
