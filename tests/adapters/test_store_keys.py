"""A key or session of ours opens the store when allowed, and stops when withdrawn or over."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from urllib.request import ProxyHandler, build_opener

import pytest
from botocore.exceptions import ClientError

from lakeveil.adapters.seaweedfs_sessions import mint, signing_key, user_of
from lakeveil.adapters.store_keys import IDENTITIES, SeaweedStoreKeys
from lakeveil.errors import Unavailable, UsageError
from lakeveil.ports.store_keys import StoreCredential
from tests.adapters.store_keys_bench import (
    KINDS,
    adapter,
    client,
    documents_of,
    issue,
    new_key,
    read,
    refused,
    right,
)
from tests.stack_fixture import Weed, running_weed, store_ports


@pytest.fixture(scope="module")
def keys(weed: Weed) -> SeaweedStoreKeys:
    return adapter(weed)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_rights_are_in_force_at_once(weed: Weed, keys: SeaweedStoreKeys, kind: str) -> None:
    bucket = weed.new_bucket("change")
    weed.s3().put_object(Bucket=bucket, Key="a/x", Body=b"rows")
    key = issue(keys, kind, right(bucket, "a/"))
    s3 = client(weed, key)
    for _ in range(5):
        keys.allow(key, [right(bucket, "b/")], expires_at=None)
        assert refused(lambda s3: s3.get_object(Bucket=bucket, Key="a/x"), s3)
        keys.allow(key, [right(bucket, "a/")], expires_at=None)
        assert not refused(lambda s3: s3.get_object(Bucket=bucket, Key="a/x"), s3)
    keys.withdraw(key.access_key_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_withdrawn_key_is_refused_at_once_and_forgotten(
    weed: Weed, keys: SeaweedStoreKeys, kind: str
) -> None:
    bucket = weed.new_bucket("withdraw")
    weed.s3().put_object(Bucket=bucket, Key="a/x", Body=b"rows")
    key = issue(keys, kind, right(bucket, "a/"))
    s3 = client(weed, key)
    assert not refused(lambda s3: s3.get_object(Bucket=bucket, Key="a/x"), s3)
    assert key.access_key_id in keys.known()
    started = time.monotonic()
    keys.withdraw(key.access_key_id)
    assert refused(lambda s3: s3.get_object(Bucket=bucket, Key="a/x"), s3)
    assert time.monotonic() - started < 5
    assert key.access_key_id not in keys.known()
    keys.withdraw(key.access_key_id)


def test_an_expired_key_is_refused_by_the_store_itself(weed: Weed, keys: SeaweedStoreKeys) -> None:
    bucket = weed.new_bucket("expiry")
    weed.s3().put_object(Bucket=bucket, Key="a/x", Body=b"rows")
    reads = partial(read, b=bucket, k="a/x")
    issued = [issue(keys, kind, right(bucket, "a/"), lasts_s=3) for kind in KINDS]
    end = time.time() + 3
    clients = [client(weed, key, signature_version="s3v4") for key in issued]
    links = [
        s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/x"})
        for s3 in clients
    ]
    assert [refused(reads, s3) for s3 in clients] == [False, False]
    time.sleep(max(0.0, end - time.time()))
    assert [refused(reads, s3) for s3 in clients] == [True, True]
    for link in links:
        with pytest.raises(OSError, match="403"):
            build_opener(ProxyHandler({})).open(link)
    for key in issued:
        keys.withdraw(key.access_key_id)


def test_a_session_needs_its_own_token(weed: Weed, keys: SeaweedStoreKeys) -> None:
    bucket = weed.new_bucket("token")
    weed.s3().put_object(Bucket=bucket, Key="a/x", Body=b"rows")
    key = issue(keys, "session", right(bucket, "a/"))
    other = issue(keys, "session", right(bucket, "a/"))
    reads = partial(read, b=bucket, k="a/x")
    assert not refused(reads, client(weed, key))
    token = key.session_token or ""
    now = time.time()
    forged = mint(b"guessed" * 5, "alice", issued_at=now, expires_at=now + 60)
    for wrong in (None, "junk", token[:-6] + "AAAAAA", other.session_token, forged.session_token):
        assert refused(reads, client(weed, replace(key, session_token=wrong)))
    assert refused(reads, client(weed, replace(key, secret_access_key="wrong")))
    assert refused(reads, client(weed, forged))
    # The token alone, as a bearer's.
    connection = http.client.HTTPConnection("127.0.0.1", weed.ports.s3, timeout=20)
    connection.request("GET", f"/{bucket}/a/x", headers={"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == HTTPStatus.FORBIDDEN
    connection.close()
    for one in (key, other):
        keys.withdraw(one.access_key_id)


def test_a_session_that_was_not_allowed_opens_nothing(weed: Weed, keys: SeaweedStoreKeys) -> None:
    bucket = weed.new_bucket("minted")
    weed.s3().put_object(Bucket=bucket, Key="a/x", Body=b"rows")
    end = time.time() + 60
    minted = keys.mint_session("alice", [right(bucket, "a/")], expires_at=end)
    assert end - 1 < (minted.expires_at or 0) <= end
    assert refused(lambda s3: s3.get_object(Bucket=bucket, Key="a/x"), client(weed, minted))


def test_a_long_lived_key_works_without_a_token_only(weed: Weed, keys: SeaweedStoreKeys) -> None:
    bucket = weed.new_bucket("long")
    weed.s3().put_object(Bucket=bucket, Key="a/x", Body=b"rows")
    key = issue(keys, "key", right(bucket, "a/"))
    reads = partial(read, b=bucket, k="a/x")
    assert not refused(reads, client(weed, key))
    assert refused(reads, client(weed, replace(key, session_token="junk")))
    assert refused(reads, client(weed, replace(key, secret_access_key="wrong")))
    keys.withdraw(key.access_key_id)


# --- what cannot be enforced is refused ------------------------------------------------------


def test_a_session_on_a_prefix_with_capitals_is_refused_and_a_key_is_exact(
    weed: Weed, keys: SeaweedStoreKeys
) -> None:
    bucket = weed.new_bucket("case")
    for name in ("Sales/x", "sales/x"):
        weed.s3().put_object(Bucket=bucket, Key=name, Body=b"rows")
    capital = [right(bucket, "Sales/")]
    with pytest.raises(UsageError) as caught:
        keys.mint_session("alice", capital, expires_at=time.time() + 60)
    assert caught.value.code == "store_prefix_case"
    session = keys.mint_session("alice", [], expires_at=time.time() + 60)
    with pytest.raises(UsageError):
        keys.allow(session, capital, expires_at=time.time() + 60)
    s3 = client(weed, issue(keys, "key", *capital))
    assert not refused(lambda s3: s3.get_object(Bucket=bucket, Key="Sales/x"), s3)
    assert refused(lambda s3: s3.get_object(Bucket=bucket, Key="sales/x"), s3)


def test_what_a_session_can_reach_besides_is_the_same_folder_in_capitals(
    weed: Weed, keys: SeaweedStoreKeys
) -> None:
    """Not as it should be: SeaweedFS 4.48 ignores case here. When this fails, rejoice."""
    bucket = weed.new_bucket("capitals")
    for name in ("Sales/x", "SALESX/x"):
        weed.s3().put_object(Bucket=bucket, Key=name, Body=b"rows")
    s3 = client(weed, issue(keys, "session", right(bucket, "sales/")))
    assert not refused(lambda s3: s3.get_object(Bucket=bucket, Key="Sales/x"), s3)
    assert refused(lambda s3: s3.list_objects_v2(Bucket=bucket, Prefix="Sales/"), s3)
    assert refused(lambda s3: s3.get_object(Bucket=bucket, Key="SALESX/x"), s3)


@pytest.mark.parametrize("access_key_id", ["", "short", "../../etc/iam/x1234", "LVIA" + "*" * 16])
def test_what_is_no_key_id_is_refused(keys: SeaweedStoreKeys, access_key_id: str) -> None:
    key = StoreCredential(access_key_id=access_key_id, secret_access_key="s")
    with pytest.raises(UsageError):
        keys.allow(key, [], expires_at=None)
    with pytest.raises(UsageError):
        keys.withdraw(access_key_id)


def test_the_installations_own_keys_cannot_be_taken_over(
    weed: Weed, keys: SeaweedStoreKeys
) -> None:
    for own in weed.credentials.s3.values():
        with pytest.raises(UsageError):
            keys.allow(
                StoreCredential(access_key_id=own.access_key_id, secret_access_key="mine now"),
                [],
                expires_at=None,
            )
    weed.s3("service").list_objects_v2(Bucket="photos")


def test_what_is_over_or_too_long_is_refused(keys: SeaweedStoreKeys) -> None:
    now = time.time()
    with pytest.raises(UsageError) as caught:
        keys.allow(new_key(), [], expires_at=now - 1)
    assert caught.value.code == "key_expired"
    for end in (now - 1, now, now + 37 * 3600):
        with pytest.raises(UsageError):
            keys.mint_session("alice", [], expires_at=end)
    for name in ("", "a", "a b", "ü" * 4, "a" * 65):
        with pytest.raises(UsageError):
            keys.mint_session(name, [], expires_at=now + 60)


# --- the store as it fails -------------------------------------------------------------------


def test_a_store_that_is_away_is_no_empty_answer(weed: Weed) -> None:
    gone = replace(weed, ports=store_ports())
    keys = adapter(gone, patience_s=1.0)
    for use in (
        keys.known,
        lambda: keys.allow(new_key(), [], expires_at=None),
        lambda: keys.withdraw(new_key().access_key_id),
    ):
        with pytest.raises(Unavailable):
            use()


def test_a_withdrawal_that_is_not_in_force_is_an_error(weed: Weed, keys: SeaweedStoreKeys) -> None:
    """One damaged document keeps the gateway from taking any change over."""
    key = issue(keys, "key")
    documents = documents_of(weed)
    documents.write("service_accounts", "damaged.json", {"id": "no such form"})
    try:
        with pytest.raises(Unavailable, match="did not take over"):
            adapter(weed, patience_s=0.5).withdraw(key.access_key_id)
    finally:
        documents.remove("service_accounts", "damaged.json")
    keys.withdraw(key.access_key_id)


def test_the_same_again_writes_nothing(weed: Weed, keys: SeaweedStoreKeys) -> None:
    documents = documents_of(weed)
    bucket = weed.new_bucket("again")
    key = issue(keys, "key", right(bucket, "a/"))
    name = f"{user_of(key.access_key_id)}.json"
    before = documents.read(IDENTITIES, name)
    keys.allow(key, [right(bucket, "a/")], expires_at=None)
    assert documents.read(IDENTITIES, name) == before
    keys.allow(key, [right(bucket, "a/")], expires_at=time.time() + 60)
    assert documents.read(IDENTITIES, name) != before
    keys.withdraw(key.access_key_id)


def test_two_hundred_keys_open_within_seconds_and_survive_a_killed_store() -> None:
    with running_weed() as weed:
        keys, bucket = adapter(weed), weed.new_bucket("many")
        weed.s3().put_object(Bucket=bucket, Key="u7/x", Body=b"rows")
        reads = partial(read, b=bucket, k="u7/x")

        def issue_for(unit: int) -> StoreCredential:
            return issue(keys, KINDS[unit % 2], right(bucket, f"u{unit}/"))

        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            issued = list(pool.map(issue_for, range(200)))
        assert time.monotonic() - started < 120
        assert keys.known() == {key.access_key_id for key in issued}
        also = issue(keys, "session", right(bucket, "u7/"))
        assert not refused(reads, client(weed, also))
        keys.withdraw(also.access_key_id)
        assert weed.child.process
        weed.child.process.kill()
        weed.child.process.wait()
        weed.child.start()
        weed.child.wait_ready()
        wait_until_it_serves(weed, bucket, "u7/x")
        assert [n for n in range(6, 10) if not refused(reads, client(weed, issued[n]))] == [7]
        assert refused(reads, client(weed, also))
        assert len(keys.known()) == 200
        session = issue(keys, "session", right(bucket, "u7/"))
        assert not refused(reads, client(weed, session))
        keys.withdraw(session.access_key_id)
        assert refused(reads, client(weed, session))


def wait_until_it_serves(weed: Weed, bucket: str, key: str) -> None:
    """A store that was killed lists before it finds the bytes again: `InternalError` till then."""
    deadline = time.monotonic() + 20
    while True:
        try:
            read(weed.s3(), bucket, key)
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def test_the_key_of_sessions_is_not_the_filers(weed: Weed) -> None:
    key = signing_key(weed.credentials)
    assert len(key) == 32
    assert key != weed.credentials.store_tokens.filer_write.encode()
    assert key == signing_key(weed.credentials)
