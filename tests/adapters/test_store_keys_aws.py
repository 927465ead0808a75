"""Where AWS is the store, a session is AWS's own, cut down to the rights by a session policy.

Asked of moto's STS. It does not evaluate session policies: that AWS does is AWS's promise; that
the policy says the right thing is tests/core/test_store_rights.py's, and asked of moto's IAM in
tests/stack/test_sessions_at_aws.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from moto.server import ThreadedMotoServer

from lakeveil.adapters.store_keys_aws import LATER_S, SHORTEST_S, AwsStoreKeys
from lakeveil.core.store_rights import StoreAction, StoreRight, policy_document
from lakeveil.errors import Unavailable, UsageError
from lakeveil.ports.store_keys import StoreCredential, StoreKeys

ROLE = "arn:aws:iam::123456789012:role/lakeveil-sessions"
RIGHTS = [StoreRight(bucket="results", prefix="BU-A/", actions=frozenset(StoreAction))]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def keys(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AwsStoreKeys:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return AwsStoreKeys(ROLE, region="us-east-1", now=time.time, endpoint=moto_url)


def assumed(moto_url: str) -> dict[str, Any]:
    """The last session that moto made, as it was asked for."""
    with urlopen(f"{moto_url}/moto-api/data.json") as answer:
        found: dict[str, Any] = json.load(answer)["sts"]["AssumedRole"][-1]
    return found


def test_a_session_is_awss_own_limited_to_the_rights(keys: AwsStoreKeys, moto_url: str) -> None:
    port: StoreKeys = keys
    session = port.mint_session("alice@example.com", RIGHTS, expires_at=time.time() + 7200)
    assert session.access_key_id.startswith("ASIA")
    assert session.session_token
    assert session.secret_access_key
    assert session.secret_access_key not in repr(session)
    asked = assumed(moto_url)
    assert asked["role_arn"] == ROLE
    assert asked["session_name"] == "alice@example.com"
    assert json.loads(asked["policy"]) == policy_document(RIGHTS)


def test_no_session_outlasts_what_is_allowed_or_asked_for(keys: AwsStoreKeys) -> None:
    assert keys.lingers_s == 3600
    for asked_s, given_s in ((7200, 3600), (1800, 1800)):
        now = time.time()
        session = keys.mint_session("alice", RIGHTS, expires_at=now + asked_s)
        # AWS says when in whole seconds.
        assert now + given_s - 2 < (session.expires_at or 0) <= now + given_s + 1


def test_who_asked_for_the_shortest_session_a_moment_ago_gets_it(keys: AwsStoreKeys) -> None:
    now = time.time()
    session = keys.mint_session("alice", RIGHTS, expires_at=now + SHORTEST_S - 1)
    assert now + SHORTEST_S - 2 < (session.expires_at or 0) <= now + SHORTEST_S + LATER_S
    with pytest.raises(UsageError):
        keys.mint_session("alice", RIGHTS, expires_at=now + SHORTEST_S - 2 * LATER_S)


def test_without_rights_a_session_is_denied_everything(keys: AwsStoreKeys, moto_url: str) -> None:
    keys.mint_session("alice", [], expires_at=time.time() + 1800)
    (statement,) = json.loads(assumed(moto_url)["policy"])["Statement"]
    assert statement == {"Effect": "Deny", "Action": ["s3:*"], "Resource": ["*"]}


def test_what_aws_would_not_take_is_refused_before_it_is_asked(keys: AwsStoreKeys) -> None:
    many = [
        StoreRight(bucket="results", prefix=f"unit-{n}/", actions=frozenset(StoreAction))
        for n in range(40)
    ]
    now = time.time()
    for name, rights, end, code in (
        ("alice", many, now + 1800, "session_policy_too_long"),
        ("alice", RIGHTS, now + 60, "session_too_short"),
        ("alice", RIGHTS, now - 60, "session_too_short"),
        ("a b", RIGHTS, now + 1800, "session_name_invalid"),
    ):
        with pytest.raises(UsageError) as caught:
            keys.mint_session(name, rights, expires_at=end)
        assert caught.value.code == code
    for seconds in (600, 7200):
        with pytest.raises(UsageError):
            AwsStoreKeys(ROLE, region="us-east-1", now=time.time, longest_s=seconds)


def test_a_long_lived_key_of_ours_does_not_open_amazon_s3(keys: AwsStoreKeys) -> None:
    assert not keys.takes_keys
    key = StoreCredential(access_key_id="LVIA" + "A" * 16, secret_access_key="s")
    with pytest.raises(UsageError) as caught:
        keys.allow(key, RIGHTS, expires_at=None)
    assert caught.value.code == "store_takes_no_keys"
    session = StoreCredential(access_key_id="ASIA" + "A" * 16, secret_access_key="s")
    keys.allow(session, RIGHTS, expires_at=None)
    keys.withdraw(session.access_key_id)
    assert keys.known() == frozenset()


def test_an_aws_that_is_away_makes_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    keys = AwsStoreKeys(ROLE, region="us-east-1", now=time.time, endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        keys.mint_session("alice", RIGHTS, expires_at=time.time() + 1800)
