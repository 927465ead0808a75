"""A lake at rest, of which documents ask why: nothing runs, as the command line needs nothing."""

from __future__ import annotations

import json
from pathlib import Path

from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.grants import (
    Grant,
    OnDatabase,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord

ACCOUNT = "111122223333"
ANA, BOB, DAVE = (arns.user_arn(ACCOUNT, name) for name in ("ana", "bob", "dave"))
READS = json.dumps(
    {"Statement": [{"Effect": "Allow", "Action": "lakeformation:GetDataAccess", "Resource": "*"}]}
)
SET_AT = 1_772_409_600.0  # 2026-03-02
OPEN = Expression.of({"class": ["non-private"], "owner": ["internal"]})


def lay_down(home: Path) -> None:
    """Database `ads`, open but for two columns of `events`; ana and bob read what is open.

    Dave administers the lake. He created the tags, and owns nothing.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    engine = open_database(f"sqlite:///{home / 'state.db'}")
    directory = Directory(engine, SystemClock())
    directory.create_account(Account(id=ACCOUNT, name="main"))
    for name in ("ana", "bob", "dave"):
        directory.create_user(ACCOUNT, name, policy=READS)
    open_audit_log(engine, home)
    with open_lake(engine).changing() as change:
        change.put_settings(ACCOUNT, LakeSettings(administrators=frozenset({DAVE})))
        change.put_location(Location(account=ACCOUNT, location="s3://lake/ads"))
        change.put_database(DatabaseRecord(database=Database(account=ACCOUNT, name="ads")))
        for name, columns in (
            ("events", ("id", "ts", "ip_address", "email")),
            ("daily", ("day", "clicks")),
        ):
            change.put_table(
                TableRecord(
                    table=Table(
                        name=TableName(ACCOUNT, "ads", name),
                        columns=tuple(Column(column) for column in columns),
                    ),
                    location=f"s3://lake/ads/{name}",
                )
            )
        for key, values in (("class", ("private", "non-private")), ("owner", ("internal",))):
            change.put_tag(
                LFTag(account=ACCOUNT, key=key, values=frozenset(values), created_by=DAVE)
            )
        for place, key, value in (
            (Place(ACCOUNT, "ads"), "class", "non-private"),
            (Place(ACCOUNT, "ads"), "owner", "internal"),
            (Place(ACCOUNT, "ads", "events", "ip_address"), "class", "private"),
            (Place(ACCOUNT, "ads", "events", "email"), "class", "private"),
        ):
            change.assign(Assignment(place=place, key=key, value=value, set_by=DAVE, set_at=SET_AT))
        for to in (ANA, BOB):
            tables = TagPolicy(ACCOUNT, PolicyKind.TABLE, expression=OPEN)
            change.put_grant(_grant(to, tables, Permission.SELECT))
        change.put_grant(_grant(ANA, OnDatabase(ACCOUNT, "ads"), Permission.DESCRIBE))
    engine.dispose()


def _grant(to: str, on: Resource, permission: Permission) -> Grant:
    return Grant(
        id="", account=ACCOUNT, principal=to, resource=on, permissions=frozenset({permission})
    )
