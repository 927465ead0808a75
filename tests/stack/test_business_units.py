"""A business unit's key opens its own folder at the store, as long as it is good, and no other.

Every key here is used as it is at two endpoints: at our own doors and at the store's S3.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.core.identity import arns
from tests.adapters.store_keys_bench import PART, multipart, read, refused
from tests.identity_parts import ACCOUNT, allow, policy, trusting
from tests.stack.unit_lake import ANA, OTHERS, OWN, UnitLake, may_assume, policy_text, unit_lake
from tests.stack_fixture import LAKE, RELEASES, SOURCES, Weed

OUTPUT = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:*Multipart*", "s3:ListBucket"]


@pytest.fixture
def lake(weed: Weed, tmp_path: Path) -> Iterator[UnitLake]:
    with unit_lake(weed, tmp_path / "home") as lake:
        yield lake


# --- a role's session ------------------------------------------------------------------------


def test_a_units_session_works_at_our_doors_and_in_its_own_folder(lake: UnitLake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a", ANA)
    session = lake.assume(ana, "bu-a")
    assert lake.who(session) == f"arn:aws:sts::{ACCOUNT}:assumed-role/bu-a/ana"
    assert lake.reads(session)
    assert lake.writes(session, "bu-a/query/results.csv")
    s3 = lake.s3(session)
    assert multipart(s3, lake.results, "bu-a/big.parquet") == len(PART)
    s3.delete_object(Bucket=lake.results, Key="bu-a/big.parquet")


def test_a_units_session_is_refused_wherever_else_it_knocks(lake: UnitLake) -> None:
    ana = lake.identity.user("ana", may_assume())
    for unit in ("bu-a", "bu-b"):
        lake.unit(unit, ANA)
    session = lake.assume(ana, "bu-a")
    for name in (OTHERS, "bu-ab/x.csv", "x.csv", "bu-a"):
        assert not lake.reads(session, name)
        assert not lake.writes(session, name)
    assert not lake.lists(session, "bu-b/")
    assert not lake.lists(session, "")
    s3 = lake.s3(session)
    for bucket in (lake.weed.new_bucket("other"), *SOURCES, *RELEASES, *LAKE):
        assert refused(partial(read, b=bucket, k=OWN), s3)
        assert refused(partial(write, b=bucket), s3)
        assert refused(partial(list_own, b=bucket), s3)
    assert lake.reads(lake.assume(ana, "bu-b"), OTHERS)


def test_a_session_that_was_revoked_is_refused_at_both(lake: UnitLake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a", ANA)
    follower = lake.follower()
    revoked, kept = lake.assume(ana, "bu-a"), lake.assume(ana, "bu-a")
    follower.look()
    lake.identity.store.sessions.revoke(revoked.access_key_id)
    follower.look()
    assert not lake.reads(revoked)
    with pytest.raises(ClientError):
        lake.who(revoked)
    assert lake.reads(kept)


def test_a_session_whose_time_is_over_is_refused_by_the_store_itself(lake: UnitLake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a", ANA)
    # The shortest session of all, opened long ago.
    lake.identity.clock._now = time.time() - 896
    session = lake.assume(ana, "bu-a", DurationSeconds=900)
    assert lake.reads(session)
    time.sleep(max(0.0, (session.expires_at or 0) - time.time()))
    assert not lake.reads(session)


def test_a_session_ends_at_the_store_with_the_users_key_that_it_stands_on(lake: UnitLake) -> None:
    lake.identity.user("ana", may_assume())
    ends = float(int(time.time()) + 4)
    ana = lake.identity.store.keys.create(ACCOUNT, "ana", expires_at=ends)
    lake.identity.role("first", trusting(ANA), may_assume())
    lake.unit("bu-a", arns.role_arn(ACCOUNT, "first"))
    chained = lake.assume(lake.assume(ana, "first"), "bu-a")
    assert chained.expires_at == ends
    assert lake.reads(chained)
    time.sleep(max(0.0, ends - time.time()))
    assert not lake.reads(chained)


def test_a_session_policy_narrows_what_the_store_opens(lake: UnitLake) -> None:
    ana = lake.identity.user("ana", may_assume())
    lake.unit("bu-a", ANA)
    lake.weed.s3().put_object(Bucket=lake.results, Key="bu-a/2026/x.csv", Body=b"rows")
    only_read = lake.assume(ana, "bu-a", Policy=policy_text(allow("s3:GetObject")))
    assert lake.reads(only_read)
    assert not lake.writes(only_read)
    one_year = lake.assume(ana, "bu-a", Policy=policy_text(allow("s3:*", lake.arn("bu-a/2026/"))))
    assert lake.reads(one_year, "bu-a/2026/x.csv")
    assert not lake.reads(one_year)
    elsewhere = lake.assume(ana, "bu-a", Policy=policy_text(allow("s3:*", lake.arn("bu-b/"))))
    assert not lake.reads(elsewhere)
    assert not lake.reads(elsewhere, OTHERS)


def test_a_folder_in_capitals_is_for_long_lived_keys_alone(
    lake: UnitLake, caplog: pytest.LogCaptureFixture
) -> None:
    folder = lake.arn("Sales/")
    ana = lake.identity.user("ana", may_assume(), allow(OUTPUT, folder))
    lake.weed.s3().put_object(Bucket=lake.results, Key="Sales/x.csv", Body=b"rows")
    session = lake.session_of(ana)
    assert lake.who(session) == ANA
    assert not lake.reads(session, "Sales/x.csv")
    assert f"{lake.results}/Sales/" in caplog.text
    assert session.secret_access_key not in caplog.text
    lake.follower().look()
    assert lake.reads(ana, "Sales/x.csv")
    assert not lake.reads(session, "Sales/x.csv")


# --- a user's long-lived key -----------------------------------------------------------------


def test_a_users_key_opens_its_folder_from_the_next_look_on_and_no_longer_than_it_is_good(
    lake: UnitLake,
) -> None:
    ana = lake.identity.user("ana", allow(OUTPUT, lake.arn("bu-a/")))
    follower = lake.follower()
    assert not lake.reads(ana)
    follower.look()
    assert (lake.reads(ana), lake.writes(ana)) == (True, True)
    assert not lake.reads(ana, OTHERS)
    assert not lake.lists(ana, "")
    for active in (False, True):
        lake.identity.store.keys.set_active(ana.access_key_id, active=active)
        follower.look()
        assert lake.reads(ana) == active
    lake.identity.store.directory.delete_user(ACCOUNT, "ana")
    follower.look()
    assert not lake.reads(ana)


def test_a_deny_takes_its_kind_of_action_away_at_once(lake: UnitLake) -> None:
    own = allow("s3:*", lake.arn("bu-a/"))
    ana = lake.identity.user("ana", own)
    follower = lake.follower()
    follower.look()
    assert (lake.reads(ana), lake.writes(ana), lake.lists(ana)) == (True, True, True)
    deny = {**allow("s3:PutObject", lake.arn("bu-a/")), "Effect": "Deny"}
    lake.identity.store.directory.put_user_policy(ACCOUNT, "ana", policy(own, deny))
    follower.look()
    assert (lake.reads(ana), lake.writes(ana), lake.lists(ana)) == (True, False, True)
    # The store knows folders only: what is denied of a part closes the whole.
    part = {**allow("s3:GetObject", lake.arn("bu-a/secret/")), "Effect": "Deny"}
    lake.identity.store.directory.put_user_policy(ACCOUNT, "ana", policy(own, part))
    follower.look()
    assert (lake.reads(ana), lake.writes(ana)) == (False, True)


def test_leaving_a_group_closes_what_the_group_gave_to_key_and_session(lake: UnitLake) -> None:
    directory = lake.identity.store.directory
    ana = lake.identity.user("ana", may_assume())
    directory.create_group(ACCOUNT, "bu-a", policy=policy(allow(OUTPUT, lake.arn("bu-a/"))))
    directory.add_member(ACCOUNT, "bu-a", "ana")
    follower = lake.follower()
    follower.look()
    session = lake.session_of(ana)
    assert (lake.reads(ana), lake.reads(session)) == (True, True)
    directory.remove_member(ACCOUNT, "bu-a", "ana")
    follower.look()
    assert (lake.reads(ana), lake.reads(session)) == (False, False)
    assert lake.who(session) == ANA


def test_originals_open_to_no_issued_key_whatever_a_policy_says(lake: UnitLake) -> None:
    lake.weed.s3().put_object(Bucket=SOURCES[0], Key="all/a.jpg", Body=b"a face")
    ana = lake.identity.user("ana", may_assume(), allow("s3:*", f"arn:aws:s3:::{SOURCES[0]}/all/*"))
    lake.follower().look()
    for key in (ana, lake.session_of(ana)):
        assert refused(partial(read, b=SOURCES[0], k="all/a.jpg"), lake.s3(key))


def write(s3: Any, b: str) -> Any:
    """Write an object where BU-A has one."""
    return s3.put_object(Bucket=b, Key=OWN, Body=b"x")


def list_own(s3: Any, b: str) -> Any:
    """List BU-A's folder."""
    return s3.list_objects_v2(Bucket=b, Prefix="bu-a/")
