"""DATA_LOCATION_ACCESS lets somebody keep tables at a location. It opens no file at the store.

Why not, though the caller may read every cell of the table there: docs/adr/0017.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.deciding.data_access import decide_data
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import Grant, OnLocation, OnTable, TableName
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import LFTag
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.flows.known_resources import known_table
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord
from lakeveil.ports.store_keys import StoreCredential
from tests.adapters.store_keys_bench import multipart, read, refused
from tests.identity_parts import ACCOUNT, allow, policy, trusting
from tests.stack.unit_lake import ANA, UnitLake, may_assume, unit_lake
from tests.stack_fixture import Weed

EVENTS = TableName(ACCOUNT, "ads", "events")
FILE = "tables/events/part-0.parquet"
WRITER = arns.role_arn(ACCOUNT, "writer")


@pytest.fixture
def lake(weed: Weed, tmp_path: Path) -> Iterator[UnitLake]:
    with unit_lake(weed, tmp_path / "home") as lake:
        lake.weed.s3().put_object(Bucket=lake.results, Key=FILE, Body=b"rows")
        yield lake


def locate(lake: UnitLake, *holders: str) -> None:
    """A registered location with a table, of which the holders may keep and read everything."""
    place = f"s3://{lake.results}/tables"
    table = Table(name=EVENTS, columns=(Column("day"), Column("salary")))
    with open_lake(lake.identity.engine).changing() as tx:
        tx.put_settings(ACCOUNT, LakeSettings(administrators=frozenset({f"{ANA}-admin"})))
        tx.put_location(Location(account=ACCOUNT, location=place))
        tx.put_tag(LFTag(account=ACCOUNT, key="class", values=frozenset({"public", "secret"})))
        tx.put_database(DatabaseRecord(database=Database(account=ACCOUNT, name="ads")))
        tx.put_table(TableRecord(table=table, location=f"{place}/events"))
        for who in holders:
            for on, may in (
                (OnLocation(ACCOUNT, place), {Permission.DATA_LOCATION_ACCESS}),
                (
                    OnTable(ACCOUNT, "ads", "events"),
                    {Permission.SELECT, Permission.INSERT, Permission.DELETE},
                ),
            ):
                tx.put_grant(
                    Grant(
                        id="",
                        account=ACCOUNT,
                        principal=who,
                        resource=on,
                        permissions=frozenset(may),
                    )
                )


def opened(lake: UnitLake, key: StoreCredential | IssuedKey) -> set[str]:
    """What the store lets a key do at the table's place."""
    s3, bucket = lake.s3(key), lake.results
    uses: dict[str, Any] = {
        "read": partial(read, b=bucket, k=FILE),
        "list": lambda s3: s3.list_objects_v2(Bucket=bucket, Prefix="tables/"),
        "write": lambda s3: s3.put_object(Bucket=bucket, Key="tables/new/x", Body=b"x"),
        "delete": lambda s3: s3.delete_object(Bucket=bucket, Key="tables/new/x"),
    }
    return {name for name, use in uses.items() if not refused(use, s3)}


def test_the_grant_alone_opens_nothing_though_every_cell_there_may_be_read(lake: UnitLake) -> None:
    ana = lake.identity.user("ana", may_assume(), allow("lakeformation:GetDataAccess"))
    lake.identity.role("writer", trusting(ANA), allow("lakeformation:*"), allow("glue:*"))
    locate(lake, ANA, WRITER)
    lake.follower().look()
    for key in (ana, lake.session_of(ana), lake.assume(ana, "writer")):
        who = lake.identity.store.principal_of(key.access_key_id)
        state = open_lake(lake.identity.engine)
        asker = Authority(who=who, policy=state.policy(), now=0.0)
        assert asker.location(ACCOUNT, f"s3://{lake.results}/tables/new")[0]
        table = known_table(state, asker, EVENTS)
        assert decide_data(who, table, asker.policy, now=0.0).full_read
        assert opened(lake, key) == set()


def test_a_policy_that_names_the_folder_opens_it_and_a_tag_does_not_close_it(
    lake: UnitLake,
) -> None:
    """What the policy's author is told in docs/how-to: it goes past every grant and filter."""
    folder = lake.arn("tables/")
    ana = lake.identity.user("ana", may_assume())
    lake.identity.role("writer", trusting(ANA), allow("s3:*", folder))
    locate(lake, WRITER)
    session = lake.assume(ana, "writer")
    every = {"read", "list", "write", "delete"}
    assert opened(lake, session) == every
    assert multipart(lake.s3(session), lake.results, "tables/new/big.parquet")
    with open_lake(lake.identity.engine).changing() as tx:
        tx.assign(
            Assignment(place=Place(ACCOUNT, "ads", "events", "salary"), key="class", value="secret")
        )
    follower = lake.follower()
    follower.look()
    assert opened(lake, session) == every
    lake.identity.store.directory.put_role_policy(ACCOUNT, "writer", policy(allow("glue:*")))
    follower.look()
    assert opened(lake, session) == set()


def test_a_writer_may_be_let_in_to_write_and_not_to_read(lake: UnitLake) -> None:
    may = ["s3:PutObject", "s3:DeleteObject", "s3:*Multipart*"]
    ana = lake.identity.user("ana", may_assume())
    lake.identity.role("writer", trusting(ANA), allow(may, lake.arn("tables/")))
    locate(lake, WRITER)
    assert opened(lake, lake.assume(ana, "writer")) == {"write", "delete"}
